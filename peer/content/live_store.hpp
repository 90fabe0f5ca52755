#pragma once

#include "peer/content/unit_grid.hpp"
#include "protocol/base/range_set.hpp"
#include "protocol/base/time.hpp"
#include "protocol/integrity/unit_tree.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace ppsp::peer {

/// Where the payload of units lives. What is written there was verified, so nodes of one process
/// may share a unit's memory: all of them write the same bytes.
class PayloadMemory {
public:
    virtual ~PayloadMemory() = default;
    /// Memory for a unit; lives at least as long as the pointer.
    [[nodiscard]] virtual std::shared_ptr<std::uint8_t[]> room(UnitIndex unit,
                                                               std::size_t bytes) = 0;
};

/// One signed unit of which some chunks may still be missing. Everything in it is verified.
struct StoredUnit {
    UnitIndex index;
    integrity::UnitTree tree;
    NtpTime signed_at{};
    ByteVector signature;
    std::shared_ptr<std::uint8_t[]> memory;
    MutableBytes payload; ///< in `memory`
    ChunkMask have = 0;
};

/// The last part of a live stream (RFC 7574 §6.2): a ring of units, the discard window long.
/// Memory: window_units_max x chunks_per_unit x (chunk_size + 2 hashes).
class LiveStore {
public:
    /// `memory` may be null: the units' payload is allocated one by one.
    LiveStore(UnitGrid grid, std::uint32_t chunk_size, std::uint32_t window_units_max,
              PayloadMemory* memory = nullptr);

    [[nodiscard]] UnitGrid const& grid() const { return grid_; }
    [[nodiscard]] std::uint32_t chunk_size() const { return chunk_size_; }
    [[nodiscard]] std::uint32_t window_units_max() const
    {
        return static_cast<std::uint32_t>(ring_.size());
    }

    /// Room for a unit whose munro was verified; nullptr if it lies before the window. A unit
    /// beyond the newest moves the window and discards what falls out of it.
    StoredUnit* open(UnitIndex unit, integrity::UnitTree tree, NtpTime signed_at, Bytes signature);
    [[nodiscard]] StoredUnit* find(UnitIndex unit);
    [[nodiscard]] StoredUnit const* find(UnitIndex unit) const;

    /// Keeps a verified chunk of an opened unit; false if it was there before.
    bool put(StoredUnit& unit, ChunkId chunk, Bytes payload);
    /// Keeps a whole own unit.
    void put_all(StoredUnit& unit, Bytes payload);

    [[nodiscard]] bool has(ChunkId chunk) const;
    [[nodiscard]] bool complete(UnitIndex unit) const;
    /// Chunks of the unit that are missing.
    [[nodiscard]] ChunkMask missing(UnitIndex unit) const;
    /// Empty if not held.
    [[nodiscard]] Bytes chunk(ChunkId chunk) const;
    [[nodiscard]] RangeSet const& have() const { return have_; }

    /// Newest unit with a verified munro.
    [[nodiscard]] std::optional<UnitIndex> newest() const { return newest_; }
    [[nodiscard]] std::optional<UnitIndex> newest_complete() const { return newest_complete_; }
    /// First unit that the window reaches back to.
    [[nodiscard]] UnitIndex oldest_kept() const;

private:
    [[nodiscard]] std::size_t slot(UnitIndex unit) const { return unit % ring_.size(); }
    void note_complete(UnitIndex unit);

    UnitGrid grid_;
    std::uint32_t chunk_size_;
    PayloadMemory* memory_;
    std::vector<std::unique_ptr<StoredUnit>> ring_;
    RangeSet have_;
    std::optional<UnitIndex> newest_;
    std::optional<UnitIndex> newest_complete_;
};

} // namespace ppsp::peer
