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

TEST(UnitFeed, measures_two_seconds_then_catches_up_and_loses_nothing)
{
    UnitFeed feed{{}};
    Stream stream;
    ByteVector sent;
    ByteVector cut;
    std::optional<Duration> caught_up;
    std::size_t most_at_once = 0;
    for (Duration now{}; now < 15s; now += 10ms) {
        auto const piece = stream.next();
        sent.insert(sent.end(), piece.begin(), piece.end());
        feed.append(at(now), piece);
        if (now < 2s) {
            EXPECT_FALSE(feed.poll(at(now)));
            EXPECT_FALSE(feed.chosen());
            continue;
        }
        std::size_t const before = cut.size();
        while (auto const unit = feed.poll(at(now))) {
            cut.insert(cut.end(), unit->payload.begin(), unit->payload.end());
        }
        most_at_once = std::max(most_at_once, cut.size() - before);
        if (!caught_up && sent.size() - cut.size() <= 65 * 1024) {
            caught_up = now;
        }
    }
    ASSERT_TRUE(feed.chosen());
    EXPECT_EQ(feed.chosen()->chunks_per_unit, 64U); // 50 ms of 8 Mbit/s
    EXPECT_EQ(feed.chosen()->first, ChunkId{0});
    EXPECT_EQ(most_at_once, 64U * 1024); // never more than a unit
    ASSERT_TRUE(caught_up);
    EXPECT_GT(*caught_up, 9s); // 2 s at a gain of a fifth
    EXPECT_LT(*caught_up, 11s);
    EXPECT_TRUE(std::equal(cut.begin(), cut.end(), sent.begin()));
}

TEST(UnitFeed, wakes_up_for_what_is_held_back)
{
    UnitFeed feed{{}};
    Stream stream;
    for (Duration now{}; now <= 2s; now += 10ms) {
        feed.append(at(now), stream.next());
    }
    // No more input: what is there leaves by the deadlines alone.
    Duration now = 2s;
    std::size_t units = 0;
    while (auto const deadline = feed.deadline()) {
        EXPECT_GE(deadline->time_since_epoch(), now);
        now = deadline->time_since_epoch();
        while (feed.poll(at(now))) {
            ++units;
        }
        ASSERT_LT(now, 5s);
    }
    EXPECT_EQ(units, 201U * 10 / 64 + 1);
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
