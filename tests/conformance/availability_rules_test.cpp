#include "tests/conformance/one_engine.hpp"

/// RFC 7574 §3, §3.2 to §3.9, §4.3, §8: what is announced, asked, sent and acknowledged.
namespace ppsp::test {
namespace {

Endpoint const stranger = Endpoint::v4(0x0a0000ff, 1234);
constexpr peer::UnitIndex unit_0 = 100;

/// A source with a second of stream and an open conversation.
class Serving : public ::testing::Test {
protected:
    Serving()
    {
        node_.cut_for(20);
        peer_.open();
        static_cast<void>(peer_.take_after(200ms));
    }

    OneEngine node_{{.role = peer::Role::source}};
    RawPeer peer_{node_, stranger};
};

/// A viewer and a neighbour that has content for it.
class Receiving : public ::testing::Test {
protected:
    Receiving()
    {
        node_.introduce({stranger});
        EXPECT_TRUE(peer_.answer());
        static_cast<void>(peer_.take());
    }

    /// The chunks of the unit, with all proofs in front of each.
    void send_chunks(SignedUnit const& unit, std::uint32_t first, std::uint32_t end)
    {
        for (std::uint32_t i = first; i < end; ++i) {
            peer_.send(unit.whole(i, node_.utc()));
        }
    }

    OneEngine node_{{}};
    RawPeer peer_{node_, stranger};
};

TEST_F(Serving, PP_3_b_a_datagram_carries_several_messages)
{
    peer_.send({wire::Request{single(chunks_of(10).first)}});
    Datagrams const answer = peer_.take_after(100ms);
    ASSERT_FALSE(answer.empty());
    Sent const& first = answer[0];
    EXPECT_TRUE(first.has<wire::Integrity>() && first.has<wire::SignedIntegrity>() &&
                first.has<wire::Data>());
}

TEST_F(Serving, PP_3_c_messages_count_in_the_order_of_the_datagram)
{
    ChunkRange const one = single(chunks_of(10).first);
    peer_.send({wire::Request{one}, wire::Cancel{one}});
    EXPECT_TRUE(ranges_of<wire::Data>(peer_.take_after(200ms)).empty());
    peer_.send({wire::Cancel{one}, wire::Request{one}});
    EXPECT_TRUE(ranges_of<wire::Data>(peer_.take_after(200ms)).contains(one.first));
}

TEST_F(Serving, PP_3_d_the_first_invalid_message_ends_the_datagram_and_nothing_before_it)
{
    ByteVector bytes =
        write_all(peer_.theirs, node_.format(), {wire::Request{single(chunks_of(10).first)}});
    bytes.push_back(200); // no such message
    ByteVector const rest =
        write_all(ChannelId{}, node_.format(), {wire::Request{single(chunks_of(11).first)}});
    bytes.insert(bytes.end(), rest.begin() + 4, rest.end());
    node_.receive(stranger, bytes);
    RangeSet const sent = ranges_of<wire::Data>(peer_.take_after(200ms));
    EXPECT_TRUE(sent.contains(chunks_of(10).first));
    EXPECT_FALSE(sent.contains(chunks_of(11).first));
}

TEST_F(Serving, PP_3_a_who_goes_on_sending_what_is_invalid_is_not_talked_to)
{
    ByteVector bytes = write_all(peer_.theirs, node_.format(), {});
    bytes.push_back(200);
    for (int i = 0; i < 10; ++i) {
        node_.receive(stranger, bytes);
    }
    node_.run_for(500ms);
    static_cast<void>(peer_.take());
    node_.cut_for(20);
    EXPECT_TRUE(peer_.take().empty());
    EXPECT_FALSE(peer_.dial()) << "for a while";
}

TEST_F(Serving, PP_3_3_a_data_names_one_chunk_and_the_time_of_sending)
{
    node_.run_for(777us);
    ChunkRange const one = single(chunks_of(10).first + 3);
    peer_.send({wire::Request{one}});
    Datagrams const answer = peer_.take_after(100ms);
    auto const data = all_of<wire::Data>(answer);
    ASSERT_GE(data.size(), 1u);
    EXPECT_EQ(data[0].chunks, one);
    EXPECT_EQ(data[0].sent_at,
              utc_at_zero + answer.at(0).at.time_since_epoch().count()); // PP-8.6-c
    EXPECT_EQ(to_hex(data[0].payload), to_hex(Bytes{node_.unit(10)}.subspan(3 * 1024, 1024)));
}

TEST_F(Serving, PP_8_6_a_data_is_the_last_message)
{
    peer_.send({wire::Request{chunks_of(12)}});
    std::size_t chunks = 0;
    for (Sent const& sent : peer_.take_after(300ms)) {
        for (std::size_t i = 0; i < sent.messages.size(); ++i) {
            if (std::holds_alternative<wire::Data>(sent.messages[i])) {
                ++chunks;
                EXPECT_EQ(i + 1, sent.messages.size());
            }
        }
    }
    EXPECT_GE(chunks, 8u);
}

TEST_F(Serving, PP_3_7_a_requests_are_served_in_the_order_they_came)
{
    std::vector<ChunkId> wanted;
    std::vector<wire::Message> requests;
    for (peer::UnitIndex unit : {15, 9, 12}) {
        wanted.push_back(chunks_of(unit).first);
        requests.emplace_back(wire::Request{single(wanted.back())});
    }
    peer_.send(requests);
    Datagrams const answer = peer_.take_after(200ms);
    std::vector<ChunkId> served;
    for (wire::Data const& data : all_of<wire::Data>(answer)) {
        bool const again =
            std::find(served.begin(), served.end(), data.chunks.first) != served.end();
        if (!again) {
            served.push_back(data.chunks.first);
        }
    }
    EXPECT_EQ(served, wanted);
}

TEST_F(Serving, PP_3_8_b_a_have_takes_the_request_back)
{
    ChunkRange const two{chunks_of(10).first, chunks_of(10).first + 1};
    peer_.send({wire::Request{two}, wire::Have{single(two.first)}});
    RangeSet const sent = ranges_of<wire::Data>(peer_.take_after(300ms));
    EXPECT_FALSE(sent.contains(two.first));
    EXPECT_TRUE(sent.contains(two.last));
}

TEST_F(Serving, PP_4_a_a_swarm_has_one_addressing_method)
{
    RawPeer other{node_, Endpoint::v4(0x0a0000fe, 1)};
    wire::Options options = other.options(true);
    for (auto const mode : {wire::AddressingMode::bin32, wire::AddressingMode::byte64,
                            wire::AddressingMode::bin64, wire::AddressingMode::chunk64}) {
        options.addressing = mode;
        other.send_to(ChannelId{0}, {wire::Handshake{other.own, options}});
        EXPECT_TRUE(other.take_after(1s).empty());
    }
}

TEST_F(Serving, PP_3_2_a_new_chunks_are_announced)
{
    node_.cut_for(4);
    RangeSet const announced = ranges_of<wire::Have>(peer_.take_after(200ms));
    for (peer::UnitIndex unit = 20; unit < 24; ++unit) {
        EXPECT_TRUE(announced.overlaps(chunks_of(unit))) << unit;
    }
}

TEST_F(Serving, PP_4_3_1_a_a_have_names_all_that_is_held_without_a_gap)
{
    node_.cut();
    Datagrams const said = peer_.take_after(200ms);
    auto const haves = all_of<wire::Have>(said);
    ASSERT_EQ(haves.size(), 1u);
    EXPECT_EQ(haves[0].chunks, (ChunkRange{chunks_of(0).first, chunks_of(20).last}));
}

TEST_F(Serving, PP_8_1_a_no_datagram_is_larger_than_a_packet)
{
    peer_.send({wire::Request{{chunks_of(0).first, chunks_of(60).last}}});
    node_.cut_for(40);
    Datagrams const all = peer_.take();
    ASSERT_GT(all.size(), 20u);
    for (Sent const& sent : all) {
        EXPECT_LE(sent.bytes.size(), 1472u);
    }
}

TEST(PpRules, PP_4_1_1_a_a_swarm_can_number_its_chunks_with_64_bits)
{
    OneEngine source{{.role = peer::Role::source, .addressing = wire::AddressingMode::chunk64}};
    source.cut_for(20);
    RawPeer viewer{source, stranger};
    viewer.open({wire::Request{single(chunks_of(10).first)}});
    Datagrams const answer = viewer.take_after(100ms);
    auto const data = all_of<wire::Data>(answer);
    ASSERT_FALSE(data.empty());
    EXPECT_EQ(data[0].chunks.first, chunks_of(10).first);

    OneEngine node{{.addressing = wire::AddressingMode::chunk64}};
    node.introduce({stranger});
    RawPeer peer{node, stranger};
    ASSERT_TRUE(peer.answer());
    peer::UnitIndex const far = 0x1'0000'0000; // chunk numbers need 37 bits
    SignedUnit const unit = node.sign(far);
    peer.send(unit.whole(5, node.utc()));
    Datagrams const acks = peer.take_after(100ms);
    EXPECT_TRUE(ranges_of<wire::Ack>(acks).contains(unit.chunk(5)));
}

TEST_F(Receiving, PP_3_4_a_every_verified_chunk_is_acknowledged)
{
    SignedUnit const unit = node_.sign(unit_0);
    for (std::uint32_t i : {3U, 9U, 4U, 15U, 0U}) {
        peer_.send(unit.whole(i, node_.utc()));
        Datagrams const answer = peer_.take_after(20ms);
        RangeSet const acknowledged = ranges_of<wire::Ack>(answer);
        EXPECT_TRUE(acknowledged.contains(unit.chunk(i))) << i;
        EXPECT_FALSE(acknowledged.contains(unit.chunk(7)));
    }
}

TEST_F(Receiving, PP_4_3_2_a_an_ack_names_the_largest_complete_interval)
{
    SignedUnit const unit = node_.sign(unit_0);
    for (std::uint32_t i : {3U, 5U, 4U}) {
        peer_.send(unit.whole(i, node_.utc()));
        node_.run_for(20ms);
    }
    Datagrams const answers = peer_.take();
    auto const acks = all_of<wire::Ack>(answers);
    ASSERT_EQ(acks.size(), 3u);
    EXPECT_EQ(acks[0].chunks, single(unit.chunk(3)));
    EXPECT_EQ(acks[1].chunks, single(unit.chunk(5)));
    EXPECT_EQ(acks[2].chunks, (ChunkRange{unit.chunk(3), unit.chunk(5)}));
}

TEST_F(Receiving, PP_3_4_b_the_delay_of_an_ack_ends_when_the_datagram_comes)
{
    SignedUnit const unit = node_.sign(unit_0);
    peer_.send(unit.whole(0, node_.utc() - 7'000));
    node_.run_for(20ms);
    SignedUnit const next = node_.sign(unit_0 + 1);
    peer_.send({next.data(0, node_.utc() - 30'000)}); // without its proof it has to wait
    node_.run_for(40ms);
    std::vector<wire::Message> proof = next.munro();
    for (wire::Message const& uncle : next.uncles(0)) {
        proof.push_back(uncle);
    }
    peer_.send(proof);
    node_.run_for(20ms);
    peer_.send({next.data(1, node_.utc() + 5'000)}); // the other clock is ahead
    node_.run_for(20ms);
    Datagrams const answers = peer_.take();
    auto const acks = all_of<wire::Ack>(answers);
    ASSERT_EQ(acks.size(), 3u);
    EXPECT_EQ(acks[0].one_way_delay, Duration{7ms});
    EXPECT_EQ(acks[1].one_way_delay, Duration{30ms}) << "waiting for hashes is no delay";
    EXPECT_EQ(acks[2].one_way_delay, Duration{-5ms});
}

TEST_F(Receiving, PP_3_4_b_what_a_datagram_waits_for_its_turn_is_no_delay)
{
    SignedUnit const unit = node_.sign(unit_0);
    peer_.send_before(4ms, unit.whole(0, node_.utc() - 10'000));
    Datagrams const answers = peer_.take_after(20ms);
    auto const acks = all_of<wire::Ack>(answers);
    ASSERT_EQ(acks.size(), 1u);
    EXPECT_EQ(acks[0].one_way_delay, Duration{6ms});
}

TEST_F(Receiving, PP_3_2_b_only_verified_chunks_are_announced)
{
    RawPeer asker{node_, Endpoint::v4(0x0a0000fe, 1), ChannelId{99}};
    asker.open({wire::Request{{chunks_of(unit_0 + 40).first, chunks_of(unit_0 + 41).last}}});
    SignedUnit const unit = node_.sign(unit_0);
    send_chunks(unit, 0, 15);
    SignedUnit wrong = node_.sign(unit_0);
    wrong.payload.back() ^= 1;
    peer_.send(wrong.whole(15, node_.utc()));
    Datagrams const before = asker.take_after(500ms);
    EXPECT_FALSE(ranges_of<wire::Have>(before).contains(unit.chunk(15)));
    EXPECT_FALSE(ranges_of<wire::Ack>(peer_.take()).contains(unit.chunk(15)));
    send_chunks(unit, 15, 16);
    Datagrams const after = asker.take_after(500ms);
    EXPECT_TRUE(ranges_of<wire::Have>(after).contains(chunks_of(unit_0)));
}

TEST_F(Receiving, PP_4_3_1_a_a_gap_ends_the_interval_until_it_is_filled)
{
    RawPeer asker{node_, Endpoint::v4(0x0a0000fe, 1), ChannelId{99}};
    asker.open();
    std::vector<SignedUnit> units; // signed in their order, whatever order they come in
    for (peer::UnitIndex unit = unit_0; unit < unit_0 + 5; ++unit) {
        units.push_back(node_.sign(unit));
    }
    auto const announced = [&](peer::UnitIndex unit) {
        send_chunks(units[unit - unit_0], 0, 16);
        Datagrams const said = asker.take_after(60ms);
        auto const haves = all_of<wire::Have>(said);
        return haves.empty() ? ChunkRange{} : haves.back().chunks;
    };
    static_cast<void>(announced(unit_0));
    EXPECT_EQ(announced(unit_0 + 1),
              (ChunkRange{chunks_of(unit_0).first, chunks_of(unit_0 + 1).last}));
    EXPECT_EQ(announced(unit_0 + 3), chunks_of(unit_0 + 3));
    EXPECT_EQ(announced(unit_0 + 2),
              (ChunkRange{chunks_of(unit_0).first, chunks_of(unit_0 + 2).last}));
    EXPECT_EQ(announced(unit_0 + 4),
              (ChunkRange{chunks_of(unit_0).first, chunks_of(unit_0 + 4).last}));
}

/// Decisions 16 and 21: whoever subscribed in vain hears of a unit of the substream. The units
/// before it, which it may not have heard of, say nothing.
TEST_F(Receiving, PP_4_3_1_a_only_the_last_unit_of_a_have_is_an_answer)
{
    send_chunks(node_.sign(unit_0), 0, 16);
    node_.run_for(300ms);
    RangeSet const subscribed = ranges_of<wire::Request>(peer_.take());
    ASSERT_TRUE(subscribed.contains(chunks_of(unit_0 + 8).first));
    peer_.send({wire::Have{{chunks_of(unit_0).first, chunks_of(unit_0 + 4).last}}});
    Datagrams const answer = peer_.take_after(100ms);
    RangeSet const cancelled = ranges_of<wire::Cancel>(answer);
    EXPECT_FALSE(cancelled.empty());
    for (ChunkRange const& range : cancelled.intervals()) {
        for (ChunkId chunk = range.first; chunk <= range.last; chunk = chunk + 1) {
            EXPECT_EQ(to_number(chunk) / unit_chunks % 8, (unit_0 + 4) % 8);
        }
    }
    RangeSet const asked = ranges_of<wire::Request>(peer_.take_after(2s));
    EXPECT_TRUE(asked.contains(chunks_of(unit_0 + 2).first)) << "it is there to be fetched";
}

/// The HAVE of a later unit names it, too, but says nothing about places in its substream.
TEST_F(Receiving, PP_4_3_1_a_an_offer_of_a_unit_that_was_counted_up_to_is_an_offer)
{
    send_chunks(node_.sign(unit_0), 0, 16);
    node_.run_for(300ms);
    ChunkId const first = chunks_of(unit_0).first;
    peer_.send({wire::Have{{first, chunks_of(unit_0 + 3).last}}}); // no place in this substream
    node_.run_for(300ms);
    peer_.send({wire::Have{{first, chunks_of(unit_0 + 12).last}}});
    node_.run_for(20ms);
    static_cast<void>(peer_.take());
    peer_.send({wire::Unchoke{}, wire::Have{{first, chunks_of(unit_0 + 11).last}}});
    RangeSet const asked = ranges_of<wire::Request>(peer_.take_after(350ms));
    EXPECT_TRUE(asked.contains(chunks_of(unit_0 + 19).first)) << "a unit to come";
}

TEST_F(Receiving, PP_3_2_d_the_source_is_told_of_nothing_it_made)
{
    Endpoint const origin = Endpoint::v4(0x0a0000fd, 1);
    node_.introduce({origin});
    RawPeer source{node_, origin, ChannelId{98}};
    source.is_source = true;
    ASSERT_TRUE(source.answer());
    send_chunks(node_.sign(unit_0), 0, 16);
    send_chunks(node_.sign(unit_0 + 1), 0, 16);
    Datagrams const said = source.take_after(1s);
    EXPECT_FALSE(said.empty());
    EXPECT_TRUE(all_of<wire::Have>(said).empty());
}

TEST_F(Receiving, PP_3_9_a_who_chokes_us_is_not_asked)
{
    send_chunks(node_.sign(unit_0), 0, 16);
    peer_.send({wire::Have{chunks_of(unit_0 + 1)}});
    ASSERT_FALSE(all_of<wire::Request>(peer_.take_after(500ms)).empty());
    peer_.send({wire::Choke{}});
    static_cast<void>(peer_.take());
    for (peer::UnitIndex unit = unit_0 + 10; unit < unit_0 + 20; ++unit) {
        node_.run_for(50ms);
        peer_.send({wire::Have{chunks_of(unit)}}); // no UNCHOKE
    }
    EXPECT_TRUE(all_of<wire::Request>(peer_.take_after(500ms)).empty());
    peer_.send({wire::Unchoke{}, wire::Have{chunks_of(unit_0 + 30)}});
    EXPECT_FALSE(all_of<wire::Request>(peer_.take_after(500ms)).empty());
}

TEST_F(Receiving, PP_3_9_a_who_chokes_us_is_not_asked_for_the_far_side_of_a_gap_either)
{
    send_chunks(node_.sign(unit_0), 0, 16);
    node_.run_for(100ms);
    peer_.send({wire::Choke{}});
    static_cast<void>(peer_.take());
    peer_.send({wire::Have{chunks_of(unit_0 + 10'000)}});
    EXPECT_TRUE(all_of<wire::Request>(peer_.take_after(3s)).empty());
}

TEST_F(Receiving, PP_7_10_a_nobody_is_sent_what_it_does_not_support)
{
    Endpoint const mute = Endpoint::v4(0x0a0000fd, 1);
    node_.introduce({mute});
    RawPeer peer{node_, mute, ChannelId{98}};
    static_cast<void>(peer.take());
    auto const ours = node_.sent().back().all<wire::Handshake>().at(0).source;
    wire::Options options = peer.options(false);
    options.supported_messages.emplace().set().reset(
        static_cast<std::size_t>(wire::MessageType::pex_req));
    peer.send_to(ours, {wire::Handshake{peer.own, options}});
    Datagrams const said = peer.take_after(40s);
    EXPECT_FALSE(said.empty());
    EXPECT_TRUE(all_of<wire::PexRequest>(said).empty());
}

TEST(PpRules, PP_3_9_b_who_is_choked_is_not_served_later)
{
    OneEngine node{{.node = {.uplink_bps = 0}}};
    node.introduce({stranger});
    RawPeer source{node, stranger};
    ASSERT_TRUE(source.answer());
    SignedUnit const unit = node.sign(unit_0);
    for (std::uint32_t i = 0; i < 16; ++i) {
        source.send(unit.whole(i, node.utc()));
    }
    RawPeer asker{node, Endpoint::v4(0x0a0000fe, 1), ChannelId{99}};
    ASSERT_TRUE(asker.dial());
    EXPECT_FALSE(all_of<wire::Choke>(asker.take()).empty());
    asker.send({wire::Request{chunks_of(unit_0)}});
    static_cast<void>(asker.take_after(1s));
    asker.send({wire::Request{chunks_of(unit_0)}});
    Datagrams const answer = asker.take_after(1s);
    EXPECT_FALSE(all_of<wire::Choke>(answer).empty()) << "said again to who missed it";
    EXPECT_TRUE(all_of<wire::Data>(answer).empty());
    EXPECT_TRUE(all_of<wire::Unchoke>(answer).empty());
}

} // namespace
} // namespace ppsp::test
