#include "protocol/integrity/membership.hpp"
#include "tests/conformance/one_engine.hpp"

#include <algorithm>

/// RFC 7574 §3.10, §8.13 and §12.2: who is told about whom.
namespace ppsp::test {
namespace {

Endpoint address(char const* text)
{
    return Endpoint::parse(text).value();
}

std::vector<Endpoint> peers_in(Datagrams const& datagrams)
{
    std::vector<Endpoint> peers;
    for (wire::PexResponse const& response : all_of<wire::PexResponse>(datagrams)) {
        peers.push_back(response.peer);
    }
    std::sort(peers.begin(), peers.end());
    return peers;
}

/// A node with neighbours at addresses of all kinds.
class Exchange : public ::testing::Test {
protected:
    explicit Exchange(bool plain = false, bool strict = false) : node_{options(plain, strict)}
    {
        std::uint32_t number = 1;
        for (char const* const text :
             {"192.168.1.9:1000", "10.1.2.3:1000", "172.16.0.5:1000", "100.64.3.4:1000",
              "169.254.1.1:1000", "127.0.0.1:1000", "[fe80::1]:1000", "[fd00::1]:1000",
              "[::1]:1000", "203.0.113.5:1000", "[2001:db8::5]:1000"}) {
            peers_.emplace_back(node_, address(text), ChannelId{number++}).open();
        }
    }

    static OneEngine::Options options(bool plain, bool strict)
    {
        OneEngine::Options options;
        options.node.pex_plain = plain;
        options.node.strict = strict;
        return options;
    }

    std::vector<Endpoint> ask(Endpoint from)
    {
        RawPeer asker{node_, from, ChannelId{1000}};
        asker.open({wire::PexRequest{}});
        return peers_in(asker.take_after(100ms));
    }

    std::size_t datagrams_to(Endpoint const& to) const
    {
        auto const& sent = node_.sent();
        return static_cast<std::size_t>(
            std::count_if(sent.begin(), sent.end(), [&](Sent const& one) { return one.to == to; }));
    }

    OneEngine node_;
    std::deque<RawPeer> peers_;
};

/// Where somebody decided that plain addresses may go over the Internet.
class PlainExchange : public Exchange {
protected:
    PlainExchange() : Exchange(true) {}
};

TEST_F(PlainExchange, PP_8_13_a_a_public_asker_hears_of_public_addresses_only)
{
    std::vector<Endpoint> expected{address("203.0.113.5:1000"), address("[2001:db8::5]:1000")};
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(ask(address("198.51.100.7:2000")), expected);
    EXPECT_GT(ask(address("192.168.1.10:2000")).size(), 2u) << "at home others are of use";
}

TEST_F(Exchange, PP_8_13_a_nobody_sends_multicast_or_invented_addresses)
{
    for (char const* const text : {"224.0.0.1:1000", "0.0.0.0:1000", "[ff02::1]:1000"}) {
        RawPeer odd{node_, address(text), ChannelId{77}};
        EXPECT_FALSE(odd.dial()) << text;
    }
}

TEST_F(Exchange, PP_3_10_1_a_only_who_was_heard_in_the_last_minute_is_named)
{
    for (int i = 0; i < 5; ++i) {
        node_.run_for(14s); // 70 s in all
        for (std::size_t j = 0; j < 2; ++j) {
            peers_[j].send({});
        }
    }
    EXPECT_EQ(ask(address("192.168.1.10:2000")),
              (std::vector{peers_[1].endpoint, peers_[0].endpoint}));
}

TEST_F(PlainExchange, PP_8_13_a_private_addresses_from_a_public_neighbour_are_not_dialled)
{
    RawPeer& public_one = peers_[9];
    public_one.send({wire::PexResponse{address("192.168.1.77:1000")},
                     wire::PexResponse{address("203.0.113.77:1000")}});
    node_.run_for(2s);
    std::size_t dialled_private = 0;
    std::size_t dialled_public = 0;
    for (Sent const& sent : node_.sent()) {
        dialled_private += sent.to == address("192.168.1.77:1000") ? 1 : 0;
        dialled_public += sent.to == address("203.0.113.77:1000") ? 1 : 0;
    }
    EXPECT_EQ(dialled_private, 0u);
    EXPECT_GT(dialled_public, 0u);
}

TEST_F(Exchange, PP_3_10_1_b_plain_addresses_stay_within_a_private_network)
{
    node_.introduce({}); // a tracker answers
    EXPECT_TRUE(ask(address("198.51.100.7:2000")).empty());
    std::vector<Endpoint> const at_home = ask(address("192.168.1.10:2000"));
    EXPECT_GT(at_home.size(), 2u);
    for (Endpoint const& named : at_home) {
        EXPECT_NE(named.scope(), AddressScope::global) << named.text();
    }
    Endpoint const inside = address("192.168.1.77:1000");
    Endpoint const outside = address("203.0.113.77:1000");
    Endpoint const also_outside = address("203.0.113.78:1000");
    peers_[9].send({wire::PexResponse{also_outside}, wire::PexResponse{inside}}); // 203.0.113.5
    node_.run_for(2s);
    EXPECT_EQ(datagrams_to(inside), 0u);
    peers_[0].send({wire::PexResponse{outside}, wire::PexResponse{inside}}); // 192.168.1.9
    node_.run_for(2s);
    EXPECT_GT(datagrams_to(inside), 0u);
    EXPECT_EQ(datagrams_to(outside), 0u);
    EXPECT_EQ(datagrams_to(also_outside), 0u);
    EXPECT_TRUE(all_of<wire::PexRequest>(peers_[9].take()).empty());
    EXPECT_FALSE(all_of<wire::PexRequest>(peers_[0].take()).empty());
}

/// Who asked for candidates and got no answer.
class LeftAlone : public Exchange {
protected:
    /// Public addresses that are told and believed.
    [[nodiscard]] bool exchanges_public_addresses()
    {
        bool const tells = !ask(address("198.51.100.7:2000")).empty();
        Endpoint const outside = address("203.0.113.77:1000");
        peers_[9].send({wire::PexResponse{outside}}); // 203.0.113.5
        node_.run_for(2s);
        bool const believes = datagrams_to(outside) > 0;
        EXPECT_EQ(tells, believes);
        return believes;
    }
};

TEST_F(LeftAlone, PP_3_10_1_b_where_no_tracker_answers_peers_introduce_each_other)
{
    node_.run_for(1s);
    EXPECT_TRUE(exchanges_public_addresses());
    EXPECT_FALSE(all_of<wire::PexRequest>(peers_[9].take()).empty());
}

TEST_F(LeftAlone, PP_3_10_1_b_a_tracker_that_falls_silent_is_missed_after_a_while)
{
    node_.introduce({});
    node_.run_for(30s);
    EXPECT_TRUE(exchanges_public_addresses());
}

TEST_F(LeftAlone, PP_3_10_1_b_a_tracker_may_be_silent_for_a_few_seconds)
{
    node_.introduce({});
    node_.run_for(10s);
    EXPECT_FALSE(exchanges_public_addresses());
}

TEST_F(LeftAlone, PP_3_10_1_b_a_tracker_that_answers_is_enough_even_if_it_knows_nobody)
{
    for (int i = 0; i < 4; ++i) {
        node_.run_for(5s);
        node_.introduce({});
    }
    EXPECT_FALSE(exchanges_public_addresses());
}

TEST_F(LeftAlone, PP_3_10_1_b_what_a_link_names_is_no_answer)
{
    for (int i = 0; i < 4; ++i) {
        node_.run_for(5s);
        node_.introduce({}, false);
    }
    EXPECT_TRUE(exchanges_public_addresses());
}

TEST_F(LeftAlone, PP_3_10_1_b_a_tracker_that_is_back_ends_it)
{
    node_.run_for(20s);
    node_.introduce({});
    EXPECT_FALSE(exchanges_public_addresses());
}

/// As LeftAlone, and strict.
class StrictAlone : public Exchange {
protected:
    StrictAlone() : Exchange(false, true) {}
};

TEST_F(StrictAlone, PP_3_10_1_b_the_strict_believe_nobody_but_trackers)
{
    node_.run_for(20s);
    EXPECT_TRUE(ask(address("198.51.100.7:2000")).empty());
}

/// Without a tracker that issues them certificates are not believed, and not in the way.
TEST_F(Exchange, a_certificate_of_an_unknown_issuer_introduces_nobody_and_what_follows_it_counts)
{
    auto const issuer = integrity::PrivateKey::generate().value();
    Endpoint const certified = address("192.168.1.76:1000");
    ByteVector const certificate =
        integrity::issue_membership(issuer, certified, node_.id(), node_.utc(), 1h);
    Endpoint const inside = address("192.168.1.77:1000");
    peers_[0].send({wire::PexCertificate{certificate}, wire::PexResponse{inside}});
    node_.run_for(2s);
    EXPECT_EQ(datagrams_to(certified), 0u);
    EXPECT_GT(datagrams_to(inside), 0u);
    EXPECT_EQ(node_.figures().bad_datagrams, 0u);
}

/// Nobody can surround a node with peers of its own, however many it names.
TEST_F(Exchange, PP_3_10_1_b_of_the_neighbours_a_share_is_kept_for_those_whom_a_tracker_named)
{
    auto const dialled = [this](std::uint32_t network) {
        std::size_t count = 0;
        for (std::uint32_t i = 1; i <= 100; ++i) {
            count += datagrams_to(Endpoint::v4(network + i, 1000)) > 0 ? 1 : 0;
        }
        return count;
    };
    constexpr std::uint32_t liars = 0x0a010000;
    constexpr std::uint32_t named_by_tracker = 0x0a020000;
    for (std::uint32_t i = 1; i <= 100; ++i) {
        peers_[0].send({wire::PexResponse{Endpoint::v4(liars + i, 1000)}});
    }
    node_.run_for(1s);
    EXPECT_EQ(dialled(liars), 9u) << "of 14";
    std::vector<Endpoint> tracked;
    for (std::uint32_t i = 1; i <= 30; ++i) {
        tracked.push_back(Endpoint::v4(named_by_tracker + i, 1000));
    }
    node_.introduce(tracked);
    node_.run_for(1s);
    EXPECT_EQ(dialled(liars), 9u);
    EXPECT_EQ(dialled(named_by_tracker), 5u);
}

TEST(PpRules, PP_12_2_3_a_a_source_takes_no_addresses_from_pex)
{
    OneEngine source{{.role = peer::Role::source}};
    source.cut_for(5);
    Endpoint const victim = address("203.0.113.77:1000");
    RawPeer peer{source, address("203.0.113.5:1000")};
    peer.open({wire::PexResponse{victim}});
    for (int i = 0; i < 6; ++i) {
        source.run_for(10s);
        peer.send({wire::PexResponse{victim}});
    }
    for (Sent const& sent : source.sent()) {
        EXPECT_NE(sent.to, victim);
        EXPECT_FALSE(sent.has<wire::PexRequest>());
    }
}

/// A node on the Internet, certified by its tracker, with three neighbours there.
class CertifiedExchange : public ::testing::Test {
protected:
    CertifiedExchange()
    {
        std::uint32_t number = 1;
        for (char const* const text :
             {"203.0.113.5:1000", "203.0.113.6:1000", "[2001:db8::5]:1000"}) {
            peers_.emplace_back(node_, address(text), ChannelId{number++}).open();
        }
        node_.certify(issuer_.swarm_id(), certificate(own_));
    }

    ByteVector certificate(Endpoint const& endpoint) const
    {
        return integrity::issue_membership(issuer_, endpoint, node_.id(), node_.utc(), 1h);
    }
    ByteVector foreign(Endpoint const& endpoint) const
    {
        return integrity::issue_membership(stranger_, endpoint, node_.id(), node_.utc(), 1h);
    }
    void show(RawPeer& peer, std::vector<ByteVector> const& certificates)
    {
        for (ByteVector const& one : certificates) {
            peer.send({wire::PexCertificate{one}});
        }
        node_.run_for(2s);
    }
    bool is_dialled(Endpoint const& to) const
    {
        return std::ranges::any_of(node_.sent(), [&](Sent const& one) { return one.to == to; });
    }
    static std::vector<ByteVector> certificates_in(Datagrams const& datagrams)
    {
        std::vector<ByteVector> found;
        for (wire::PexCertificate const& one : all_of<wire::PexCertificate>(datagrams)) {
            found.emplace_back(one.certificate.begin(), one.certificate.end());
        }
        return found;
    }

    Endpoint own_ = address("198.51.100.1:6778");
    Endpoint newcomer_ = address("203.0.113.77:1000");
    integrity::PrivateKey issuer_ = integrity::PrivateKey::generate().value();
    integrity::PrivateKey stranger_ = integrity::PrivateKey::generate().value();
    OneEngine node_{{}};
    std::deque<RawPeer> peers_;
};

TEST_F(CertifiedExchange, PP_8_13_b_each_neighbour_gets_the_certificate_of_its_neighbour)
{
    ByteVector const first = certificates_in(peers_[0].take_after(100ms)).at(0);
    integrity::OpensslMembershipChecker checker;
    auto const said = checker.check(first, issuer_.swarm_id(), node_.id(), node_.utc());
    ASSERT_TRUE(said.has_value());
    EXPECT_EQ(said->endpoint, own_);
    RawPeer late{node_, newcomer_, ChannelId{77}};
    late.open();
    EXPECT_EQ(certificates_in(late.take_after(100ms)), std::vector<ByteVector>{first});
}

TEST_F(CertifiedExchange, PP_8_13_b_who_asks_gets_the_certificates_of_those_who_showed_them)
{
    ByteVector const of_first = certificate(peers_[0].endpoint);
    ByteVector const of_third = certificate(peers_[2].endpoint);
    show(peers_[0], {of_first});
    show(peers_[1], {certificate(own_)}); // not its own
    show(peers_[2], {of_third});
    static_cast<void>(peers_[1].take());
    peers_[1].send({wire::PexRequest{}});
    Datagrams const answer = peers_[1].take_after(100ms);
    auto shown = certificates_in(answer);
    std::vector expected{of_first, of_third};
    std::ranges::sort(shown);
    std::ranges::sort(expected);
    EXPECT_EQ(shown, expected);
    EXPECT_TRUE(peers_in(answer).empty()) << "plain addresses stay at home";
}

TEST_F(CertifiedExchange, PP_8_13_b_nobody_is_shown_a_certificate_that_has_ended)
{
    ByteVector const of_first = certificate(peers_[0].endpoint); // for an hour
    show(peers_[0], {of_first});
    auto const ask_after = [this](Duration time) {
        for (Duration passed{}; passed < time; passed += 14s) {
            node_.run_for(14s);
            peers_[0].send({});
            peers_[1].send({});
        }
        static_cast<void>(peers_[1].take());
        peers_[1].send({wire::PexRequest{}});
        return certificates_in(peers_[1].take_after(100ms));
    };
    EXPECT_EQ(ask_after(58min), std::vector<ByteVector>{of_first});
    EXPECT_TRUE(ask_after(3min).empty());
}

TEST_F(CertifiedExchange, PP_8_13_b_a_member_is_dialled_and_nobody_else)
{
    Endpoint const expired = address("203.0.113.81:1000");
    Endpoint const tampered = address("203.0.113.82:1000");
    Endpoint const unknown = address("203.0.113.83:1000");
    Endpoint const inside = address("192.168.1.77:1000");
    ByteVector const old =
        integrity::issue_membership(issuer_, expired, node_.id(), node_.utc() - 7'200'000'000, 1h);
    ByteVector changed = certificate(tampered);
    changed.back() ^= 1U;
    show(peers_[0], {old});
    show(peers_[1], {changed});
    show(peers_[2], {foreign(unknown)});
    node_.run_for(30s);
    show(peers_[0], {certificate(inside)});
    EXPECT_FALSE(is_dialled(expired));
    EXPECT_FALSE(is_dialled(tampered));
    EXPECT_FALSE(is_dialled(unknown));
    EXPECT_FALSE(is_dialled(inside)) << "from the Internet";
    show(peers_[1], {certificate(newcomer_)});
    EXPECT_TRUE(is_dialled(newcomer_));
    EXPECT_EQ(node_.figures().bad_datagrams, 0u);
}

TEST_F(CertifiedExchange, PP_12_2_2_a_the_first_bad_certificate_is_the_last_that_is_looked_at)
{
    node_.run_for(20s); // it asked for peers, and asks again
    auto const good = [](std::uint32_t i) { return Endpoint::v4(0xcb007140 + i, 1000); };
    show(peers_[0], {certificate(good(1)), foreign(good(2)), certificate(good(3))});
    EXPECT_TRUE(is_dialled(good(1)));
    EXPECT_FALSE(is_dialled(good(3)));
    // No more than an answer may hold.
    std::vector<ByteVector> many(20, certificate(peers_[2].endpoint));
    many.push_back(certificate(good(4)));
    show(peers_[1], many);
    EXPECT_FALSE(is_dialled(good(4)));
    show(peers_[2], {certificate(good(5))});
    EXPECT_TRUE(is_dialled(good(5)));
}

} // namespace
} // namespace ppsp::test
