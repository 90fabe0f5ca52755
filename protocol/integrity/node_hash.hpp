#pragma once

#include "protocol/base/ids.hpp"
#include "protocol/integrity/hash.hpp"

#include <algorithm>
#include <span>

namespace ppsp::integrity {

/// A hash that travels with a chunk: the chunks below the node, and its hash.
struct NodeHash {
    ChunkRange chunks;
    Hash hash;
    friend bool operator==(NodeHash const&, NodeHash const&) = default;
};

/// The offered hash for exactly these chunks, null if there is none. A hash of another size than
/// the tree's counts as none.
[[nodiscard]] inline Hash const* find_hash(std::span<NodeHash const> offered, ChunkRange chunks,
                                           std::size_t hash_size)
{
    auto const found = std::find_if(offered.begin(), offered.end(), [&](NodeHash const& node) {
        return node.chunks == chunks && node.hash.size() == hash_size;
    });
    return found == offered.end() ? nullptr : &found->hash;
}

} // namespace ppsp::integrity
