#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

/// Whole engines when the network or the stream is not as it was.
namespace ppsp::test {
namespace {

TEST(Outage, a_viewer_whose_network_was_away_plays_again_soon_after)
{
    for (int const viewers : {1, 3}) {
        VirtualSwarm swarm(1);
        swarm.add_source({});
        for (int i = 0; i < viewers; ++i) {
            swarm.introduce(swarm.add_viewer(std::nullopt));
        }
        swarm.run_for(10s);
        VirtualNode& viewer = *swarm.nodes().back();
        bool is_away = true;
        swarm.meddle = [&](Endpoint from, Endpoint to, ByteVector&) {
            return !is_away || (from != viewer.endpoint && to != viewer.endpoint);
        };
        swarm.run_for(20s); // the others give it up meanwhile
        is_away = false;
        swarm.run_for(15s);
        std::size_t const then = viewer.output.size();
        swarm.run_for(5s);
        EXPECT_GT(viewer.output.size(), then + 1'000'000) << viewers << " viewers";
        EXPECT_GT(swarm.figures(viewer).skipped_units, 300U);
        EXPECT_LT(swarm.figures(viewer).latency_p95, 6s);
    }
}

TEST(Outage, a_stream_that_pauses_is_not_called_all_the_time)
{
    VirtualSwarm swarm(1);
    swarm.add_source({});
    VirtualNode& viewer = swarm.add_viewer(std::nullopt);
    swarm.introduce(viewer);
    swarm.run_for(10s);
    swarm.pause_source();
    swarm.run_for(600s);
    EXPECT_LE(viewer.log.count<peer::NeighbourClosed>(), 14U);
    EXPECT_EQ(swarm.figures(viewer).neighbours, 1U);
    swarm.resume_source();
    std::size_t const then = viewer.output.size();
    swarm.run_for(15s);
    EXPECT_GT(viewer.output.size(), then + 1'000'000);
}

/// A picture that fades in: a fifth of the rate while viewers join, then nearly twice the rate.
TEST(Surge, a_stream_that_swells_beyond_what_its_source_carries_reaches_everybody)
{
    constexpr std::uint64_t stream_bps = 16ULL * 1024 * 8 * 20; // 16 chunks per 50 ms
    for (std::uint64_t const seed : {1, 2, 3}) {
        VirtualSwarm swarm{seed};
        VirtualSwarm::SourceOptions options;
        options.uplink_bps = stream_bps * 23 / 10;
        swarm.add_source(options);
        swarm.pace = 0.2;
        std::vector<VirtualNode*> viewers;
        for (int i = 0; i < 5; ++i) {
            viewers.push_back(&swarm.add_viewer());
            swarm.introduce(*viewers.back());
            swarm.run_for(200ms);
        }
        swarm.run_for(1s);
        swarm.pace = 1.8;
        swarm.run_for(3s);
        swarm.pace = 1;
        swarm.run_for(10s);
        for (VirtualNode* const viewer : viewers) {
            auto const figures = swarm.figures(*viewer);
            EXPECT_EQ(figures.skipped_units, 0U) << "seed " << seed;
            EXPECT_GT(figures.continuity(), 0.985) << "seed " << seed;
        }
    }
}

/// Units come eight times as fast as those by which the last viewer knows the stream.
TEST(Surge, who_speaks_of_units_that_came_faster_than_expected_is_not_banned)
{
    VirtualSwarm swarm{1};
    VirtualSwarm::SourceOptions options;
    options.uplink_bps = 6'000'000;
    swarm.add_source(options);
    swarm.pace = 0.2;
    for (int i = 0; i < 5; ++i) {
        swarm.introduce(swarm.add_viewer());
        swarm.run_for(200ms);
    }
    swarm.pace = 1.8;
    swarm.run_for(3s);
    swarm.pace = 1;
    swarm.run_for(10s);
    for (auto const& node : swarm.nodes()) {
        EXPECT_EQ(swarm.figures(*node).banned_peers, 0U);
    }
}

} // namespace
} // namespace ppsp::test
