#include "peer/shell/backoff.hpp"
#include "peer/shell/candidates.hpp"
#include "peer/shell/own_addresses.hpp"
#include "peer/shell/tracker_answer.hpp"

#include "tests/support/ppstp_peer.hpp"

#include <gtest/gtest.h>

/// What TrackerClient is made of.
namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;
using test::peer_at;

TEST(TrackerAnswer, whose_certificates_are_good_says_no_tracker_that_can_be_imitated)
{
    EXPECT_TRUE(may_certify("tracker.example", true));
    EXPECT_TRUE(may_certify("127.0.0.1", false));
    EXPECT_TRUE(may_certify("localhost", false));
    EXPECT_FALSE(may_certify("tracker.example", false));
    EXPECT_FALSE(may_certify("192.168.1.1", false));
}

TEST(Backoff, is_full_jitter_below_a_doubling_limit)
{
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Backoff backoff{Rng{seed}, 1s};
        Duration limit = 1s;
        for (int i = 0; i < 20; ++i) {
            auto const wait = backoff.next(60s);
            EXPECT_GE(wait, Duration{});
            EXPECT_LE(wait, std::min<Duration>(limit, 60s));
            limit *= limit < 60s ? 2 : 1;
        }
        backoff.reset();
        EXPECT_LE(backoff.next(60s), 1s);
    }
}

TEST(Backoff, spreads_over_the_whole_limit)
{
    int low = 0;
    int high = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        Backoff backoff{Rng{seed}, 8s};
        auto const wait = backoff.next(60s);
        low += wait < 2s ? 1 : 0;
        high += wait > 6s ? 1 : 0;
    }
    EXPECT_GT(low, 60);
    EXPECT_GT(high, 60);
}

TEST(Jitter, stays_within_its_share)
{
    Rng rng{3};
    for (int i = 0; i < 1000; ++i) {
        auto const interval = jittered(rng, 10s, 0.2);
        EXPECT_GE(interval, 8s);
        EXPECT_LE(interval, 12s);
    }
}

TEST(Candidates, one_address_per_peer_and_the_next_one_in_the_next_round)
{
    Candidates candidates{"me", [](Endpoint const& to) { return to.is_v4(); }};
    std::vector<ppstp::PeerInfo> const peers{
        peer_at("a", "10.0.0.1:1", 1), peer_at("a", "1.1.1.1:1", 2), peer_at("a", "[::1]:1", 3),
        peer_at("me", "2.2.2.2:1"),    peer_at("b", "3.3.3.3:1"),    peer_at("c", "4.4.4.4:1"),
        peer_at("d", "3.3.3.3:1")};
    std::vector<Endpoint> const own{*Endpoint::parse("4.4.4.4:1")};
    EXPECT_EQ(candidates.choose(peers, own),
              (std::vector{*Endpoint::parse("1.1.1.1:1"), *Endpoint::parse("3.3.3.3:1")}));
    EXPECT_EQ(candidates.choose(peers, own),
              (std::vector{*Endpoint::parse("10.0.0.1:1"), *Endpoint::parse("3.3.3.3:1")}));
}

TEST(OwnAddresses, a_bound_address_speaks_for_itself)
{
    auto const bound = *Endpoint::parse("127.0.0.5:6778");
    EXPECT_EQ(own_addresses(bound, {*Endpoint::parse("192.0.2.1:7846")}), std::vector{bound});
}

TEST(OwnAddresses, a_tracker_on_loopback_needs_no_other)
{
    EXPECT_EQ(own_addresses(*Endpoint::parse("0.0.0.0:6778"), {*Endpoint::parse("127.0.0.1:1")}),
              std::vector{*Endpoint::parse("127.0.0.1:6778")});
    EXPECT_EQ(own_addresses(*Endpoint::parse("[::]:6778"), {*Endpoint::parse("[::1]:1")}),
              std::vector{*Endpoint::parse("[::1]:6778")});
}

TEST(OwnAddresses, there_is_always_one_and_never_the_wildcard)
{
    auto const list = own_addresses(*Endpoint::parse("[::]:6778"), {});
    ASSERT_FALSE(list.empty());
    for (auto const& endpoint : list) {
        EXPECT_NE(endpoint.scope(), AddressScope::unspecified);
        EXPECT_EQ(endpoint.port(), 6778);
    }
}

} // namespace
} // namespace ppsp::peer
