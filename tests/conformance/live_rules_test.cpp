#include "tests/conformance/one_engine.hpp"

#include <bit>
#include <functional>
#include <set>

/// RFC 7574 §5 and §6: proofs of chunks, signed munros, tuning in.
namespace ppsp::test {
namespace {

Endpoint const stranger = Endpoint::v4(0x0a0000ff, 1234);
constexpr peer::UnitIndex unit_0 = 100;

/// A source with a second of stream, and a stranger that knows its address.
class LiveServing : public ::testing::Test {
protected:
    explicit LiveServing(std::uint16_t datagram_size_max = 1472)
        : node_{source_with(datagram_size_max)}
    {
        node_.cut_for(20);
    }

    static OneEngine::Options source_with(std::uint16_t datagram_size_max)
    {
        OneEngine::Options options{.role = peer::Role::source};
        options.node.datagram_size_max = datagram_size_max;
        return options;
    }

    /// Opens, and shows that it knows the live edge.
    void open_and_tune_in()
    {
        peer_.open({wire::Have{single(chunks_of(19).first)}});
        static_cast<void>(peer_.take_after(200ms));
    }

    /// The datagrams that one chunk comes in.
    Datagrams ask(ChunkId chunk)
    {
        peer_.send({wire::Request{single(chunk)}});
        return peer_.take_after(2ms);
    }

    OneEngine node_;
    RawPeer peer_{node_, stranger};
};

class LiveServingSmall : public LiveServing {
protected:
    LiveServingSmall() : LiveServing(1200) {}
};

/// A viewer and a neighbour that has content for it.
class LiveReceiving : public ::testing::Test {
protected:
    LiveReceiving()
    {
        node_.introduce({stranger});
        EXPECT_TRUE(peer_.answer());
        static_cast<void>(peer_.take());
    }

    void send_unit(SignedUnit const& unit)
    {
        for (std::uint32_t i = 0; i < unit_chunks; ++i) {
            peer_.send(unit.whole(i, node_.utc()));
        }
    }
    RangeSet acknowledged() { return ranges_of<wire::Ack>(peer_.take_after(50ms)); }

    OneEngine node_{{}};
    RawPeer peer_{node_, stranger};
};

std::vector<wire::Message> operator+(std::vector<wire::Message> a,
                                     std::vector<wire::Message> const& b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

std::vector<ChunkRange> nodes_of(Sent const& sent)
{
    std::vector<ChunkRange> nodes;
    for (wire::Integrity const& integrity : sent.all<wire::Integrity>()) {
        nodes.push_back(integrity.chunks);
    }
    return nodes;
}

ChunkRange range(ChunkId first, std::uint64_t from, std::uint64_t to)
{
    return {first + from, first + to};
}

TEST_F(LiveServing, PP_6_1_2_1_a_every_signature_covers_the_same_power_of_two)
{
    open_and_tune_in();
    std::size_t seen = 0;
    for (peer::UnitIndex unit : {0U, 7U, 19U, 12U}) {
        Datagrams const answer = ask(chunks_of(unit).first + 1);
        for (wire::SignedIntegrity const& munro : all_of<wire::SignedIntegrity>(answer)) {
            ++seen;
            EXPECT_EQ(munro.chunks.count(), unit_chunks);
            EXPECT_TRUE(std::has_single_bit(munro.chunks.count()));
            EXPECT_EQ(to_number(munro.chunks.first) % unit_chunks, 0u);
        }
    }
    EXPECT_GE(seen, 3u);
}

TEST_F(LiveServing, PP_6_1_2_2_a_the_source_signs_range_time_and_hash)
{
    open_and_tune_in();
    Datagrams const answer = ask(chunks_of(10).first);
    auto const munro = all_of<wire::SignedIntegrity>(answer).at(0);
    auto const integrity = all_of<wire::Integrity>(answer).at(0);
    ByteVector signed_bytes = hex("000000a0 000000af");
    auto const time = static_cast<std::uint64_t>(munro.signed_at);
    for (int shift = 56; shift >= 0; shift -= 8) {
        signed_bytes.push_back(static_cast<std::uint8_t>(time >> shift));
    }
    signed_bytes.insert(signed_bytes.end(), integrity.hash.begin(), integrity.hash.end());
    integrity::OpensslChecker checker;
    EXPECT_TRUE(checker.check(node_.id(), signed_bytes, munro.signature));
    Duration const age = ntp_difference(to_ntp(node_.utc()), munro.signed_at);
    EXPECT_GT(age, 400ms); // of the eleventh of twenty units
    EXPECT_LT(age, 2s);
}

TEST_F(LiveServing, PP_6_1_2_3_a_what_is_not_signed_is_not_announced)
{
    ASSERT_TRUE(peer_.dial());
    peer_.send({});
    for (std::uint64_t cut = 20; cut < 40; ++cut) {
        for (wire::Have const& have : all_of<wire::Have>(peer_.take())) {
            EXPECT_LT(to_number(have.chunks.last), cut * unit_chunks);
        }
        node_.cut_for(1);
    }
    OneEngine young{{.role = peer::Role::source}};
    RawPeer early{young, stranger};
    early.open();
    EXPECT_TRUE(all_of<wire::Have>(early.take_after(1s)).empty());
}

TEST_F(LiveServing, PP_6_1_2_3_b_the_munro_goes_with_the_first_chunk_below_it)
{
    open_and_tune_in();
    ChunkRange const unit = chunks_of(10);
    Datagrams const cold = ask(unit.first);
    ASSERT_EQ(cold.size(), 1u);
    ASSERT_GE(cold[0].messages.size(), 3u);
    auto const* hash = std::get_if<wire::Integrity>(&cold[0].messages[0]);
    auto const* signature = std::get_if<wire::SignedIntegrity>(&cold[0].messages[1]);
    ASSERT_TRUE(hash != nullptr && signature != nullptr);
    EXPECT_EQ(hash->chunks, unit);
    EXPECT_EQ(signature->chunks, unit);

    peer_.send({wire::Have{single(unit.first)}});
    Datagrams const warm = ask(unit.first + 1);
    ASSERT_EQ(warm.size(), 1u);
    EXPECT_TRUE(warm[0].has<wire::Data>());
    EXPECT_FALSE(warm[0].has<wire::SignedIntegrity>()) << "it holds a chunk below";
    EXPECT_TRUE(ask(chunks_of(11).first).at(0).has<wire::SignedIntegrity>());
}

TEST_F(LiveServing, PP_6_1_2_3_b_a_munro_that_got_lost_goes_again)
{
    open_and_tune_in();
    ChunkRange const unit = chunks_of(10);
    ASSERT_TRUE(ask(unit.first).at(0).has<wire::SignedIntegrity>());
    Datagrams const again = peer_.take_after(5s); // nothing was acknowledged
    ASSERT_FALSE(again.empty());
    for (Sent const& sent : again) {
        if (sent.has<wire::Data>()) {
            EXPECT_EQ(sent.all<wire::SignedIntegrity>().at(0).chunks, unit);
        }
    }
}

TEST_F(LiveServing, PP_6_1_2_3_c_then_the_missing_uncles_then_the_chunk)
{
    open_and_tune_in();
    ChunkId const first = chunks_of(10).first;
    Datagrams const cold = ask(first + 5);
    ASSERT_EQ(cold.size(), 1u);
    EXPECT_EQ(nodes_of(cold[0]),
              (std::vector{range(first, 0, 15), range(first, 8, 15), range(first, 0, 3),
                           range(first, 6, 7), range(first, 4, 4)}))
        << "munro, then uncles, highest first (PP-5.4-a, PP-5.4-b)";
    EXPECT_TRUE(std::holds_alternative<wire::Data>(cold[0].messages.back()));

    integrity::UnitTree tree{first, unit_chunks,
                             integrity::Hash{cold[0].all<wire::Integrity>()[0].hash}};
    std::vector<integrity::NodeHash> offered;
    for (wire::Integrity const& one : cold[0].all<wire::Integrity>()) {
        offered.push_back({one.chunks, integrity::Hash{one.hash}}); // PP-3.5-a
    }
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    EXPECT_EQ(tree.verify(*hasher, first + 5, hasher->leaf(cold[0].all<wire::Data>()[0].payload),
                          offered),
              integrity::UnitTree::Verdict::verified);
}

/// What comes with some chunks of a unit beside the tree over what the source was given.
TEST_F(LiveServing, PP_3_5_a_an_integrity_holds_the_range_of_a_subtree_and_its_hash)
{
    open_and_tune_in();
    ChunkId const first = chunks_of(10).first;
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    std::function<integrity::Hash(ChunkRange)> const node = [&](ChunkRange below) {
        std::uint64_t const half = below.count() / 2;
        std::size_t const offset = (to_number(below.first) - to_number(first)) * chunk_size;
        return half == 0 ? hasher->leaf(Bytes(node_.unit(10)).subspan(offset, chunk_size))
                         : hasher->parent(node({below.first, below.first + (half - 1)}),
                                          node({below.first + half, below.last}));
    };
    std::size_t told = 0;
    for (std::uint64_t const number : {0U, 5U, 10U, 15U}) {
        Datagrams const came = ask(first + number);
        for (wire::Integrity const& one : all_of<wire::Integrity>(came)) {
            ++told;
            EXPECT_TRUE(std::has_single_bit(one.chunks.count()));
            EXPECT_EQ((to_number(one.chunks.first) - to_number(first)) % one.chunks.count(), 0u);
            EXPECT_EQ(node(one.chunks), integrity::Hash{one.hash});
        }
    }
    EXPECT_GE(told, 8u);
}

TEST_F(LiveServing, PP_5_4_b_each_missing_hash_is_a_message_with_the_leaves_below_its_node)
{
    open_and_tune_in();
    ChunkId const first = chunks_of(10).first;
    EXPECT_EQ(nodes_of(ask(first + 5).at(0)),
              (std::vector{range(first, 0, 15), range(first, 8, 15), range(first, 0, 3),
                           range(first, 6, 7), range(first, 4, 4)}));
}

TEST_F(LiveServing, PP_5_3_d_the_hashes_that_the_receiver_lacks_go_with_the_chunk)
{
    open_and_tune_in();
    ChunkId const first = chunks_of(10).first;
    peer_.send({wire::Have{single(first)}}); // so it knows 1, 2-3, 4-7 and 8-15
    EXPECT_TRUE(nodes_of(ask(first + 1).at(0)).empty());
    EXPECT_EQ(nodes_of(ask(first + 6).at(0)),
              (std::vector{range(first, 4, 5), range(first, 7, 7)}));
    peer_.send({wire::Ack{single(first + 15), {}}}); // an ACK shows as much as a HAVE
    EXPECT_EQ(nodes_of(ask(first + 12).at(0)), (std::vector{range(first, 13, 13)}));
}

TEST_F(LiveServingSmall, PP_5_3_b_hashes_that_do_not_fit_beside_the_chunk_go_before_it)
{
    open_and_tune_in();
    Datagrams const answer = ask(chunks_of(10).first);
    ASSERT_EQ(answer.size(), 2u);
    EXPECT_EQ(nodes_of(answer[0]).size(), 5u);
    EXPECT_TRUE(answer[0].has<wire::SignedIntegrity>());
    EXPECT_FALSE(answer[0].has<wire::Data>());
    EXPECT_TRUE(answer[1].has<wire::Data>());
    for (Sent const& sent : answer) {
        EXPECT_LE(sent.bytes.size(), 1200u);
    }
}

/// Whether the datagram carries the signed munro of that unit.
bool shows(Sent const& sent, peer::UnitIndex unit)
{
    auto const munros = sent.all<wire::SignedIntegrity>();
    return std::any_of(munros.begin(), munros.end(), [unit](wire::SignedIntegrity const& munro) {
        return munro.chunks == chunks_of(unit);
    });
}

/// Units of which the source sent something in the time of so many new ones; each of them is taken
/// back with a CANCEL if `declines`.
std::set<peer::UnitIndex> pushed_units(OneEngine& node, RawPeer& peer, std::uint32_t units,
                                       bool declines)
{
    std::set<peer::UnitIndex> pushed;
    for (std::uint32_t i = 0; i < units; ++i) {
        node.cut();
        Datagrams const came = peer.take_after(unit_time);
        for (wire::Data const& data : all_of<wire::Data>(came)) {
            peer::UnitIndex const unit = to_number(data.chunks.first) / unit_chunks;
            if (pushed.insert(unit).second && declines) {
                peer.send({wire::Cancel{chunks_of(unit)}});
            }
            peer.send({wire::Ack{data.chunks, 1ms}});
        }
    }
    return pushed;
}

TEST_F(LiveServing, PP_3_8_a_who_takes_back_what_it_did_not_ask_for_gets_no_more_of_it)
{
    open_and_tune_in();
    static_cast<void>(ask(chunks_of(19).first)); // it wants the stream, and subscribes to nothing
    peer_.send({wire::Ack{single(chunks_of(19).first), 1ms}});
    static_cast<void>(pushed_units(node_, peer_, 40, false)); // until the window is wide enough
    EXPECT_GE(pushed_units(node_, peer_, 16, false).size(), 16u) << "nobody else is there";
    EXPECT_EQ(pushed_units(node_, peer_, 24, true).size(), 24u) << "each substream three times";
    EXPECT_EQ(pushed_units(node_, peer_, 40, true).size(), 0u);
    node_.run_for(8s);
    EXPECT_EQ(pushed_units(node_, peer_, 8, false).size(), 8u) << "it is tried again later";
}

TEST_F(LiveServing, PP_6_1_2_4_b_datagram_4_and_all_later_ones_show_the_live_edge)
{
    ASSERT_TRUE(peer_.dial());
    EXPECT_TRUE(all_of<wire::SignedIntegrity>(peer_.take()).empty()) << "PP-6.1.2.4-c";
    peer_.send({wire::Request{chunks_of(10)}});
    peer::UnitIndex newest = 19;
    std::size_t with_data = 0;
    for (; newest < 25; ++newest) {
        for (Sent const& sent : peer_.take_after(50ms)) {
            EXPECT_TRUE(shows(sent, newest)) << newest;
            with_data += sent.has<wire::Data>() ? 1 : 0;
        }
        node_.cut();
        // What is older than datagram 4 says nothing about the live edge.
        peer_.send({wire::Have{chunks_of(newest - 10)}, wire::Ack{chunks_of(10), 1ms}});
    }
    EXPECT_GT(with_data, 0u);
    peer_.send({wire::Have{single(chunks_of(19).first)}}); // the newest of datagram 4
    node_.cut_for(10);
    Datagrams const after = peer_.take();
    ASSERT_FALSE(after.empty());
    for (Sent const& sent : after) {
        EXPECT_TRUE(sent.has<wire::Data>() || !sent.has<wire::SignedIntegrity>());
    }
}

TEST_F(LiveServing, PP_6_1_2_4_b_a_keep_alive_shows_the_live_edge_too)
{
    peer_.open();
    static_cast<void>(peer_.take_after(1s));
    Datagrams const quiet = peer_.take_after(40s);
    ASSERT_GE(quiet.size(), 2u);
    for (Sent const& sent : quiet) {
        EXPECT_TRUE(shows(sent, 19));
    }
}

TEST_F(LiveReceiving, PP_6_1_2_4_a_datagram_3_and_all_later_ones_show_the_live_edge)
{
    send_unit(node_.sign(unit_0));
    send_unit(node_.sign(unit_0 + 1));
    node_.run_for(20ms);
    Endpoint const late = Endpoint::v4(0x0a0000fe, 1);
    node_.introduce({late});
    RawPeer other{node_, late, ChannelId{99}};
    ASSERT_TRUE(other.answer());
    Datagrams const third = other.take();
    ASSERT_FALSE(third.empty());
    EXPECT_TRUE(shows(third[0], unit_0 + 1));
    other.send({wire::Request{chunks_of(unit_0)}});
    Datagrams const later = other.take_after(100ms);
    ASSERT_FALSE(all_of<wire::Data>(later).empty());
    for (Sent const& sent : later) {
        EXPECT_TRUE(shows(sent, unit_0 + 1));
    }
    other.send({wire::Have{chunks_of(unit_0)}, wire::Ack{chunks_of(unit_0), 1ms}});
    other.send({wire::Request{chunks_of(unit_0 + 1)}});
    Datagrams const still = other.take_after(100ms);
    ASSERT_FALSE(all_of<wire::Data>(still).empty());
    for (Sent const& sent : still) {
        EXPECT_TRUE(shows(sent, unit_0 + 1)) << "it knows an older one";
    }
    other.send({wire::Have{chunks_of(unit_0 + 1)}});
    static_cast<void>(other.take());
    for (Sent const& sent : other.take_after(20s)) {
        EXPECT_FALSE(shows(sent, unit_0 + 1)) << "it knows";
    }
}

/// A neighbour that never asked us for anything hears of no units, so it could go on for ever.
TEST_F(LiveReceiving, PP_6_1_2_4_a_who_is_shown_what_it_knows_says_so)
{
    send_unit(node_.sign(unit_0));
    send_unit(node_.sign(unit_0 + 1));
    std::vector<Endpoint> all;
    std::deque<RawPeer> others; // more than a handful, who would be told everything
    for (std::uint32_t i = 0; i < 20; ++i) {
        others.emplace_back(node_, Endpoint::v4(0x0a000100 + i, 1), ChannelId{100 + i});
        all.push_back(others.back().endpoint);
    }
    node_.introduce(all);
    RawPeer* other = nullptr;
    for (RawPeer& one : others) {
        other = one.answer() ? &one : other;
    }
    ASSERT_NE(other, nullptr);
    node_.run_for(4s);
    static_cast<void>(other->take());
    SignedUnit const known = node_.sign(unit_0);
    std::size_t haves = 0;
    for (int i = 0; i < 100; ++i) {
        other->send(known.munro());
        for (wire::Have const& have : all_of<wire::Have>(other->take_after(10ms))) {
            haves += 1;
            EXPECT_EQ(have.chunks.last, chunks_of(unit_0 + 1).last);
        }
    }
    EXPECT_GE(haves, 1u);
    EXPECT_LE(haves, 11u) << "ten a second";
}

TEST_F(LiveReceiving, PP_6_1_2_4_c_datagrams_1_and_2_carry_no_munro)
{
    send_unit(node_.sign(unit_0));
    node_.introduce({Endpoint::v4(0x0a0000fe, 1)});
    RawPeer dialling{node_, Endpoint::v4(0x0a0000fd, 1), ChannelId{98}};
    ASSERT_TRUE(dialling.dial());
    std::size_t handshakes = 0;
    for (Sent const& sent : node_.sent()) {
        if (sent.has<wire::Handshake>()) {
            ++handshakes;
            EXPECT_FALSE(sent.has<wire::SignedIntegrity>() || sent.has<wire::Integrity>());
        }
    }
    EXPECT_EQ(handshakes, 3u);
}

TEST_F(LiveReceiving, PP_6_1_2_4_d_an_old_munro_tunes_nobody_in)
{
    send_unit(node_.sign(unit_0, 60s));
    Datagrams const answer = peer_.take_after(1s);
    EXPECT_TRUE(all_of<wire::Ack>(answer).empty());
    EXPECT_TRUE(all_of<wire::Request>(answer).empty());
    send_unit(node_.sign(unit_0 + 1));
    EXPECT_TRUE(acknowledged().contains(chunks_of(unit_0 + 1)));
    EXPECT_GT(node_.figures().neighbours, 0u);
}

TEST_F(LiveReceiving, PP_6_1_2_1_b_nothing_is_passed_on_before_its_munro_was_verified)
{
    RawPeer child{node_, Endpoint::v4(0x0a0000fe, 1), ChannelId{99}};
    child.open();
    send_unit(node_.sign(unit_0));
    child.send({wire::Request{{chunks_of(unit_0 + 1).first, chunks_of(unit_0 + 3).last}}});
    node_.run_for(50ms);
    static_cast<void>(child.take());
    SignedUnit forged = node_.sign(unit_0 + 1);
    forged.signature[5] ^= 1;
    send_unit(forged);
    Datagrams const after_forged = child.take_after(200ms);
    EXPECT_TRUE(all_of<wire::Data>(after_forged).empty());
    EXPECT_FALSE(ranges_of<wire::SignedIntegrity>(after_forged).contains(forged.chunk(0)));
    EXPECT_GT(node_.figures().bad_signatures, 0u);

    Endpoint const honest = Endpoint::v4(0x0a0000fd, 1);
    node_.introduce({honest});
    RawPeer second{node_, honest, ChannelId{98}};
    ASSERT_TRUE(second.answer());
    SignedUnit const good = node_.sign(unit_0 + 1);
    for (std::uint32_t i = 0; i < unit_chunks; ++i) {
        second.send(good.whole(i, node_.utc()));
    }
    child.send({wire::Request{chunks_of(unit_0 + 1)}});
    Datagrams const passed_on = child.take_after(500ms);
    EXPECT_TRUE(ranges_of<wire::SignedIntegrity>(passed_on).contains(good.chunk(0)));
    EXPECT_FALSE(all_of<wire::Data>(passed_on).empty());
}

TEST_F(LiveReceiving, PP_5_2_a_a_chunk_counts_when_its_path_leads_to_the_munro)
{
    SignedUnit const unit = node_.sign(unit_0);
    std::vector<wire::Message> wrong_uncle = unit.munro() + unit.uncles(0);
    integrity::Hash const zero = integrity::Hash::zero(32);
    std::get<wire::Integrity>(wrong_uncle.back()).hash = zero.bytes();
    wrong_uncle.emplace_back(unit.data(0, node_.utc()));
    peer_.send(wrong_uncle);
    EXPECT_TRUE(acknowledged().empty());
    EXPECT_EQ(node_.figures().bad_chunks, 1u);
    peer_.send(unit.whole(0, node_.utc()));
    EXPECT_TRUE(acknowledged().contains(unit.chunk(0)));
}

TEST_F(LiveReceiving, PP_5_3_e_hashes_are_kept_for_the_chunks_that_still_miss)
{
    SignedUnit const unit = node_.sign(unit_0);
    peer_.send(unit.whole(0, node_.utc()));
    node_.run_for(1s);
    peer_.send({unit.data(1, node_.utc())}); // its leaf came as an uncle of chunk 0
    EXPECT_TRUE(acknowledged().contains(unit.chunk(1)));
    auto const uncles = unit.uncles(6);
    peer_.send({uncles[2], uncles[3], wire::Message{unit.data(6, node_.utc())}});
    EXPECT_TRUE(acknowledged().contains(unit.chunk(6))) << "4-7 and 8-15 were known";
}

TEST_F(LiveReceiving, PP_5_3_c_what_lacks_its_proof_is_dropped_in_the_end)
{
    send_unit(node_.sign(unit_0));
    static_cast<void>(acknowledged());
    SignedUnit const unit = node_.sign(unit_0 + 1);
    peer_.send({unit.data(0, node_.utc())});
    node_.run_for(3s);
    peer_.send(unit.munro() + unit.uncles(0));
    EXPECT_FALSE(acknowledged().contains(unit.chunk(0)));
    EXPECT_EQ(node_.figures().bad_chunks, 0u) << "and nobody is to blame (trap T22)";
}

/// Every algorithm that may sign, from the signature to the acknowledgement.
TEST(PpRules, PP_6_1_b_a_swarm_may_use_any_curve_or_rsa)
{
    for (auto const algorithm :
         {wire::SignatureAlgorithm::ecdsa_p256_sha256, wire::SignatureAlgorithm::ecdsa_p384_sha384,
          wire::SignatureAlgorithm::ed25519, wire::SignatureAlgorithm::rsa_sha256}) {
        OneEngine node{{.algorithm = algorithm}};
        node.introduce({stranger});
        RawPeer peer{node, stranger};
        ASSERT_TRUE(peer.answer());
        SignedUnit const unit = node.sign(unit_0);
        peer.send(unit.whole(3, node.utc()));
        Datagrams const answer = peer.take_after(50ms);
        EXPECT_TRUE(ranges_of<wire::Ack>(answer).contains(unit.chunk(3)))
            << static_cast<int>(algorithm);
    }
}

} // namespace
} // namespace ppsp::test
