#include "tracker/registry/address_policy.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace ppsp::tracker {
namespace {

using ppstp::AddressType;
using ppstp::PeerAddress;

std::uint32_t to_asn(std::optional<std::string> const& text)
{
    std::uint32_t asn = 0;
    if (text) {
        auto const end = text->data() + text->size();
        auto const result = std::from_chars(text->data(), end, asn);
        return result.ec == std::errc{} && result.ptr == end ? asn : 0;
    }
    return 0;
}

std::uint8_t to_connection(std::optional<std::string> const& text)
{
    return text == "wired" ? 1 : text == "wireless" ? 2 : 0;
}

ListedAddress to_listed(PeerAddress const& address, bool is_local)
{
    return {address.endpoint,
            address.priority,
            to_asn(address.asn),
            address.type,
            to_connection(address.connection),
            is_local};
}

Endpoint with_port(Endpoint const& endpoint, std::uint16_t port)
{
    return Endpoint::v6(endpoint.v6_address(), port);
}

/// Two peers of a swarm may share the address, so the same one need not be named twice by one.
void add(std::vector<ListedAddress>& listed, ListedAddress const& address)
{
    bool const is_known = std::any_of(listed.begin(), listed.end(), [&](auto const& known) {
        return known.endpoint == address.endpoint;
    });
    if (!is_known) {
        listed.push_back(address);
    }
}

} // namespace

PeerAddress ListedAddress::to_peer_address() const
{
    PeerAddress address;
    address.endpoint = endpoint;
    address.priority = priority;
    address.type = type;
    if (connection != 0) {
        address.connection = connection == 1 ? "wired" : "wireless";
    }
    if (asn != 0) {
        address.asn = std::to_string(asn);
    }
    return address;
}

bool is_private(Endpoint const& endpoint)
{
    auto const scope = endpoint.scope();
    return scope == AddressScope::loopback || scope == AddressScope::link_local ||
           scope == AddressScope::private_network;
}

std::vector<ListedAddress> listed_addresses(Endpoint const& source,
                                            std::vector<PeerAddress> const& named,
                                            std::size_t count_max)
{
    std::vector<ListedAddress> listed;
    bool has_public = false;
    for (auto const& address : named) {
        bool const is_source = address.endpoint.same_address(source);
        bool const is_inside = is_private(address.endpoint);
        if (is_source || (is_inside && is_private(source))) {
            add(listed, to_listed(address, false));
            has_public = true;
        } else if (is_inside && address.endpoint.scope() != AddressScope::loopback) {
            add(listed, to_listed(address, true));
        }
    }
    if (!has_public && !named.empty()) {
        PeerAddress seen = named.front();
        seen.endpoint = with_port(source, named.front().endpoint.port());
        seen.type = AddressType::reflexive;
        add(listed, to_listed(seen, false));
    }
    std::sort(listed.begin(), listed.end(), [](auto const& a, auto const& b) {
        return std::tuple(a.is_local, b.priority, a.endpoint) <
               std::tuple(b.is_local, a.priority, b.endpoint);
    });
    listed.resize(std::min(listed.size(), count_max));
    return listed;
}

std::optional<PeerAddress> seen_address(Endpoint const& source, ppstp::Connect const& connect)
{
    auto const& named = connect.peer_addresses;
    bool const gathers = connect.peer_num && connect.peer_num->ability_nat &&
                         *connect.peer_num->ability_nat != ppstp::NatAbility::none;
    bool const has_gathered = std::any_of(named.begin(), named.end(), [](auto const& address) {
        return address.type != AddressType::host;
    });
    if (named.empty() || gathers || has_gathered) {
        return std::nullopt;
    }
    PeerAddress seen;
    seen.endpoint = with_port(source, named.front().endpoint.port());
    seen.type = AddressType::reflexive;
    return seen;
}

} // namespace ppsp::tracker
