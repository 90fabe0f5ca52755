#include "protocol/congestion/queue_peaks.hpp"

#include <gtest/gtest.h>

namespace ppsp::congestion {
namespace {

constexpr Duration rtt = 50ms;

TimePoint at(Duration since_start)
{
    return TimePoint{} + since_start;
}

TEST(QueuePeaks, the_recent_one_lasts_one_to_two_round_trips)
{
    QueuePeaks peaks;
    peaks.add(at(1s), 30ms, rtt);
    peaks.add(at(1s + rtt), 2ms, rtt);
    EXPECT_EQ(peaks.recent(), Duration{30ms});
    peaks.add(at(1s + 2 * rtt), 3ms, rtt);
    EXPECT_EQ(peaks.recent(), Duration{3ms});
}

TEST(QueuePeaks, the_other_lasts_ten_to_twenty_seconds)
{
    QueuePeaks peaks;
    peaks.add(at(20s), 30ms, rtt);
    peaks.add(at(39s), 2ms, rtt);
    EXPECT_EQ(peaks.of_seconds(), Duration{30ms});
    peaks.add(at(49s), 2ms, rtt);
    EXPECT_EQ(peaks.of_seconds(), Duration{2ms});
}

TEST(QueuePeaks, silence_forgets_everything)
{
    QueuePeaks peaks;
    peaks.add(at(1s), 30ms, rtt);
    peaks.add(at(100s), 1ms, rtt);
    EXPECT_EQ(peaks.recent(), Duration{1ms});
    EXPECT_EQ(peaks.of_seconds(), Duration{1ms});
}

} // namespace
} // namespace ppsp::congestion
