#pragma once

#include "protocol/base/bytes.hpp"

#include <optional>
#include <vector>

namespace ppsp::peer {

/// What was read of a file last, in blocks. A seed sends each neighbour the chunks of a slab one
/// after the other, and neighbours by turns: as many places of the file are read at a time as there
/// are neighbours. Memory is taken as blocks are used.
class ReadBlocks {
public:
    /// Bytes of a block, and of one read of the system: a slab of chunks of 1 KiB.
    static constexpr std::size_t block_bytes = std::size_t{64} << 10;
    /// 8 MB, for more neighbours than a node has; then the one that was not used for the longest
    /// time gives way.
    static constexpr std::size_t blocks_max = 128;

    /// A block that begins at `block * block_bytes`; shorter at the end of the file. Valid until
    /// `add` or `forget`.
    [[nodiscard]] std::optional<Bytes> find(std::uint64_t block);
    /// Room for `block_bytes` of a block that was not found; `shrink` says how many there are.
    [[nodiscard]] std::span<std::uint8_t> add(std::uint64_t block);
    void shrink(std::uint64_t block, std::size_t size);
    /// The file changed there.
    void forget(std::uint64_t offset, std::size_t size);

    [[nodiscard]] std::size_t count() const { return blocks_.size(); }

private:
    struct Block {
        std::uint64_t number = 0;
        ByteVector bytes;
        std::uint64_t used = 0; ///< larger = later
    };
    [[nodiscard]] Block* block_of(std::uint64_t number);

    std::vector<Block> blocks_;
    std::size_t last_ = 0; ///< found or added last
    std::uint64_t uses_ = 0;
};

} // namespace ppsp::peer
