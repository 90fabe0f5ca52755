#include "protocol/congestion/rtt_estimator.hpp"

#include <gtest/gtest.h>

namespace ppsp::congestion {
namespace {

TEST(RttEstimator, one_second_before_the_first_sample)
{
    RttEstimator rtt;
    EXPECT_FALSE(rtt.has_sample());
    EXPECT_EQ(rtt.timeout(), 1s);
    EXPECT_EQ(rtt.smoothed(), 0us);
    EXPECT_EQ(rtt.minimum(), 0us);
}

TEST(RttEstimator, Rfc6298_S2_2_first_sample)
{
    RttEstimator rtt;
    rtt.on_sample(300ms);
    EXPECT_TRUE(rtt.has_sample());
    EXPECT_EQ(rtt.smoothed(), 300ms);
    EXPECT_EQ(rtt.variation(), 150ms);
    EXPECT_EQ(rtt.timeout(), 900ms);
}

TEST(RttEstimator, Rfc6298_S2_3_following_samples)
{
    RttEstimator rtt;
    rtt.on_sample(400ms);
    rtt.on_sample(320ms);
    EXPECT_EQ(rtt.variation(), 170ms); // 3/4 * 200 + 1/4 * |400 - 320|
    EXPECT_EQ(rtt.smoothed(), 390ms);  // 7/8 * 400 + 1/8 * 320
    EXPECT_EQ(rtt.minimum(), 320ms);
    EXPECT_EQ(rtt.timeout(), 1070ms);
    rtt.on_sample(400ms);
    EXPECT_EQ(rtt.minimum(), 320ms);
}

TEST(RttEstimator, never_below_the_floor)
{
    RttEstimator rtt;
    for (int i = 0; i < 100; ++i) {
        rtt.on_sample(1ms);
    }
    EXPECT_EQ(rtt.timeout(), 200ms);
}

TEST(RttEstimator, S2_4_2_e_doubles_until_the_next_sample)
{
    RttEstimator rtt;
    rtt.on_timeout();
    EXPECT_EQ(rtt.timeout(), 2s);
    rtt.on_timeout();
    EXPECT_EQ(rtt.timeout(), 4s);
    rtt.on_sample(100ms);
    EXPECT_EQ(rtt.timeout(), 300ms);
    rtt.on_timeout();
    EXPECT_EQ(rtt.timeout(), 600ms);
}

TEST(RttEstimator, S2_4_2_e_never_above_sixty_seconds)
{
    RttEstimator rtt;
    for (int i = 0; i < 1000; ++i) {
        rtt.on_timeout();
    }
    EXPECT_EQ(rtt.timeout(), 60s);
    rtt.on_sample(1ms);
    for (int i = 0; i < 1000; ++i) {
        rtt.on_timeout();
    }
    EXPECT_EQ(rtt.timeout(), 60s);
}

TEST(RttEstimator, impossible_samples_do_no_harm)
{
    RttEstimator rtt;
    rtt.on_sample(-1us);
    rtt.on_sample(Duration::min());
    EXPECT_FALSE(rtt.has_sample());
    rtt.on_sample(Duration::max());
    rtt.on_sample(Duration::max());
    EXPECT_EQ(rtt.smoothed(), 60s);
    EXPECT_EQ(rtt.timeout(), 60s);
    rtt.on_sample(0us);
    EXPECT_EQ(rtt.minimum(), 0us);
}

} // namespace
} // namespace ppsp::congestion
