#pragma once

#include "protocol/base/result.hpp"
#include "protocol/integrity/hasher.hpp"
#include "protocol/integrity/node_store.hpp"

#include <span>

namespace ppsp::integrity {

/// Why there is no tree.
enum class TreeError : std::uint8_t {
    empty,          ///< content without a chunk has no root
    too_large,      ///< more than `static_chunks_max` chunks
    bad_chunk_size, ///< chunks of no bytes
    bad_leaf,       ///< a leaf of another size than the hash function's, or all-zero
};

/// Where the uncles of a chunk end (trap T12).
enum class Top : std::uint8_t {
    peak, ///< the receiver was sent the peaks
    root,
};

/// The whole Merkle tree of static content (RFC 7574 §5.1), as the one who publishes or seeds a
/// recording holds it.
class MerkleTree {
public:
    /// From the hashes of the chunks, in order: a recorder has them from the live units.
    [[nodiscard]] static Result<MerkleTree, TreeError> from_leaves(Hasher& hasher,
                                                                   std::span<Hash const> leaves);
    /// From the content; the last chunk may be short.
    [[nodiscard]] static Result<MerkleTree, TreeError>
    from_content(Hasher& hasher, std::uint32_t chunk_size, Bytes content);

    [[nodiscard]] TreeShape const& shape() const { return nodes_.shape(); }
    /// Id of the swarm.
    [[nodiscard]] Hash root() const { return nodes_.get(shape().root()); }
    /// Left to right, as they go before the first DATA message (PP-5.6.2-a).
    [[nodiscard]] std::vector<NodeHash> peaks() const { return *nodes_.peaks(); }
    /// Hash of a node of the tree, for any `shape().is_node(bin)`.
    [[nodiscard]] Hash node(Bin bin) const { return nodes_.get(bin); }

    /// Visits the uncles that a receiver lacks for a chunk of the content, highest first
    /// (PP-5.4-a). `known(range)` tells whether it has some chunk of the range. A receiver that
    /// knows the size can do without the all-zero ones among them, but RFC 7574 sends them.
    template <typename Known, typename Visit>
    void visit_uncles(ChunkId chunk, Top top, Known const& known, Visit const& visit) const
    {
        if (!NodeStore::needs_no_uncles(chunk, known)) {
            Bin const end = top == Top::peak ? shape().peak_above(chunk) : shape().root();
            nodes_.visit_uncles(chunk, end, known, visit);
        }
    }
    /// All of them at once.
    template <typename Known>
    [[nodiscard]] std::vector<NodeHash> uncles(ChunkId chunk, Top top, Known const& known) const
    {
        std::vector<NodeHash> list;
        visit_uncles(chunk, top, known, [&](NodeHash const& uncle) { list.push_back(uncle); });
        return list;
    }

private:
    explicit MerkleTree(NodeStore nodes) : nodes_(std::move(nodes)) {}
    void hash_upwards(Hasher& hasher);

    NodeStore nodes_;
};

} // namespace ppsp::integrity
