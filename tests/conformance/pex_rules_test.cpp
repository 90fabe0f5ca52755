#include "tests/conformance/one_engine.hpp"

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
    explicit Exchange(bool plain = false) : node_{options(plain)}
    {
        std::uint32_t number = 1;
        for (char const* const text :
             {"192.168.1.9:1000", "10.1.2.3:1000", "172.16.0.5:1000", "100.64.3.4:1000",
              "169.254.1.1:1000", "127.0.0.1:1000", "[fe80::1]:1000", "[fd00::1]:1000",
              "[::1]:1000", "203.0.113.5:1000", "[2001:db8::5]:1000"}) {
            peers_.emplace_back(node_, address(text), ChannelId{number++}).open();
        }
    }

    static OneEngine::Options options(bool plain)
    {
        OneEngine::Options options;
        options.node.pex_plain = plain;
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

/// Certificates are neither believed nor in the way.
TEST_F(Exchange, a_certificate_introduces_nobody_and_what_follows_it_counts)
{
    std::string const text = "file://192.168.1.76:1000/" + to_hex(node_.id());
    ByteVector const certificate(text.begin(), text.end());
    Endpoint const inside = address("192.168.1.77:1000");
    peers_[0].send({wire::PexCertificate{certificate}, wire::PexResponse{inside}});
    node_.run_for(2s);
    EXPECT_EQ(datagrams_to(address("192.168.1.76:1000")), 0u);
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

} // namespace
} // namespace ppsp::test
