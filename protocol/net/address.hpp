#pragma once

#include "protocol/base/endpoint.hpp"

#include <boost/asio/ip/address.hpp>

namespace ppsp::net {

[[nodiscard]] Endpoint to_endpoint(boost::asio::ip::address const& address, std::uint16_t port);

/// IPv4 addresses come out as IPv4, not as mapped IPv6.
[[nodiscard]] boost::asio::ip::address to_asio_address(Endpoint const& endpoint);

/// For `ip::tcp::endpoint` and `ip::udp::endpoint`.
template <typename AsioEndpoint>
[[nodiscard]] Endpoint to_endpoint(AsioEndpoint const& from)
{
    return to_endpoint(from.address(), from.port());
}

template <typename AsioEndpoint>
[[nodiscard]] AsioEndpoint to_asio(Endpoint const& endpoint)
{
    return AsioEndpoint(to_asio_address(endpoint), endpoint.port());
}

} // namespace ppsp::net
