#pragma once

#include "peer/engine/config.hpp"

#include <string>

namespace ppsp::peer {

/// Cumulative figures of one swarm; the shells print them under the keys of `--stats-json`.
struct SwarmStatistics {
    std::optional<Duration> startup; ///< join to the first byte handed out
    Duration latency_p50{};          ///< source signing time to output, last 10 s
    Duration latency_p95{};
    std::uint64_t chunks_due = 0;
    std::uint64_t chunks_in_time = 0;
    std::uint64_t stalls = 0;
    Duration stall_time{};
    std::string last_stall_cause;

    std::uint64_t media_bytes = 0; ///< handed to the output (viewer) or cut (source)
    std::uint64_t from_source_bytes = 0;
    std::uint64_t from_peers_bytes = 0;
    std::uint64_t from_cache_bytes = 0;
    std::uint64_t from_cdn_bytes = 0;
    std::uint64_t storage_bytes =
        0; ///< bodies that caches and CDN sent, whatever they were good for
    std::uint64_t rescued_units = 0;
    std::string last_rescue_cause;
    std::uint64_t duplicate_bytes = 0;
    std::uint64_t upload_media_bytes = 0;
    std::uint64_t wire_bytes_in = 0; ///< UDP payload
    std::uint64_t wire_bytes_out = 0;

    std::uint64_t bad_chunks = 0;
    std::uint64_t wasted_bytes = 0; ///< chunks that were wrong or never proven
    std::uint64_t bad_signatures = 0;
    std::uint64_t bad_datagrams = 0;
    std::uint64_t banned_peers = 0;
    std::uint64_t skipped_units = 0; ///< given up by the playout

    std::uint32_t neighbours = 0; ///< open conversations
    std::uint64_t uplink_bps = 0; ///< measured over the last seconds
    /// What the uplink carries, by the trains of datagrams sent; 0 = not measured yet.
    std::uint64_t uplink_capacity_bps = 0;
    std::uint32_t slots = 0; ///< places for children, one substream each
    std::uint32_t free_slots = 0;
    std::uint32_t orphans = 0; ///< substreams without a parent that pushes them

    /// Where the stream is, as far as this node knows.
    std::optional<UnitIndex> newest_unit;
    std::optional<UnitIndex> random_access_unit;
    std::uint32_t chunks_per_unit = 0;
    std::uint32_t window_units = 0;
    /// Units missing in the window, as (first, last), newest first, at most 32.
    std::vector<std::pair<UnitIndex, UnitIndex>> holes;
    Duration latency_target{};

    /// Of a recording: bytes in all, while known, and bytes that are there.
    std::optional<std::uint64_t> content_length;
    std::uint64_t content_bytes = 0;

    [[nodiscard]] double continuity() const
    {
        return chunks_due == 0
                   ? 1.0
                   : static_cast<double>(chunks_in_time) / static_cast<double>(chunks_due);
    }
};

/// What one neighbour gave and got.
struct NeighbourStatistics {
    Endpoint endpoint;
    bool is_source = false;
    std::uint64_t bytes_from = 0; ///< verified media
    std::uint64_t bytes_to = 0;
    Duration rtt{};
};

} // namespace ppsp::peer
