#include "peer/channel/request_queue.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

TimePoint at(Duration time)
{
    return TimePoint{time};
}

ChunkRange range(std::uint64_t first, std::uint64_t last)
{
    return {ChunkId{first}, ChunkId{last}};
}

using Urgency = RequestQueue::Urgency;

/// What `next` gives, without its time and order.
std::optional<ChunkId> next_chunk(RequestQueue& queue, Duration now, Urgency urgency)
{
    auto const ready = queue.next(at(now), urgency);
    return ready ? std::optional{ready->chunk} : std::nullopt;
}

TEST(RequestQueueTest, PP_3_7_a_serves_in_order_of_arrival_and_forgets_what_is_cancelled)
{
    RequestQueue queue;
    EXPECT_EQ(queue.want(range(0, 3)).size(), 1u);
    for (std::uint64_t chunk : {2, 0, 1, 3}) {
        queue.make_ready({ChunkId{chunk}, at(1s)}, Urgency::push);
    }
    EXPECT_EQ(next_chunk(queue, 1s, Urgency::push), ChunkId{2});
    EXPECT_EQ(next_chunk(queue, 1s, Urgency::push), ChunkId{2}) << "stays until it was sent";
    queue.sent(ChunkId{2});
    queue.cancel(range(0, 0));
    EXPECT_EQ(next_chunk(queue, 1s, Urgency::push), ChunkId{1});
    EXPECT_TRUE(queue.want(range(1, 1)).empty()) << "wanted already";
}

TEST(RequestQueueTest, what_waits_longer_goes_first)
{
    RequestQueue queue;
    (void)queue.want(range(0, 4));
    queue.make_ready({ChunkId{0}, at(1s)}, Urgency::push);
    queue.make_ready({ChunkId{1}, at(3s)}, Urgency::push);
    queue.make_ready({ChunkId{2}, at(2s)}, Urgency::push);
    queue.make_ready({ChunkId{3}, at(2s)}, Urgency::push);
    queue.make_ready({ChunkId{4}, TimePoint{}}, Urgency::push);
    for (std::uint64_t const expected : {4, 0, 2, 3, 1}) {
        EXPECT_EQ(next_chunk(queue, 1s, Urgency::push), ChunkId{expected});
        queue.sent(ChunkId{expected});
    }
}

TEST(RequestQueueTest, says_since_when_and_in_which_order_a_chunk_waits)
{
    RequestQueue queue;
    (void)queue.want(range(0, 1));
    queue.make_ready({ChunkId{0}, at(2s), 3}, Urgency::push);
    queue.make_ready({ChunkId{1}, at(1s), 0}, Urgency::pull);
    auto const push = queue.next(at(2s), Urgency::push);
    ASSERT_TRUE(push.has_value());
    EXPECT_EQ(push->chunk, ChunkId{0});
    EXPECT_EQ(push->since, at(2s));
    EXPECT_EQ(push->order, 3u);
    auto const pull = queue.next(at(2s), Urgency::pull);
    ASSERT_TRUE(pull.has_value());
    EXPECT_EQ(pull->chunk, ChunkId{1});
    EXPECT_EQ(pull->since, at(1s));
}

TEST(RequestQueueTest, what_waited_too_long_is_forgotten_a_push_sooner_than_a_pull)
{
    static_assert(RequestQueue::push_age_max < RequestQueue::pull_age_max);
    RequestQueue queue;
    (void)queue.want(range(0, 1));
    queue.make_ready({ChunkId{0}, at(1s), 0, at(1s)}, Urgency::pull);
    queue.make_ready({ChunkId{1}, at(1s), 0, at(1s)}, Urgency::push);
    Duration const push_end = 1s + RequestQueue::push_age_max;
    EXPECT_EQ(next_chunk(queue, push_end, Urgency::push), ChunkId{1});
    EXPECT_FALSE(next_chunk(queue, push_end + 1us, Urgency::push).has_value());
    EXPECT_FALSE(queue.wants(ChunkId{1})) << "it would have to be asked for again";
    Duration const pull_end = 1s + RequestQueue::pull_age_max;
    EXPECT_EQ(next_chunk(queue, pull_end, Urgency::pull), ChunkId{0});
    EXPECT_FALSE(next_chunk(queue, pull_end + 1us, Urgency::pull).has_value());
    EXPECT_FALSE(queue.wants(ChunkId{0}));
    EXPECT_FALSE(queue.has_ready());
}

TEST(RequestQueueTest, what_came_late_itself_is_passed_on)
{
    RequestQueue queue;
    (void)queue.want(range(0, 0));
    Duration const came = 1s + 2 * RequestQueue::push_age_max;
    queue.make_ready({ChunkId{0}, at(1s), 0, at(came)}, Urgency::push);
    EXPECT_EQ(next_chunk(queue, came, Urgency::push), ChunkId{0});
    EXPECT_EQ(next_chunk(queue, came + RequestQueue::push_age_max, Urgency::push), ChunkId{0});
    EXPECT_FALSE(
        next_chunk(queue, came + RequestQueue::push_age_max + 1us, Urgency::push).has_value());
}

TEST(RequestQueueTest, what_is_too_old_does_not_hold_up_what_is_behind_it)
{
    RequestQueue queue;
    (void)queue.want(range(0, 1));
    queue.make_ready({ChunkId{0}, at(1s), 0, at(1s)}, Urgency::push);
    queue.make_ready({ChunkId{1}, at(1s + 100ms), 0, at(1s + 100ms)}, Urgency::push);
    EXPECT_EQ(next_chunk(queue, 1s + RequestQueue::push_age_max + 50ms, Urgency::push), ChunkId{1});
}

TEST(RequestQueueTest, a_first_copy_does_not_wait_behind_others)
{
    RequestQueue queue;
    (void)queue.want(range(0, 1));
    queue.make_ready({ChunkId{0}, at(1s)}, Urgency::push);
    queue.make_ready({ChunkId{1}, at(1s)}, Urgency::first_copy);
    EXPECT_EQ(next_chunk(queue, 1s, Urgency::first_copy), ChunkId{1});
    queue.sent(ChunkId{1});
    EXPECT_FALSE(next_chunk(queue, 1s, Urgency::first_copy).has_value());
    EXPECT_TRUE(queue.has_ready());
    EXPECT_EQ(next_chunk(queue, 1s, Urgency::push), ChunkId{0});
}

TEST(RequestQueueTest, a_lost_chunk_goes_first_and_never_gets_too_old)
{
    RequestQueue queue;
    (void)queue.want(range(0, 1));
    queue.make_ready({ChunkId{0}, at(1s), 0, at(1s)}, Urgency::push);
    queue.make_ready_again(at(1s), ChunkId{7}, Urgency::push);
    EXPECT_TRUE(queue.wants(ChunkId{7})) << "sending had taken it off";
    EXPECT_EQ(next_chunk(queue, 1s, Urgency::push), ChunkId{7});
    EXPECT_EQ(next_chunk(queue, 1h, Urgency::push), ChunkId{7});
    queue.sent(ChunkId{7});
    EXPECT_FALSE(next_chunk(queue, 1h, Urgency::push).has_value()) << "0 waited too long";
}

TEST(RequestQueueTest, a_lost_pull_goes_before_other_pulls_but_behind_pushes)
{
    RequestQueue queue;
    (void)queue.want(range(0, 9));
    queue.make_ready({ChunkId{1}, at(1s)}, Urgency::pull);
    queue.make_ready_again(at(1s), ChunkId{2}, Urgency::pull);
    EXPECT_EQ(next_chunk(queue, 1s, Urgency::pull), ChunkId{2});
    EXPECT_FALSE(next_chunk(queue, 1s, Urgency::push).has_value());
    EXPECT_EQ(next_chunk(queue, 1s + RequestQueue::pull_age_max + 1us, Urgency::pull), ChunkId{1})
        << "a lost pull gets too old like others";
}

TEST(RequestQueueTest, a_cleared_one_wants_nothing_and_sends_nothing)
{
    RequestQueue queue;
    (void)queue.want(range(0, 9));
    queue.make_ready({ChunkId{0}, at(1s)}, Urgency::push);
    queue.make_ready({ChunkId{1}, at(1s)}, Urgency::pull);
    EXPECT_TRUE(queue.has_ready());
    queue.forget_below(ChunkId{5});
    EXPECT_FALSE(queue.wants_any(range(0, 4)));
    EXPECT_TRUE(queue.wants_any(range(4, 5)));
    queue.clear();
    EXPECT_FALSE(queue.has_ready());
    EXPECT_FALSE(queue.wants_any(range(0, 9)));
}

TEST(RequestQueueTest, is_full_at_its_limits)
{
    RequestQueue queue;
    for (std::uint64_t i = 0; i < RequestQueue::intervals_max; ++i) {
        EXPECT_FALSE(queue.want(range(i * 3, i * 3)).empty());
    }
    EXPECT_TRUE(queue.want(range(1'000'000, 1'000'000)).empty());
    EXPECT_FALSE(queue.wants(ChunkId{1'000'000}));

    RequestQueue long_queue;
    (void)long_queue.want(range(0, RequestQueue::ready_max + 10));
    for (std::uint64_t i = 0; i <= RequestQueue::ready_max + 10; ++i) {
        long_queue.make_ready({ChunkId{i}, at(1s)}, Urgency::push);
    }
    std::size_t served = 0;
    while (auto const chunk = next_chunk(long_queue, 1s, Urgency::push)) {
        long_queue.sent(*chunk);
        ++served;
    }
    EXPECT_EQ(served, RequestQueue::ready_max);
}

} // namespace
} // namespace ppsp::peer
