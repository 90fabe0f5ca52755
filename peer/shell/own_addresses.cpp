#include "peer/shell/own_addresses.hpp"

#include "peer/shell/socket_address.hpp"

#include <algorithm>
#include <optional>
#include <unistd.h>

namespace ppsp::peer {
namespace {

/// Connecting a UDP socket makes the system choose a source address and sends nothing.
std::optional<Endpoint> source_address_to(Endpoint const& to, std::uint16_t port)
{
    bool const is_v6 = !to.is_v4();
    int const fd = ::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return std::nullopt;
    }
    SocketAddress const target = to_socket_address(to, is_v6);
    sockaddr_storage own{};
    socklen_t size = sizeof(own);
    bool const is_known = ::connect(fd, target.get(), target.size) == 0 &&
                          ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0;
    ::close(fd);
    if (!is_known) {
        return std::nullopt;
    }
    return Endpoint::parse_address(to_endpoint(own).address_text(), port);
}

/// Addresses of documentation networks (RFC 5737, RFC 3849): they follow the default route.
std::vector<Endpoint> far_targets(bool with_v6)
{
    std::vector<Endpoint> targets{*Endpoint::parse("192.0.2.1:9")};
    if (with_v6) {
        targets.push_back(*Endpoint::parse("[2001:db8::1]:9"));
    }
    return targets;
}

void add(std::vector<Endpoint>& list, std::optional<Endpoint> const& endpoint)
{
    bool const is_new = endpoint && std::find(list.begin(), list.end(), *endpoint) == list.end();
    if (is_new) {
        list.push_back(*endpoint);
    }
}

bool is_loopback(Endpoint const& endpoint)
{
    return endpoint.scope() == AddressScope::loopback;
}

} // namespace

std::vector<Endpoint> own_addresses(Endpoint const& bound, std::vector<Endpoint> const& trackers)
{
    if (bound.scope() != AddressScope::unspecified) {
        return {bound};
    }
    bool const takes_v6 = !bound.is_v4();
    std::vector<Endpoint> list;
    for (Endpoint const& tracker : trackers) {
        if (tracker.is_v4() || takes_v6) {
            add(list, source_address_to(tracker, bound.port()));
        }
    }
    if (std::any_of(list.begin(), list.end(), is_loopback)) {
        return list;
    }
    for (Endpoint const& target : far_targets(takes_v6)) {
        add(list, source_address_to(target, bound.port()));
    }
    if (list.empty()) {
        // A machine without a route has loopback at least.
        add(list, Endpoint::parse_address("127.0.0.1", bound.port()));
    }
    return list;
}

} // namespace ppsp::peer
