#include "peer/playout/playout.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

using test::VirtualNode;
using test::VirtualStorage;
using test::VirtualSwarm;
using namespace std::chrono_literals;

VirtualStorage::Server server(StorageTier tier, std::uint32_t cost = 0)
{
    VirtualStorage::Server made;
    made.about = {tier, cost};
    return made;
}

NodeConfig without_peers()
{
    NodeConfig config;
    config.neighbours_target = 0;
    config.neighbours_max = 0;
    return config;
}

/// A source that runs for five seconds, its servers, and who joins then.
struct RescueTest : testing::Test {
    VirtualNode& start_source(VirtualSwarm::SourceOptions options = {})
    {
        VirtualNode& source = swarm.add_source(options);
        swarm.run_for(5s);
        return source;
    }
    VirtualStorage::Server& add_server(StorageTier tier, std::uint32_t cost = 0)
    {
        // References stay good: there are few.
        swarm.storage.servers.reserve(8);
        swarm.storage.servers.push_back(server(tier, cost));
        return swarm.storage.servers.back();
    }
    /// From now on no datagram reaches the node, nor leaves it.
    void cut_off(VirtualNode& node)
    {
        swarm.meddle = [at = node.endpoint](Endpoint from, Endpoint to, ByteVector&) {
            return from != at && to != at;
        };
    }
    void expect_good(VirtualNode& node)
    {
        auto const figures = swarm.figures(node);
        EXPECT_TRUE(swarm.output_is_exact(node));
        EXPECT_EQ(figures.stalls, 0U) << figures.last_stall_cause;
        EXPECT_GE(figures.continuity(), 0.999);
        EXPECT_EQ(node.discontinuities, 0U);
    }

    VirtualSwarm swarm{1};
};

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
    VirtualSwarm::SourceOptions options;
    options.uplink_bps = 2'400'000;
    VirtualNode& source = start_source(options);
    VirtualNode& viewer = swarm.add_viewer(std::nullopt);
    swarm.introduce(viewer, {source.endpoint});
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

TEST_F(RescueTest, LiarsAreLeftForTheNextServer)
{
    auto& liar = add_server(StorageTier::cache);
    auto& truncator = add_server(StorageTier::cache, 1);
    auto& good = add_server(StorageTier::cdn);
    liar.meddle = [](FetchWanted const& wanted, test::Answer& answer) {
        if (!wanted.path.ends_with("/index") && !answer.body.empty()) {
            answer.body.back() ^= 1;
        }
    };
    truncator.meddle = [](FetchWanted const& wanted, test::Answer& answer) {
        if (!wanted.path.ends_with("/index") && !answer.body.empty()) {
            answer.body.pop_back();
        }
    };
    start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt, 0, without_peers());
    swarm.run_for(30s);
    expect_good(viewer);
    EXPECT_EQ(swarm.figures(viewer).from_cache_bytes, 0U);
    EXPECT_GT(good.bytes, 0U);
    EXPECT_LE(liar.requests, 20U);
    EXPECT_LE(truncator.requests, 20U);
}

TEST_F(RescueTest, AServerThatLiesAboutASingleChunkGetsNothingIn)
{
    auto& liar = add_server(StorageTier::cache);
    auto& good = add_server(StorageTier::cdn);
    std::uint64_t lies = 0;
    liar.meddle = [&](FetchWanted const& wanted, test::Answer& answer) {
        if (wanted.range && answer.status == 206) {
            answer.body.front() ^= 1;
            ++lies;
        }
    };
    VirtualSwarm::SourceOptions options;
    options.uplink_bps = 2'400'000;
    VirtualNode& source = start_source(options);
    VirtualNode& viewer = swarm.add_viewer(std::nullopt);
    swarm.introduce(viewer, {source.endpoint});
    swarm.run_for(60s);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
    auto const figures = swarm.figures(viewer);
    EXPECT_EQ(figures.stalls, 0U) << figures.last_stall_cause;
    EXPECT_GT(lies, 0U);
    EXPECT_GT(figures.from_cdn_bytes, 0U);
    EXPECT_LE(good.requests, 1500U);
}

TEST_F(RescueTest, WrongChunksOfAUnitWhoseOthersAreGoodGetNothingIn)
{
    auto& liar = add_server(StorageTier::cache);
    add_server(StorageTier::cdn);
    liar.meddle = [](FetchWanted const& wanted, test::Answer& answer) {
        bool const is_part_of_a_unit =
            wanted.range && wanted.range->first > 0 && answer.body.size() < 16 * 1024;
        if (is_part_of_a_unit && answer.status == 206) {
            answer.body.front() ^= 1;
        }
    };
    VirtualSwarm::SourceOptions options;
    options.uplink_bps = 2'400'000;
    VirtualNode& source = start_source(options);
    VirtualNode& viewer = swarm.add_viewer(std::nullopt);
    swarm.introduce(viewer, {source.endpoint});
    swarm.run_for(40s);
    auto const figures = swarm.figures(viewer);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
    EXPECT_EQ(figures.stalls, 0U) << figures.last_stall_cause;
    EXPECT_GT(figures.bad_chunks, 0U);
    EXPECT_GT(figures.wasted_bytes, 0U);
    EXPECT_GT(figures.from_cdn_bytes, 0U);
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

/// The object with all its units signed an hour later, by the channel's own key.
ByteVector signed_later(Bytes bytes, integrity::Signer& signer)
{
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    auto const object = decade::read_object(bytes);
    EXPECT_TRUE(object.has_value());
    auto const& format = object->head.format;
    std::vector<ByteVector> signatures;
    std::vector<decade::SignedUnit> units;
    for (std::size_t i = 0; i < object->head.units.size(); ++i) {
        auto const& record = object->head.units[i];
        NtpTime const later = to_ntp(from_ntp(record.signed_at, 1'790'000'000'000'000) +
                                     Duration{std::chrono::hours{1}}.count());
        auto const tree =
            integrity::UnitTree::build(*hasher, record.chunks.first, format.chunks_per_unit,
                                       format.chunk_size, object->unit_payload(i));
        signatures.push_back(signer.sign(integrity::munro_signature_input(
            format.addressing, record.chunks, later, tree.munro())));
        units.push_back({record.chunks, later, signatures.back(), object->unit_payload(i)});
    }
    return *write_object(format, object->head.swarm_id, units);
}

TEST_F(RescueTest, UnitsOfAnImpossibleTimeGetNothingInHoweverWellTheyAreSigned)
{
    auto& wrong = add_server(StorageTier::cache);
    add_server(StorageTier::cdn);
    wrong.meddle = [this](FetchWanted const& wanted, test::Answer& answer) {
        if (!wanted.path.ends_with("/index") && answer.status == 200) {
            answer.body = signed_later(answer.body, swarm.storage.recorder());
        }
    };
    start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt, 0, without_peers());
    swarm.run_for(30s);
    expect_good(viewer);
    EXPECT_EQ(swarm.figures(viewer).from_cache_bytes, 0U);
    EXPECT_LE(wrong.requests, 20U);
}

TEST_F(RescueTest, AStaleServerIsLeftForTheNextOne)
{
    auto& stale = add_server(StorageTier::cdn);
    add_server(StorageTier::cdn, 1);
    stale.publish_lag = 60s;
    swarm.add_source({});
    swarm.run_for(70s);
    VirtualNode& viewer = swarm.add_viewer(std::nullopt, 0, without_peers());
    swarm.run_for(30s);
    expect_good(viewer);
    EXPECT_LE(stale.requests, 20U);
}

TEST_F(RescueTest, ADeadServerIsLeftForTheNextOne)
{
    auto& dead = add_server(StorageTier::cache);
    add_server(StorageTier::cdn);
    dead.alive = false;
    start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt, 0, without_peers());
    swarm.run_for(30s);
    expect_good(viewer);
    EXPECT_LE(*swarm.figures(viewer).startup, 1500ms);
    EXPECT_LE(dead.requests, 20U);
}

TEST_F(RescueTest, WhoHadNothingIsAskedAtOnceWhenTheOnlyServerThatWorkedIsGone)
{
    // A source pushes to one cache; when that dies, the next one takes its place.
    auto& used = add_server(StorageTier::cache);
    auto& spare = add_server(StorageTier::cache);
    auto const without_channel = [](FetchWanted const&, test::Answer& answer) {
        answer = {404, {}};
    };
    spare.meddle = without_channel;
    start_source();
    VirtualNode& viewer = swarm.add_viewer(std::nullopt, 0, without_peers());
    swarm.run_for(60s);
    EXPECT_LE(spare.requests, 20U) << "it has nothing";
    for (int turn = 0; turn < 5; ++turn) {
        bool const first = turn % 2 == 0;
        VirtualStorage::Server& gone = first ? used : spare;
        VirtualStorage::Server& there = first ? spare : used;
        gone.meddle = without_channel;
        gone.alive = false;
        there.alive = true;
        there.meddle = nullptr;
        swarm.run_for(60s + turn * 1700ms);
    }
    // That it says nothing at all is noticed after 0.4 s, and the spare has to be asked twice.
    auto const figures = swarm.figures(viewer);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
    EXPECT_EQ(viewer.discontinuities, 0U);
    EXPECT_LE(figures.stall_time, 5 * 150ms) << figures.last_stall_cause;
    EXPECT_GE(figures.continuity(), 0.999);
    EXPECT_LE(figures.latency_p95, 1500ms);
}

TEST_F(RescueTest, ServersWithoutRangesDoAsWell)
{
    auto& cache = add_server(StorageTier::cache);
    cache.knows_ranges = false;
    VirtualSwarm::SourceOptions options;
    options.uplink_bps = 2'400'000;
    VirtualNode& source = start_source(options);
    VirtualNode& viewer = swarm.add_viewer(std::nullopt);
    swarm.introduce(viewer, {source.endpoint});
    swarm.run_for(30s);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
    auto const figures = swarm.figures(viewer);
    EXPECT_GT(figures.from_cache_bytes, 0U);
    EXPECT_GT(figures.duplicate_bytes, 2 * figures.from_cache_bytes)
        << "of ten units that come nearly all are there";
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

TEST_F(RescueTest, AServerWithAnIndexButNoObjectsKeepsNobodyFromAGoodOne)
{
    for (unsigned const status : {404U, 503U, 0U}) {
        VirtualSwarm other{3};
        other.storage.servers.push_back(server(StorageTier::cache));
        other.storage.servers.push_back(server(StorageTier::cdn));
        other.storage.servers[0].meddle = [status](FetchWanted const& wanted,
                                                   test::Answer& answer) {
            if (!wanted.path.ends_with("/index")) {
                answer = {status, {}};
            }
        };
        other.add_source({});
        other.run_for(5s);
        VirtualNode& viewer = other.add_viewer(std::nullopt, 0, without_peers());
        other.run_for(60s);
        auto const figures = other.figures(viewer);
        EXPECT_TRUE(other.output_is_exact(viewer));
        EXPECT_GE(figures.media_bytes, 55U * 20 * 16 * 1024) << status;
        EXPECT_LE(figures.latency_p95, 4s) << status;
        EXPECT_LE(other.storage.servers[0].requests, 80U) << status;
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
        EXPECT_EQ(viewer.discontinuities, 1U) << away.count();
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
