#include "protocol/integrity/merkle_tree.hpp"

namespace ppsp::integrity {

namespace {

std::optional<TreeError> check_count(std::uint64_t chunk_count)
{
    if (chunk_count == 0) {
        return TreeError::empty;
    }
    return chunk_count > static_chunks_max ? std::optional(TreeError::too_large) : std::nullopt;
}

} // namespace

Result<MerkleTree, TreeError> MerkleTree::from_leaves(Hasher& hasher, std::span<Hash const> leaves)
{
    if (auto const error = check_count(leaves.size())) {
        return failure(*error);
    }
    MerkleTree tree(NodeStore(TreeShape(leaves.size()), hasher.size()));
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        if (leaves[i].size() != hasher.size() || leaves[i].is_zero()) {
            return failure(TreeError::bad_leaf);
        }
        tree.nodes_.set(make_bin(0, i), leaves[i]);
    }
    tree.hash_upwards(hasher);
    return tree;
}

Result<MerkleTree, TreeError> MerkleTree::from_content(Hasher& hasher, std::uint32_t chunk_size,
                                                       Bytes content)
{
    if (chunk_size == 0) {
        return failure(TreeError::bad_chunk_size);
    }
    std::size_t const chunk_count =
        content.size() / chunk_size + (content.size() % chunk_size != 0);
    if (auto const error = check_count(chunk_count)) {
        return failure(*error);
    }
    MerkleTree tree(NodeStore(TreeShape(chunk_count), hasher.size()));
    for (std::size_t i = 0; i < chunk_count; ++i) {
        Bytes const rest = content.subspan(i * chunk_size);
        tree.nodes_.set(make_bin(0, i),
                        hasher.leaf(rest.first(std::min<std::size_t>(rest.size(), chunk_size))));
    }
    tree.hash_upwards(hasher);
    return tree;
}

void MerkleTree::hash_upwards(Hasher& hasher)
{
    for (unsigned layer = 1; layer <= shape().height(); ++layer) {
        Bin bin = make_bin(layer, 0);
        for (std::uint64_t i = 1; shape().is_node(bin) && !shape().is_empty(bin); ++i) {
            nodes_.set(bin, hasher.parent(nodes_.get(left_child_of(bin)),
                                          nodes_.get(right_child_of(bin))));
            bin = make_bin(layer, i);
        }
    }
}

} // namespace ppsp::integrity
