#include "peer/shell/host_port.hpp"

#include <algorithm>
#include <charconv>

namespace ppsp::peer {
namespace {

constexpr std::size_t host_size_max = 253; // RFC 1035 §2.3.4, without the final dot

std::optional<std::uint16_t> parse_port(std::string_view text)
{
    std::uint16_t port = 0;
    char const* const end = text.data() + text.size();
    auto const [stop, error] = std::from_chars(text.data(), end, port);
    if (text.empty() || error != std::errc{} || stop != end) {
        return std::nullopt;
    }
    return port;
}

bool is_host_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

bool is_v6_address(std::string_view host)
{
    return host.find(':') != std::string_view::npos && Endpoint::parse_address(host, 0).has_value();
}

} // namespace

std::string HostPort::text() const
{
    bool const is_v6 = host.find(':') != std::string::npos;
    return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool is_host(std::string_view host)
{
    if (host.empty() || host.size() > host_size_max) {
        return false;
    }
    return is_v6_address(host) || std::all_of(host.begin(), host.end(), is_host_character);
}

std::optional<HostPort> parse_host_port(std::string_view text)
{
    auto const colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    auto const port = parse_port(text.substr(colon + 1));
    bool const has_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (has_brackets) {
        host = host.substr(1, host.size() - 2);
    }
    // Brackets and only brackets make a colon part of the host (RFC 3986 §3.2.2).
    if (!port || !is_host(host) || is_v6_address(host) != has_brackets) {
        return std::nullopt;
    }
    return HostPort{std::string{host}, *port};
}

std::optional<Endpoint> parse_listen_address(std::string_view text)
{
    auto const parsed = parse_host_port(text);
    if (!parsed) {
        return std::nullopt;
    }
    bool const is_localhost = parsed->host == "localhost";
    return Endpoint::parse_address(is_localhost ? "127.0.0.1" : parsed->host, parsed->port);
}

} // namespace ppsp::peer
