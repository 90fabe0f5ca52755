#pragma once

#include "protocol/base/endpoint.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

namespace ppsp::peer {

/// An address as the system's calls want it.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    [[nodiscard]] sockaddr const* get() const
    {
        return reinterpret_cast<sockaddr const*>(&storage);
    }
};

/// With `as_v6` an IPv4 address comes out mapped, as a dual-stack socket wants it; without it only
/// IPv4 addresses may be given.
[[nodiscard]] SocketAddress to_socket_address(Endpoint const& endpoint, bool as_v6);

/// The zero endpoint for a family other than IPv4 and IPv6.
[[nodiscard]] Endpoint to_endpoint(sockaddr_storage const& address);

} // namespace ppsp::peer
