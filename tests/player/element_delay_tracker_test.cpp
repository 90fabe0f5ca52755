#include "player/bridge/delay_tracker.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace ppsp::player {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// A node that hands out a unit of 50 ms every 50 ms, later or earlier as the test says.
struct Node {
    DelayTracker tracker;
    DelayTracker::Clock::time_point start{1h};
    std::int64_t unit = 0;
    milliseconds target = 800ms;

    /// `count` units, each `late` after its time.
    milliseconds play(int count, milliseconds late)
    {
        for (int i = 0; i < count; ++i, ++unit) {
            constexpr std::int64_t some_utc_us = 1'700'000'000'000'000;
            tracker.note(start + unit * 50ms + late, some_utc_us + unit * 50'000, target);
        }
        return tracker.extra();
    }
};

TEST(DelayTracker, a_steady_node_has_no_extra_delay)
{
    EXPECT_EQ(Node{}.play(200, 700ms), 0ms);
}

TEST(DelayTracker, a_raised_target_counts_at_once)
{
    Node node;
    node.play(20, 0ms);
    node.target = 1500ms;
    EXPECT_EQ(node.play(1, 700ms), 700ms);
    EXPECT_EQ(node.play(100, 700ms), 700ms) << "counted twice";
}

TEST(DelayTracker, a_lowered_target_gives_back_what_a_raised_one_took)
{
    Node node;
    node.play(20, 0ms);
    node.target = 1500ms;
    node.play(20, 700ms);
    node.target = 900ms;
    EXPECT_EQ(node.play(20, 100ms), 100ms);
    node.target = 300ms;
    EXPECT_EQ(node.play(20, -500ms), 0ms);
}

TEST(DelayTracker, a_lasting_delay_counts_without_an_announcement)
{
    Node node;
    node.play(20, 0ms);
    EXPECT_EQ(node.play(8, 600ms), 0ms);
    EXPECT_EQ(node.play(1, 600ms), 600ms);
    EXPECT_EQ(node.play(100, 600ms), 600ms);
}

TEST(DelayTracker, a_hiccup_does_not_count)
{
    Node node;
    for (int i = 0; i < 20; ++i) {
        node.play(8, 600ms);
        EXPECT_EQ(node.play(1, 0ms), 0ms);
    }
}

TEST(DelayTracker, the_smallest_lateness_of_the_window_counts)
{
    Node node;
    node.play(1, 0ms);
    node.play(4, 300ms);
    EXPECT_EQ(node.play(1, 900ms), 300ms);
}

TEST(DelayTracker, small_lateness_is_left_to_the_demuxer)
{
    Node node;
    node.play(1, 0ms);
    EXPECT_EQ(node.play(200, DelayTracker::tolerance), 0ms);
}

TEST(DelayTracker, media_that_comes_earlier_only_waits)
{
    Node node;
    node.play(20, 2000ms);
    EXPECT_EQ(node.play(100, 800ms), 0ms);
    EXPECT_EQ(node.play(100, 2000ms), 0ms);
}

TEST(DelayTracker, a_source_that_sets_its_clock_is_no_delay)
{
    for (auto const step : {-3'600'000'000, 3'600'000'000}) {
        DelayTracker tracker;
        auto const start = DelayTracker::Clock::time_point{1h};
        std::int64_t signed_at = 1'700'000'000'000'000;
        for (int i = 0; i < 100; ++i) {
            signed_at += i == 50 ? step : 50'000;
            tracker.note(start + i * 50ms, signed_at, 800ms);
        }
        EXPECT_EQ(tracker.extra(), 0ms);
        tracker.note(start + 10s, signed_at, 800ms);
        tracker.note(start + 10s + DelayTracker::settle_time, signed_at, 800ms);
        EXPECT_GT(tracker.extra(), 4s) << "a delay after the step goes unseen";
    }
}

TEST(DelayTracker, pieces_without_a_time_only_follow_the_target)
{
    DelayTracker tracker;
    auto const start = DelayTracker::Clock::time_point{1h};
    for (int i = 0; i < 50; ++i) {
        tracker.note(start + i * 150ms, 0, 800ms);
    }
    EXPECT_EQ(tracker.extra(), 0ms);
    tracker.note(start + 10s, 0, 900ms);
    EXPECT_EQ(tracker.extra(), 100ms);
}

TEST(DelayTracker, a_burst_is_bounded_and_times_out_of_this_world_do_no_harm)
{
    DelayTracker tracker;
    auto const start = DelayTracker::Clock::time_point{1h};
    tracker.note(start, 1'000'000'000, 800ms);
    for (std::size_t i = 0; i < 10 * DelayTracker::lateness_max; ++i) {
        tracker.note(start + 1s, 1'000'000'000, 800ms);
    }
    EXPECT_EQ(tracker.extra(), 0ms) << "a burst is one moment";
    for (auto const time : {INT64_MIN, INT64_MAX, std::int64_t{-1}, std::int64_t{1}}) {
        tracker.note(start + 2s, time, 800ms);
        EXPECT_EQ(tracker.extra(), 0ms);
    }
}

} // namespace
} // namespace ppsp::player
