#include "protocol/congestion/minute_minima.hpp"

#include <gtest/gtest.h>

namespace ppsp::congestion {
namespace {

TimePoint at(Duration since_epoch)
{
    return TimePoint{} + since_epoch;
}

TEST(MinuteMinima, knows_nothing_before_the_first_value_and_after_clear)
{
    MinuteMinima minima{3};
    EXPECT_EQ(minima.minimum(), std::nullopt);
    minima.add(at(0s), 5ms);
    EXPECT_EQ(minima.minimum(), 5ms);
    minima.clear();
    EXPECT_EQ(minima.minimum(), std::nullopt);
    minima.add(at(1s), 9ms);
    EXPECT_EQ(minima.minimum(), 9ms);
}

TEST(MinuteMinima, remembers_as_many_minutes_as_it_was_told)
{
    MinuteMinima minima{3};
    minima.add(at(0min), 5ms);
    minima.add(at(1min), 7ms);
    minima.add(at(2min), 8ms);
    EXPECT_EQ(minima.minimum(), 5ms);
    minima.add(at(3min), 9ms);
    EXPECT_EQ(minima.minimum(), 7ms);
}

TEST(MinuteMinima, L1_silent_minutes_push_old_ones_out)
{
    MinuteMinima minima{3};
    minima.add(at(0min), 5ms);
    minima.add(at(2min), 8ms);
    EXPECT_EQ(minima.minimum(), 5ms);
    minima.add(at(3min), 9ms);
    EXPECT_EQ(minima.minimum(), 8ms);
    minima.add(at(6min), 20ms);
    EXPECT_EQ(minima.minimum(), 20ms);
}

TEST(MinuteMinima, L2_an_hour_later_is_another_minute)
{
    MinuteMinima minima{10};
    minima.add(at(7min), 5ms);
    minima.add(at(67min), 9ms);
    EXPECT_EQ(minima.minimum(), 9ms);
}

TEST(MinuteMinima, a_pause_of_centuries_costs_no_memory)
{
    MinuteMinima minima{10};
    minima.add(TimePoint::min(), 5ms);
    minima.add(TimePoint::max(), 9ms);
    EXPECT_EQ(minima.minimum(), 9ms);
}

TEST(MinuteMinima, a_history_of_one_minute_is_the_running_one)
{
    MinuteMinima minima{1};
    minima.add(at(59s), 5ms);
    minima.add(at(60s), 9ms);
    EXPECT_EQ(minima.minimum(), 9ms);
}

TEST(MinuteMinima, keeps_the_newest_minute_alone)
{
    MinuteMinima minima{10};
    minima.keep_newest(); // of nothing
    EXPECT_EQ(minima.minimum(), std::nullopt);
    minima.add(TimePoint{0min}, 5ms);
    minima.add(TimePoint{1min}, 8ms);
    minima.keep_newest();
    EXPECT_EQ(minima.minimum(), 8ms);
    minima.add(TimePoint{2min}, 9ms);
    EXPECT_EQ(minima.minimum(), 8ms);
}

} // namespace
} // namespace ppsp::congestion
