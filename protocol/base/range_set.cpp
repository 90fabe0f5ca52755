#include "protocol/base/range_set.hpp"

#include <algorithm>

namespace ppsp {
namespace {

auto first_ending_at_or_after(std::vector<ChunkRange> const& ranges, ChunkId id)
{
    return std::lower_bound(
        ranges.begin(), ranges.end(), id,
        [](ChunkRange const& range, ChunkId value) { return range.last < value; });
}

} // namespace

void RangeSet::add(ChunkRange range)
{
    // Neighbours that touch or overlap melt into one interval.
    ChunkId const from = to_number(range.first) == 0 ? range.first : range.first - 1;
    auto const begin = first_ending_at_or_after(ranges_, from);
    auto end = begin;
    while (end != ranges_.end() &&
           (end->first <= range.last || to_number(end->first) - 1 == to_number(range.last))) {
        range.first = std::min(range.first, end->first);
        range.last = std::max(range.last, end->last);
        ++end;
    }
    if (begin == end) {
        ranges_.insert(begin, range);
        return;
    }
    auto const index = static_cast<std::size_t>(begin - ranges_.begin());
    auto const after = static_cast<std::ptrdiff_t>(end - ranges_.begin());
    ranges_[index] = range;
    ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(index) + 1,
                  ranges_.begin() + after);
}

void RangeSet::remove(ChunkRange range)
{
    auto const found = first_ending_at_or_after(ranges_, range.first);
    auto at = ranges_.begin() + (found - ranges_.cbegin());
    if (at != ranges_.end() && at->first < range.first) {
        ChunkRange const existing = *at;
        at->last = range.first - 1;
        ++at;
        if (existing.last > range.last) {
            ranges_.insert(at, {range.last + 1, existing.last});
            return;
        }
    }
    auto const begin = at;
    while (at != ranges_.end() && at->last <= range.last) {
        ++at;
    }
    if (at != ranges_.end() && at->first <= range.last) {
        at->first = range.last + 1;
    }
    ranges_.erase(begin, at);
}

void RangeSet::trim_below(ChunkId first)
{
    auto const begin = first_ending_at_or_after(ranges_, first);
    ranges_.erase(ranges_.begin(), begin);
    if (!ranges_.empty() && ranges_.front().first < first) {
        ranges_.front().first = first;
    }
}

bool RangeSet::contains(ChunkId id) const
{
    return contains(single(id));
}

bool RangeSet::contains(ChunkRange range) const
{
    auto const at = first_ending_at_or_after(ranges_, range.first);
    return at != ranges_.end() && at->contains(range);
}

bool RangeSet::overlaps(ChunkRange range) const
{
    auto const at = first_ending_at_or_after(ranges_, range.first);
    return at != ranges_.end() && at->overlaps(range);
}

std::optional<ChunkRange> RangeSet::interval_around(ChunkId id) const
{
    auto const at = first_ending_at_or_after(ranges_, id);
    if (at == ranges_.end() || !at->contains(id)) {
        return std::nullopt;
    }
    return *at;
}

std::vector<ChunkRange> RangeSet::missing(ChunkRange range) const
{
    std::vector<ChunkRange> gaps;
    visit_missing(range, [&](ChunkRange gap) { gaps.push_back(gap); });
    return gaps;
}

std::vector<ChunkRange> RangeSet::common(ChunkRange range) const
{
    std::vector<ChunkRange> parts;
    for (auto at = first_ending_at_or_after(ranges_, range.first);
         at != ranges_.end() && at->first <= range.last; ++at) {
        parts.push_back({std::max(at->first, range.first), std::min(at->last, range.last)});
    }
    return parts;
}

std::span<ChunkRange const> RangeSet::touching(ChunkRange range) const
{
    auto const first = first_ending_at_or_after(ranges_, range.first);
    auto last = first;
    while (last != ranges_.end() && last->first <= range.last) {
        ++last;
    }
    return {first, last};
}

std::uint64_t RangeSet::chunk_count() const
{
    std::uint64_t total = 0;
    for (ChunkRange const& range : ranges_) {
        total += range.count();
    }
    return total;
}

} // namespace ppsp
