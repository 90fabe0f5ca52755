#include "tracker/registry/registry.hpp"

#include <gtest/gtest.h>

#include <malloc.h>

namespace ppsp::tracker {
namespace {

using ppstp::Action;
using ppstp::PeerMode;

constexpr TimePoint start{std::chrono::hours{1}};

Endpoint loopback(std::uint32_t port = 40'000)
{
    return Endpoint::v4(0x7f00'0001, static_cast<std::uint16_t>(port));
}

ppstp::PeerAddress named(Endpoint endpoint)
{
    ppstp::PeerAddress address;
    address.endpoint = endpoint;
    return address;
}

ppstp::ContentMap map_at(std::uint64_t newest_unit)
{
    ppstp::ContentMap map;
    map.newest = ChunkId{(newest_unit + 1) * 32 - 1};
    map.chunks_per_unit = 32;
    map.window_units = 500;
    return map;
}

class RegistryTest : public testing::Test {
protected:
    RegistryTest() : registry_(limits_) {}

    PeerIndex add(std::string const& id, std::string const& swarm = "s",
                  PeerMode mode = PeerMode::leech, TimePoint now = start,
                  Endpoint source = loopback())
    {
        auto const port = 1000 + static_cast<std::uint32_t>(registry_.peer_count() % 60'000);
        auto const peer = registry_.register_peer(
            now, id, source,
            {named(Endpoint::v6(source.v6_address(), static_cast<std::uint16_t>(port)))});
        EXPECT_TRUE(peer.has_value());
        if (!peer) {
            return no_peer;
        }
        registry_.connect(now, *peer, {{swarm, Action::join, mode}});
        return registry_.find_peer(id);
    }

    Swarm const& swarm(std::string const& id = "s")
    {
        return registry_.swarm(*registry_.find_swarm(id));
    }
    std::size_t count(Tier tier) { return swarm().tier(tier).size(); }
    MemberIndex member(PeerIndex peer) { return *registry_.find_member(peer, "s"); }

    Limits limits_;
    Registry registry_;
};

TEST_F(RegistryTest, S2_3_1_a_new_peer_is_registered_and_then_tracked)
{
    auto const peer = registry_.register_peer(start, "p", loopback(), {});
    ASSERT_TRUE(peer.has_value());
    EXPECT_EQ(registry_.peer(*peer).state, PeerState::peer_registered);
    auto const outcome = registry_.connect(start, *peer, {{"s", Action::join, PeerMode::leech}});
    EXPECT_TRUE(outcome.verdict.is_valid);
    EXPECT_EQ(registry_.peer(*peer).state, PeerState::tracking);
    EXPECT_EQ(swarm().size(), 1u);
}

TEST_F(RegistryTest, S2_3_2_a_a_registration_without_a_valid_action_is_removed)
{
    auto const peer = registry_.register_peer(start, "p", loopback(), {});
    registry_.connect(start, *peer, {{"s", Action::leave, PeerMode::leech}});
    EXPECT_EQ(registry_.peer_count(), 0u);
    EXPECT_EQ(registry_.find_peer("p"), no_peer);
}

TEST_F(RegistryTest, the_init_timer_ends_a_registration_that_goes_nowhere)
{
    EXPECT_TRUE(registry_.register_peer(start, "p", loopback(), {}).has_value());
    registry_.expire(start + limits_.init_timer - 1us);
    EXPECT_EQ(registry_.peer_count(), 1u);
    registry_.expire(start + limits_.init_timer);
    EXPECT_EQ(registry_.peer_count(), 0u);
}

TEST_F(RegistryTest, S2_3_2_d_the_track_timer_removes_a_peer_from_all_swarms)
{
    auto const peer = registry_.register_peer(start, "p", loopback(), {});
    registry_.connect(
        start, *peer,
        {{"a", Action::join, PeerMode::seeder}, {"b", Action::join, PeerMode::seeder}});
    EXPECT_EQ(registry_.swarm_count(), 2u);
    registry_.expire(start + limits_.track_timer - 1us);
    EXPECT_EQ(registry_.peer_count(), 1u);
    registry_.expire(start + limits_.track_timer);
    EXPECT_EQ(registry_.peer_count(), 0u);
    EXPECT_EQ(registry_.swarm_count(), 0u);
    EXPECT_EQ(registry_.expired_count(), 1u);
}

TEST_F(RegistryTest, S2_3_1_b_a_message_restarts_the_track_timer)
{
    auto const peer = add("p");
    registry_.touch(start + 90s, peer);
    registry_.expire(start + 150s);
    EXPECT_EQ(registry_.peer_count(), 1u);
    registry_.expire(start + 190s);
    EXPECT_EQ(registry_.peer_count(), 0u);
}

TEST_F(RegistryTest, a_silent_peer_is_hidden_until_it_speaks)
{
    auto const peer = add("p");
    EXPECT_EQ(count(Tier::unknown), 1u);
    registry_.expire(start + limits_.silent_after);
    EXPECT_EQ(count(Tier::hidden), 1u);
    EXPECT_EQ(swarm().visible_count(), 0u);
    registry_.touch(start + 61s, peer);
    EXPECT_EQ(count(Tier::unknown), 1u);
}

TEST_F(RegistryTest, timers_run_in_order_whoever_speaks)
{
    for (int i = 0; i < 50; ++i) {
        add("p" + std::to_string(i), "s", PeerMode::leech, start + 1s * i);
    }
    for (int i = 0; i < 50; i += 2) {
        registry_.touch(start + 60s, registry_.find_peer("p" + std::to_string(i)));
    }
    registry_.expire(start + 149s);
    EXPECT_EQ(registry_.peer_count(), 25u);
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(registry_.find_peer("p" + std::to_string(i)) == no_peer, i % 2 == 1) << i;
    }
}

TEST_F(RegistryTest, members_are_removed_without_touching_the_others)
{
    std::vector<PeerIndex> peers;
    for (int i = 0; i < 100; ++i) {
        peers.push_back(add("p" + std::to_string(i)));
    }
    for (int i = 0; i < 100; i += 3) {
        registry_.connect(start, peers[static_cast<std::size_t>(i)],
                          {{"s", Action::leave, PeerMode::leech}});
    }
    EXPECT_EQ(swarm().size(), 66u);
    for (std::size_t position = 0; position < swarm().visible_count(); ++position) {
        auto const index = swarm().visible(position);
        auto const& owner = registry_.peer(registry_.member(index).peer);
        EXPECT_EQ(owner.memberships, std::vector{index});
        EXPECT_NE(std::stoi(owner.id->substr(1)) % 3, 0);
    }
}

TEST_F(RegistryTest, an_empty_swarm_is_forgotten)
{
    auto const peer = add("p");
    registry_.connect(start, peer, {{"s", Action::leave, PeerMode::leech}});
    EXPECT_EQ(registry_.swarm_count(), 0u);
    EXPECT_FALSE(registry_.find_swarm("s").has_value());
}

TEST_F(RegistryTest, a_refresh_renews_the_addresses)
{
    auto const peer = add("p");
    ASSERT_TRUE(
        registry_.register_peer(start + 5s, "p", loopback(), {named(loopback(7))}).has_value());
    ASSERT_EQ(registry_.peer(peer).addresses.size(), 1u);
    EXPECT_EQ(registry_.peer(peer).addresses[0].endpoint, loopback(7));
    EXPECT_EQ(registry_.peer_count(), 1u);
}

TEST_F(RegistryTest, nobody_takes_over_a_peer_id_that_is_in_use)
{
    add("p", "s", PeerMode::leech, start, *Endpoint::parse("198.51.100.7:1"));
    auto const thief = *Endpoint::parse("203.0.113.9:1");
    auto const stolen = registry_.register_peer(start + 10s, "p", thief, {named(thief)});
    ASSERT_FALSE(stolen.has_value());
    EXPECT_EQ(stolen.error(), RegistryError::id_in_use);
    // A peer whose network changed comes back as soon as its old address went quiet.
    EXPECT_TRUE(registry_.register_peer(start + 30s, "p", thief, {named(thief)}).has_value());
}

TEST_F(RegistryTest, peers_are_bounded)
{
    limits_.peers_max = 50;
    for (int i = 0; i < 50; ++i) {
        add("p" + std::to_string(i));
    }
    auto const refused = registry_.register_peer(start, "one more", loopback(), {});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error(), RegistryError::too_many_peers);
    EXPECT_TRUE(registry_.register_peer(start, "p7", loopback(), {}).has_value()) << "a refresh";
    registry_.expire(start + 100s);
    EXPECT_TRUE(registry_.register_peer(start + 100s, "one more", loopback(), {}).has_value());
}

TEST_F(RegistryTest, peers_of_one_address_are_bounded_but_not_on_loopback)
{
    limits_.peers_per_address_max = 10;
    auto const source = *Endpoint::parse("198.51.100.7:1");
    for (int i = 0; i < 10; ++i) {
        add("p" + std::to_string(i), "s", PeerMode::leech, start, source);
        add("l" + std::to_string(i));
    }
    auto const refused = registry_.register_peer(start, "x", source, {});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error(), RegistryError::too_many_from_address);
    EXPECT_TRUE(registry_.register_peer(start, "l10", loopback(), {}).has_value());
    limits_.limits_loopback = true;
    EXPECT_FALSE(registry_.register_peer(start, "l11", loopback(), {}).has_value());
    registry_.expire(start + 100s);
    EXPECT_TRUE(registry_.register_peer(start + 100s, "x", source, {}).has_value());
}

TEST_F(RegistryTest, swarms_are_bounded)
{
    limits_.swarms_max = 5;
    for (int i = 0; i < 5; ++i) {
        add("p" + std::to_string(i), "s" + std::to_string(i));
    }
    auto const peer = registry_.register_peer(start, "x", loopback(), {});
    auto const outcome = registry_.connect(start, *peer, {{"s5", Action::join, PeerMode::leech}});
    EXPECT_TRUE(outcome.hit_limit);
    EXPECT_FALSE(outcome.verdict.is_valid);
    EXPECT_EQ(registry_.find_peer("x"), no_peer);
    EXPECT_EQ(registry_.swarm_count(), 5u);
}

TEST_F(RegistryTest, members_stand_where_their_content_map_puts_them)
{
    auto const source = add("source", "s", PeerMode::seeder);
    registry_.report(start, member(source), map_at(1000));
    registry_.report(start, member(add("new")), map_at(990));
    registry_.report(start, member(add("late")), map_at(850));
    registry_.report(start, member(add("far")), map_at(100));
    add("silent about it");
    EXPECT_EQ(count(Tier::seeder), 1u);
    EXPECT_EQ(count(Tier::near), 1u);
    EXPECT_EQ(count(Tier::mid), 1u);
    EXPECT_EQ(count(Tier::far), 1u);
    EXPECT_EQ(count(Tier::unknown), 1u);
    EXPECT_EQ(swarm().edge.reported(start)->newest, map_at(1000).newest);
    auto const index = *registry_.find_swarm("s");
    EXPECT_EQ(registry_.holder_count(index, map_at(985).newest, start, 100), 2u);
    EXPECT_EQ(registry_.holder_count(index, map_at(840).newest, start, 100), 3u);
    EXPECT_EQ(registry_.holder_count(index, map_at(999).newest, start, 100), 1u);
}

TEST_F(RegistryTest, a_viewer_stays_near_between_reports)
{
    auto const source = add("source", "s", PeerMode::seeder);
    auto const viewer = add("viewer");
    for (int i = 0; i < 4; ++i) {
        auto const now = start + 10s * i;
        registry_.report(now, member(source), map_at(1000 + 200 * static_cast<unsigned>(i)));
        // The viewer reports 5 s later, 100 units on, 20 units behind.
        registry_.report(now + 5s, member(viewer), map_at(1080 + 200 * static_cast<unsigned>(i)));
    }
    EXPECT_EQ(count(Tier::near), 1u);
}

TEST_F(RegistryTest, receipts_prove_an_uplink)
{
    auto const sender = add("sender");
    auto const receiver = add("receiver");
    auto const address = registry_.peer(sender).addresses[0].endpoint;
    for (int i = 1; i < 6; ++i) {
        registry_.report(start + 10s * i, receiver, {"s", address, 1'250'000});
        registry_.report(start + 10s * i, sender, {"s", address, 99'000'000});      // about itself
        registry_.report(start + 10s * i, receiver, {"s", loopback(9), 1'250'000}); // nobody
    }
    EXPECT_NEAR(registry_.peer(sender).uplink.proven_kbps(), 1000, 300);
    EXPECT_EQ(registry_.peer(receiver).uplink.proven_kbps(), 0u);
}

TEST_F(RegistryTest, the_first_report_of_a_joiners_receiver_proves_its_uplink)
{
    auto const receiver = add("receiver", "s", PeerMode::leech, start - 60s);
    auto const sender = add("sender");
    auto const address = registry_.peer(sender).addresses[0].endpoint;
    registry_.report(start + 5s, receiver, {"s", address, 1'250'000});
    EXPECT_NEAR(registry_.peer(sender).uplink.proven_kbps(), 2000, 20);
}

TEST_F(RegistryTest, one_accomplice_is_believed_once_however_often_it_speaks)
{
    auto const accomplice = add("accomplice");
    auto const sender = add("sender");
    auto const address = registry_.peer(sender).addresses[0].endpoint;
    for (int i = 0; i < 600; ++i) {
        registry_.report(start + 100ms * i, accomplice, {"s", address, 99'000'000});
        EXPECT_LE(registry_.peer(sender).uplink.proven_kbps(), 32'000u);
    }
}

TEST_F(RegistryTest, one_public_host_cannot_vouch_for_itself)
{
    auto const host = *Endpoint::parse("198.51.100.7:1");
    auto const sender = add("sender", "s", PeerMode::leech, start, host);
    auto const accomplice = add("accomplice", "s", PeerMode::leech, start, host);
    auto const address = registry_.peer(sender).addresses[0].endpoint;
    for (int i = 0; i < 5; ++i) {
        registry_.report(start + 10s * i, accomplice, {"s", address, 1'250'000});
    }
    EXPECT_EQ(registry_.peer(sender).uplink.proven_kbps(), 0u);
}

TEST_F(RegistryTest, G8_a_peer_costs_at_most_one_kib)
{
    if (mallinfo2().uordblks == 0) {
        GTEST_SKIP() << "a sanitizer's allocator does not tell";
    }
    constexpr std::size_t peers = 20'000;
    auto const before = mallinfo2().uordblks;
    for (std::size_t i = 0; i < peers; ++i) {
        auto id = std::to_string(i);
        id.insert(0, 40 - id.size(), '0');
        auto const source = Endpoint::v4(static_cast<std::uint32_t>(0x0b00'0000 + i), 1);
        registry_.report(start,
                         *registry_.find_member(add(id, "s", PeerMode::leech, start, source), "s"),
                         map_at(1000));
    }
    EXPECT_EQ(registry_.peer_count(), peers);
    EXPECT_LE((mallinfo2().uordblks - before) / peers, 1024u);
    RecordProperty("bytes_per_peer", static_cast<int>((mallinfo2().uordblks - before) / peers));
}

} // namespace
} // namespace ppsp::tracker
