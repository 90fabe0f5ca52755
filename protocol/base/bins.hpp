#pragma once

#include "protocol/base/assert.hpp"
#include "protocol/base/ids.hpp"

#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

/// Bin numbers (RFC 7574 §4.2): one integer names an aligned power-of-two interval of chunks, and
/// the nodes of a Merkle tree.
namespace ppsp {

enum class Bin : std::uint64_t {};

inline constexpr Bin bin_none{~std::uint64_t{0}};
inline constexpr Bin bin_all{~std::uint64_t{0} >> 1};

[[nodiscard]] constexpr std::uint64_t to_number(Bin bin) noexcept
{
    return static_cast<std::uint64_t>(bin);
}

[[nodiscard]] constexpr Bin make_bin(unsigned layer, std::uint64_t offset) noexcept
{
    return Bin{((2 * offset + 1) << layer) - 1};
}

/// Number of trailing one bits: 0 for a single chunk.
[[nodiscard]] constexpr unsigned layer_of(Bin bin) noexcept
{
    return static_cast<unsigned>(std::countr_one(to_number(bin)));
}

[[nodiscard]] constexpr std::uint64_t layer_offset_of(Bin bin) noexcept
{
    return to_number(bin) >> (layer_of(bin) + 1);
}

/// Only for bins other than `bin_none` and `bin_all`.
[[nodiscard]] inline ChunkRange chunks_of(Bin bin) noexcept
{
    PPSP_ASSERT(bin != bin_none && bin != bin_all);
    unsigned const layer = layer_of(bin);
    std::uint64_t const offset = layer_offset_of(bin);
    return {ChunkId{offset << layer}, ChunkId{((offset + 1) << layer) - 1}};
}

[[nodiscard]] constexpr Bin parent_of(Bin bin) noexcept
{
    return make_bin(layer_of(bin) + 1, layer_offset_of(bin) >> 1);
}

[[nodiscard]] constexpr Bin sibling_of(Bin bin) noexcept
{
    return make_bin(layer_of(bin), layer_offset_of(bin) ^ 1);
}

/// Children of a bin of layer 1 or above.
[[nodiscard]] Bin left_child_of(Bin bin) noexcept;
[[nodiscard]] Bin right_child_of(Bin bin) noexcept;

/// The bin that is exactly this interval, if there is one.
[[nodiscard]] std::optional<Bin> bin_of(ChunkRange range) noexcept;
/// The fewest bins that make up the interval, in order.
[[nodiscard]] std::vector<Bin> cover(ChunkRange range);

} // namespace ppsp
