#include "peer/shell/unit_feed.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration time)
{
    return TimePoint{time};
}

/// 1 MiB/s of transport stream, 10 ms at a time.
class Stream {
public:
    ByteVector next()
    {
        bool random_access = false;
        return media_.next_unit(false, random_access);
    }

private:
    test::TestMedia media_{10, 1024};
};

TEST(UnitFeed, measures_two_seconds_and_loses_nothing)
{
    UnitFeed feed{{}};
    Stream stream;
    Duration now{};
    std::size_t bytes = 0;
    while (!feed.chosen()) {
        auto const piece = stream.next();
        bytes += piece.size();
        feed.append(at(now), piece);
        EXPECT_EQ(feed.poll(at(now)).has_value(), feed.chosen().has_value());
        now += 10ms;
        ASSERT_LE(now, 3s);
    }
    EXPECT_GT(now, 2s);
    EXPECT_EQ(feed.chosen()->chunks_per_unit, 64U); // 50 ms of 8 Mbit/s
    EXPECT_EQ(feed.chosen()->first, ChunkId{0});
    std::size_t cut = 64 * 1024; // polled above
    while (auto const unit = feed.poll(at(now))) {
        cut += unit->payload.size();
    }
    EXPECT_GT(cut + 65 * 1024, bytes);
}

TEST(UnitFeed, needs_no_measurement_when_the_rate_is_known)
{
    UnitFeed::Options options;
    options.rate_bps = 1'300'000;
    UnitFeed feed{options};
    feed.append(at(0s), Stream{}.next());
    ASSERT_TRUE(feed.chosen());
    EXPECT_EQ(feed.chosen()->chunks_per_unit, 8U);
    EXPECT_NEAR(static_cast<double>(feed.chosen()->unit_duration.count()), 50'412.0, 1000.0);
}

TEST(UnitFeed, a_key_that_broadcast_before_keeps_its_unit_and_goes_on_behind)
{
    UnitFeed::Options options;
    options.next = ChunkId{1001};
    options.chunks_per_unit = 16;
    UnitFeed feed{options};
    EXPECT_EQ(feed.next_chunk(), ChunkId{1001});
    feed.append(at(0s), Stream{}.next());
    ASSERT_TRUE(feed.chosen());
    EXPECT_EQ(feed.chosen()->chunks_per_unit, 16U);
    EXPECT_EQ(feed.chosen()->first, ChunkId{2 * 47 * 16}); // the next multiple of 47 units
}

TEST(UnitFeed, a_stream_shorter_than_the_measurement_still_leaves)
{
    UnitFeed feed{{}};
    feed.append(at(0s), Stream{}.next());
    EXPECT_FALSE(feed.chosen());
    feed.finish(at(10ms));
    ASSERT_TRUE(feed.chosen());
    EXPECT_TRUE(feed.poll(at(10ms)));

    UnitFeed empty{{}};
    empty.finish(at(0s));
    EXPECT_FALSE(empty.poll(at(1s)));
}

TEST(UnitFeed, what_is_kept_while_measuring_has_a_limit)
{
    UnitFeed::Options options;
    options.measure_bytes_max = 100'000;
    UnitFeed feed{options};
    Stream stream;
    for (int i = 0; i < 11; ++i) {
        feed.append(at(0s), stream.next());
    }
    EXPECT_TRUE(feed.chosen());
}

} // namespace
} // namespace ppsp::peer
