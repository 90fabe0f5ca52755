#include "peer/live/live_swarm.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

constexpr std::size_t holes_max = 32;

std::vector<std::pair<UnitIndex, UnitIndex>> holes_of(LiveStore const& store, UnitIndex newest)
{
    std::vector<std::pair<UnitIndex, UnitIndex>> holes;
    auto const held = store.have().intervals();
    UnitGrid const& grid = store.grid();
    if (held.empty()) {
        return holes;
    }
    ChunkRange const span{held.front().first, grid.chunks(newest).last};
    auto const gaps = store.have().missing(span);
    for (auto gap = gaps.rbegin(); gap != gaps.rend() && holes.size() < holes_max; ++gap) {
        holes.emplace_back(grid.unit_of(gap->first), grid.unit_of(gap->last));
    }
    return holes;
}

} // namespace

SwarmStatistics LiveSwarm::statistics(TimePoint now) const
{
    SwarmStatistics figures = figures_;
    Playout::Counters const& played = playout_.counters();
    figures.startup = played.startup;
    figures.chunks_due = played.chunks_due;
    figures.chunks_in_time = played.chunks_in_time;
    figures.stalls = played.stalls;
    figures.stall_time = played.stall_time;
    figures.skipped_units = played.skipped_units;
    figures.latency_p50 = playout_.latencies().percentile(now, 0.5);
    figures.latency_p95 = playout_.latencies().percentile(now, 0.95);
    figures.latency_target = playout_.latency();
    if (!is_source()) {
        figures.media_bytes = played.media_bytes;
    }
    figures.neighbours = static_cast<std::uint32_t>(open_count());
    figures.uplink_bps = services_.uplink.measured_bps(now);
    figures.uplink_capacity_bps =
        static_cast<std::uint64_t>(services_.uplink.capacity_bps().value_or(0));
    figures.orphans = picker_->orphans();
    figures.slots = slots_.budget();
    figures.free_slots = slots_.free(now);
    if (store_ && store_->newest_complete()) {
        figures.newest_unit = store_->newest_complete();
        figures.random_access_unit =
            is_source() ? newest_random_access_ : playout_.newest_random_access();
        figures.chunks_per_unit = store_->grid().chunks_per_unit();
        UnitIndex const first = store_->grid().unit_of(store_->have().first());
        figures.window_units = static_cast<std::uint32_t>(*figures.newest_unit - first + 1);
        figures.holes = holes_of(*store_, *figures.newest_unit);
    }
    return figures;
}

} // namespace ppsp::peer
