#pragma once

#include "peer/content/live_store.hpp"
#include "tests/support/test_media.hpp"

#include <deque>

namespace ppsp::sim {

/// The stream that the source cuts, and the memory of every node for it: all nodes write the same
/// verified bytes to the same place, so a thousand windows take the room of one. A second copy that
/// no engine can reach tells whether what comes out is what was cut.
class SimStream final : public peer::PayloadMemory {
public:
    SimStream(std::uint32_t chunks_per_unit, std::uint32_t chunk_size, std::size_t units_kept)
        : media_(chunks_per_unit, chunk_size),
          unit_bytes_(std::size_t{chunks_per_unit} * chunk_size), units_kept_(units_kept)
    {}

    struct Cut {
        peer::UnitIndex unit = 0;
        TimePoint at{};
        bool random_access = false;
    };
    /// Makes the next unit.
    Cut cut(TimePoint now, bool key_frame);
    [[nodiscard]] Bytes payload(peer::UnitIndex unit) const;
    /// When the unit was cut; nullopt for those that were not, or are forgotten.
    [[nodiscard]] std::optional<TimePoint> cut_at(peer::UnitIndex unit) const;
    [[nodiscard]] peer::UnitIndex next_unit() const { return first_ + units_.size(); }
    /// Whether the bytes at that place of the stream are the source's.
    [[nodiscard]] bool matches(std::uint64_t position, Bytes bytes) const;

    [[nodiscard]] std::shared_ptr<std::uint8_t[]> room(peer::UnitIndex unit,
                                                       std::size_t bytes) override;

private:
    struct Unit {
        Cut cut;
        ByteVector original;
        std::shared_ptr<std::uint8_t[]> shared;
    };
    [[nodiscard]] Unit const* find(peer::UnitIndex unit) const;

    test::TestMedia media_;
    std::size_t unit_bytes_;
    std::size_t units_kept_;
    peer::UnitIndex first_ = 0;
    std::deque<Unit> units_;
};

} // namespace ppsp::sim
