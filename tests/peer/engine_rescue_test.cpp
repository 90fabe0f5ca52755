#include "peer/playout/playout.hpp"
#include "tests/peer/rescue_swarm.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

using rescue_test::RescueTest;
using rescue_test::server;
using rescue_test::without_peers;
using test::VirtualNode;
using test::VirtualStorage;
using test::VirtualSwarm;
using namespace std::chrono_literals;

TEST_F(RescueTest, PlaysWithNoPeerAtAll)
{
    auto const& cdn = add_server(StorageTier::cdn);
    start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt, 0, without_peers());
    swarm.run_for(30s);
    expect_good(viewer);
    auto const figures = swarm.figures(viewer);
    ASSERT_TRUE(figures.startup);
    EXPECT_LE(*figures.startup, 500ms);
    EXPECT_GE(figures.from_cdn_bytes, figures.media_bytes);
    EXPECT_LE(figures.latency_p95, 2500ms);
    // Little but the objects, and few questions too early.
    EXPECT_LE(static_cast<double>(cdn.bytes), 1.1 * static_cast<double>(figures.from_cdn_bytes));
    EXPECT_LE(cdn.not_found, 30U);
    EXPECT_LE(cdn.requests, 120U);
    EXPECT_EQ(figures.last_rescue_cause, "no neighbour is connected");
}

struct VanishTest : RescueTest, testing::WithParamInterface<StorageTier> {};

TEST_P(VanishTest, GoesOnWithoutAStallWhenAllPeersVanishAndReturnsToThem)
{
    add_server(GetParam());
    VirtualNode& source = start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt);
    swarm.introduce(viewer, {source.endpoint});
    swarm.run_for(30s);
    auto const before = swarm.figures(viewer);
    cut_off(viewer);
    swarm.run_for(30s);
    expect_good(viewer);
    auto const after = swarm.figures(viewer);
    auto const from_storage = [](SwarmStatistics const& figures) {
        return figures.from_cache_bytes + figures.from_cdn_bytes;
    };
    EXPECT_GE(from_storage(after) - from_storage(before), 28U * 20 * 16 * 1024);
    // And back: the peers carry it again.
    swarm.meddle = nullptr;
    swarm.introduce(viewer, {source.endpoint});
    swarm.run_for(15s);
    auto const back = swarm.figures(viewer);
    swarm.run_for(15s);
    auto const last = swarm.figures(viewer);
    auto const peers = static_cast<double>(last.from_source_bytes - back.from_source_bytes);
    EXPECT_GE(peers, 0.9 * static_cast<double>(last.media_bytes - back.media_bytes));
    expect_good(viewer);
}

INSTANTIATE_TEST_SUITE_P(Tiers, VanishTest, testing::Values(StorageTier::cache, StorageTier::cdn));

TEST_F(RescueTest, CacheStaysQuietWhilePeersDeliver)
{
    auto const& cache = add_server(StorageTier::cache);
    VirtualNode& source = start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt);
    swarm.introduce(viewer, {source.endpoint});
    swarm.run_for(5s);
    std::uint64_t const joined = cache.bytes;
    swarm.run_for(60s);
    expect_good(viewer);
    // Two indexes, and at most a unit in a thousand.
    EXPECT_LE(cache.bytes - joined, 3U * 40'000 + 2U * 16 * 1024);
}

TEST_F(RescueTest, CarriesWhatTheUplinksLack)
{
    // 16 chunks in 50 ms are 2.6 Mbit/s; with headers 2.9 would be needed.
    auto const& cache = add_server(StorageTier::cache);
    VirtualNode& viewer = join_poor_source();
    swarm.run_for(20s);
    auto const before = swarm.figures(viewer);
    std::uint64_t const bytes_before = cache.bytes;
    swarm.run_for(40s);
    auto const figures = swarm.figures(viewer);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
    EXPECT_EQ(figures.stalls, before.stalls) << figures.last_stall_cause;
    auto const media = static_cast<double>(figures.media_bytes - before.media_bytes);
    auto const storage = static_cast<double>(cache.bytes - bytes_before);
    EXPECT_LE(storage / media, 0.35);
    EXPECT_GE(storage / media, 0.1);
}

TEST_F(RescueTest, FetchesOnlyTheChunksThatAreMissing)
{
    auto const& cache = add_server(StorageTier::cache);
    VirtualNode& source = start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt);
    swarm.introduce(viewer, {source.endpoint});
    swarm.run_for(10s);
    std::uint64_t const bytes = cache.bytes;
    // The end of every second's first unit never comes from the source.
    swarm.meddle = [this, at = viewer.endpoint](Endpoint, Endpoint to, ByteVector& datagram) {
        bool const is_data = datagram.size() > 1000;
        auto const into_second = swarm.now().time_since_epoch() % Duration{1s};
        return to != at || !is_data || into_second > 22ms;
    };
    swarm.run_for(10s);
    auto const figures = swarm.figures(viewer);
    expect_good(viewer);
    EXPECT_GT(figures.rescued_units, 0U);
    EXPECT_LE(cache.bytes - bytes, 40'000 + figures.rescued_units * 16 * 1024);
}

TEST_F(RescueTest, OfEqualServersTheNearestByMeasurementIsUsed)
{
    auto& far = add_server(StorageTier::cache);
    auto& near = add_server(StorageTier::cache);
    auto& dear = add_server(StorageTier::cache, 1);
    far.latency = 60ms; // less than is believed of one that never answered
    near.latency = 5ms;
    dear.latency = 1ms;
    start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt, 0, without_peers());
    swarm.run_for(5s);
    std::uint64_t const far_bytes = far.bytes;
    std::uint64_t const near_bytes = near.bytes;
    swarm.run_for(60s);
    expect_good(viewer);
    EXPECT_GE(near.bytes - near_bytes, 57U * 20 * 16 * 1024);
    EXPECT_LE(far.bytes - far_bytes, 4U * 40'000); // an index now and then
    // Ways change.
    near.latency = 200ms;
    far.latency = 20ms;
    swarm.run_for(60s);
    std::uint64_t const near_before = near.bytes;
    swarm.run_for(30s);
    expect_good(viewer);
    EXPECT_LE(near.bytes - near_before, 2U * 40'000);
    EXPECT_EQ(dear.requests, 0U) << "cost comes before distance";
}

TEST_F(RescueTest, ACdnServerIsAskedLastHoweverNearItIs)
{
    auto& cdn = add_server(StorageTier::cdn);
    auto const& cache = add_server(StorageTier::cache);
    cdn.latency = 1ms;
    start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt, 0, without_peers());
    swarm.run_for(20s);
    expect_good(viewer);
    EXPECT_EQ(cdn.requests, 0U);
    EXPECT_GE(cache.bytes, 17U * 20 * 16 * 1024);
}

TEST_F(RescueTest, AJoinerAsksTheCdnOnlyIfNobodyIsFoundInAWhile)
{
    auto const& cdn = add_server(StorageTier::cdn);
    start_source();
    swarm.add_viewer(std::nullopt);
    swarm.run_for(350ms);
    EXPECT_EQ(cdn.requests, 0U);
    swarm.run_for(500ms);
    EXPECT_GT(cdn.requests, 0U) << "nobody was found";
    std::uint64_t const before = cdn.bytes;
    swarm.add_viewer(std::nullopt, 0, without_peers());
    swarm.run_for(200ms);
    EXPECT_GT(cdn.bytes, before) << "it expects nobody";
}

TEST_F(RescueTest, FollowsASourceThatPaused)
{
    auto const& cdn = add_server(StorageTier::cdn);
    start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt, 0, without_peers());
    swarm.run_for(10s);
    swarm.pause_source();
    std::uint64_t const requests = cdn.requests;
    swarm.run_for(60s);
    EXPECT_LE(cdn.requests - requests, 240U);
    swarm.resume_source();
    auto const before = swarm.figures(viewer);
    swarm.run_for(10s);
    EXPECT_GE(swarm.figures(viewer).media_bytes - before.media_bytes, 7U * 20 * 16 * 1024);
}

TEST_F(RescueTest, FollowsASourceAfterAPauseOfAnyLength)
{
    for (Duration const pause : {5s, 20s, 300s}) {
        VirtualSwarm other{2};
        other.storage.servers.push_back(server(StorageTier::cdn));
        other.add_source({});
        other.run_for(5s);
        VirtualNode& viewer = other.add_viewer(std::nullopt, 0, without_peers());
        other.run_for(10s);
        other.pause_source();
        other.run_for(pause);
        other.resume_source();
        other.run_for(15s);
        auto const before = other.figures(viewer);
        other.run_for(10s);
        EXPECT_GE(other.figures(viewer).media_bytes - before.media_bytes, 9U * 20 * 16 * 1024)
            << pause.count();
    }
}

enum class Outage : std::uint8_t { silent, busy, without_objects };

struct OutageTest : RescueTest, testing::WithParamInterface<Outage> {};

TEST_P(OutageTest, OfTheOnlyServerIsTheStallThatItWasAndThePictureComesBackLive)
{
    for (Duration const away : {10s, 30s, 50s, 100s}) {
        VirtualSwarm other{2};
        other.storage.servers.push_back(server(StorageTier::cdn));
        VirtualStorage::Server& only = other.storage.servers[0];
        other.add_source({});
        other.run_for(5s);
        VirtualNode& viewer = other.add_viewer(std::nullopt, 0, without_peers());
        other.run_for(20s);
        only.alive = GetParam() != Outage::silent;
        only.meddle = [](FetchWanted const& wanted, test::Answer& answer) {
            bool const is_index = wanted.path.ends_with("/index");
            if (GetParam() != Outage::without_objects || !is_index) {
                answer = {GetParam() == Outage::busy ? 503U : 404U, {}};
            }
        };
        other.run_for(away);
        std::uint64_t const played = other.figures(viewer).media_bytes;
        only.alive = true;
        only.meddle = nullptr;
        // A pause of two seconds, and a question of three that was asked right before.
        other.run_for(6500ms);
        auto const back = other.figures(viewer);
        EXPECT_GT(back.media_bytes, played) << away.count();
        other.run_for(15s);
        auto const figures = other.figures(viewer);
        EXPECT_LE(figures.latency_p95, Playout::latency_max + 300ms) << away.count();
        EXPECT_GE(figures.stalls, 1U) << away.count();
        // What an index of a minute can tell.
        EXPECT_GE(figures.stall_time, std::min(away - 3s, Duration{50s})) << away.count();
        auto const watched = away + 41500ms;
        EXPECT_LE(figures.continuity(), 1 - 0.7 * (away / 1.0s) / (watched / 1.0s)) << away.count();
        EXPECT_GE(viewer.discontinuities, 1U) << away.count();
        EXPECT_LE(viewer.discontinuities, 2U) << away.count();
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, OutageTest,
                         testing::Values(Outage::silent, Outage::busy, Outage::without_objects));

TEST_F(RescueTest, AFarServerDoesInTheEnd)
{
    auto& far = add_server(StorageTier::cdn);
    far.latency = 1500ms;
    start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt, 0, without_peers());
    swarm.run_for(40s);
    EXPECT_GE(swarm.figures(viewer).media_bytes, 25U * 20 * 16 * 1024);
}

TEST_F(RescueTest, DuplicatedDatagramsMakeNobodyWaitLonger)
{
    add_server(StorageTier::cache);
    VirtualNode& source = start_source();
    swarm.faults.duplication = 0.02;
    VirtualNode& viewer = swarm.add_viewer(std::nullopt);
    swarm.introduce(viewer, {source.endpoint});
    swarm.run_for(60s);
    EXPECT_LE(swarm.figures(viewer).latency_p95, 1s);
}

TEST_F(RescueTest, APausedSourceIsNotAskedForByTheWholeSwarm)
{
    auto const& cache = add_server(StorageTier::cache);
    start_source();
    std::vector<VirtualNode*> viewers;
    for (int i = 0; i < 5; ++i) {
        viewers.push_back(&swarm.add_viewer(std::nullopt));
        swarm.introduce(*viewers.back());
    }
    swarm.run_for(10s);
    swarm.pause_source();
    swarm.run_for(10s);
    std::uint64_t const before = cache.requests;
    swarm.run_for(60s);
    EXPECT_LE(cache.requests - before, 5U * 40);
}

TEST_F(RescueTest, ManyViewersThatLoseTheirPeersAtOnceAskForWhatIsMissingOnly)
{
    auto const& cache = add_server(StorageTier::cache);
    start_source();
    std::vector<VirtualNode*> viewers;
    for (int i = 0; i < 20; ++i) {
        viewers.push_back(&swarm.add_viewer(std::nullopt));
        swarm.introduce(*viewers.back());
    }
    swarm.run_for(20s);
    std::uint64_t const bytes = cache.bytes;
    swarm.meddle = [](Endpoint, Endpoint, ByteVector&) { return false; };
    swarm.run_for(10s);
    std::uint64_t missing = 0;
    for (VirtualNode* const viewer : viewers) {
        auto const figures = swarm.figures(*viewer);
        EXPECT_EQ(figures.stalls, 0U) << figures.last_stall_cause;
        missing += std::uint64_t{10} * 20 * 16 * 1024;
    }
    EXPECT_LE(static_cast<double>(cache.bytes - bytes), 1.2 * static_cast<double>(missing));
}

} // namespace
} // namespace ppsp::peer
