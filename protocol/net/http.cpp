#include "protocol/net/http.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <cctype>

namespace ppsp::net {
namespace {

bool same_without_case(std::string_view left, std::string_view right)
{
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) ==
               std::tolower(static_cast<unsigned char>(b));
    });
}

std::string host_of(boost::urls::url_view const& url)
{
    std::string host = url.host();
    if (host.size() >= 2 && host.front() == '[') {
        host = host.substr(1, host.size() - 2);
    }
    return host;
}

} // namespace

std::string_view to_text(HttpError error)
{
    switch (error) {
    case HttpError::bad_url:
        return "not an http or https address";
    case HttpError::busy:
        return "another request is under way";
    case HttpError::resolve_failed:
        return "host name not found";
    case HttpError::connect_failed:
        return "nobody answers at this address";
    case HttpError::tls_failed:
        return "no trusted TLS connection";
    case HttpError::timeout:
        return "no answer in time";
    case HttpError::connection_lost:
        return "connection lost";
    case HttpError::bad_response:
        return "answer is not HTTP";
    case HttpError::response_too_large:
        return "answer is too large";
    }
    return "unknown error";
}

std::optional<std::string_view> HttpResponse::header(std::string_view name) const
{
    for (auto const& entry : headers) {
        if (same_without_case(entry.name, name)) {
            return entry.value;
        }
    }
    return std::nullopt;
}

Result<Url, HttpError> parse_url(std::string_view text)
{
    auto const parsed = boost::urls::parse_uri(text);
    if (!parsed) {
        return failure(HttpError::bad_url);
    }
    bool const is_http = parsed->scheme_id() == boost::urls::scheme::http;
    bool const is_https = parsed->scheme_id() == boost::urls::scheme::https;
    if ((!is_http && !is_https) || parsed->has_userinfo()) {
        return failure(HttpError::bad_url);
    }
    Url url{is_https, host_of(*parsed), static_cast<std::uint16_t>(is_https ? 443 : 80),
            std::string(parsed->encoded_resource())};
    if (parsed->has_port()) {
        url.port = parsed->port_number(); // 0 where it is no port number
    }
    if (auto const fragment = url.target.find('#'); fragment != std::string::npos) {
        url.target.resize(fragment);
    }
    if (url.target.empty() || url.target.front() != '/') {
        url.target.insert(url.target.begin(), '/');
    }
    bool const is_speakable = std::all_of(url.host.begin(), url.host.end(), [](char c) {
        return std::isgraph(static_cast<unsigned char>(c)) != 0;
    });
    if (url.host.empty() || !is_speakable || url.port == 0) {
        return failure(HttpError::bad_url);
    }
    return url;
}

} // namespace ppsp::net
