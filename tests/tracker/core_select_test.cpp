#include "tracker/select/choose.hpp"
#include "tracker/select/walk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace ppsp::tracker {
namespace {

using ppstp::Action;
using ppstp::PeerMode;

constexpr TimePoint start{std::chrono::hours{1}};
constexpr TimePoint proven_at = start + 10s;

ppstp::ContentMap map_at(std::uint64_t newest_unit, std::uint32_t window_units = 500)
{
    ppstp::ContentMap map;
    map.newest = ChunkId{(newest_unit + 1) * 32 - 1};
    map.chunks_per_unit = 32;
    map.window_units = window_units;
    return map;
}

TEST(Walk, visits_each_number_once)
{
    Rng rng(7);
    for (std::size_t const count : {0u, 1u, 2u, 3u, 12u, 97u, 1000u}) {
        Walk walk(count, rng);
        std::set<std::size_t> seen;
        while (auto const number = walk.next()) {
            EXPECT_LT(*number, count);
            EXPECT_TRUE(seen.insert(*number).second);
        }
        EXPECT_EQ(seen.size(), count);
    }
}

class Select : public testing::Test {
protected:
    Select() : registry_(limits_) {}

    MemberIndex add(std::string const& id, PeerMode mode = PeerMode::leech,
                    std::vector<std::string> const& addresses = {},
                    std::string const& source = "127.0.0.1:1")
    {
        std::vector<ppstp::PeerAddress> named;
        for (auto const& text : addresses) {
            named.emplace_back().endpoint = *Endpoint::parse(text);
        }
        if (addresses.empty()) {
            named.emplace_back().endpoint =
                Endpoint::v4(0x7f00'0001, static_cast<std::uint16_t>(1000 + next_port_++ % 60'000));
        }
        auto const peer = registry_.register_peer(start, id, *Endpoint::parse(source), named);
        registry_.connect(start, *peer, {{"s", Action::join, mode}});
        return *registry_.find_member(*peer, "s");
    }

    std::vector<ppstp::PeerInfo> infos(std::string const& asker, std::size_t count,
                                       TimePoint now = start)
    {
        Asker const who{registry_.find_peer(asker), *registry_.find_swarm("s"), count};
        return choose_peers(registry_, who, now, rng_);
    }

    std::vector<std::string> choose(std::string const& asker, std::size_t count,
                                    TimePoint now = start)
    {
        std::vector<std::string> ids;
        for (auto const& info : infos(asker, count, now)) {
            ids.push_back(info.peer_id);
        }
        return ids;
    }

    /// Somebody got that much from the peer in the 10 s before `proven_at`.
    void prove(std::string const& id, std::uint64_t kbps)
    {
        auto const witness =
            registry_.register_peer(start, "witness of " + id, *Endpoint::parse("127.0.0.1:1"), {});
        registry_.connect(start, *witness, {{"witnesses", Action::join, PeerMode::leech}});
        auto const address = registry_.peer(registry_.find_peer(id)).addresses[0].endpoint;
        registry_.report(proven_at, *witness, {"s", address, kbps * 1000 / 8 * 10});
    }

    /// In how many of `rounds` answers `asker` learns of a peer.
    int times_told(std::string const& id, std::string const& asker, int rounds = 200)
    {
        int times = 0;
        for (int round = 0; round < rounds; ++round) {
            auto const ids = choose(asker, 12, proven_at);
            times += std::count(ids.begin(), ids.end(), id) > 0;
        }
        return times;
    }

    /// How often each peer is told in `rounds` answers.
    std::map<std::string, int> tally(std::string const& asker, std::size_t count, int rounds)
    {
        std::map<std::string, int> told;
        for (int i = 0; i < rounds; ++i) {
            for (auto const& id : choose(asker, count)) {
                ++told[id];
            }
        }
        return told;
    }

    Limits limits_;
    Registry registry_;
    Rng rng_{42};
    std::uint32_t next_port_ = 0;
};

TEST_F(Select, the_only_peer_gets_an_empty_list)
{
    add("me");
    EXPECT_TRUE(choose("me", 10).empty());
}

TEST_F(Select, P5_never_the_asker_and_nobody_twice)
{
    for (int i = 0; i < 40; ++i) {
        add("p" + std::to_string(i), i % 10 == 0 ? PeerMode::seeder : PeerMode::leech);
    }
    for (int round = 0; round < 50; ++round) {
        auto const ids = choose("p3", 20);
        std::set<std::string> const distinct(ids.begin(), ids.end());
        EXPECT_EQ(ids.size(), 20u);
        EXPECT_EQ(distinct.size(), 20u);
        EXPECT_FALSE(distinct.contains("p3"));
    }
}

TEST_F(Select, a_small_swarm_is_told_in_full)
{
    for (int i = 0; i < 8; ++i) {
        add("p" + std::to_string(i));
    }
    EXPECT_EQ(choose("p0", 20).size(), 7u);
    EXPECT_EQ(choose("p0", 0).size(), 0u);
}

TEST_F(Select, the_count_is_bounded)
{
    for (int i = 0; i < 200; ++i) {
        add("p" + std::to_string(i));
    }
    EXPECT_EQ(choose("p0", 1'000'000).size(), peer_count_max); // RFC 7846 §3.2.2: below 30
}

TEST_F(Select, in_a_small_swarm_a_seeder_comes_first)
{
    for (int i = 0; i < 63; ++i) {
        add("p" + std::to_string(i));
    }
    add("source", PeerMode::seeder);
    for (int round = 0; round < 20; ++round) {
        EXPECT_EQ(choose("p0", 5).front(), "source");
    }
    EXPECT_EQ(choose("p0", 1), std::vector<std::string>{"source"});
}

TEST_F(Select, in_a_large_swarm_the_source_is_told_to_the_ablest)
{
    add("source", PeerMode::seeder);
    for (unsigned i = 0; i < 200; ++i) {
        add("p" + std::to_string(i));
    }
    for (unsigned i = 1; i < 200; ++i) {
        prove("p" + std::to_string(i), 10 * i);
    }
    for (int round = 0; round < 50; ++round) {
        EXPECT_EQ(choose("p199", 20, proven_at).front(), "source");
    }
    EXPECT_EQ(times_told("source", "p0"), 0) << "nothing proven";
    EXPECT_EQ(times_told("source", "p50"), 0);
    EXPECT_EQ(times_told("source", "p100"), 0);
    EXPECT_EQ(choose("p0", 20, proven_at).size(), 20u) << "others are told instead";
    int told = 0;
    for (int i = 0; i < 200; ++i) {
        for (int round = 0; round < 10; ++round) {
            auto const ids = choose("p" + std::to_string(i), 5, proven_at);
            told += static_cast<int>(std::count(ids.begin(), ids.end(), "source"));
        }
    }
    EXPECT_NEAR(told, 240, 80) << "about a tenth of the askers";
}

TEST_F(Select, where_nothing_is_proven_chance_finds_some_for_the_source)
{
    add("source", PeerMode::seeder);
    for (int i = 0; i < 200; ++i) {
        add("p" + std::to_string(i));
    }
    EXPECT_NEAR(times_told("source", "p0", 1000), 120, 60);
}

TEST_F(Select, whom_nobody_else_can_be_told_gets_the_source)
{
    add("source", PeerMode::seeder, {"127.0.0.1:6778", "[::1]:6778"});
    for (unsigned i = 0; i < 100; ++i) {
        add("p" + std::to_string(i));
        prove("p" + std::to_string(i), 1000);
    }
    add("six", PeerMode::leech, {"[::1]:7000"}, "[::1]:1");
    EXPECT_EQ(choose("six", 10, proven_at), std::vector<std::string>{"source"});
}

TEST_F(Select, many_seeders_are_told_to_many)
{
    for (int i = 0; i < 4; ++i) {
        add("seeder" + std::to_string(i), PeerMode::seeder);
    }
    for (unsigned i = 0; i < 250; ++i) {
        add("p" + std::to_string(i));
        prove("p" + std::to_string(i), 10 * i);
    }
    for (int round = 0; round < 20; ++round) {
        EXPECT_TRUE(choose("p0", 5, proven_at).front().starts_with("seeder"));
    }
    add("p250"); // the 64 members for each are full: 4 + 250 + 2
    add("p251");
    EXPECT_TRUE(choose("p0", 5, proven_at).front().starts_with("seeder"));
    add("p252");
    auto const ids = choose("p0", 20, proven_at);
    EXPECT_TRUE(std::none_of(ids.begin(), ids.end(),
                             [](auto const& id) { return id.starts_with("seeder"); }));
}

TEST_F(Select, what_is_proven_is_told_with_the_address)
{
    add("able");
    add("me");
    prove("able", 1500);
    auto const told = infos("me", 10, proven_at);
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].proven_kbps, 1500u);
    EXPECT_EQ(infos("able", 10, proven_at).at(0).proven_kbps, 0u);
}

TEST_F(Select, who_holds_what_the_asker_needs_is_preferred)
{
    registry_.report(start, add("source", PeerMode::seeder), map_at(10'000));
    for (int i = 0; i < 100; ++i) {
        registry_.report(start, add("near" + std::to_string(i)), map_at(9'990));
        registry_.report(start, add("far" + std::to_string(i)), map_at(5'000));
    }
    auto const me = add("me");
    registry_.report(start, me, map_at(9'980));
    int near = 0;
    int far = 0;
    for (auto const& [id, times] : tally("me", 10, 100)) {
        (id.starts_with("near") ? near : far) += id == "source" ? 0 : times;
    }
    EXPECT_GT(near, 7 * far);
    EXPECT_GT(far, 0) << "a fifth is chosen by chance";
}

TEST_F(Select, a_hole_at_the_needed_unit_counts_against_a_peer)
{
    registry_.report(start, add("source", PeerMode::seeder), map_at(10'000));
    auto holed = map_at(9'999);
    holed.holes = {{0, 100}};
    for (int i = 0; i < 30; ++i) {
        registry_.report(start, add("whole" + std::to_string(i)), map_at(9'999));
        registry_.report(start, add("holed" + std::to_string(i)), holed);
    }
    registry_.report(start, add("me"), map_at(9'950));
    int whole = 0;
    int with_hole = 0;
    for (auto const& [id, times] : tally("me", 6, 200)) {
        (id.starts_with("whole") ? whole : with_hole) += id == "source" ? 0 : times;
    }
    EXPECT_GT(whole, 2 * with_hole);
}

TEST_F(Select, proven_uplink_counts_and_words_do_not)
{
    std::vector<std::string> const strong{"strong0", "strong1", "strong2"};
    for (int i = 0; i < 60; ++i) {
        auto const boaster = add("boaster" + std::to_string(i));
        registry_.claim_uplink(boaster, 900'000);
    }
    for (auto const& id : strong) {
        auto const sender = add(id);
        auto const address = registry_.peer(registry_.member(sender).peer).addresses[0].endpoint;
        for (int i = 0; i < 4; ++i) {
            registry_.report(start + 10s * i, registry_.find_peer("boaster0"),
                             {"s", address, 12'500'000});
        }
    }
    add("me");
    auto told = tally("me", 5, 600);
    int boasters = 0;
    for (int i = 0; i < 60; ++i) {
        boasters += told["boaster" + std::to_string(i)];
    }
    int const strong_mean = (told["strong0"] + told["strong1"] + told["strong2"]) / 3;
    EXPECT_GT(strong_mean, 2 * boasters / 60);
}

TEST_F(Select, free_slots_count)
{
    for (int i = 0; i < 40; ++i) {
        ppstp::PeerStatus status;
        status.free_slots = i % 2 == 0 ? 4 : 0;
        registry_.report(add((i % 2 == 0 ? "free" : "full") + std::to_string(i)), status);
    }
    add("me");
    int free = 0;
    int full = 0;
    for (auto const& [id, times] : tally("me", 5, 200)) {
        (id.starts_with("free") ? free : full) += times;
    }
    EXPECT_GT(free, 2 * full);
}

TEST_F(Select, everybody_is_told_at_times)
{
    for (int i = 0; i < 100; ++i) {
        registry_.report(start, add("p" + std::to_string(i)),
                         map_at(100 + 10 * static_cast<unsigned>(i)));
    }
    EXPECT_EQ(tally("p0", 10, 1000).size(), 99u);
}

TEST_F(Select, who_went_silent_is_not_told)
{
    for (int i = 0; i < 10; ++i) {
        add("p" + std::to_string(i));
    }
    for (int i = 0; i < 5; ++i) {
        registry_.touch(start + 30s, registry_.find_peer("p" + std::to_string(i)));
    }
    registry_.expire(start + 61s);
    auto const ids = choose("p0", 20, start + 61s);
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()),
              (std::set<std::string>{"p1", "p2", "p3", "p4"}));
}

TEST_F(Select, a_peer_without_address_is_not_told)
{
    add("me");
    auto const peer = registry_.register_peer(start, "mute", *Endpoint::parse("127.0.0.1:1"), {});
    registry_.connect(start, *peer, {{"s", Action::join, PeerMode::leech}});
    EXPECT_TRUE(choose("me", 10).empty());
}

TEST_F(Select, only_families_that_the_asker_has)
{
    add("v4", PeerMode::leech, {"198.51.100.1:6778"}, "198.51.100.1:1");
    add("v6", PeerMode::leech, {"[2001:db8::2]:6778"}, "[2001:db8::2]:1");
    add("four", PeerMode::leech, {"198.51.100.3:6778"}, "198.51.100.3:1");
    EXPECT_EQ(choose("four", 10), std::vector<std::string>{"v4"});
    add("six", PeerMode::leech, {"[2001:db8::4]:6778"}, "[2001:db8::4]:1");
    EXPECT_EQ(choose("six", 10), std::vector<std::string>{"v6"});
}

TEST_F(Select, a_peer_with_both_families_comes_once_for_each)
{
    add("both", PeerMode::leech, {"127.0.0.1:6778", "[::1]:6778"});
    add("me", PeerMode::leech, {"127.0.0.1:7000", "[::1]:7000"});
    auto const told = infos("me", 10);
    ASSERT_EQ(told.size(), 2u);
    EXPECT_EQ(told[0].peer_id, "both");
    EXPECT_EQ(told[1].peer_id, "both");
    EXPECT_NE(told[0].address.endpoint.is_v4(), told[1].address.endpoint.is_v4());
}

TEST_F(Select, inside_addresses_are_told_inside_only)
{
    add("home", PeerMode::leech, {"192.168.1.5:6778"}, "198.51.100.7:1");
    add("sibling", PeerMode::leech, {"192.168.1.6:6778"}, "198.51.100.7:2");
    add("stranger", PeerMode::leech, {"203.0.113.9:6778"}, "203.0.113.9:1");
    for (auto const& info : infos("sibling", 10)) {
        if (info.peer_id == "home") {
            EXPECT_EQ(info.address.endpoint.text(), "192.168.1.5:6778");
        }
    }
    for (auto const& info : infos("stranger", 10)) {
        EXPECT_FALSE(is_private(info.address.endpoint)) << info.address.endpoint.text();
    }
}

TEST_F(Select, loopback_addresses_do_not_leave_the_machine)
{
    add("here", PeerMode::leech, {"127.0.0.1:6778"});
    add("stranger", PeerMode::leech, {"203.0.113.9:6778"}, "203.0.113.9:1");
    EXPECT_TRUE(choose("stranger", 10).empty());
}

TEST_F(Select, the_same_seed_makes_the_same_choice)
{
    for (int i = 0; i < 300; ++i) {
        add("p" + std::to_string(i));
    }
    rng_ = Rng(5);
    auto const first = choose("p0", 12);
    rng_ = Rng(5);
    EXPECT_EQ(choose("p0", 12), first);
}

} // namespace
} // namespace ppsp::tracker
