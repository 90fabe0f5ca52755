#include "protocol/base/bins.hpp"

namespace ppsp {

Bin left_child_of(Bin bin) noexcept
{
    PPSP_ASSERT(layer_of(bin) > 0);
    return make_bin(layer_of(bin) - 1, layer_offset_of(bin) * 2);
}

Bin right_child_of(Bin bin) noexcept
{
    PPSP_ASSERT(layer_of(bin) > 0);
    return make_bin(layer_of(bin) - 1, layer_offset_of(bin) * 2 + 1);
}

std::optional<Bin> bin_of(ChunkRange range) noexcept
{
    std::uint64_t const count = range.count();
    if (!std::has_single_bit(count) || to_number(range.first) % count != 0) {
        return std::nullopt;
    }
    auto const layer = static_cast<unsigned>(std::countr_zero(count));
    return make_bin(layer, to_number(range.first) >> layer);
}

std::vector<Bin> cover(ChunkRange range)
{
    std::vector<Bin> bins;
    std::uint64_t next = to_number(range.first);
    std::uint64_t left = range.count();
    while (left > 0) {
        // The largest aligned block that starts here and does not reach past the end.
        unsigned const alignment = next == 0 ? 62 : static_cast<unsigned>(std::countr_zero(next));
        unsigned const fitting = static_cast<unsigned>(std::bit_width(left)) - 1;
        unsigned const layer = alignment < fitting ? alignment : fitting;
        bins.push_back(make_bin(layer, next >> layer));
        next += std::uint64_t{1} << layer;
        left -= std::uint64_t{1} << layer;
    }
    return bins;
}

} // namespace ppsp
