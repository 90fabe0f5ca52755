#pragma once

#include "protocol/base/bins.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace ppsp::integrity {

/// Most chunks of static content: 64 GiB of 1024-byte chunks, a week of recording at 1 MB/s.
inline constexpr std::uint64_t static_chunks_max = std::uint64_t{1} << 26;

/// Where the nodes of a static Merkle tree lie (RFC 7574 §5.1); nothing but arithmetic.
class TreeShape {
public:
    /// `chunk_count` from 1 to `static_chunks_max`.
    explicit TreeShape(std::uint64_t chunk_count);

    [[nodiscard]] std::uint64_t chunk_count() const { return chunk_count_; }
    [[nodiscard]] ChunkRange chunks() const { return {ChunkId{0}, last()}; }
    [[nodiscard]] ChunkId last() const { return ChunkId{chunk_count_ - 1}; }
    [[nodiscard]] Bin root() const { return make_bin(height(), 0); }
    /// Levels above the leaves; 0 for a single chunk (trap T14).
    [[nodiscard]] unsigned height() const;
    /// The filled nodes whose siblings are not, left to right (§5.6.1). They cover the content;
    /// for a power of two the only one is the root (trap T16).
    [[nodiscard]] std::vector<Bin> peaks() const;
    /// The peak above a chunk of the content.
    [[nodiscard]] Bin peak_above(ChunkId chunk) const;
    [[nodiscard]] bool is_node(Bin bin) const;
    /// No chunk below: the hash is all-zero.
    [[nodiscard]] bool is_empty(Bin bin) const;

private:
    std::uint64_t chunk_count_;
};

/// Visits the siblings on the way from the chunk up to `top`, highest first as they go on the wire
/// (RFC 7574 §5.4), without those that a receiver knows already: `known(range)` tells whether it
/// has some chunk of the range.
template <typename Known, typename Visit>
void visit_uncle_bins(ChunkId chunk, Bin top, Known const& known, Visit const& visit)
{
    std::array<Bin, 64> path; // as many layers as a 64-bit number of chunks has
    std::size_t height = 0;
    Bin node = make_bin(0, to_number(chunk));
    while (node != top && !known(chunks_of(parent_of(node)))) {
        path[height++] = node;
        node = parent_of(node);
    }
    while (height > 0) {
        visit(sibling_of(path[--height]));
    }
}

} // namespace ppsp::integrity
