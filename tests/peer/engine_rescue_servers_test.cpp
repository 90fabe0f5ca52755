#include "protocol/integrity/openssl_hasher.hpp"
#include "tests/peer/rescue_swarm.hpp"

#include <gtest/gtest.h>

/// Servers that lie, are behind, hold nothing, fall silent or know less than they should.
namespace ppsp::peer {
namespace {

using rescue_test::RescueTest;
using rescue_test::server;
using rescue_test::without_peers;
using test::VirtualNode;
using test::VirtualStorage;
using test::VirtualSwarm;
using namespace std::chrono_literals;

using RescueServersTest = RescueTest;

TEST_F(RescueServersTest, LiarsAreLeftForTheNextServer)
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

TEST_F(RescueServersTest, AServerThatLiesAboutASingleChunkGetsNothingIn)
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
    VirtualNode& viewer = join_poor_source();
    swarm.run_for(60s);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
    auto const figures = swarm.figures(viewer);
    // Until the liar is known the source, which carries less than the stream, is all there is: one
    // unit of the first ones may come late.
    EXPECT_LE(figures.stalls, 1U) << figures.last_stall_cause;
    EXPECT_LE(figures.stall_time, 50ms);
    EXPECT_GT(figures.continuity(), 0.999);
    EXPECT_GT(lies, 0U);
    EXPECT_GT(figures.from_cdn_bytes, 0U);
    EXPECT_LE(good.requests, 1500U);
}

TEST_F(RescueServersTest, WrongChunksOfAUnitWhoseOthersAreGoodGetNothingIn)
{
    auto& liar = add_server(StorageTier::cache);
    add_server(StorageTier::cdn);
    liar.meddle = [](FetchWanted const& wanted, test::Answer& answer) {
        constexpr std::uint64_t head_bytes = 20 + 65 + 10 * (8 + 8 + 64);
        bool const is_part_of_a_unit =
            wanted.range && wanted.range->first > head_bytes && answer.body.size() < 16 * 1024;
        if (is_part_of_a_unit && answer.status == 206) {
            answer.body.front() ^= 1;
        }
    };
    VirtualNode& viewer = join_poor_source();
    swarm.run_for(40s);
    auto const figures = swarm.figures(viewer);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
    EXPECT_EQ(figures.stalls, 0U) << figures.last_stall_cause;
    EXPECT_GT(figures.bad_chunks, 0U);
    EXPECT_GT(figures.wasted_bytes, 0U);
    EXPECT_GT(figures.from_cdn_bytes, 0U);
}

TEST_F(RescueServersTest, AStaleServerIsLeftForTheNextOne)
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

TEST_F(RescueServersTest, UnitsOfAnImpossibleTimeGetNothingInHoweverWellTheyAreSigned)
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

TEST_F(RescueServersTest, ADeadServerIsLeftForTheNextOne)
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

TEST_F(RescueServersTest, AServerWithAnIndexButNoObjectsKeepsNobodyFromAGoodOne)
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

TEST_F(RescueServersTest, WhoHadNothingIsAskedAtOnceWhenTheOnlyServerThatWorkedIsGone)
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

TEST_F(RescueServersTest, ServersWithoutRangesDoAsWell)
{
    auto& cache = add_server(StorageTier::cache);
    cache.knows_ranges = false;
    VirtualNode& viewer = join_poor_source();
    swarm.run_for(30s);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
    auto const figures = swarm.figures(viewer);
    EXPECT_GT(figures.from_cache_bytes, 0U);
    EXPECT_GT(figures.duplicate_bytes, 2 * figures.from_cache_bytes)
        << "of ten units that come nearly all are there";
}

} // namespace
} // namespace ppsp::peer
