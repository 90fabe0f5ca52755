#pragma once

#include "protocol/base/range_set.hpp"
#include "protocol/wire/options.hpp"

namespace ppsp::peer {

/// What a neighbour holds, by its HAVE and ACK messages, cut to its discard window (PP-6.2-a).
class PeerAvailability {
public:
    /// A window with more holes than that comes from somebody who makes them up.
    static constexpr std::size_t intervals_max = 1024;

    /// Of a recording, whose parts come in any order. What is beyond stays unknown.
    static constexpr std::size_t recording_intervals_max = 8192;

    explicit PeerAvailability(std::uint64_t window_chunks = wire::discard_window_all,
                              std::size_t limit = intervals_max)
        : window_(window_chunks), limit_(limit)
    {}

    /// False if the limit was reached and the range is none that merges with others.
    bool add(ChunkRange chunks);
    [[nodiscard]] RangeSet const& chunks() const { return chunks_; }
    [[nodiscard]] bool has(ChunkRange range) const { return chunks_.contains(range); }
    [[nodiscard]] bool has_any(ChunkRange range) const { return chunks_.overlaps(range); }
    [[nodiscard]] bool empty() const { return chunks_.empty(); }

private:
    std::uint64_t window_;
    std::size_t limit_;
    RangeSet chunks_;
};

} // namespace ppsp::peer
