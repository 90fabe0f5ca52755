#pragma once

#include "protocol/base/endpoint.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ppsp::peer {

/// Host name or address and port, as people write them: `tracker.example:7846`, `192.0.2.1:6778`,
/// `[2001:db8::1]:6778`.
struct HostPort {
    std::string host; ///< IPv6 addresses without brackets
    std::uint16_t port = 0;

    [[nodiscard]] std::string text() const;
    friend bool operator==(HostPort const&, HostPort const&) = default;
};

/// Nullopt without a port, for a bare IPv6 address, and for characters that no host name has.
[[nodiscard]] std::optional<HostPort> parse_host_port(std::string_view text);

/// True for IP addresses and for names of RFC 1123 (letters, digits, hyphens, dots; also the
/// underscore that container networks use).
[[nodiscard]] bool is_host(std::string_view host);

/// An address to listen on: numbers only, but `localhost` means 127.0.0.1.
[[nodiscard]] std::optional<Endpoint> parse_listen_address(std::string_view text);

} // namespace ppsp::peer
