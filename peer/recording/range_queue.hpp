#pragma once

#include "protocol/base/range_set.hpp"

#include <deque>
#include <optional>

namespace ppsp::peer {

/// What one neighbour asked us for, in the order of its requests (PP-3.7-a); lost chunks before all
/// others.
class RangeQueue {
public:
    /// Intervals that wait; a request beyond is dropped, and asked again by whoever needs it.
    static constexpr std::size_t intervals_max = 512;
    static constexpr std::size_t lost_max = 16'384;

    /// False if there is no room for all of it.
    bool want(ChunkRange chunks);
    /// CANCEL, or a HAVE for what was asked (PP-3.8-b).
    void cancel(ChunkRange chunks);
    /// Sent and lost: again, unless it was cancelled. False if it is not wanted any more.
    bool want_again(ChunkId chunk);
    /// Takes the next chunk.
    [[nodiscard]] std::optional<ChunkId> pop();
    [[nodiscard]] bool empty() const { return queue_.empty() && lost_.empty(); }
    void clear();

private:
    std::deque<ChunkRange> queue_;
    std::deque<ChunkId> lost_;
    RangeSet queued_;    ///< what `queue_` holds
    RangeSet cancelled_; ///< since it was asked for
};

} // namespace ppsp::peer
