#pragma once

#include "protocol/base/ids.hpp"
#include "protocol/integrity/hasher.hpp"
#include "protocol/integrity/node_hash.hpp"

#include <cstdint>
#include <vector>

namespace ppsp::integrity {

/// Most chunks below one munro. A unit is sent after its last chunk is made, so live units are far
/// smaller (8 to 64 chunks); the limit keeps a source's signature from ordering any allocation.
inline constexpr std::uint32_t unit_chunks_max = 1024;

/// The subtree below one munro (RFC 7574 §6.1.2): a complete binary tree over a power of two of
/// chunks. Nodes are either unknown or verified; nothing unverified is ever kept in it.
class UnitTree {
public:
    /// Tree of an own, complete unit. `payload` holds `chunk_count` chunks of `chunk_size` bytes;
    /// `chunk_count` is a power of two up to `unit_chunks_max`.
    [[nodiscard]] static UnitTree build(Hasher& hasher, ChunkId first, std::uint32_t chunk_count,
                                        std::uint32_t chunk_size, Bytes payload);

    /// Tree of which only the munro is known; its signature and its width (`MunroPolicy`) were
    /// checked.
    UnitTree(ChunkId first, std::uint32_t chunk_count, Hash const& munro);

    [[nodiscard]] ChunkRange chunks() const { return {first_, first_ + (chunk_count_ - 1)}; }
    [[nodiscard]] Hash munro() const { return node(1); }

    /// Whether the chunk's hash, and so its whole path, is known here; the chunk itself may be
    /// missing, as the hash of a sibling comes first.
    [[nodiscard]] bool knows(ChunkId chunk) const;

    /// Verifies a leaf hash with the hashes that came along (PP-5.2-a): climbs from the leaf with
    /// known nodes or `offered` ones up to the first verified node. Height and place come from the
    /// chunk number only (trap T15). On success every node of the path, uncles included, is kept;
    /// otherwise the tree stays as it was. Computes log2 of `chunk_count` hashes at most.
    /// A chunk of another unit gives `missing_hash`.
    enum class Verdict : std::uint8_t { verified, missing_hash, mismatch };
    [[nodiscard]] Verdict verify(Hasher& hasher, ChunkId chunk, Hash const& leaf,
                                 std::vector<NodeHash> const& offered);

    /// Visits the uncles that a receiver needs for `chunk` if it knows the nodes that any of
    /// `known` chunks gave it, highest first (PP-5.4-a). `known(range)` tells whether the receiver
    /// has some chunk of the range. Only for a chunk whose path is verified here.
    template <typename Known, typename Visit>
    void visit_uncles(ChunkId chunk, Known const& known, Visit const& visit) const
    {
        std::uint32_t const leaf = leaf_index(chunk);
        std::uint32_t height = 0;
        while ((leaf >> height) > 1 && !known(range_of(leaf >> (height + 1)))) {
            ++height;
        }
        while (height > 0) {
            std::uint32_t const sibling = (leaf >> --height) ^ 1U;
            visit(NodeHash{range_of(sibling), node(sibling)});
        }
    }
    /// All of them at once.
    template <typename Known>
    [[nodiscard]] std::vector<NodeHash> uncles(ChunkId chunk, Known const& known) const
    {
        std::vector<NodeHash> list;
        visit_uncles(chunk, known, [&](NodeHash const& uncle) { list.push_back(uncle); });
        return list;
    }

private:
    // Heap numbering: 1 is the munro, 2i and 2i+1 are the children of i, leaves follow at
    // chunk_count_. Hashes lie side by side to keep a unit in one allocation.
    [[nodiscard]] std::uint32_t leaf_index(ChunkId chunk) const;
    [[nodiscard]] ChunkRange range_of(std::uint32_t index) const;
    [[nodiscard]] bool known(std::uint32_t index) const { return verified_[index]; }
    [[nodiscard]] Hash node(std::uint32_t index) const;
    void set(std::uint32_t index, Hash const& hash);

    ChunkId first_;
    std::uint32_t chunk_count_;
    std::uint8_t hash_size_;
    ByteVector hashes_;
    std::vector<bool> verified_;
};

} // namespace ppsp::integrity
