#pragma once

#include "protocol/ppstp/messages.hpp"

#include <functional>

namespace ppsp::peer {

/// Chooses whom to contact from the peer lists of a tracker. A peer with several addresses is
/// offered under its best one first and under the next one in each later answer.
class Candidates {
public:
    using Reachable = std::function<bool(Endpoint const&)>;

    /// `reachable` says whether the socket can send to an address at all.
    Candidates(std::string own_peer_id, Reachable reachable)
        : own_peer_id_(std::move(own_peer_id)), reachable_(std::move(reachable))
    {}

    /// One address per peer, in the tracker's order; neither ourselves (trap P5) nor twice the
    /// same.
    [[nodiscard]] std::vector<Endpoint> choose(std::vector<ppstp::PeerInfo> const& peers,
                                               std::vector<Endpoint> const& own);

private:
    std::string own_peer_id_;
    Reachable reachable_;
    std::size_t round_ = 0;
};

} // namespace ppsp::peer
