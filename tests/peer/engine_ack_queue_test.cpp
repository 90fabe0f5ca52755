#include "peer/channel/ack_queue.hpp"

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

TEST(AckQueueTest, waits_for_company_then_names_the_largest_interval_with_the_first_delay)
{
    AckQueue acks;
    RangeSet have;
    have.add(range(10, 20));
    acks.add(at(0ms), ChunkId{12}, 30ms);
    EXPECT_FALSE(acks.due(at(1ms)));
    EXPECT_EQ(acks.deadline(), at(0ms) + AckQueue::delay_max);
    EXPECT_TRUE(acks.due(at(0ms) + AckQueue::delay_max));
    acks.add(at(1ms), ChunkId{13}, 20ms);
    acks.add(at(1ms), ChunkId{14}, 40ms);
    acks.add(at(1ms), ChunkId{15}, 25ms);
    EXPECT_TRUE(acks.due(at(1ms)));
    auto const messages = acks.take(have);
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(messages[0].chunks, range(10, 20));
    EXPECT_EQ(messages[0].one_way_delay, Duration{30ms});
    EXPECT_TRUE(acks.empty());
}

TEST(AckQueueTest, waits_for_more_where_many_chunks_are_on_their_way)
{
    AckQueue acks;
    auto const size_when_due = [&] {
        std::size_t size = 0;
        while (!acks.due(at(0ms))) {
            acks.add(at(0ms), ChunkId{size++}, 30ms);
        }
        static_cast<void>(acks.take({}));
        return size;
    };
    acks.set_pace(64'000, 100us); // six in a round trip
    EXPECT_EQ(size_when_due(), AckQueue::chunks_min);
    acks.set_pace(64'000, 1ms);
    EXPECT_EQ(size_when_due(), 8u);
    acks.add(at(0ms), ChunkId{0}, 31ms); // a millisecond in a queue is one of the round trip
    acks.set_pace(64'000, 1ms);
    EXPECT_EQ(size_when_due() + 1, 16u);
    // Whatever a peer claims about the time.
    acks.add(at(0ms), ChunkId{0}, Duration::min());
    acks.add(at(0ms), ChunkId{1}, Duration::max());
    acks.set_pace(1e9, 1ms);
    EXPECT_EQ(size_when_due() + 2, AckQueue::chunks_max);
}

TEST(AckQueueTest, clocks_that_drift_apart_are_no_queue)
{
    AckQueue acks;
    for (int second = 0; second < 3600; ++second) { // 100 us in each of them
        acks.add(at(second * 1s), ChunkId{static_cast<std::uint64_t>(second)}, second * 100us);
        static_cast<void>(acks.take({}));
    }
    acks.set_pace(64'000, 100us); // six in a round trip
    acks.add(at(3600s), ChunkId{3600}, 360ms);
    EXPECT_FALSE(acks.due(at(3600s)));
    for (std::uint64_t chunk = 1; chunk < AckQueue::chunks_min; ++chunk) {
        acks.add(at(3600s), ChunkId{3600 + chunk}, 360ms);
    }
    EXPECT_TRUE(acks.due(at(3600s)));
}

} // namespace
} // namespace ppsp::peer
