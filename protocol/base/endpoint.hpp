#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ppsp {

/// How far an address reaches; decides what PEX may tell to whom (RFC 7574 §8.13).
enum class AddressScope : std::uint8_t {
    unspecified,
    loopback,
    link_local,
    private_network, ///< RFC 1918, RFC 6598 and unique local addresses
    multicast,
    global,
};

/// IP address and port. IPv4 is kept as IPv4-mapped IPv6 inside, so that one address has one value.
class Endpoint {
public:
    Endpoint() = default;
    [[nodiscard]] static Endpoint v4(std::uint32_t address, std::uint16_t port) noexcept;
    [[nodiscard]] static Endpoint v6(std::array<std::uint8_t, 16> const& address,
                                     std::uint16_t port) noexcept;

    /// `192.0.2.1:6778` or `[2001:db8::1]:6778`; addresses only, no names.
    [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text);
    /// Address without port, brackets allowed.
    [[nodiscard]] static std::optional<Endpoint> parse_address(std::string_view text,
                                                               std::uint16_t port);

    [[nodiscard]] bool is_v4() const noexcept;
    /// Host byte order; only for `is_v4()`.
    [[nodiscard]] std::uint32_t v4_address() const noexcept;
    [[nodiscard]] std::array<std::uint8_t, 16> const& v6_address() const noexcept
    {
        return address_;
    }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] AddressScope scope() const noexcept;
    /// Same address, whatever the port.
    [[nodiscard]] bool same_address(Endpoint const& other) const noexcept
    {
        return address_ == other.address_;
    }
    /// Address without port, as in RFC 5952.
    [[nodiscard]] std::string address_text() const;
    [[nodiscard]] std::string text() const;

    friend auto operator<=>(Endpoint const&, Endpoint const&) = default;

private:
    std::array<std::uint8_t, 16> address_{};
    std::uint16_t port_ = 0;
};

} // namespace ppsp

template <>
struct std::hash<ppsp::Endpoint> {
    std::size_t operator()(ppsp::Endpoint const& endpoint) const noexcept;
};
