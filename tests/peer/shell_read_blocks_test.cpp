#include "peer/shell/read_blocks.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ppsp::peer {
namespace {

/// Fills every byte of a block with its number.
void read(ReadBlocks& blocks, std::uint64_t number)
{
    std::ranges::fill(blocks.add(number), static_cast<std::uint8_t>(number));
}

bool has(ReadBlocks& blocks, std::uint64_t number)
{
    auto const found = blocks.find(number);
    return found && found->size() == ReadBlocks::block_bytes &&
           found->front() == static_cast<std::uint8_t>(number) && found->back() == found->front();
}

TEST(ReadBlocks, what_was_read_is_found_again)
{
    ReadBlocks blocks;
    EXPECT_EQ(blocks.find(0), std::nullopt);
    for (std::uint64_t number : {7U, 0U, 3U}) {
        read(blocks, number);
    }
    for (std::uint64_t number : {3U, 7U, 0U, 7U, 3U}) {
        EXPECT_TRUE(has(blocks, number));
    }
    EXPECT_EQ(blocks.find(1), std::nullopt);
    EXPECT_EQ(blocks.count(), 3U) << "memory for what is used only";
}

TEST(ReadBlocks, the_one_that_was_not_used_for_longest_gives_way)
{
    ReadBlocks blocks;
    for (std::uint64_t number = 0; number < ReadBlocks::blocks_max; ++number) {
        read(blocks, number);
    }
    EXPECT_TRUE(has(blocks, 0));
    read(blocks, 1000);
    EXPECT_EQ(blocks.count(), ReadBlocks::blocks_max);
    EXPECT_TRUE(has(blocks, 0));
    EXPECT_FALSE(has(blocks, 1));
    EXPECT_TRUE(has(blocks, 2));
    EXPECT_TRUE(has(blocks, 1000));
}

TEST(ReadBlocks, what_changed_is_forgotten_and_nothing_else)
{
    ReadBlocks blocks;
    for (std::uint64_t number = 0; number < 6; ++number) {
        read(blocks, number);
    }
    blocks.forget(2 * ReadBlocks::block_bytes - 1, ReadBlocks::block_bytes + 2);
    EXPECT_TRUE(has(blocks, 0));
    EXPECT_FALSE(has(blocks, 1));
    EXPECT_FALSE(has(blocks, 2));
    EXPECT_FALSE(has(blocks, 3));
    EXPECT_TRUE(has(blocks, 4));
    read(blocks, 9);
    EXPECT_EQ(blocks.count(), 6U) << "in the place of one of them";
    blocks.forget(9 * ReadBlocks::block_bytes, 0);
    EXPECT_TRUE(has(blocks, 9));
}

TEST(ReadBlocks, the_last_one_of_a_file_is_shorter)
{
    ReadBlocks blocks;
    read(blocks, 4);
    blocks.shrink(4, 10);
    EXPECT_EQ(blocks.find(4)->size(), 10U);
    blocks.forget(4 * ReadBlocks::block_bytes, 1);
    read(blocks, 5);
    EXPECT_TRUE(has(blocks, 5)) << "whole, in the place of a short one";
    EXPECT_EQ(blocks.count(), 1U);
}

} // namespace
} // namespace ppsp::peer
