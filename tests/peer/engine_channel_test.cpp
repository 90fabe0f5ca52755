#include "peer/channel/ack_queue.hpp"
#include "peer/channel/handshake.hpp"
#include "peer/channel/hash_knowledge.hpp"
#include "peer/channel/in_flight.hpp"
#include "peer/channel/pacer.hpp"
#include "peer/channel/peer_availability.hpp"
#include "peer/channel/scratch.hpp"
#include "peer/channel/tune_in.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

TimePoint at(Duration time)
{
    return TimePoint{time};
}

ChunkRange range(std::uint64_t first, std::uint64_t last)
{
    return {ChunkId{first}, ChunkId{last}};
}

TEST(InFlightTest, an_ack_gives_bytes_and_a_round_trip_of_chunks_sent_once)
{
    InFlight flight;
    flight.on_sent(at(0ms), ChunkId{1}, 1000);
    flight.on_sent(at(1ms), ChunkId{2}, 1000);
    auto const first = flight.acknowledge(at(21ms), range(1, 2));
    EXPECT_EQ(first.bytes, 2000u);
    EXPECT_EQ(first.flight_before, 2000u);
    EXPECT_EQ(first.rtt, Duration{20ms});
    EXPECT_EQ(flight.bytes(), 0u);
    EXPECT_EQ(flight.acknowledge(at(30ms), range(0, 9)).bytes, 0u);

    flight.on_sent(at(40ms), ChunkId{3}, 1000);
    EXPECT_TRUE(flight.take(at(60ms), ChunkId{3}, 10ms));
    flight.on_sent(at(60ms), ChunkId{3}, 1000);
    EXPECT_FALSE(flight.acknowledge(at(70ms), range(3, 3)).rtt.has_value()) << "Karn";
}

TEST(InFlightTest, an_ack_marks_the_earliest_place_of_what_was_sent_once)
{
    InFlight flight;
    flight.on_sent(at(0ms), ChunkId{9}, 1000, 500);
    EXPECT_TRUE(flight.take(at(10ms), ChunkId{9}, 0ms));
    flight.on_sent(at(10ms), ChunkId{9}, 1000, 1000); // sent again: it says nothing
    flight.on_sent(at(12ms), ChunkId{8}, 1000, 2000); // sent before 7, so it lies before it
    flight.on_sent(at(14ms), ChunkId{7}, 1000, 3000);
    auto const acked = flight.acknowledge(at(40ms), range(0, 9));
    EXPECT_EQ(acked.bytes, 3000u);
    ASSERT_TRUE(acked.first.has_value());
    EXPECT_EQ(acked.first->position, 2000u);
    EXPECT_EQ(acked.first->at, at(12ms));
    EXPECT_EQ(acked.rtt, Duration{26ms}) << "of the newest";
    EXPECT_FALSE(flight.acknowledge(at(41ms), range(0, 9)).first.has_value());
}

TEST(InFlightTest, what_was_acknowledged_sooner_than_possible_came_from_somebody_else)
{
    InFlight flight;
    flight.on_sent(at(0ms), ChunkId{1}, 1000, 1000);
    flight.on_sent(at(25ms), ChunkId{2}, 1000, 2000);
    auto const young = flight.acknowledge(at(30ms), range(2, 2), 20ms);
    EXPECT_EQ(young.bytes, 1000u) << "it need not be sent again";
    EXPECT_EQ(flight.bytes(), 1000u);
    EXPECT_FALSE(young.rtt.has_value());
    EXPECT_FALSE(young.first.has_value());
    EXPECT_TRUE(flight.take_lost(at(1s), 20ms).empty()) << "it did not overtake chunk 1";
}

TEST(InFlightTest, an_ack_of_young_and_old_chunks_tells_of_the_old_ones)
{
    InFlight flight;
    flight.on_sent(at(0ms), ChunkId{1}, 1000, 1000);
    flight.on_sent(at(5ms), ChunkId{2}, 1000, 2000);
    flight.on_sent(at(25ms), ChunkId{3}, 1000, 3000);
    auto const acked = flight.acknowledge(at(30ms), range(2, 3), 20ms);
    EXPECT_EQ(acked.bytes, 2000u);
    EXPECT_EQ(acked.rtt, Duration{25ms});
    ASSERT_TRUE(acked.first.has_value());
    EXPECT_EQ(acked.first->position, 2000u);
    EXPECT_EQ(flight.take_lost(at(31ms), 20ms), std::vector{ChunkId{1}}) << "2 overtook it";
}

TEST(InFlightTest, what_was_lost_is_remembered_until_it_is_acknowledged)
{
    InFlight flight;
    flight.on_sent(at(0ms), ChunkId{1}, 1000);
    flight.on_sent(at(0ms), ChunkId{2}, 1000);
    (void)flight.acknowledge(at(10ms), range(2, 2));
    EXPECT_FALSE(flight.was_lost(ChunkId{1})) << "it may only be late";
    (void)flight.take_lost(at(21ms), 20ms);
    EXPECT_TRUE(flight.was_lost(ChunkId{1}));
    EXPECT_FALSE(flight.was_lost(ChunkId{2}));
    (void)flight.acknowledge(at(30ms), range(1, 2));
    EXPECT_FALSE(flight.was_lost(ChunkId{1}));
}

TEST(InFlightTest, loss_needs_a_later_ack_and_time)
{
    InFlight flight;
    flight.on_sent(at(0ms), ChunkId{1}, 1000);
    flight.on_sent(at(0ms), ChunkId{2}, 1000);
    flight.on_sent(at(0ms), ChunkId{3}, 1000);
    EXPECT_TRUE(flight.take_lost(at(1s), 20ms).empty()) << "nothing later was acknowledged";
    (void)flight.acknowledge(at(10ms), range(2, 2));
    EXPECT_TRUE(flight.take_lost(at(20ms), 20ms).empty()) << "may only be reordered";
    EXPECT_EQ(flight.take_lost(at(21ms), 20ms), std::vector{ChunkId{1}});
    EXPECT_EQ(flight.bytes(), 1000u);
    EXPECT_EQ(flight.take_all(), std::vector{ChunkId{3}});
    EXPECT_TRUE(flight.empty());
}

TEST(InFlightTest, the_probe_is_the_chunk_that_was_sent_last)
{
    InFlight flight;
    EXPECT_FALSE(flight.take_newest().has_value());
    flight.on_sent(at(0ms), ChunkId{7}, 1000);
    flight.on_sent(at(1ms), ChunkId{3}, 1000);
    EXPECT_EQ(flight.take_newest(), ChunkId{3});
    EXPECT_EQ(flight.bytes(), 1000u);
    EXPECT_FALSE(flight.contains(ChunkId{3}));
    flight.on_sent(at(2ms), ChunkId{3}, 1000);
    EXPECT_FALSE(flight.acknowledge(at(50ms), range(3, 3), 0ms).rtt.has_value())
        << "of which copy is unknown";
}

TEST(InFlightTest, a_young_chunk_is_not_taken)
{
    InFlight flight;
    flight.on_sent(at(0ms), ChunkId{1}, 1000);
    EXPECT_FALSE(flight.take(at(5ms), ChunkId{1}, 10ms));
    EXPECT_FALSE(flight.take(at(5ms), ChunkId{2}, 0ms));
}

TEST(ScratchTest, counts_what_it_throws_away)
{
    Scratch scratch;
    for (std::uint64_t unit = 0; unit < Scratch::units_max + 1; ++unit) {
        PendingChunk chunk{ChunkId{unit * 8}, ByteVector(100 + unit), {}};
        TimePoint const since = at(1s + Duration{static_cast<std::int64_t>(unit)});
        EXPECT_TRUE(Scratch::add_chunk(scratch.entry(since, unit), std::move(chunk)));
    }
    EXPECT_EQ(scratch.take_dropped_bytes(), 100u) << "the oldest gave way";
    scratch.erase(2);
    EXPECT_EQ(scratch.take_dropped_bytes(), 102u);
    scratch.expire(at(1s + 3us + Scratch::age_max + 1us));
    EXPECT_EQ(scratch.take_dropped_bytes(), 101u + 103u);
    EXPECT_EQ(scratch.take_dropped_bytes(), 0u);
}

TEST(ScratchTest, holds_few_units_few_hashes_and_few_chunks)
{
    Scratch scratch;
    for (UnitIndex unit = 0; unit < 10; ++unit) {
        scratch.entry(at(Duration{static_cast<std::int64_t>(unit)}), unit);
    }
    std::size_t kept = 0;
    for (UnitIndex unit = 0; unit < 10; ++unit) {
        kept += scratch.find(unit) != nullptr ? 1 : 0;
    }
    EXPECT_EQ(kept, Scratch::units_max);
    EXPECT_NE(scratch.find(9), nullptr) << "the oldest gives way";

    Scratch::Entry& entry = *scratch.find(9);
    std::size_t hashes = 0;
    for (std::uint64_t i = 0; i < 500; ++i) {
        hashes += Scratch::add_hash(entry, {range(i, i), integrity::Hash::zero(32)}) ? 1 : 0;
    }
    EXPECT_EQ(hashes, Scratch::hashes_max);
    std::size_t chunks = 0;
    for (std::uint64_t i = 0; i < 500; ++i) {
        chunks += Scratch::add_chunk(entry, {ChunkId{i}, {}, {}}) ? 1 : 0;
    }
    EXPECT_EQ(chunks, Scratch::chunks_max);
    EXPECT_FALSE(Scratch::add_chunk(entry, {ChunkId{0}, {}, {}})) << "known already";
    scratch.expire(at(1h));
    EXPECT_EQ(scratch.find(9), nullptr);
}

TEST(PeerAvailabilityTest, PP_6_2_a_is_cut_to_the_discard_window)
{
    PeerAvailability has{100};
    EXPECT_TRUE(has.add(range(0, 49)));
    EXPECT_TRUE(has.add(range(100, 149)));
    EXPECT_FALSE(has.has_any(range(0, 49))) << "149 - 100 + 1 = 50 is the first it keeps";
    EXPECT_TRUE(has.has(range(100, 149)));
    PeerAvailability recorder; // trap T26
    EXPECT_TRUE(recorder.add(range(0, 9)));
    EXPECT_TRUE(recorder.has(range(0, 9)));
}

TEST(PeerAvailabilityTest, made_up_holes_are_limited)
{
    PeerAvailability has;
    std::size_t taken = 0;
    for (std::uint64_t i = 0; i < 3000; ++i) {
        taken += has.add(range(i * 2, i * 2)) ? 1 : 0;
    }
    EXPECT_EQ(taken, PeerAvailability::intervals_max);
}

TEST(PeerAvailabilityTest, at_the_limit_what_merges_with_others_is_taken)
{
    PeerAvailability has{wire::discard_window_all, 3};
    for (std::uint64_t const chunk : {10U, 20U, 30U}) {
        EXPECT_TRUE(has.add(single(ChunkId{chunk})));
    }
    EXPECT_FALSE(has.add(single(ChunkId{15})));
    EXPECT_TRUE(has.add(single(ChunkId{21})));
    EXPECT_TRUE(has.add({ChunkId{0}, ChunkId{29}}));
    EXPECT_EQ(has.chunks().interval_count(), 1U);
    EXPECT_TRUE(has.add(single(ChunkId{50})));
}

TEST(TuneInTest, PP_6_1_2_4_a_lasts_until_the_munro_that_was_newest_at_first_is_known)
{
    TuneIn tune_in;
    tune_in.on_known(ChunkId{31});
    EXPECT_TRUE(tune_in.wants(range(32, 47)));
    EXPECT_TRUE(tune_in.wants(range(48, 63))) << "the stream goes on";
    tune_in.on_known(ChunkId{20});
    EXPECT_TRUE(tune_in.wants(range(48, 63)));
    tune_in.on_known(ChunkId{32});
    EXPECT_FALSE(tune_in.wants(range(48, 63)));
    EXPECT_FALSE(tune_in.wants(range(64, 79)));
}

TEST(TuneInTest, PP_6_1_2_4_a_who_knows_the_newest_at_first_is_never_shown_one)
{
    TuneIn tune_in;
    tune_in.on_known(ChunkId{40});
    EXPECT_FALSE(tune_in.wants(range(32, 47)));
    EXPECT_FALSE(tune_in.wants(range(48, 63)));
}

TEST(HashKnowledgeTest, what_is_in_flight_counts_until_it_is_doubted)
{
    HashKnowledge hashes;
    PeerAvailability has;
    EXPECT_FALSE(hashes.knows_some_of(has, range(0, 15)));
    hashes.on_sent(ChunkId{3});
    EXPECT_TRUE(hashes.knows_some_of(has, range(0, 15)));
    EXPECT_FALSE(hashes.knows_some_of(has, range(4, 7)));
    hashes.doubt(range(0, 15));
    EXPECT_FALSE(hashes.knows_some_of(has, range(0, 15)));
    EXPECT_TRUE(has.add(range(8, 8)));
    EXPECT_TRUE(hashes.knows_some_of(has, range(8, 15)));
}

TEST(PacerTest, ten_datagrams_may_go_at_once_then_time_must_pass)
{
    Pacer pacer;
    int sent = 0;
    while (pacer.ready(at(1s)) && sent < 100) {
        pacer.on_sent(at(1s), 1000, 20'000, 20ms); // 1.25 MB/s
        ++sent;
    }
    EXPECT_EQ(sent, 11);
    EXPECT_TRUE(pacer.ready(at(1s) + 1ms));
}

TEST(PacerTest, what_the_pace_lets_through_in_a_gap_between_turns_goes_at_once)
{
    Pacer pacer;
    pacer.set_turn_gap(20ms);
    int sent = 0;
    while (pacer.ready(at(1s)) && sent < 100) {
        pacer.on_sent(at(1s), 1000, 20'000, 20ms); // 1.25 MB/s
        ++sent;
    }
    EXPECT_EQ(sent, 26) << "1.25 MB/s make 25 in 20 ms";
}

class HandshakeTest : public ::testing::Test {
protected:
    HandshakeTest()
    {
        swarm_.id = SwarmId(65, 1);
        swarm_.id[0] = 13;
        swarm_.discard_window_chunks = 1000;
        options_ = handshake_options(swarm_, true);
    }
    SwarmMetadata swarm_;
    wire::Options options_;
};

TEST_F(HandshakeTest, agrees_with_itself_in_both_directions)
{
    EXPECT_TRUE(check_handshake(swarm_, options_, true).has_value());
    EXPECT_TRUE(check_handshake(swarm_, handshake_options(swarm_, false), false).has_value());
    EXPECT_FALSE(check_handshake(swarm_, handshake_options(swarm_, false), true).has_value())
        << "PP-7.4-a: the initiator names the swarm";
}

TEST_F(HandshakeTest, who_names_no_chunk_size_for_a_recording_speaks_the_draft)
{
    swarm_.id = SwarmId(32, 2);
    swarm_.integrity_method = wire::IntegrityMethod::merkle_tree;
    wire::Options options = handshake_options(swarm_, true);
    ASSERT_TRUE(options.chunk_size);
    EXPECT_EQ(check_handshake(swarm_, options, true)->dialect, Dialect::rfc);
    options.supported_messages = wire::SupportedMessages{}.set();
    EXPECT_EQ(check_handshake(swarm_, options, true)->dialect, Dialect::rfc);
    options.chunk_size.reset();
    ASSERT_TRUE(check_handshake(swarm_, options, true)) << "the one without the other";
    EXPECT_EQ(check_handshake(swarm_, options, true)->dialect, Dialect::draft);
    swarm_.strict = true;
    EXPECT_FALSE(check_handshake(swarm_, options, true));
}

TEST_F(HandshakeTest, anything_that_differs_is_met_with_silence)
{
    auto const refused = [&](auto&& change) {
        wire::Options changed = options_;
        change(changed);
        return !check_handshake(swarm_, changed, true).has_value();
    };
    EXPECT_TRUE(refused([](wire::Options& o) { o.version.reset(); }));
    EXPECT_TRUE(refused([](wire::Options& o) { o.minimum_version = 2; }));
    EXPECT_TRUE(refused([](wire::Options& o) { (*o.swarm_id)[1] ^= 1; }));
    EXPECT_TRUE(
        refused([](wire::Options& o) { o.integrity_method = wire::IntegrityMethod::none; }));
    EXPECT_TRUE(refused([](wire::Options& o) { o.hash_function = wire::HashFunction::sha1; }));
    EXPECT_TRUE(refused(
        [](wire::Options& o) { o.signature_algorithm = wire::SignatureAlgorithm::rsa_sha256; }));
    EXPECT_TRUE(refused([](wire::Options& o) { o.addressing = wire::AddressingMode::chunk64; }));
    EXPECT_TRUE(refused([](wire::Options& o) { o.discard_window.reset(); }));
    EXPECT_TRUE(refused([](wire::Options& o) { o.chunk_size = 512; }));
    EXPECT_FALSE(refused([](wire::Options& o) { o.hash_function.reset(); })) << "trap T9";
}

TEST_F(HandshakeTest, PP_7_3_a_strict_wants_the_minimum_version)
{
    options_.minimum_version.reset();
    EXPECT_TRUE(check_handshake(swarm_, options_, true).has_value());
    swarm_.strict = true;
    EXPECT_FALSE(check_handshake(swarm_, options_, true).has_value());
    EXPECT_TRUE(check_handshake(swarm_, handshake_options(swarm_, false), false).has_value());
}

TEST_F(HandshakeTest, a_source_is_known_by_what_it_does_not_support)
{
    swarm_.accepts_content = false;
    auto const source = check_handshake(swarm_, handshake_options(swarm_, true), true);
    ASSERT_TRUE(source.has_value());
    EXPECT_TRUE(source->is_source());
    EXPECT_FALSE(check_handshake(swarm_, options_, true)->is_source());
}

} // namespace
} // namespace ppsp::peer
