#include "protocol/integrity/unit_tree.hpp"

#include <bit>

namespace ppsp::integrity {

namespace {

constexpr std::size_t depth_max = std::bit_width(unit_chunks_max) - 1;

} // namespace

UnitTree UnitTree::build(Hasher& hasher, ChunkId first, std::uint32_t chunk_count,
                         std::uint32_t chunk_size, Bytes payload)
{
    PPSP_ASSERT(payload.size() == std::size_t{chunk_count} * chunk_size);
    UnitTree tree(first, chunk_count, Hash::zero(hasher.size()));
    for (std::uint32_t i = 0; i < chunk_count; ++i) {
        tree.set(chunk_count + i,
                 hasher.leaf(payload.subspan(std::size_t{i} * chunk_size, chunk_size)));
    }
    for (std::uint32_t i = chunk_count - 1; i > 0; --i) {
        tree.set(i, hasher.parent(tree.node(2 * i), tree.node(2 * i + 1)));
    }
    return tree;
}

UnitTree::UnitTree(ChunkId first, std::uint32_t chunk_count, Hash const& munro)
    : first_(first), chunk_count_(chunk_count), hash_size_(static_cast<std::uint8_t>(munro.size()))
{
    PPSP_ASSERT(std::has_single_bit(chunk_count) && chunk_count <= unit_chunks_max);
    hashes_.resize(std::size_t{2} * chunk_count * hash_size_);
    verified_.resize(std::size_t{2} * chunk_count);
    set(1, munro);
}

bool UnitTree::knows(ChunkId chunk) const
{
    return chunks().contains(chunk) && known(leaf_index(chunk));
}

// Children are always stored in pairs, so a node that is not known has no known sibling: below the
// first verified node every sibling has to be among the offered ones.
UnitTree::Verdict UnitTree::verify(Hasher& hasher, ChunkId chunk, Hash const& leaf,
                                   std::vector<NodeHash> const& offered)
{
    if (!chunks().contains(chunk)) {
        return Verdict::missing_hash;
    }
    std::array<Hash, depth_max> path;
    std::array<Hash const*, depth_max> siblings;
    std::size_t height = 0;
    std::uint32_t index = leaf_index(chunk);
    Hash hash = leaf;
    while (!known(index)) {
        Hash const* sibling = find_hash(offered, range_of(index ^ 1U), hash_size_);
        if (sibling == nullptr) {
            return Verdict::missing_hash;
        }
        path[height] = hash;
        siblings[height] = sibling;
        hash = index % 2 == 0 ? hasher.parent(hash, *sibling) : hasher.parent(*sibling, hash);
        index >>= 1;
        ++height;
    }
    if (hash != node(index)) {
        return Verdict::mismatch;
    }
    index = leaf_index(chunk);
    for (std::size_t i = 0; i < height; ++i, index >>= 1) {
        set(index, path[i]);
        set(index ^ 1U, *siblings[i]);
    }
    return Verdict::verified;
}

std::uint32_t UnitTree::leaf_index(ChunkId chunk) const
{
    return chunk_count_ + static_cast<std::uint32_t>(to_number(chunk) - to_number(first_));
}

ChunkRange UnitTree::range_of(std::uint32_t index) const
{
    auto const depth = static_cast<std::uint32_t>(std::bit_width(index)) - 1;
    std::uint32_t const width = chunk_count_ >> depth;
    ChunkId const first = first_ + std::uint64_t{index - (1U << depth)} * width;
    return {first, first + (width - 1)};
}

Hash UnitTree::node(std::uint32_t index) const
{
    PPSP_ASSERT(known(index));
    return Hash(Bytes(hashes_).subspan(std::size_t{index} * hash_size_, hash_size_));
}

void UnitTree::set(std::uint32_t index, Hash const& hash)
{
    PPSP_ASSERT(hash.size() == hash_size_);
    Bytes const bytes = hash.bytes();
    std::copy(bytes.begin(), bytes.end(),
              hashes_.begin() + static_cast<std::ptrdiff_t>(std::size_t{index} * hash_size_));
    verified_[index] = true;
}

} // namespace ppsp::integrity
