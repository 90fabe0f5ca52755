#include "protocol/base/endpoint.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>

namespace ppsp {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<std::uint16_t> parse_port(std::string_view text)
{
    std::uint16_t port = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
        return std::nullopt;
    }
    return port;
}

AddressScope scope_of_v4(std::uint32_t address)
{
    auto const in = [address](std::uint32_t network, unsigned bits) {
        return (address >> (32 - bits)) == (network >> (32 - bits));
    };
    if (address == 0) {
        return AddressScope::unspecified;
    }
    if (in(0x7f00'0000, 8)) {
        return AddressScope::loopback;
    }
    if (in(0xa9fe'0000, 16)) {
        return AddressScope::link_local;
    }
    if (in(0x0a00'0000, 8) || in(0xac10'0000, 12) || in(0xc0a8'0000, 16) || in(0x6440'0000, 10)) {
        return AddressScope::private_network;
    }
    if (in(0xe000'0000, 4) || address == 0xffff'ffff) {
        return AddressScope::multicast;
    }
    return AddressScope::global;
}

AddressScope scope_of_v6(std::array<std::uint8_t, 16> const& a)
{
    bool const zero_head = std::all_of(a.begin(), a.end() - 1, [](auto byte) { return byte == 0; });
    if (zero_head && a[15] <= 1) {
        return a[15] == 0 ? AddressScope::unspecified : AddressScope::loopback;
    }
    if (a[0] == 0xff) {
        return AddressScope::multicast;
    }
    if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) {
        return AddressScope::link_local;
    }
    if ((a[0] & 0xfe) == 0xfc) {
        return AddressScope::private_network;
    }
    return AddressScope::global;
}

} // namespace

Endpoint Endpoint::v4(std::uint32_t address, std::uint16_t port) noexcept
{
    Endpoint endpoint;
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), endpoint.address_.begin());
    for (std::size_t i = 0; i < 4; ++i) {
        endpoint.address_[12 + i] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
    }
    endpoint.port_ = port;
    return endpoint;
}

Endpoint Endpoint::v6(std::array<std::uint8_t, 16> const& address, std::uint16_t port) noexcept
{
    Endpoint endpoint;
    endpoint.address_ = address;
    endpoint.port_ = port;
    return endpoint;
}

std::optional<Endpoint> Endpoint::parse(std::string_view text)
{
    auto const colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    auto const port = parse_port(text.substr(colon + 1));
    auto const host = text.substr(0, colon);
    bool const bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (!port || (!bracketed && host.find(':') != std::string_view::npos)) {
        return std::nullopt;
    }
    return parse_address(host, *port);
}

std::optional<Endpoint> Endpoint::parse_address(std::string_view text, std::uint16_t port)
{
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
        text = text.substr(1, text.size() - 2);
    }
    if (text.find('\0') != std::string_view::npos) {
        return std::nullopt; // inet_pton would stop reading there
    }
    std::string const host(text);
    in_addr four{};
    if (inet_pton(AF_INET, host.c_str(), &four) == 1) {
        return v4(ntohl(four.s_addr), port);
    }
    std::array<std::uint8_t, 16> six{};
    if (inet_pton(AF_INET6, host.c_str(), six.data()) == 1) {
        return v6(six, port);
    }
    return std::nullopt;
}

bool Endpoint::is_v4() const noexcept
{
    return std::equal(mapped_prefix.begin(), mapped_prefix.end(), address_.begin());
}

std::uint32_t Endpoint::v4_address() const noexcept
{
    std::uint32_t address = 0;
    for (std::size_t i = 12; i < 16; ++i) {
        address = address << 8 | address_[i];
    }
    return address;
}

AddressScope Endpoint::scope() const noexcept
{
    return is_v4() ? scope_of_v4(v4_address()) : scope_of_v6(address_);
}

std::string Endpoint::address_text() const
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_v4()) {
        inet_ntop(AF_INET, address_.data() + 12, text.data(), text.size());
    } else {
        inet_ntop(AF_INET6, address_.data(), text.data(), text.size());
    }
    return text.data();
}

std::string Endpoint::text() const
{
    std::string const port = std::to_string(port_);
    return is_v4() ? address_text() + ":" + port : "[" + address_text() + "]:" + port;
}

} // namespace ppsp

std::size_t std::hash<ppsp::Endpoint>::operator()(ppsp::Endpoint const& endpoint) const noexcept
{
    std::uint64_t halves[2];
    std::memcpy(halves, endpoint.v6_address().data(), sizeof halves);
    std::uint64_t const mixed =
        (halves[0] * 0x9e3779b97f4a7c15U) ^ ((halves[1] + endpoint.port()) * 0xc2b2ae3d27d4eb4fU);
    return static_cast<std::size_t>(mixed ^ (mixed >> 29));
}
