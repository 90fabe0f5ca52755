#include "peer/shell/socket_address.hpp"

#include "protocol/base/assert.hpp"

#include <cstring>

namespace ppsp::peer {

SocketAddress to_socket_address(Endpoint const& endpoint, bool as_v6)
{
    SocketAddress result;
    if (as_v6) {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(endpoint.port());
        std::memcpy(&address.sin6_addr, endpoint.v6_address().data(), 16);
        result.size = sizeof(address);
        std::memcpy(&result.storage, &address, sizeof(address));
        return result;
    }
    PPSP_ASSERT(endpoint.is_v4());
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port());
    address.sin_addr.s_addr = htonl(endpoint.v4_address());
    result.size = sizeof(address);
    std::memcpy(&result.storage, &address, sizeof(address));
    return result;
}

Endpoint to_endpoint(sockaddr_storage const& storage)
{
    if (storage.ss_family == AF_INET) {
        sockaddr_in address{};
        std::memcpy(&address, &storage, sizeof(address));
        return Endpoint::v4(ntohl(address.sin_addr.s_addr), ntohs(address.sin_port));
    }
    if (storage.ss_family == AF_INET6) {
        sockaddr_in6 address{};
        std::memcpy(&address, &storage, sizeof(address));
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
        return Endpoint::v6(bytes, ntohs(address.sin6_port));
    }
    return {};
}

} // namespace ppsp::peer
