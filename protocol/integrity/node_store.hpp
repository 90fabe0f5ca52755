#pragma once

#include "protocol/integrity/node_hash.hpp"
#include "protocol/integrity/tree_shape.hpp"

#include <bitset>
#include <memory>
#include <optional>
#include <vector>

namespace ppsp::integrity {

/// Hashes of a static tree by node number. Memory comes in pages of neighbouring nodes, so a
/// receiver pays for the part of the content that it holds: about two hashes per chunk. Nodes
/// without chunks are known to be zero and take no room.
class NodeStore {
public:
    NodeStore(TreeShape shape, std::size_t hash_size);

    [[nodiscard]] TreeShape const& shape() const { return shape_; }
    [[nodiscard]] std::size_t hash_size() const { return hash_size_; }

    /// `bin` is a node of the tree, here and below.
    [[nodiscard]] bool has(Bin bin) const;
    /// The node must be known.
    [[nodiscard]] Hash get(Bin bin) const;
    /// Never for a node without chunks.
    void set(Bin bin, Hash const& hash);

    /// Fewer chunks below a root of the same height.
    void shrink(TreeShape shape);

    /// Nullopt unless all peaks are known.
    [[nodiscard]] std::optional<std::vector<NodeHash>> peaks() const;

    /// Whether the receiver has what proves the chunk's hash: true for every other chunk of a row.
    template <typename Known>
    [[nodiscard]] static bool needs_no_uncles(ChunkId chunk, Known const& known)
    {
        return known(chunks_of(parent_of(make_bin(0, to_number(chunk)))));
    }

    /// Hashes of `visit_uncle_bins`; the chunk's path up to `top` must be known.
    template <typename Known, typename Visit>
    void visit_uncles(ChunkId chunk, Bin top, Known const& known, Visit const& visit) const
    {
        visit_uncle_bins(chunk, top, known,
                         [&](Bin bin) { visit(NodeHash{chunks_of(bin), get(bin)}); });
    }

private:
    static constexpr std::size_t page_nodes = 512;

    struct Page {
        std::bitset<page_nodes> known;
        std::unique_ptr<std::uint8_t[]> hashes; ///< of those that are known
    };

    TreeShape shape_;
    std::size_t hash_size_;
    std::vector<std::unique_ptr<Page>> pages_;
};

} // namespace ppsp::integrity
