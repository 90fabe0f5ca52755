#pragma once

#include "protocol/ppstp/messages.hpp"
#include "tracker/registry/limits.hpp"

#include <span>
#include <string>
#include <vector>

namespace ppsp::tracker {

/// RFC 7846 Figure 5; START and TERMINATE are a peer that is not in the registry.
enum class PeerState : std::uint8_t { start, peer_registered, tracking, terminate };

/// A swarm that the peer is in.
struct Membership {
    std::string swarm_id;
    ppstp::PeerMode mode = ppstp::PeerMode::leech;
};

/// Which actions of a CONNECT may be carried out, in the order of the request.
struct ConnectVerdict {
    std::vector<bool> allowed;
    bool is_valid = false; ///< at least one action is allowed
    PeerState next = PeerState::terminate;
    std::string reason; ///< why the first forbidden action is
};

/// RFC 7846 Table 6 with the choices of protocols.md §4.3. `state` is start or tracking.
[[nodiscard]] ConnectVerdict judge_connect(PeerState state, std::span<Membership const> memberships,
                                           std::span<ppstp::SwarmAction const> actions,
                                           Limits const& limits);

} // namespace ppsp::tracker
