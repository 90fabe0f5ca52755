#include "peer/shell/channel_link.hpp"

#include "protocol/wire/options.hpp"

#include <boost/url/grammar/ci_string.hpp>
#include <boost/url/params_view.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <boost/url/url_view.hpp>

#include <charconv>

namespace ppsp::peer {
namespace {

namespace urls = boost::urls;

/// A plus sign is a plus sign: links are no web forms.
constexpr bool space_as_plus = false;

std::optional<std::uint64_t> parse_number(std::string_view text)
{
    std::uint64_t value = 0;
    char const* const end = text.data() + text.size();
    auto const [stop, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc{} || stop != end) {
        return std::nullopt;
    }
    return value;
}

std::optional<HostPort> host_and_port(urls::url_view const& url, std::uint16_t port_default)
{
    std::string host = url.host_address();
    if (url.has_userinfo() || !is_host(host)) {
        return std::nullopt;
    }
    if (!url.has_port()) {
        return HostPort{std::move(host), port_default};
    }
    // Not `port_number()`: it wraps round above 65535.
    std::string const text = url.port();
    auto const port = parse_number(text);
    if (!port || *port == 0 || *port > 65'535) {
        return std::nullopt;
    }
    return HostPort{std::move(host), static_cast<std::uint16_t>(*port)};
}

/// Schemes have no case (RFC 3986 §3.1).
bool has_scheme(urls::url_view const& url, std::string_view scheme)
{
    return urls::grammar::ci_is_equal(url.scheme(), scheme);
}

/// The single segment of the path.
std::optional<std::string> only_segment(urls::url_view const& url)
{
    auto const segments = url.segments();
    if (segments.size() != 1) {
        return std::nullopt;
    }
    return std::string{*segments.begin()};
}

std::optional<LinkError> add_url(std::vector<std::string>& list, std::string const& value,
                                 LinkError error)
{
    if (!is_web_url(value)) {
        return error;
    }
    if (list.size() < link_members_max) {
        list.push_back(value);
    }
    return std::nullopt;
}

std::optional<LinkError> add_peer(ChannelLink& link, std::string const& value)
{
    auto peer = parse_host_port(value);
    if (!peer || peer->port == 0) {
        return LinkError::bad_peer;
    }
    if (link.peers.size() < link_members_max) {
        link.peers.push_back(*std::move(peer));
    }
    return std::nullopt;
}

std::optional<LinkError> add_member(ChannelLink& link, std::string const& key,
                                    std::string const& value)
{
    if (key == "peer") {
        return add_peer(link, value);
    }
    if (key == "cache") {
        return add_url(link.caches, value, LinkError::bad_cache);
    }
    if (key == "cdn") {
        return add_url(link.cdn, value, LinkError::bad_cdn);
    }
    if (key == "length") {
        link.length = parse_number(value);
        return link.length ? std::nullopt : std::optional{LinkError::bad_length};
    }
    return std::nullopt;
}

std::optional<LinkError> read_tracker(ChannelLink& link, urls::url_view const& url)
{
    bool const is_tls = has_scheme(url, "ppsps");
    if (url.host_type() == urls::host_type::name && url.encoded_host().empty()) {
        bool const has_authority = url.has_port() || url.has_userinfo() || is_tls;
        return has_authority ? std::optional{LinkError::bad_tracker} : std::nullopt;
    }
    auto at = host_and_port(url, tracker_port_default);
    if (!at) {
        return LinkError::bad_tracker;
    }
    link.trackers = {{TrackerAddress{*std::move(at), is_tls}}};
    return std::nullopt;
}

std::optional<LinkError> read_swarm(ChannelLink& link, urls::url_view const& url)
{
    auto const segment = only_segment(url);
    if (!segment || segment->empty()) {
        return LinkError::no_swarm;
    }
    auto const id = from_hex(*segment);
    if (!id || !(is_live_id(*id) || is_recording_id(*id))) {
        return LinkError::bad_swarm;
    }
    link.swarm = *id;
    return std::nullopt;
}

std::optional<LinkError> read_members(ChannelLink& link, urls::url_view const& url)
{
    // Boost.URL 1.81 counts two parameters in "?#" and reads the second past the end of the text
    // (boostorg/url issue 864).
    if (url.encoded_query().empty()) {
        return std::nullopt;
    }
    for (auto const& param : url.params(urls::encoding_opts(space_as_plus))) {
        if (auto const problem = add_member(link, param.key, param.value)) {
            return problem;
        }
    }
    return std::nullopt;
}

} // namespace

std::string TrackerAddress::url() const
{
    return (is_tls ? "https://" : "http://") + at.text();
}

std::string_view sentence(LinkError error)
{
    switch (error) {
    case LinkError::too_long:
        return "the link is longer than 8192 characters";
    case LinkError::not_a_link:
        return "this is no channel link: it should look like ppsp://HOST:PORT/SWARM";
    case LinkError::unknown_scheme:
        return "a channel link begins with ppsp:// or ppsps://";
    case LinkError::bad_tracker:
        return "the tracker in the link should be HOST:PORT, as in "
               "ppsp://tracker.example:7846/SWARM";
    case LinkError::no_swarm:
        return "the link names no channel: the swarm id is missing after the tracker";
    case LinkError::bad_swarm:
        return "the swarm id in the link is not the hex form of a channel key or of a root hash; "
               "was the link copied as a whole?";
    case LinkError::bad_peer:
        return "peer= in the link should be HOST:PORT";
    case LinkError::bad_cache:
        return "cache= in the link should be an http:// or https:// URL";
    case LinkError::bad_cdn:
        return "cdn= in the link should be an http:// or https:// URL";
    case LinkError::bad_length:
        return "length= in the link should be a number of bytes";
    case LinkError::nobody_to_ask:
        return "the link names neither a tracker nor a peer, cache or CDN, so nobody can be asked";
    }
    return "the link cannot be read";
}

Result<ChannelLink, LinkError> parse_link(std::string_view text)
{
    if (text.size() > link_size_max) {
        return failure(LinkError::too_long);
    }
    auto const parsed = urls::parse_uri({text.data(), text.size()});
    if (!parsed || !parsed->has_authority()) {
        return failure(LinkError::not_a_link);
    }
    if (!has_scheme(*parsed, "ppsp") && !has_scheme(*parsed, "ppsps")) {
        return failure(LinkError::unknown_scheme);
    }
    ChannelLink link;
    auto error = read_tracker(link, *parsed);
    if (!error) {
        error = read_swarm(link, *parsed);
    }
    if (error) {
        return failure(*error);
    }
    if (auto const problem = read_members(link, *parsed)) {
        return failure(*problem);
    }
    if (link.trackers.empty() && link.peers.empty() && link.caches.empty() && link.cdn.empty()) {
        return failure(LinkError::nobody_to_ask);
    }
    return link;
}

std::string format_link(ChannelLink const& link)
{
    urls::url url;
    bool const has_tracker = !link.trackers.empty() && !link.trackers.front().empty();
    bool const is_tls = has_tracker && link.trackers.front().front().is_tls;
    std::string text = is_tls ? "ppsps://" : "ppsp://";
    if (has_tracker) {
        text += link.trackers.front().front().at.text();
    }
    url.set_path("/" + to_hex(link.swarm));
    auto params = url.params(urls::encoding_opts(space_as_plus));
    for (HostPort const& peer : link.peers) {
        params.append({"peer", peer.text()});
    }
    for (std::string const& cache : link.caches) {
        params.append({"cache", cache});
    }
    for (std::string const& cdn : link.cdn) {
        params.append({"cdn", cdn});
    }
    if (link.length) {
        params.append({"length", std::to_string(*link.length)});
    }
    return text + std::string{url.buffer()};
}

std::optional<TrackerAddress> parse_tracker_url(std::string_view url)
{
    auto const parsed = urls::parse_uri({url.data(), url.size()});
    if (!parsed || !is_web_url(url) || parsed->has_query() || parsed->has_fragment()) {
        return std::nullopt;
    }
    std::string const path = parsed->path();
    if (!path.empty() && path != "/" && path != "/ppstp") {
        return std::nullopt;
    }
    auto at = host_and_port(*parsed, tracker_port_default);
    if (!at) {
        return std::nullopt;
    }
    return TrackerAddress{*std::move(at), has_scheme(*parsed, "https")};
}

bool is_live_id(Bytes swarm)
{
    if (swarm.empty()) {
        return false;
    }
    using wire::SignatureAlgorithm;
    switch (static_cast<SignatureAlgorithm>(swarm.front())) {
    case SignatureAlgorithm::ecdsa_p256_sha256:
        return swarm.size() == 1 + 64; // RFC 6605 §4
    case SignatureAlgorithm::ecdsa_p384_sha384:
        return swarm.size() == 1 + 96;
    case SignatureAlgorithm::ed25519:
        return swarm.size() == 1 + 32; // RFC 8080 §3
    case SignatureAlgorithm::rsa_sha1:
    case SignatureAlgorithm::rsa_sha256:
        return swarm.size() > 1 + 128 && swarm.size() <= wire::swarm_id_size_max;
    case SignatureAlgorithm::ed448:
        return false;
    }
    return false;
}

bool is_recording_id(Bytes swarm)
{
    switch (swarm.size()) {
    case 20:
    case 28:
    case 32:
    case 48:
    case 64:
        return true;
    default:
        return false;
    }
}

bool is_web_url(std::string_view url)
{
    if (url.size() > link_size_max) {
        return false;
    }
    auto const parsed = urls::parse_uri({url.data(), url.size()});
    bool const is_web = parsed && (has_scheme(*parsed, "http") || has_scheme(*parsed, "https"));
    return is_web && parsed->has_authority() && !parsed->encoded_host().empty();
}

} // namespace ppsp::peer
