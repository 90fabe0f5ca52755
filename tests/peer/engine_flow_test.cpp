#include "peer/channel/flow.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

constexpr Duration round_trip = 50ms;
constexpr std::size_t bytes = 1045;

TimePoint at(Duration since_start)
{
    return TimePoint{1s} + since_start;
}

/// A window's worth of chunks, a millisecond apart.
Flow flow_with(std::uint64_t chunks)
{
    Flow flow{flow_config(25ms, 1024, 64)};
    flow.start(at(0ms));
    for (std::uint64_t i = 0; i < chunks; ++i) {
        flow.on_sent(at(Duration{1ms} * i), ChunkId{i}, bytes);
    }
    return flow;
}

/// The chunk sent at `i` ms is acknowledged one round trip later; what was lost by then.
std::vector<ChunkId> acknowledge(Flow& flow, std::uint64_t i)
{
    TimePoint const now = at(Duration{1ms} * i + round_trip);
    flow.on_ack(now, single(ChunkId{i}), 10ms);
    return flow.take_lost(now);
}

TEST(Flow, losses_of_what_left_before_the_window_shrank_do_not_shrink_it_again)
{
    Flow flow = flow_with(100);
    std::vector<ChunkId> lost;
    double window = 0;
    for (std::uint64_t i = 0; i < 100; ++i) {
        if (i == 10 || i == 80) {
            continue; // 70 ms, more than a round trip, apart
        }
        auto const found = acknowledge(flow, i);
        lost.insert(lost.end(), found.begin(), found.end());
        if (lost.size() == 1 && !found.empty()) {
            window = flow.ledbat().window_bytes();
        }
    }
    flow.on_sent(at(150ms), ChunkId{100}, bytes);
    flow.on_ack(at(200ms), single(ChunkId{100}), 10ms);
    auto const rest = flow.take_lost(at(200ms));
    ASSERT_EQ(lost, std::vector{ChunkId{10}});
    ASSERT_EQ(rest, std::vector{ChunkId{80}});
    EXPECT_GE(flow.ledbat().window_bytes(), window);
}

TEST(Flow, a_loss_of_what_left_afterwards_shrinks_the_window_again)
{
    Flow flow = flow_with(100);
    std::vector<ChunkId> lost;
    for (std::uint64_t i = 0; i < 100; ++i) {
        if (i != 10) {
            auto const found = acknowledge(flow, i);
            lost.insert(lost.end(), found.begin(), found.end());
        }
    }
    ASSERT_EQ(lost, std::vector{ChunkId{10}});
    double const window = flow.ledbat().window_bytes();
    flow.on_sent(at(200ms), ChunkId{100}, bytes);
    flow.on_sent(at(290ms), ChunkId{101}, bytes);
    flow.on_ack(at(340ms), single(ChunkId{101}), 10ms);
    ASSERT_EQ(flow.take_lost(at(340ms)), std::vector{ChunkId{100}});
    EXPECT_NEAR(flow.ledbat().window_bytes(), window / 2, 2000.0);
}

TEST(Flow, a_timeout_comes_no_sooner_than_it_may)
{
    Flow flow = flow_with(1);
    flow.on_ack(at(round_trip), single(ChunkId{0}), 10ms);
    flow.on_sent(at(100ms), ChunkId{1}, bytes);
    ASSERT_LT(flow.timeout_at(), at(600ms));
    flow.set_timeout_min(500ms);
    EXPECT_EQ(flow.timeout_at(), at(600ms));
    EXPECT_TRUE(flow.take_timed_out(at(599ms)).empty());
    EXPECT_EQ(flow.take_timed_out(at(600ms)), std::vector{ChunkId{1}});
}

} // namespace
} // namespace ppsp::peer
