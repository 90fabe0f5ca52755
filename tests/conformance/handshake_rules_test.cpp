#include "tests/conformance/one_engine.hpp"

#include <set>

/// RFC 7574 §3.1, §3.11, §3.12, §7, §8.3, §8.4: how conversations begin and end.
namespace ppsp::test {
namespace {

Endpoint const stranger = Endpoint::v4(0x0a0000ff, 1234);

bool is_heavy(wire::Message const& message)
{
    return std::holds_alternative<wire::Data>(message) ||
           std::holds_alternative<wire::Integrity>(message) ||
           std::holds_alternative<wire::SignedIntegrity>(message);
}

bool has_heavy(Datagrams const& datagrams)
{
    return std::any_of(datagrams.begin(), datagrams.end(), [](Sent const& sent) {
        return std::any_of(sent.messages.begin(), sent.messages.end(), is_heavy);
    });
}

/// A viewer that was told one address, and whoever sits there.
class Dialling : public ::testing::Test {
protected:
    Dialling()
    {
        node_.introduce({stranger});
        first_ = peer_.take();
    }

    OneEngine node_{{}};
    RawPeer peer_{node_, stranger};
    Datagrams first_;
};

/// A source with a second of stream, and a stranger that knows its address.
class Dialled : public ::testing::Test {
protected:
    Dialled() { node_.cut_for(20); }

    OneEngine node_{{.role = peer::Role::source}};
    RawPeer peer_{node_, stranger};
};

TEST_F(Dialling, PP_3_1_1_a_datagram_1_introduces_the_node)
{
    ASSERT_EQ(first_.size(), 1u);
    auto const handshakes = first_[0].all<wire::Handshake>();
    ASSERT_EQ(handshakes.size(), 1u);
    EXPECT_NE(to_number(handshakes[0].source), 0u);
    wire::Options const& options = handshakes[0].options;
    EXPECT_EQ(options.version, 1);
    EXPECT_EQ(options.swarm_id, node_.id());
    EXPECT_TRUE(options.discard_window.has_value());
    EXPECT_FALSE(options.supported_messages.has_value()) << "absent: all of them (PP-7.10-a)";
}

TEST_F(Dialling, PP_3_1_1_b_datagram_1_goes_to_channel_0)
{
    EXPECT_EQ(first_.at(0).destination, ChannelId{0});
    EXPECT_EQ(to_hex(Bytes{first_.at(0).bytes}.first(4)), "00000000");
}

TEST_F(Dialling, PP_3_1_1_c_datagram_1_carries_nothing_heavy)
{
    for (wire::Message const& message : first_.at(0).messages) {
        EXPECT_TRUE(std::holds_alternative<wire::Handshake>(message) ||
                    std::holds_alternative<wire::Have>(message) ||
                    std::holds_alternative<wire::Request>(message));
    }
}

/// §7 byte by byte: what every initiator of a live swarm has to say, in ascending order.
TEST_F(Dialling, PP_7_a_the_options_of_datagram_1_ascend_and_are_complete)
{
    Bytes const bytes = Bytes{first_.at(0).bytes}.subspan(4);
    std::string expected = "00"; // HANDSHAKE
    expected += to_hex(bytes.subspan(1, 4));
    expected += "0001";                        // PP-7.2-a
    expected += "0101";                        // PP-7.3-a
    expected += "020041" + to_hex(node_.id()); // PP-7.4-a
    expected += "0303";                        // PP-7.5-a
    expected += "0402";                        // PP-7.6-a, also where it is not demanded
    expected += "050d";                        // PP-7.7-a
    expected += "0602";                        // PP-7.8-a
    expected += "07" + to_hex(bytes.subspan(bytes.size() - 10, 4)); // PP-7.9-a: 32 bits wide
    expected += "0900000400";                                       // PP-7.11-a
    expected += "ff";                                               // PP-7.1-a
    EXPECT_EQ(to_hex(bytes), expected);
}

wire::Options const& options_of(Datagrams const& first)
{
    return std::get<wire::Handshake>(first.at(0).messages.at(0)).options;
}

TEST_F(Dialling, PP_7_4_a_one_swarm_is_named)
{
    std::string const bytes = to_hex(first_.at(0).bytes);
    std::string const option = "020041" + to_hex(node_.id());
    EXPECT_EQ(options_of(first_).swarm_id, node_.id());
    EXPECT_NE(bytes.find(option), std::string::npos);
    EXPECT_EQ(bytes.find(option), bytes.rfind(option)) << "once";
}

TEST_F(Dialled, PP_7_4_a_who_names_no_swarm_is_not_answered_and_the_answer_need_not_repeat_it)
{
    wire::Options nameless = peer_.options(true);
    nameless.swarm_id.reset();
    peer_.send_to(ChannelId{0}, {wire::Handshake{peer_.own, nameless}});
    EXPECT_TRUE(peer_.take_after(1s).empty());
    EXPECT_TRUE(peer_.dial());
}

/// §6.1 and §7.5: the Unified Merkle Tree, and nothing weaker.
TEST_F(Dialling, PP_6_1_a_live_streams_use_the_unified_merkle_tree)
{
    EXPECT_EQ(options_of(first_).integrity_method, wire::IntegrityMethod::unified_merkle_tree);
}

TEST_F(Dialled, PP_6_1_a_a_stream_that_is_signed_chunk_by_chunk_or_not_at_all_is_another_one)
{
    for (auto const method : {wire::IntegrityMethod::none, wire::IntegrityMethod::merkle_tree,
                              wire::IntegrityMethod::sign_all}) {
        wire::Options options = peer_.options(true);
        options.integrity_method = method;
        peer_.send_to(ChannelId{0}, {wire::Handshake{peer_.own, options}});
        EXPECT_TRUE(peer_.take_after(1s).empty()) << static_cast<int>(method);
    }
    EXPECT_TRUE(peer_.dial());
}

/// Who dials names how content is protected, hashed, signed and addressed; so does the answer.
class NamesTheContent : public Dialling {
protected:
    static wire::Options answer_of_a_source()
    {
        OneEngine source{{.role = peer::Role::source}};
        source.cut_for(20);
        RawPeer viewer{source, stranger};
        EXPECT_TRUE(viewer.dial());
        return options_of(viewer.take());
    }
};

TEST_F(NamesTheContent, PP_7_5_a_how_content_is_protected)
{
    EXPECT_TRUE(options_of(first_).integrity_method.has_value());
    EXPECT_EQ(answer_of_a_source().integrity_method, options_of(first_).integrity_method);
}

TEST_F(NamesTheContent, PP_7_6_a_the_hash_function_of_the_tree)
{
    EXPECT_EQ(options_of(first_).hash_function, wire::HashFunction::sha256);
    EXPECT_EQ(answer_of_a_source().hash_function, wire::HashFunction::sha256);
    for (auto const function : {wire::HashFunction::sha1, wire::HashFunction::sha256}) {
        EXPECT_EQ(integrity::make_hasher(function)->size(), wire::hash_size(function));
    }
}

TEST_F(NamesTheContent, PP_7_7_a_the_algorithm_of_signatures)
{
    EXPECT_EQ(options_of(first_).signature_algorithm, wire::SignatureAlgorithm::ecdsa_p256_sha256);
    EXPECT_EQ(answer_of_a_source().signature_algorithm,
              wire::SignatureAlgorithm::ecdsa_p256_sha256);
}

TEST_F(NamesTheContent, PP_7_8_a_the_addressing_method)
{
    EXPECT_EQ(options_of(first_).addressing, wire::AddressingMode::chunk32);
    EXPECT_EQ(answer_of_a_source().addressing, wire::AddressingMode::chunk32);
}

TEST_F(Dialled, PP_7_10_a_who_takes_no_content_says_which_messages_it_supports)
{
    ASSERT_TRUE(peer_.dial());
    Datagrams const reply = peer_.take();
    auto const handshake = reply.at(0).all<wire::Handshake>().at(0);
    ASSERT_TRUE(handshake.options.supported_messages.has_value());
    for (std::size_t type = 0; type < 14; ++type) {
        bool const content = type == 1 || type == 4 || type == 7;
        EXPECT_EQ(handshake.options.supported_messages->test(type), !content) << type;
    }
}

TEST_F(Dialled, PP_3_1_1_d_whatever_does_not_fit_is_met_with_silence)
{
    auto const answered = [&](auto&& change) {
        wire::Options options = peer_.options(true);
        change(options);
        peer_.send_to(ChannelId{0}, {wire::Handshake{peer_.own, options}});
        return !peer_.take_after(1s).empty();
    };
    EXPECT_FALSE(answered([](auto& o) { o.version = 0, o.minimum_version = 0; }));
    EXPECT_FALSE(answered([](auto& o) { o.version = 3, o.minimum_version = 2; }));
    EXPECT_FALSE(answered([](auto& o) { o.swarm_id.reset(); }));
    EXPECT_FALSE(answered([](auto& o) { o.swarm_id->back() ^= 1; }));
    EXPECT_FALSE(answered([](auto& o) { o.integrity_method.reset(); }));
    EXPECT_FALSE(
        answered([](auto& o) { o.integrity_method = wire::IntegrityMethod::merkle_tree; }));
    EXPECT_FALSE(answered([](auto& o) { o.integrity_method = wire::IntegrityMethod::sign_all; }));
    EXPECT_FALSE(answered([](auto& o) { o.hash_function = wire::HashFunction::sha1; }));
    EXPECT_FALSE(answered([](auto& o) { o.signature_algorithm.reset(); }));
    EXPECT_FALSE(
        answered([](auto& o) { o.signature_algorithm = wire::SignatureAlgorithm::ed25519; }));
    EXPECT_FALSE(answered([](auto& o) { o.addressing = wire::AddressingMode::chunk64; }));
    EXPECT_FALSE(answered([](auto& o) { o.discard_window.reset(); }));
    EXPECT_FALSE(answered([](auto& o) { o.chunk_size.reset(); }));
    EXPECT_FALSE(answered([](auto& o) { o.chunk_size = 1316; }));
    EXPECT_TRUE(answered([](auto&) {}));
}

TEST_F(Dialled, PP_3_1_a_only_a_handshake_in_front_begins_a_conversation)
{
    ByteVector behind = hex("00000000 0b"); // UNCHOKE
    ByteVector const handshake = peer_.first_datagram();
    behind.insert(behind.end(), handshake.begin() + 4, handshake.end());
    node_.receive(stranger, behind);
    EXPECT_TRUE(peer_.take_after(1s).empty());
    ASSERT_TRUE(peer_.dial());
    EXPECT_TRUE(std::holds_alternative<wire::Handshake>(peer_.take().at(0).messages.at(0)));
}

TEST_F(Dialled, PP_3_1_1_e_the_answer_begins_with_a_handshake_that_fits)
{
    ASSERT_TRUE(peer_.dial());
    Datagrams const reply = peer_.take();
    ASSERT_EQ(reply.size(), 1u);
    auto const* handshake = std::get_if<wire::Handshake>(&reply[0].messages.at(0));
    ASSERT_NE(handshake, nullptr);
    EXPECT_NE(to_number(handshake->source), 0u);
    EXPECT_NE(handshake->source, peer_.own);
    wire::Options expected = peer_.options(true);
    expected.minimum_version.reset();
    expected.swarm_id.reset();
    expected.supported_messages = handshake->options.supported_messages;
    expected.discard_window = handshake->options.discard_window;
    EXPECT_EQ(handshake->options, expected);
    EXPECT_TRUE(handshake->options.discard_window.has_value());
}

TEST_F(Dialled, PP_3_1_1_f_the_answer_goes_to_the_channel_that_the_initiator_named)
{
    ASSERT_TRUE(peer_.dial());
    EXPECT_EQ(peer_.take().at(0).destination, peer_.own);
}

TEST_F(Dialled, PP_3_1_1_g_the_answer_carries_nothing_heavy)
{
    ASSERT_TRUE(peer_.dial({wire::Request{chunks_of(10)}}));
    Datagrams const reply = peer_.take();
    ASSERT_EQ(reply.size(), 1u);
    EXPECT_FALSE(has_heavy(reply));
    EXPECT_TRUE(reply[0].has<wire::Have>());
}

TEST_F(Dialled, PP_3_1_1_o_content_waits_for_the_first_datagram_with_our_channel)
{
    ASSERT_TRUE(peer_.dial({wire::Request{chunks_of(10)}}));
    node_.cut_for(4); // the address stays unproven
    EXPECT_FALSE(has_heavy(peer_.take()));
    peer_.send({});
    Datagrams const after = peer_.take_after(100ms);
    EXPECT_TRUE(ranges_of<wire::Data>(after).contains(chunks_of(10).first))
        << "the REQUEST of datagram 1 is answered then";
}

TEST_F(Dialled, PP_3_2_c_nothing_is_announced_before_the_handshake_is_complete)
{
    ASSERT_TRUE(peer_.dial());
    static_cast<void>(peer_.take());
    node_.cut_for(40);
    EXPECT_TRUE(peer_.take().empty());
    peer_.send({});
    EXPECT_FALSE(peer_.take_after(200ms).empty());
}

TEST_F(Dialling, PP_3_1_1_h_an_answer_to_another_channel_is_discarded)
{
    auto const ours = first_.at(0).all<wire::Handshake>().at(0).source;
    wire::Handshake const answer{peer_.own, peer_.options(false)};
    peer_.send_to(ChannelId{to_number(ours) ^ 1U}, {answer});
    EXPECT_TRUE(peer_.take().empty()) << "datagram 3 would go at once";
    peer_.send_to(ours, {answer}); // PP-3.1.1-i
    Datagrams const third = peer_.take();
    ASSERT_FALSE(third.empty());
    EXPECT_EQ(third[0].destination, peer_.own);
}

TEST_F(Dialling, PP_3_1_1_i_what_is_addressed_rightly_goes_on_beside_what_is_not)
{
    ASSERT_TRUE(peer_.answer());
    SignedUnit const unit = node_.sign(100);
    peer_.send_to(ChannelId{to_number(peer_.theirs) ^ 1U}, unit.whole(0, node_.utc()));
    EXPECT_EQ(ranges_of<wire::Ack>(peer_.take_after(100ms)).chunk_count(), 0u);
    peer_.send(unit.whole(1, node_.utc()));
    Datagrams const answer = peer_.take_after(100ms);
    EXPECT_EQ(ranges_of<wire::Ack>(answer).chunk_count(), 1u);
    EXPECT_TRUE(ranges_of<wire::Ack>(answer).contains(unit.chunk(1)));
}

TEST_F(Dialling, PP_3_1_1_j_an_answer_that_does_not_fit_is_closed)
{
    auto const ours = first_.at(0).all<wire::Handshake>().at(0).source;
    wire::Options other = peer_.options(false);
    other.chunk_size = 512;
    peer_.send_to(ours, {wire::Handshake{peer_.own, other}});
    Datagrams const closing = peer_.take();
    ASSERT_EQ(closing.size(), 1u);
    EXPECT_EQ(to_hex(closing[0].bytes), "0badcafe"
                                        "00"
                                        "00000000"
                                        "ff");
    peer_.send_to(ours, {});
    EXPECT_TRUE(peer_.take_after(400ms).empty()) << "nobody listens there any more";
}

TEST_F(Dialling, PP_3_1_1_k_a_closing_handshake_has_source_0_and_no_options)
{
    ASSERT_TRUE(peer_.answer());
    static_cast<void>(peer_.take());
    node_.leave();
    Datagrams const closing = peer_.take();
    ASSERT_EQ(closing.size(), 1u);
    EXPECT_EQ(to_hex(closing[0].bytes), "0badcafe"
                                        "00"
                                        "00000000"
                                        "ff");
}

TEST_F(Dialled, PP_3_1_1_p_who_leaves_says_so_to_everybody)
{
    std::deque<RawPeer> peers;
    for (std::uint32_t i = 0; i < 3; ++i) {
        peers.emplace_back(node_, Endpoint::v4(0x0a000080 + i, 1000), ChannelId{100 + i}).open();
        static_cast<void>(peers.back().take());
    }
    node_.leave();
    for (RawPeer& peer : peers) {
        Datagrams const last = peer.take();
        ASSERT_EQ(last.size(), 1u);
        auto const handshake = last[0].all<wire::Handshake>();
        ASSERT_EQ(handshake.size(), 1u);
        EXPECT_EQ(to_number(handshake[0].source), 0u);
    }
}

TEST_F(Dialled, PP_3_1_1_k_a_closing_handshake_ends_the_conversation_without_an_answer)
{
    peer_.open();
    ASSERT_FALSE(peer_.take_after(200ms).empty());
    peer_.send({wire::Handshake{}});
    node_.cut_for(20);
    EXPECT_TRUE(peer_.take().empty());
}

TEST_F(Dialling, PP_3_1_1_l_datagram_1_is_repeated_byte_by_byte_for_a_while)
{
    node_.run_for(4900ms);
    Datagrams const tries = peer_.take();
    ASSERT_EQ(tries.size(), 3u);
    for (Sent const& sent : tries) {
        EXPECT_EQ(sent.bytes, first_.at(0).bytes);
    }
    EXPECT_TRUE(peer_.take_after(1s).empty()) << "counts as dead after five seconds";
}

TEST_F(Dialling, PP_3_1_1_m_datagram_3_and_later_go_to_the_responders_channel)
{
    ASSERT_TRUE(peer_.answer());
    peer_.send(node_.sign(100).whole(0, node_.utc()));
    node_.run_for(2s);
    Datagrams const later = peer_.take();
    ASSERT_GT(later.size(), 2u);
    for (Sent const& sent : later) {
        EXPECT_EQ(sent.destination, peer_.own);
    }
}

TEST_F(Dialled, PP_3_1_1_n_what_does_not_carry_our_channel_is_discarded)
{
    peer_.open();
    static_cast<void>(peer_.take_after(200ms));
    peer_.send_to(ChannelId{to_number(peer_.theirs) ^ 1U}, {wire::Request{chunks_of(5)}});
    EXPECT_TRUE(ranges_of<wire::Data>(peer_.take_after(200ms)).empty());
    RawPeer other{node_, Endpoint::v4(0x0a0000fe, 1234)}; // knows the number, is somebody else
    other.send_to(peer_.theirs, {wire::Request{chunks_of(5)}});
    EXPECT_TRUE(ranges_of<wire::Data>(peer_.take_after(200ms)).empty());
    EXPECT_TRUE(other.take().empty());
    peer_.send({wire::Request{chunks_of(5)}});
    EXPECT_FALSE(ranges_of<wire::Data>(peer_.take_after(200ms)).empty());
}

TEST(PpRules, PP_12_1_2_a_datagram_3_goes_at_once_even_with_nothing_to_say)
{
    OneEngine::Options options;
    options.node.pex = false;
    OneEngine node{options};
    node.introduce({stranger});
    RawPeer peer{node, stranger};
    TimePoint const answered = node.now();
    ASSERT_TRUE(peer.answer());
    Datagrams const third = peer.take();
    ASSERT_FALSE(third.empty());
    EXPECT_EQ(third[0].at, answered);
    EXPECT_EQ(to_hex(third[0].bytes), "0badcafe");
}

TEST(PpRules, PP_3_11_a_every_conversation_has_a_random_number_of_its_own)
{
    OneEngine node{{}};
    std::vector<Endpoint> addresses;
    for (std::uint32_t i = 0; i < 12; ++i) {
        addresses.push_back(Endpoint::v4(0x0a000080 + i, 1000));
    }
    node.introduce(addresses);
    std::set<std::uint32_t> numbers;
    std::uint32_t differing_bits = 0;
    std::uint32_t previous = 0;
    for (Sent const& sent : node.sent()) {
        std::uint32_t const number = to_number(sent.all<wire::Handshake>().at(0).source);
        EXPECT_NE(number, 0u);
        numbers.insert(number);
        differing_bits |= number ^ previous;
        previous = number;
    }
    EXPECT_EQ(numbers.size(), addresses.size());
    EXPECT_EQ(differing_bits, 0xffff'ffffu) << "no part of the number is fixed";
}

/// Says what it was told, then counts.
class Scripted final : public peer::RandomSource {
public:
    explicit Scripted(std::deque<std::uint64_t> script) : script_(std::move(script)) {}
    std::uint64_t next() override
    {
        if (script_.empty()) {
            return ++last_;
        }
        std::uint64_t const number = script_.front();
        script_.pop_front();
        return number;
    }

private:
    std::deque<std::uint64_t> script_;
    std::uint64_t last_ = 1000;
};

TEST(PpRules, PP_8_3_a_a_channel_number_is_never_0_and_never_taken_twice)
{
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    integrity::OpensslChecker checker;
    Scripted random{{0, 7, 7, 0, 0x1'0000'0007, 8}};
    EventLog log;
    peer::Engine engine{{}, Rng{1}, peer::Ports{*hasher, checker, random, log}};
    peer::LiveSwarmConfig swarm;
    swarm.id = OneEngine{{}}.id();
    engine.handle(TimePoint{1s}, peer::JoinSwarm{swarm});
    engine.handle(TimePoint{1s},
                  peer::CandidatesFound{
                      swarm.id, {Endpoint::v4(0x0a000080, 1000), Endpoint::v4(0x0a000081, 1000)}});
    std::vector<std::uint32_t> numbers;
    while (auto output = engine.poll(TimePoint{1s})) {
        if (auto const* datagram = std::get_if<peer::SendDatagram>(&*output)) {
            auto const reading = read_all(datagram->bytes, {});
            numbers.push_back(to_number(std::get<wire::Handshake>(reading.messages.at(0)).source));
        }
    }
    EXPECT_EQ(numbers, (std::vector<std::uint32_t>{7, 8}));
}

TEST_F(Dialled, PP_8_4_a_the_responder_addresses_the_initiators_channel)
{
    peer_.open({wire::Request{chunks_of(15)}});
    node_.cut_for(10);
    Datagrams const all = peer_.take();
    ASSERT_GT(all.size(), 10u);
    for (Sent const& sent : all) {
        EXPECT_EQ(sent.destination, peer_.own);
    }
}

TEST_F(Dialling, PP_3_12_a_a_quiet_conversation_is_kept_alive)
{
    ASSERT_TRUE(peer_.answer());
    static_cast<void>(peer_.take());
    for (int i = 0; i < 6; ++i) {
        node_.run_for(10s);
        peer_.send({});
    }
    Datagrams const quiet = peer_.take();
    std::size_t alive = 0;
    TimePoint last = node_.now() - 60s;
    for (Sent const& sent : quiet) {
        alive += to_hex(sent.bytes) == "0badcafe" ? 1 : 0;
        EXPECT_LE(sent.at - last, 20s) << "NAT bindings of 30 s stay";
        last = sent.at;
    }
    EXPECT_GE(alive, 1u);
    EXPECT_LE(node_.now() - last, 20s);
}

TEST_F(Dialling, PP_3_12_a_three_silent_minutes_are_the_end)
{
    ASSERT_TRUE(peer_.answer());
    node_.run_for(179s);
    EXPECT_EQ(node_.figures().neighbours, 1u);
    node_.run_for(2s);
    EXPECT_EQ(node_.figures().neighbours, 0u);
}

} // namespace
} // namespace ppsp::test
