#include "tests/sim/world.hpp"

#include <gtest/gtest.h>

namespace ppsp::sim {
namespace {

Scenario load(std::string const& name, std::uint32_t peers)
{
    auto scenario = load_scenario(std::string{PPSP_SCENARIOS} + "/" + name + ".toml");
    EXPECT_TRUE(scenario.has_value()) << (scenario ? "" : scenario.error());
    scenario->peers = peers;
    scenario->join_over = 3;
    return *scenario;
}

RunResult run(Scenario const& scenario)
{
    return World{scenario}.run();
}

TEST(SimStorage, a_cache_alone_carries_everybody)
{
    Scenario scenario = load("cache-only", 10);
    scenario.measure_from = 8;
    scenario.seconds = 25;
    RunResult const result = run(scenario);
    EXPECT_EQ(result.continuity, 1);
    EXPECT_EQ(result.violations, std::vector<std::string>{});
    EXPECT_EQ(result.datagrams, 0U);
    EXPECT_GT(result.storage_ratio, 1);
    EXPECT_LT(result.storage_ratio, 1.1);
    EXPECT_LT(result.startup_max_ms, 1500);
}

TEST(SimStorage, a_cache_brings_what_uplinks_lack_and_little_more)
{
    Scenario scenario = load("cache-rescue", 16);
    scenario.measure_from = 12;
    scenario.seconds = 32;
    scenario.settle = 3;
    RunResult const result = run(scenario);
    EXPECT_GT(result.continuity, 0.995);
    EXPECT_GT(result.storage_ratio, 0.02);
    EXPECT_LT(result.storage_ratio, 0.25);
}

TEST(SimStorage, without_any_peer_viewers_ask_for_what_they_need_once)
{
    Scenario scenario = load("stampede", 16);
    scenario.blackout_from = 15;
    scenario.blackout_until = 30;
    scenario.measure_from = 16;
    scenario.settle = 1;
    scenario.seconds = 29;
    RunResult const result = run(scenario);
    EXPECT_EQ(result.continuity, 1);
    EXPECT_LT(result.stalls_per_viewer_minute, 0.01);
    EXPECT_LT(result.storage_ratio, 1.2);
}

TEST(SimStorage, a_cache_that_is_too_slow_harms_nobody)
{
    Scenario scenario = load("cache-rescue", 12);
    scenario.load = 0.5;
    scenario.caches = 1;
    scenario.cache_mbps = 0.2;
    scenario.measure_from = 15;
    scenario.seconds = 35;
    scenario.settle = 3;
    // Twelve viewers are few: one that goes on at the next key frame shows in the mean of a run.
    double stalls = 0;
    double continuity = 0;
    for (std::uint64_t const seed : {1U, 2U, 3U, 4U}) {
        scenario.seed = seed;
        RunResult const result = run(scenario);
        stalls += result.stalls_per_viewer_minute / 4;
        continuity += result.continuity / 4;
    }
    EXPECT_GT(continuity, 0.985);
    EXPECT_LT(stalls, 2);
}

TEST(SimStorage, the_same_seed_gives_the_same_run)
{
    Scenario scenario = load("cache-rescue", 8);
    scenario.measure_from = 6;
    scenario.seconds = 12;
    scenario.settle = 2;
    EXPECT_EQ(run(scenario).digest, run(scenario).digest);
}

} // namespace
} // namespace ppsp::sim
