#include "peer/recording/range_queue.hpp"
#include "peer/recording/slab_table.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

constexpr std::uint64_t slab = SlabTable::slab_chunks;

ChunkRange chunks(std::uint64_t first, std::uint64_t last)
{
    return {ChunkId{first}, ChunkId{last}};
}

RangeSet set_of(ChunkRange range)
{
    RangeSet set;
    set.add(range);
    return set;
}

class SlabTableTest : public ::testing::Test {
protected:
    SlabTableTest() { table_.set_chunk_count(10 * slab + 3); }

    SlabTable table_{Rng{1}};
    RangeSet nothing_;
    RangeSet all_ = set_of(chunks(0, 10 * slab + 2));
    PeerKey a_{1};
    PeerKey b_{2};
};

TEST_F(SlabTableTest, the_last_slab_ends_with_the_content)
{
    EXPECT_EQ(table_.slab_count(), 11U);
    EXPECT_EQ(table_.chunks(10), chunks(10 * slab, 10 * slab + 2));
    EXPECT_EQ(table_.chunks(0), chunks(0, slab - 1));
}

TEST_F(SlabTableTest, a_neighbour_is_asked_for_what_it_holds_only)
{
    RangeSet const few = set_of(chunks(4 * slab + 7, 4 * slab + 9));
    EXPECT_EQ(table_.next(nothing_, few, std::nullopt), 4U);
    RangeSet const have = set_of(chunks(4 * slab + 7, 4 * slab + 9));
    EXPECT_EQ(table_.next(have, few, std::nullopt), std::nullopt);
}

TEST_F(SlabTableTest, nothing_is_asked_of_two)
{
    std::vector<bool> seen(11);
    for (int i = 0; i < 11; ++i) {
        auto const next = table_.next(nothing_, all_, std::nullopt);
        ASSERT_TRUE(next);
        EXPECT_FALSE(seen[*next]);
        seen[*next] = true;
        table_.on_asked(TimePoint{}, *next, i % 2 == 0 ? a_ : b_);
    }
    EXPECT_EQ(table_.next(nothing_, all_, std::nullopt), std::nullopt);
}

TEST_F(SlabTableTest, a_rare_slab_goes_first)
{
    for (std::uint64_t i = 0; i < 11; ++i) {
        if (i != 6) {
            table_.on_have(table_.chunks(i));
        }
    }
    // Sixteen looks at eleven slabs miss one of them now and then, never ten times in a row.
    int hits = 0;
    for (int i = 0; i < 10; ++i) {
        hits += table_.next(nothing_, all_, std::nullopt) == 6U ? 1 : 0;
    }
    EXPECT_GT(hits, 5);
    table_.on_have(table_.chunks(6));
    table_.on_gone(table_.chunks(3));
    hits = 0;
    for (int i = 0; i < 10; ++i) {
        hits += table_.next(nothing_, all_, std::nullopt) == 3U ? 1 : 0;
    }
    EXPECT_GT(hits, 5);
}

TEST_F(SlabTableTest, among_equals_the_next_in_the_file)
{
    EXPECT_EQ(table_.next(nothing_, all_, 4), 5U);
}

TEST_F(SlabTableTest, what_a_player_waits_for_goes_first_and_in_order)
{
    table_.play_from(ChunkId{7 * slab + 1});
    EXPECT_EQ(table_.next(nothing_, all_, 2), 7U);
    table_.on_asked(TimePoint{}, 7, a_);
    EXPECT_EQ(table_.next(nothing_, all_, 2), 8U);
    table_.play_from(std::nullopt);
    EXPECT_EQ(table_.next(nothing_, all_, 2), 3U);
}

TEST_F(SlabTableTest, at_the_end_an_idle_neighbour_helps_one_that_sends_nothing)
{
    TimePoint const start{};
    RangeSet have = all_;
    have.remove(table_.chunks(5));
    table_.on_asked(start, 5, a_);
    EXPECT_EQ(table_.next(have, all_, std::nullopt), std::nullopt);
    EXPECT_EQ(table_.next_shared(have, all_, b_, start, SlabTable::Share::any), std::nullopt);
    EXPECT_EQ(table_.next_shared(have, all_, b_, start + Duration{1}, SlabTable::Share::any), 5U);
    EXPECT_EQ(table_.next_shared(have, all_, a_, start + Duration{1}, SlabTable::Share::any),
              std::nullopt);
    table_.on_progress(start + Duration{9}, 5, a_);
    EXPECT_EQ(table_.next_shared(have, all_, b_, start + Duration{1}, SlabTable::Share::any),
              std::nullopt);
    table_.on_asked(start, 5, b_);
    EXPECT_EQ(table_.on_whole(5), (std::vector{a_, b_}));
}

TEST_F(SlabTableTest, a_slab_that_makes_no_progress_is_told_and_a_player_need_not_wait_for_it)
{
    TimePoint const start{};
    table_.on_asked(start, 5, a_);
    table_.on_asked(start, 9, a_);
    table_.on_progress(start + Duration{5}, 9, a_);
    EXPECT_EQ(table_.stalled(a_, start + Duration{3}), std::vector<std::uint64_t>{5});
    EXPECT_TRUE(table_.stalled(b_, start + Duration{3}).empty());
    auto const shared = [&] {
        return table_.next_shared(nothing_, all_, b_, start + Duration{9},
                                  SlabTable::Share::urgent);
    };
    EXPECT_EQ(shared(), std::nullopt) << "nobody plays";
    table_.play_from(ChunkId{6 * slab});
    EXPECT_EQ(shared(), 9U);
}

TEST_F(SlabTableTest, who_is_gone_is_asked_for_nothing)
{
    table_.on_asked(TimePoint{}, 5, a_);
    table_.on_asked(TimePoint{}, 6, a_);
    table_.release(5, a_);
    EXPECT_EQ(table_.next(nothing_, all_, 4), 5U);
    table_.release_all(a_);
    EXPECT_EQ(table_.next(nothing_, all_, 5), 6U);
}

TEST_F(SlabTableTest, a_smaller_size_forgets_what_is_beyond)
{
    table_.on_asked(TimePoint{}, 10, a_);
    table_.set_chunk_count(3 * slab);
    EXPECT_EQ(table_.slab_count(), 3U);
    EXPECT_TRUE(table_.on_whole(10).empty());
    table_.on_have(chunks(0, 100 * slab)); // more than there is
    EXPECT_EQ(table_.next(nothing_, all_, 1), 2U);
}

TEST(RangeQueue, gives_chunks_in_the_order_of_requests_lost_ones_first)
{
    RangeQueue queue;
    queue.want(chunks(10, 11));
    queue.want(chunks(3, 4));
    queue.want(chunks(11, 11)); // asked already
    EXPECT_EQ(queue.pop(), ChunkId{10});
    EXPECT_TRUE(queue.want_again(ChunkId{10}));
    EXPECT_EQ(queue.pop(), ChunkId{10});
    EXPECT_EQ(queue.pop(), ChunkId{11});
    EXPECT_EQ(queue.pop(), ChunkId{3});
    EXPECT_EQ(queue.pop(), ChunkId{4});
    EXPECT_EQ(queue.pop(), std::nullopt);
    EXPECT_TRUE(queue.empty());
}

TEST(RangeQueue, PP_3_8_a_what_was_cancelled_is_not_sent)
{
    RangeQueue queue;
    queue.want(chunks(0, 9));
    queue.cancel(chunks(2, 7));
    EXPECT_EQ(queue.pop(), ChunkId{0});
    EXPECT_EQ(queue.pop(), ChunkId{1});
    EXPECT_EQ(queue.pop(), ChunkId{8});
    EXPECT_FALSE(queue.want_again(ChunkId{5})) << "lost and cancelled meanwhile";
    queue.want(chunks(5, 5));
    EXPECT_EQ(queue.pop(), ChunkId{9});
    EXPECT_EQ(queue.pop(), ChunkId{5});
    EXPECT_TRUE(queue.want_again(ChunkId{5})) << "asked for again";
}

TEST(RangeQueue, cancels_that_cut_it_into_pieces_make_no_more_of_them_than_may_be)
{
    RangeQueue queue;
    queue.want(chunks(0, 100'000));
    for (std::uint64_t i = 1; i < 100'000; i += 2) {
        queue.cancel(chunks(i, i));
    }
    std::size_t count = 0;
    while (queue.pop()) {
        ++count;
    }
    EXPECT_LE(count, RangeQueue::intervals_max + 1);
}

TEST(RangeQueue, holds_so_many_intervals_and_no_more)
{
    RangeQueue queue;
    for (std::uint64_t i = 0; i < RangeQueue::intervals_max + 10; ++i) {
        EXPECT_EQ(queue.want(chunks(3 * i, 3 * i)), i < RangeQueue::intervals_max);
    }
    std::size_t count = 0;
    while (queue.pop()) {
        ++count;
    }
    EXPECT_EQ(count, RangeQueue::intervals_max);
    for (std::uint64_t i = 0; i < RangeQueue::lost_max; ++i) {
        ASSERT_TRUE(queue.want_again(ChunkId{2 * i}));
    }
    EXPECT_FALSE(queue.want_again(ChunkId{1}));
}

} // namespace
} // namespace ppsp::peer
