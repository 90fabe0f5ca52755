#include "tracker/registry/holding.hpp"

#include <algorithm>

namespace ppsp::tracker {
namespace {

/// 2^62 chunks of 1 KiB are more than anybody streams; below it nothing here overflows.
constexpr std::uint64_t chunk_max = std::uint64_t{1} << 62;
constexpr std::uint32_t chunks_per_unit_max = 4096;

std::optional<ChunkRange> hole_range(ppstp::ContentMap const& map, ppstp::ContentMap::Hole hole)
{
    std::uint64_t const end = to_number(map.newest) + 1;
    std::uint64_t const below_last = std::uint64_t{hole.distance_units} * map.chunks_per_unit;
    std::uint64_t const size = std::uint64_t{hole.count_units} * map.chunks_per_unit;
    if (size == 0 || below_last + size > end) {
        return std::nullopt;
    }
    return ChunkRange{ChunkId{end - below_last - size}, ChunkId{end - below_last - 1}};
}

} // namespace

std::optional<Holding> Holding::from(ppstp::ContentMap const& map, TimePoint now)
{
    if (map.chunks_per_unit == 0 || map.chunks_per_unit > chunks_per_unit_max ||
        to_number(map.newest) >= chunk_max) {
        return std::nullopt;
    }
    Holding holding;
    holding.newest_ = map.newest;
    holding.chunks_per_unit_ = map.chunks_per_unit;
    holding.window_chunks_ =
        std::min(std::uint64_t{map.window_units} * map.chunks_per_unit, to_number(map.newest) + 1);
    holding.reported_ = now;
    if (map.random_access && *map.random_access <= map.newest) {
        holding.random_access_ = map.random_access;
    }
    for (auto const& hole : map.holes) {
        if (auto const range = hole_range(map, hole)) {
            holding.holes_.push_back(*range);
        }
    }
    return holding;
}

ChunkId Holding::newest_at(TimePoint now, double chunks_per_second) const
{
    double const seconds = std::chrono::duration<double>(now - reported_).count();
    return newest_ + static_cast<std::uint64_t>(std::max(0.0, seconds * chunks_per_second));
}

bool Holding::holds(ChunkId chunk, TimePoint now, double chunks_per_second) const
{
    auto const newest = newest_at(now, chunks_per_second);
    if (chunk > newest || to_number(newest) - to_number(chunk) >= window_chunks_) {
        return false;
    }
    return std::none_of(holes_.begin(), holes_.end(),
                        [chunk](ChunkRange hole) { return hole.contains(chunk); });
}

} // namespace ppsp::tracker
