#pragma once

#include "peer/content/unit_grid.hpp"
#include "protocol/base/time.hpp"
#include "protocol/integrity/unit_tree.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace ppsp::peer {

/// A chunk as its datagram has it.
struct ArrivedChunk {
    ChunkId chunk{};
    Bytes payload;
    Duration one_way_delay{};
};

/// A chunk that arrived before the hashes it needs.
struct PendingChunk {
    [[nodiscard]] ArrivedChunk arrived() const { return {chunk, payload, one_way_delay}; }

    ChunkId chunk{};
    ByteVector payload;
    Duration one_way_delay{};
};

[[nodiscard]] inline PendingChunk to_pending(ArrivedChunk const& arrived)
{
    return {arrived.chunk, ByteVector(arrived.payload.begin(), arrived.payload.end()),
            arrived.one_way_delay};
}

/// What one neighbour sent and nobody could verify yet: hashes and chunks of a few units. Lives per
/// channel, so that the one who sent a wrong hash is the one who pays for it.
class Scratch {
public:
    /// Units at a time; the oldest gives way. Bounds memory to about 4 x 64 x 1.1 KiB.
    static constexpr std::size_t units_max = 4;
    /// A unit of 64 chunks has 127 nodes (trap T30).
    static constexpr std::size_t hashes_max = 127;
    static constexpr std::size_t chunks_max = 64;
    static constexpr Duration age_max = std::chrono::seconds{2};

    struct Entry {
        UnitIndex unit = 0;
        TimePoint since{};
        std::vector<integrity::NodeHash> hashes;
        std::vector<PendingChunk> chunks;
    };

    /// The entry of a unit, made if missing.
    Entry& entry(TimePoint now, UnitIndex unit);
    [[nodiscard]] Entry* find(UnitIndex unit);
    [[nodiscard]] bool has_chunks(UnitIndex unit) const;
    void erase(UnitIndex unit);
    void expire(TimePoint now);

    /// False if the entry is full.
    static bool add_hash(Entry& entry, integrity::NodeHash hash);
    static bool add_chunk(Entry& entry, PendingChunk chunk);

    /// Payload of chunks that were thrown away unproven since the last call, bytes.
    [[nodiscard]] std::uint64_t take_dropped_bytes() { return std::exchange(dropped_bytes_, 0); }

    /// The INTEGRITY message read last: a SIGNED_INTEGRITY follows its munro (PP-6.1.2.3-b).
    std::optional<integrity::NodeHash> last_hash;
    /// Unit that got hashes since its waiting chunks were last tried.
    std::optional<UnitIndex> touched;

private:
    void drop(Entry& entry);

    std::vector<Entry> entries_;
    std::vector<integrity::NodeHash> spare_; ///< memory for the hashes of the next unit
    std::uint64_t dropped_bytes_ = 0;
};

} // namespace ppsp::peer
