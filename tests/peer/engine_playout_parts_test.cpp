#include "peer/playout/latency_samples.hpp"
#include "peer/playout/random_access_finder.hpp"
#include "peer/playout/ready_lags.hpp"
#include "tests/support/test_media.hpp"

#include <gtest/gtest.h>

#include <algorithm>

/// What Playout is made of.
namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration time)
{
    return TimePoint{time};
}

TEST(ReadyLagsTest, tells_the_largest_of_the_last_seconds)
{
    ReadyLags lags;
    EXPECT_EQ(lags.largest(at(5s)), Duration::zero());
    lags.add(at(5s), 300ms);
    lags.add(at(5500ms), 100ms);
    lags.add(at(7s), 200ms);
    EXPECT_EQ(lags.largest(at(7s)), Duration{300ms});
    EXPECT_EQ(lags.largest(at(24'999ms)), Duration{300ms});
    EXPECT_EQ(lags.largest(at(25s)), Duration{200ms});
    EXPECT_EQ(lags.largest(at(27s)), Duration::zero());
    lags.add(at(25s), 50ms);
    EXPECT_EQ(lags.largest(at(25s)), Duration{200ms}) << "its place was that of second 5";
}

TEST(RandomAccessFinderTest, finds_the_same_starts_whatever_the_pieces)
{
    test::TestMedia maker{8, 1024};
    ByteVector stream;
    for (int unit = 0; unit < 60; ++unit) {
        bool random_access = false;
        ByteVector const bytes = maker.next_unit(unit % 20 == 0, random_access);
        stream.insert(stream.end(), bytes.begin(), bytes.end());
    }
    auto const starts_in_pieces_of = [&](std::size_t size) {
        RandomAccessFinder finder;
        std::vector<std::uint64_t> starts;
        for (std::size_t from = 0; from < stream.size(); from += size) {
            if (auto const start = finder.feed(
                    from, Bytes{stream}.subspan(from, std::min(size, stream.size() - from)))) {
                starts.push_back(*start);
            }
        }
        return starts;
    };
    auto const whole_units = starts_in_pieces_of(8192);
    EXPECT_EQ(whole_units.size(), 3u);
    for (std::size_t const size : {1UL, 100UL, 187UL, 188UL, 189UL, 1024UL}) {
        EXPECT_EQ(starts_in_pieces_of(size), whole_units) << size;
    }
    for (std::uint64_t const start : whole_units) {
        EXPECT_EQ(start % ts::packet_size, 0u);
    }
}

TEST(RandomAccessFinderTest, a_gap_or_garbage_gives_no_start)
{
    RandomAccessFinder finder;
    EXPECT_FALSE(finder.feed(0, ByteVector(10'000, 0x47)).has_value());
    EXPECT_FALSE(finder.feed(500'000, ByteVector(10'000, 0xff)).has_value());
}

TEST(LatencySamplesTest, old_samples_do_not_count_and_the_number_is_limited)
{
    LatencySamples samples;
    EXPECT_EQ(samples.percentile(at(0s), 0.5), Duration::zero());
    for (int i = 1; i <= 100; ++i) {
        samples.add(at(i * 1ms), i * 1ms);
    }
    EXPECT_EQ(samples.percentile(at(100ms), 0.5), Duration{51ms});
    EXPECT_EQ(samples.percentile(at(100ms), 0.95), Duration{96ms});
    EXPECT_EQ(samples.percentile(at(1h), 0.5), Duration::zero());
}

} // namespace
} // namespace ppsp::peer
