#include "peer/shell/tracker_report.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

std::uint32_t to_ms(Duration duration)
{
    auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, 0xffff'ffff));
}

std::vector<ppstp::ContentMap::Hole> to_holes(SwarmStatistics const& swarm, UnitIndex newest)
{
    std::vector<ppstp::ContentMap::Hole> holes;
    for (auto const& [first, last] : swarm.holes) {
        if (holes.size() == ppstp::ContentMap::holes_max || last > newest || first > last) {
            break;
        }
        holes.push_back({static_cast<std::uint32_t>(newest - last),
                         static_cast<std::uint32_t>(last - first + 1)});
    }
    return holes;
}

std::vector<ppstp::ContentMap> to_maps(std::string const& swarm_id, SwarmStatistics const& swarm)
{
    if (!swarm.newest_unit || swarm.chunks_per_unit == 0) {
        return {};
    }
    ppstp::ContentMap map;
    map.swarm_id = swarm_id;
    map.newest = ChunkId{(*swarm.newest_unit + 1) * swarm.chunks_per_unit - 1};
    map.chunks_per_unit = swarm.chunks_per_unit;
    map.window_units = swarm.window_units;
    map.holes = to_holes(swarm, *swarm.newest_unit);
    if (swarm.random_access_unit) {
        map.random_access = ChunkId{*swarm.random_access_unit * swarm.chunks_per_unit};
    }
    return {std::move(map)};
}

ppstp::StreamStats to_stream_stats(std::string const& swarm_id, SwarmStatistics const& swarm)
{
    return {swarm_id, swarm.upload_media_bytes, swarm.from_source_bytes + swarm.from_peers_bytes,
            swarm.uplink_bps, swarm.neighbours};
}

ppstp::PeerStatus to_status(std::string const& swarm_id, SwarmStatistics const& swarm)
{
    ppstp::PeerStatus status;
    status.swarm_id = swarm_id;
    status.uplink_bps =
        swarm.uplink_capacity_bps > 0 ? swarm.uplink_capacity_bps : swarm.uplink_bps;
    status.free_slots = swarm.free_slots;
    status.neighbours = swarm.neighbours;
    status.buffer_ms = to_ms(swarm.latency_target);
    status.lag_ms = to_ms(swarm.latency_p50);
    status.late_chunks = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(swarm.chunks_due - swarm.chunks_in_time, 0xffff'ffff));
    return status;
}

/// Those first whom we serve most: what they upload decides whom to serve.
std::vector<ppstp::Neighbours> to_neighbours(std::string const& swarm_id,
                                             std::vector<NeighbourStatistics> neighbours)
{
    if (neighbours.empty()) {
        return {};
    }
    std::sort(neighbours.begin(), neighbours.end(), [](auto const& left, auto const& right) {
        return left.bytes_to != right.bytes_to ? left.bytes_to > right.bytes_to
                                               : left.endpoint < right.endpoint;
    });
    neighbours.resize(std::min(neighbours.size(), ppstp::Neighbours::endpoints_max));
    ppstp::Neighbours asked{swarm_id, {}};
    for (NeighbourStatistics const& neighbour : neighbours) {
        asked.endpoints.push_back(neighbour.endpoint);
    }
    return {std::move(asked)};
}

} // namespace

ppstp::StatReport TrackerReports::content_only(SwarmFigures const& figures) const
{
    ppstp::StatReport report;
    report.content_maps = to_maps(swarm_id_, figures.swarm);
    report.neighbours = to_neighbours(swarm_id_, figures.neighbours);
    return report;
}

ppstp::StatReport TrackerReports::full(SwarmFigures const& figures)
{
    ppstp::StatReport report = content_only(figures);
    report.stream_stats = {to_stream_stats(swarm_id_, figures.swarm)};
    report.peer_status = {to_status(swarm_id_, figures.swarm)};
    report.receipts = receipts(figures.neighbours);
    return report;
}

std::vector<ppstp::Receipt>
TrackerReports::receipts(std::vector<NeighbourStatistics> const& neighbours)
{
    std::vector<ppstp::Receipt> result;
    std::map<Endpoint, std::uint64_t> totals;
    for (NeighbourStatistics const& neighbour : neighbours) {
        totals[neighbour.endpoint] = neighbour.bytes_from;
        auto const before = reported_.find(neighbour.endpoint);
        // A smaller total than before is a new conversation with the same address.
        bool const is_same = before != reported_.end() && before->second <= neighbour.bytes_from;
        std::uint64_t const bytes = neighbour.bytes_from - (is_same ? before->second : 0);
        if (bytes > 0) {
            result.push_back({swarm_id_, neighbour.endpoint, bytes});
        }
    }
    reported_ = std::move(totals);
    std::sort(result.begin(), result.end(), [](auto const& left, auto const& right) {
        return left.bytes != right.bytes ? left.bytes > right.bytes : left.sender < right.sender;
    });
    result.resize(std::min(result.size(), ppstp::receipts_max));
    return result;
}

} // namespace ppsp::peer
