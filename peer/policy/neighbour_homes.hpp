#pragma once

#include "peer/policy/substream.hpp"
#include "protocol/base/time.hpp"

#include <array>
#include <map>

namespace ppsp::peer {

/// What neighbours pass on, by what they announce: a node tells everybody of units of its home
/// substreams now and then, also those that have them, and of others hardly anybody.
///
/// Whoever passes much on is worth little as a child in a substream that it does not pass on.
class NeighbourHomes {
public:
    /// An announcement counts for that long: they come every two seconds, and some get lost.
    static constexpr Duration fresh = std::chrono::seconds{7};
    /// What such a neighbour's rank counts in other substreams.
    static constexpr double elsewhere = 0.1;

    void note(TimePoint now, PeerKey peer, std::uint32_t substream)
    {
        told_[peer][substream] = now + fresh;
    }
    [[nodiscard]] bool passes_on(TimePoint now, PeerKey peer, std::uint32_t substream) const
    {
        auto const at = told_.find(peer);
        return at != told_.end() && at->second[substream] > now;
    }
    /// What a place in the substream is worth with a neighbour of that rank.
    [[nodiscard]] double weigh(TimePoint now, PeerKey peer, std::uint32_t substream,
                               double rank) const
    {
        return passes_on(now, peer, substream) ? rank : rank * elsewhere;
    }
    void forget(PeerKey peer) { told_.erase(peer); }
    /// Neighbours of whom anything is known.
    [[nodiscard]] std::size_t size() const { return told_.size(); }

private:
    std::map<PeerKey, std::array<TimePoint, substreams>> told_;
};

} // namespace ppsp::peer
