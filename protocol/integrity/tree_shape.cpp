#include "protocol/integrity/tree_shape.hpp"

#include "protocol/base/assert.hpp"

#include <bit>

namespace ppsp::integrity {

TreeShape::TreeShape(std::uint64_t chunk_count) : chunk_count_(chunk_count)
{
    PPSP_ASSERT(chunk_count > 0 && chunk_count <= static_chunks_max);
}

unsigned TreeShape::height() const
{
    return static_cast<unsigned>(std::bit_width(chunk_count_ - 1));
}

std::vector<Bin> TreeShape::peaks() const
{
    return cover(chunks());
}

Bin TreeShape::peak_above(ChunkId chunk) const
{
    PPSP_ASSERT(chunk <= last());
    Bin peak = make_bin(0, to_number(chunk));
    while (chunks_of(parent_of(peak)).last <= last()) {
        peak = parent_of(peak);
    }
    return peak;
}

bool TreeShape::is_node(Bin bin) const
{
    return layer_of(bin) <= height() && chunks_of(root()).contains(chunks_of(bin));
}

bool TreeShape::is_empty(Bin bin) const
{
    return chunks_of(bin).first > last();
}

} // namespace ppsp::integrity
