#include "peer/content/live_store.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>

namespace ppsp::peer {

LiveStore::LiveStore(UnitGrid grid, std::uint32_t chunk_size, std::uint32_t window_units_max,
                     PayloadMemory* memory)
    : grid_(grid), chunk_size_(chunk_size), memory_(memory), ring_(window_units_max)
{
    PPSP_ASSERT(window_units_max > 0);
}

StoredUnit* LiveStore::open(UnitIndex unit, integrity::UnitTree tree, NtpTime signed_at,
                            Bytes signature)
{
    if (newest_ && unit < oldest_kept()) {
        return nullptr;
    }
    if (StoredUnit* existing = find(unit)) {
        return existing;
    }
    if (!newest_ || unit > *newest_) {
        newest_ = unit;
        have_.trim_below(grid_.first_chunk(oldest_kept()));
    }
    std::size_t const bytes = std::size_t{grid_.chunks_per_unit()} * chunk_size_;
    auto payload =
        memory_ != nullptr ? memory_->room(unit, bytes) : std::make_shared<std::uint8_t[]>(bytes);
    MutableBytes const span{payload.get(), bytes};
    auto& place = ring_[slot(unit)];
    place = std::make_unique<StoredUnit>(
        StoredUnit{.index = unit,
                   .tree = std::move(tree),
                   .signed_at = signed_at,
                   .signature = ByteVector(signature.begin(), signature.end()),
                   .memory = std::move(payload),
                   .payload = span});
    return place.get();
}

StoredUnit* LiveStore::find(UnitIndex unit)
{
    auto& place = ring_[slot(unit)];
    return place && place->index == unit && unit >= oldest_kept() ? place.get() : nullptr;
}

StoredUnit const* LiveStore::find(UnitIndex unit) const
{
    auto const& place = ring_[slot(unit)];
    return place && place->index == unit && unit >= oldest_kept() ? place.get() : nullptr;
}

bool LiveStore::put(StoredUnit& unit, ChunkId chunk, Bytes payload)
{
    PPSP_ASSERT(payload.size() == chunk_size_ && grid_.unit_of(chunk) == unit.index);
    ChunkMask const bit = grid_.bit(chunk);
    if ((unit.have & bit) != 0) {
        return false;
    }
    auto const offset = (to_number(chunk) % grid_.chunks_per_unit()) * chunk_size_;
    std::copy(payload.begin(), payload.end(),
              unit.payload.begin() + static_cast<std::ptrdiff_t>(offset));
    unit.have |= bit;
    have_.add(single(chunk));
    if (unit.have == grid_.full()) {
        note_complete(unit.index);
    }
    return true;
}

void LiveStore::put_all(StoredUnit& unit, Bytes payload)
{
    PPSP_ASSERT(payload.size() == unit.payload.size());
    std::copy(payload.begin(), payload.end(), unit.payload.begin());
    unit.have = grid_.full();
    have_.add(grid_.chunks(unit.index));
    note_complete(unit.index);
}

bool LiveStore::has(ChunkId chunk) const
{
    StoredUnit const* unit = find(grid_.unit_of(chunk));
    return unit != nullptr && (unit->have & grid_.bit(chunk)) != 0;
}

bool LiveStore::complete(UnitIndex unit) const
{
    return missing(unit) == 0;
}

ChunkMask LiveStore::missing(UnitIndex unit) const
{
    StoredUnit const* stored = find(unit);
    return stored == nullptr ? grid_.full() : grid_.full() & ~stored->have;
}

Bytes LiveStore::chunk(ChunkId chunk) const
{
    StoredUnit const* unit = find(grid_.unit_of(chunk));
    if (unit == nullptr || (unit->have & grid_.bit(chunk)) == 0) {
        return {};
    }
    auto const offset = (to_number(chunk) % grid_.chunks_per_unit()) * chunk_size_;
    return Bytes{unit->payload}.subspan(offset, chunk_size_);
}

UnitIndex LiveStore::oldest_kept() const
{
    if (!newest_ || *newest_ + 1 < ring_.size()) {
        return 0;
    }
    return *newest_ + 1 - ring_.size();
}

void LiveStore::note_complete(UnitIndex unit)
{
    if (!newest_complete_ || unit > *newest_complete_) {
        newest_complete_ = unit;
    }
}

} // namespace ppsp::peer
