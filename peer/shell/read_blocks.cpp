#include "peer/shell/read_blocks.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

/// Of a block that holds nothing.
constexpr std::uint64_t no_number = ~std::uint64_t{0};

} // namespace

ReadBlocks::Block* ReadBlocks::block_of(std::uint64_t number)
{
    if (last_ < blocks_.size() && blocks_[last_].number == number) {
        return &blocks_[last_];
    }
    auto const at = std::ranges::find(blocks_, number, &Block::number);
    return at == blocks_.end() ? nullptr : &*at;
}

std::optional<Bytes> ReadBlocks::find(std::uint64_t number)
{
    Block* const block = block_of(number);
    if (block == nullptr) {
        return std::nullopt;
    }
    block->used = ++uses_;
    last_ = static_cast<std::size_t>(block - blocks_.data());
    return block->bytes;
}

std::span<std::uint8_t> ReadBlocks::add(std::uint64_t number)
{
    PPSP_ASSERT(block_of(number) == nullptr);
    auto at = std::ranges::find(blocks_, no_number, &Block::number);
    if (at == blocks_.end() && blocks_.size() < blocks_max) {
        at = blocks_.insert(at, Block{});
    } else if (at == blocks_.end()) {
        at = std::ranges::min_element(blocks_, {}, &Block::used);
    }
    at->number = number;
    at->used = ++uses_;
    at->bytes.resize(block_bytes);
    last_ = static_cast<std::size_t>(at - blocks_.begin());
    return at->bytes;
}

void ReadBlocks::shrink(std::uint64_t number, std::size_t size)
{
    Block* const block = block_of(number);
    PPSP_ASSERT(block != nullptr && size <= block->bytes.size());
    block->bytes.resize(size);
}

void ReadBlocks::forget(std::uint64_t offset, std::size_t size)
{
    for (std::uint64_t number = offset / block_bytes; number * block_bytes < offset + size;
         ++number) {
        if (Block* const block = block_of(number)) {
            block->number = no_number;
            block->used = 0;
        }
    }
}

} // namespace ppsp::peer
