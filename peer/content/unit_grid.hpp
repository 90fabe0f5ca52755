#pragma once

#include "peer/engine/config.hpp"
#include "protocol/base/ids.hpp"

#include <bit>
#include <cstdint>

namespace ppsp::peer {

/// Chunks of one unit, bit i = i-th chunk; a unit has at most 64 (design decision 2).
using ChunkMask = std::uint64_t;

inline constexpr std::uint32_t unit_chunks_max = 64;

/// How units lie on the chunk numbers of a swarm.
class UnitGrid {
public:
    explicit UnitGrid(std::uint32_t chunks_per_unit) : chunks_per_unit_(chunks_per_unit) {}

    [[nodiscard]] std::uint32_t chunks_per_unit() const { return chunks_per_unit_; }
    [[nodiscard]] UnitIndex unit_of(ChunkId chunk) const
    {
        return to_number(chunk) / chunks_per_unit_;
    }
    [[nodiscard]] ChunkId first_chunk(UnitIndex unit) const
    {
        return ChunkId{unit * chunks_per_unit_};
    }
    [[nodiscard]] ChunkRange chunks(UnitIndex unit) const { return chunks(unit, unit); }
    [[nodiscard]] ChunkRange chunks(UnitIndex first, UnitIndex last) const
    {
        return {first_chunk(first), first_chunk(last) + (chunks_per_unit_ - 1)};
    }
    [[nodiscard]] ChunkMask bit(ChunkId chunk) const
    {
        return ChunkMask{1} << (to_number(chunk) % chunks_per_unit_);
    }
    [[nodiscard]] ChunkMask full() const
    {
        return chunks_per_unit_ == 64 ? ~ChunkMask{0} : (ChunkMask{1} << chunks_per_unit_) - 1;
    }
    /// Calls `visit(ChunkRange)` for each run of set bits, in order.
    template <typename Visit>
    void for_each_run(UnitIndex unit, ChunkMask mask, Visit&& visit) const
    {
        std::uint64_t offset = to_number(first_chunk(unit));
        while (mask != 0) {
            auto const skip = static_cast<unsigned>(std::countr_zero(mask));
            mask >>= skip;
            offset += skip;
            auto const run = static_cast<unsigned>(std::countr_one(mask));
            visit(ChunkRange{ChunkId{offset}, ChunkId{offset + run - 1}});
            mask = run == 64 ? 0 : mask >> run;
            offset += run;
        }
    }

private:
    std::uint32_t chunks_per_unit_;
};

} // namespace ppsp::peer
