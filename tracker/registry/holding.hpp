#pragma once

#include "protocol/base/ids.hpp"
#include "protocol/base/time.hpp"
#include "protocol/ppstp/messages.hpp"

#include <optional>
#include <vector>

namespace ppsp::tracker {

/// What one peer holds of a swarm, from its last CONTENT_MAP, in chunks.
class Holding {
public:
    /// nullopt for a map that contradicts itself (no unit size, numbers that overflow).
    [[nodiscard]] static std::optional<Holding> from(ppstp::ContentMap const& map, TimePoint now);

    /// Newest chunk as reported.
    [[nodiscard]] ChunkId newest() const { return newest_; }
    /// Newest chunk by now, if the peer keeps up with a stream of this speed.
    [[nodiscard]] ChunkId newest_at(TimePoint now, double chunks_per_second) const;
    /// Whether the peer holds the chunk by now, holes taken as still open.
    [[nodiscard]] bool holds(ChunkId chunk, TimePoint now, double chunks_per_second) const;
    [[nodiscard]] std::uint32_t chunks_per_unit() const { return chunks_per_unit_; }
    [[nodiscard]] std::optional<ChunkId> random_access() const { return random_access_; }
    [[nodiscard]] TimePoint reported() const { return reported_; }
    [[nodiscard]] std::vector<ChunkRange> const& holes() const { return holes_; }

private:
    ChunkId newest_{};
    std::uint64_t window_chunks_ = 0;
    std::uint32_t chunks_per_unit_ = 1;
    TimePoint reported_;
    std::optional<ChunkId> random_access_;
    std::vector<ChunkRange> holes_;
};

} // namespace ppsp::tracker
