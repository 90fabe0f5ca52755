#pragma once

#include "protocol/ppstp/messages.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace ppsp::tracker {

/// An address that may be told to others, in the size that a million peers allow.
struct ListedAddress {
    Endpoint endpoint;
    std::uint32_t priority = 1;
    std::uint32_t asn = 0; ///< 0 = unknown
    ppstp::AddressType type = ppstp::AddressType::host;
    std::uint8_t connection = 0; ///< 0 unknown, 1 wired, 2 wireless
    /// Behind a NAT: only for askers whose connection comes from the same address.
    bool is_local = false;

    [[nodiscard]] ppstp::PeerAddress to_peer_address() const;
};

/// A tracker must not be used to send traffic to somebody else (trap P12), so of the addresses that
/// a peer names only these are told: those with the address that its connection comes from; private
/// ones to askers behind the same address. Where none is left, the connection's own address with
/// the port that the peer named. Best first, at most `count_max`.
[[nodiscard]] std::vector<ListedAddress>
listed_addresses(Endpoint const& source, std::vector<ppstp::PeerAddress> const& named,
                 std::size_t count_max);

/// What the tracker saw of the asker, or nullopt when it finds out by STUN or TURN itself
/// (RFC 7846 §4.1.1).
[[nodiscard]] std::optional<ppstp::PeerAddress> seen_address(Endpoint const& source,
                                                             ppstp::Connect const& connect);

/// Loopback, link-local and private networks.
[[nodiscard]] bool is_private(Endpoint const& endpoint);

} // namespace ppsp::tracker
