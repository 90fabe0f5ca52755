#include "protocol/congestion/slowdown.hpp"

#include <gtest/gtest.h>

namespace ppsp::congestion {
namespace {

constexpr Duration target = 25ms;

TimePoint at(Duration since_start)
{
    return TimePoint{} + since_start;
}

TEST(Slowdown, is_due_a_second_after_the_queue_appeared)
{
    Slowdown slowdown;
    slowdown.on_queue(at(0s), 0ms, target);
    EXPECT_FALSE(slowdown.is_due(at(10s)));
    slowdown.on_queue(at(10s), 20ms, target);
    EXPECT_FALSE(slowdown.is_due(at(11s - 1us)));
    EXPECT_TRUE(slowdown.is_due(at(11s)));
}

TEST(Slowdown, a_queue_that_was_short_once_starts_anew)
{
    Slowdown slowdown;
    slowdown.on_queue(at(0s), 20ms, target);
    slowdown.on_queue(at(900ms), 6ms, target); // a quarter of the target is 6.25 ms
    EXPECT_FALSE(slowdown.is_due(at(2s)));
    slowdown.on_queue(at(2s), 7ms, target);
    EXPECT_TRUE(slowdown.is_due(at(3s)));
}

TEST(Slowdown, they_become_rare)
{
    Slowdown slowdown;
    slowdown.on_queue(at(0s), 20ms, target);
    TimePoint now = at(0s);
    for (Duration const gap : {1s, 2s, 4s, 8s, 16s, 20s, 20s}) {
        EXPECT_FALSE(slowdown.is_due(now + gap - 1us));
        now += gap;
        ASSERT_TRUE(slowdown.is_due(now));
        slowdown.begin(now, 1000.0);
        EXPECT_EQ(slowdown.end(now), 1000.0);
    }
}

TEST(Slowdown, a_loss_meanwhile_shrinks_what_comes_back)
{
    Slowdown slowdown;
    slowdown.begin(at(1s), 100'000.0);
    EXPECT_TRUE(slowdown.is_on());
    slowdown.scale(0.5);
    EXPECT_EQ(slowdown.end(at(2s)), 50'000.0);
    EXPECT_FALSE(slowdown.is_on());
    EXPECT_EQ(slowdown.end(at(2s)), 0.0) << "once only";
}

} // namespace
} // namespace ppsp::congestion
