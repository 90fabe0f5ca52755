#pragma once

#include "peer/channel/peer_availability.hpp"

namespace ppsp::peer {

/// Which nodes a neighbour can be believed to know: those that came with chunks it has (PP-5.3-d),
/// and, while nothing speaks against it, those that went out with chunks still in flight.
class HashKnowledge {
public:
    /// A chunk went out with all its hashes.
    void on_sent(ChunkId chunk) { sent_.add(single(chunk)); }
    /// A chunk of this range was lost: what its datagrams carried may be missing over there.
    void doubt(ChunkRange unit) { sent_.remove(unit); }
    void forget_below(ChunkId first) { sent_.trim_below(first); }

    [[nodiscard]] bool knows_some_of(PeerAvailability const& has, ChunkRange range) const
    {
        return has.has_any(range) || sent_.overlaps(range);
    }

private:
    RangeSet sent_;
};

} // namespace ppsp::peer
