#include "protocol/integrity/node_store.hpp"

namespace ppsp::integrity {

NodeStore::NodeStore(TreeShape shape, std::size_t hash_size) : shape_(shape), hash_size_(hash_size)
{
    // A tree of height h has the nodes 0 to 2^(h+1) - 2.
    std::size_t const nodes = std::size_t{2} << shape.height();
    pages_.resize((nodes + page_nodes - 1) / page_nodes);
}

bool NodeStore::has(Bin bin) const
{
    PPSP_ASSERT(shape_.is_node(bin));
    if (shape_.is_empty(bin)) {
        return true;
    }
    auto const& page = pages_[to_number(bin) / page_nodes];
    return page && page->known[to_number(bin) % page_nodes];
}

Hash NodeStore::get(Bin bin) const
{
    PPSP_ASSERT(has(bin));
    if (shape_.is_empty(bin)) {
        return Hash::zero(hash_size_);
    }
    Page const& page = *pages_[to_number(bin) / page_nodes];
    return Hash(Bytes{page.hashes.get() + to_number(bin) % page_nodes * hash_size_, hash_size_});
}

void NodeStore::set(Bin bin, Hash const& hash)
{
    PPSP_ASSERT(shape_.is_node(bin) && !shape_.is_empty(bin) && hash.size() == hash_size_);
    auto& page = pages_[to_number(bin) / page_nodes];
    if (!page) {
        page = std::make_unique<Page>();
        page->hashes = std::make_unique_for_overwrite<std::uint8_t[]>(page_nodes * hash_size_);
    }
    std::size_t const index = to_number(bin) % page_nodes;
    Bytes const bytes = hash.bytes();
    std::copy(bytes.begin(), bytes.end(), page->hashes.get() + index * hash_size_);
    page->known.set(index);
}

void NodeStore::shrink(TreeShape shape)
{
    PPSP_ASSERT(shape.height() == shape_.height() && shape.chunk_count() <= shape_.chunk_count());
    shape_ = shape;
}

std::optional<std::vector<NodeHash>> NodeStore::peaks() const
{
    std::vector<NodeHash> peaks;
    for (Bin const bin : shape_.peaks()) {
        if (!has(bin)) {
            return std::nullopt;
        }
        peaks.push_back({chunks_of(bin), get(bin)});
    }
    return peaks;
}

} // namespace ppsp::integrity
