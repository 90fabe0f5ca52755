#include "peer/ingest/port_probe.hpp"

#include "peer/ingest/input_spec.hpp"
#include "protocol/base/endpoint.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ppsp::ingest {
namespace {

int bind_once(int type, sockaddr const* address, socklen_t size)
{
    int const descriptor = ::socket(address->sa_family, type | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return errno;
    }
    int const yes = 1;
    if (type == SOCK_STREAM) {
        // As FFmpeg does it: connections that are still closing do not count.
        ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    }
    int error = ::bind(descriptor, address, size) == 0 ? 0 : errno;
    if (error == 0 && type == SOCK_STREAM && ::listen(descriptor, 1) != 0) {
        error = errno;
    }
    ::close(descriptor);
    return error;
}

int bind_once(int type, Endpoint const& where)
{
    if (where.is_v4()) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(where.port());
        address.sin_addr.s_addr = htonl(where.v4_address());
        return bind_once(type, reinterpret_cast<sockaddr const*>(&address), sizeof address);
    }
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(where.port());
    std::memcpy(&address.sin6_addr, where.v6_address().data(), sizeof address.sin6_addr);
    return bind_once(type, reinterpret_cast<sockaddr const*>(&address), sizeof address);
}

} // namespace

int port_error(std::string const& url)
{
    bool const is_tcp = url.starts_with("rtmp");
    auto const where = host_and_port(url);
    if (!where) {
        return 0;
    }
    std::uint16_t const rtmp_port = 1935;
    std::uint16_t const port = where->port == 0 && is_tcp ? rtmp_port : where->port;
    auto const endpoint =
        Endpoint::parse_address(where->host.empty() ? "0.0.0.0" : where->host, port);
    if (!endpoint || endpoint->scope() == AddressScope::multicast) {
        return 0;
    }
    return bind_once(is_tcp ? SOCK_STREAM : SOCK_DGRAM, *endpoint);
}

} // namespace ppsp::ingest
