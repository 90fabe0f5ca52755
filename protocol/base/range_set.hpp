#pragma once

#include "protocol/base/ids.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace ppsp {

/// A set of chunks as sorted, disjoint, non-adjacent intervals. All calls are O(log n) to find
/// and O(n) to shift, with n = number of intervals: a live window has few.
class RangeSet {
public:
    void add(ChunkRange range);
    void remove(ChunkRange range);
    /// Forgets everything below `first`.
    void trim_below(ChunkId first);
    void clear() { ranges_.clear(); }

    [[nodiscard]] bool contains(ChunkId id) const;
    [[nodiscard]] bool contains(ChunkRange range) const;
    [[nodiscard]] bool overlaps(ChunkRange range) const;
    /// The largest interval of the set around `id` (RFC 7574 §4.3.1), if `id` is in it.
    [[nodiscard]] std::optional<ChunkRange> interval_around(ChunkId id) const;
    /// The parts of `range` that are not in the set, in order.
    [[nodiscard]] std::vector<ChunkRange> missing(ChunkRange range) const;
    /// Visits them.
    template <typename Visit>
    void visit_missing(ChunkRange range, Visit const& visit) const
    {
        ChunkId next = range.first;
        for (ChunkRange const& held : touching(range)) {
            if (held.first > next) {
                visit(ChunkRange{next, held.first - 1});
            }
            if (held.last >= range.last) {
                return;
            }
            next = held.last + 1;
        }
        visit(ChunkRange{next, range.last});
    }
    /// The parts of `range` that are in the set, in order.
    [[nodiscard]] std::vector<ChunkRange> common(ChunkRange range) const;
    /// The intervals that share a chunk with `range`, whole, in order; valid until the set changes.
    [[nodiscard]] std::span<ChunkRange const> touching(ChunkRange range) const;
    [[nodiscard]] std::span<ChunkRange const> intervals() const { return ranges_; }
    [[nodiscard]] std::size_t interval_count() const { return ranges_.size(); }
    [[nodiscard]] std::uint64_t chunk_count() const;
    [[nodiscard]] bool empty() const { return ranges_.empty(); }
    /// Highest chunk; only for a set that is not empty.
    [[nodiscard]] ChunkId last() const { return ranges_.back().last; }
    [[nodiscard]] ChunkId first() const { return ranges_.front().first; }

private:
    std::vector<ChunkRange> ranges_;
};

} // namespace ppsp
