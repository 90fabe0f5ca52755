#include "protocol/net/address.hpp"

namespace ppsp::net {

namespace ip = boost::asio::ip;

Endpoint to_endpoint(ip::address const& address, std::uint16_t port)
{
    if (address.is_v4()) {
        return Endpoint::v4(address.to_v4().to_uint(), port);
    }
    return Endpoint::v6(address.to_v6().to_bytes(), port);
}

ip::address to_asio_address(Endpoint const& endpoint)
{
    if (endpoint.is_v4()) {
        return ip::address_v4(endpoint.v4_address());
    }
    return ip::address_v6(endpoint.v6_address());
}

} // namespace ppsp::net
