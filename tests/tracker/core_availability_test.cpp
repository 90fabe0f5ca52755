#include "tracker/registry/live_edge.hpp"

#include <gtest/gtest.h>

namespace ppsp::tracker {
namespace {

constexpr TimePoint start{std::chrono::hours{1}};
constexpr std::uint32_t unit = 32;

/// Chunks of a stream with 20 units a second.
constexpr double speed = 20.0 * unit;

ppstp::ContentMap map_at(std::uint64_t newest_unit, std::uint32_t window_units = 100)
{
    ppstp::ContentMap map;
    map.newest = ChunkId{(newest_unit + 1) * unit - 1};
    map.chunks_per_unit = unit;
    map.window_units = window_units;
    return map;
}

Holding holding(ppstp::ContentMap const& map, TimePoint now = start)
{
    return *Holding::from(map, now);
}

ChunkId first_of(std::uint64_t unit_number)
{
    return ChunkId{unit_number * unit};
}

TEST(Holding, window_and_holes)
{
    auto map = map_at(1000, 100);
    map.holes = {{1, 2}, {10, 1}}; // units 998..999 and 990
    auto const held = holding(map);
    EXPECT_TRUE(held.holds(first_of(1000), start, 0));
    EXPECT_FALSE(held.holds(first_of(999), start, 0));
    EXPECT_FALSE(held.holds(first_of(998), start, 0));
    EXPECT_TRUE(held.holds(first_of(997), start, 0));
    EXPECT_FALSE(held.holds(first_of(990), start, 0));
    EXPECT_TRUE(held.holds(first_of(901), start, 0));
    EXPECT_FALSE(held.holds(first_of(900), start, 0));
    EXPECT_FALSE(held.holds(first_of(1001), start, 0));
}

TEST(Holding, ages_with_the_stream)
{
    auto map = map_at(1000, 100);
    map.holes = {{0, 1}};
    auto const held = holding(map);
    auto const later = start + 5s; // 100 units on
    EXPECT_TRUE(held.holds(first_of(1099), later, speed));
    EXPECT_FALSE(held.holds(first_of(1101), later, speed));
    EXPECT_FALSE(held.holds(first_of(990), later, speed)) << "fell out of the window";
    EXPECT_FALSE(held.holds(first_of(1000), start + 1s, speed)) << "a hole stays where it is";
}

TEST(Holding, maps_that_contradict_themselves)
{
    auto map = map_at(1000);
    map.chunks_per_unit = 0;
    EXPECT_FALSE(Holding::from(map, start).has_value());
    map.chunks_per_unit = 1'000'000;
    EXPECT_FALSE(Holding::from(map, start).has_value());
    map = map_at(1000);
    map.newest = ChunkId{~std::uint64_t{0}};
    EXPECT_FALSE(Holding::from(map, start).has_value());
}

TEST(Holding, numbers_beyond_the_stream_are_cut_or_ignored)
{
    auto map = map_at(10, ~std::uint32_t{0});
    map.holes = {{5, 100}, {~std::uint32_t{0}, ~std::uint32_t{0}}, {3, 0}};
    map.random_access = ChunkId{~std::uint64_t{0}};
    auto const held = holding(map);
    EXPECT_TRUE(held.holes().empty());
    EXPECT_FALSE(held.random_access().has_value());
    EXPECT_TRUE(held.holds(ChunkId{0}, start, 0));
}

TEST(LiveEdge, is_what_the_only_reporter_says)
{
    LiveEdge edge;
    EXPECT_FALSE(edge.reported(start).has_value());
    auto map = map_at(1000);
    map.random_access = first_of(980);
    edge.claim(1, true, holding(map));
    auto const reported = edge.reported(start + 3s);
    ASSERT_TRUE(reported.has_value());
    EXPECT_EQ(reported->newest, map.newest);
    EXPECT_EQ(reported->random_access, first_of(980));
    EXPECT_EQ(reported->chunks_per_unit, unit);
    EXPECT_EQ(reported->age_ms, 3000u);
}

TEST(LiveEdge, follows_the_stream_and_knows_its_speed)
{
    LiveEdge edge;
    for (std::uint64_t i = 0; i < 10; ++i) {
        edge.claim(1, true, holding(map_at(1000 + 200 * i), start + 10s * i));
    }
    EXPECT_NEAR(edge.chunks_per_second(), speed, 1);
    auto const newest = edge.newest_at(start + 95s);
    ASSERT_TRUE(newest.has_value());
    EXPECT_NEAR(static_cast<double>(to_number(*newest)), (1000.0 + 1900) * unit, 2.0 * unit);
}

TEST(LiveEdge, one_liar_does_not_move_it)
{
    LiveEdge edge;
    for (std::uint64_t peer = 1; peer <= 5; ++peer) {
        edge.claim(peer, peer == 1, holding(map_at(1000 - peer)));
    }
    edge.claim(66, false, holding(map_at(900'000'000)));
    EXPECT_EQ(edge.reported(start)->newest, map_at(999).newest);
    edge.claim(67, true, holding(map_at(500'000'000)));
    EXPECT_EQ(edge.reported(start)->newest, map_at(999).newest);
    EXPECT_LT(edge.chunks_per_second(), 2 * speed);
}

TEST(LiveEdge, a_liars_random_access_point_beyond_the_edge_is_not_told)
{
    LiveEdge edge;
    auto map = map_at(1000);
    map.random_access = first_of(990);
    edge.claim(1, true, holding(map));
    edge.claim(2, false, holding(map_at(999)));
    auto lie = map_at(900'000'000);
    lie.random_access = first_of(900'000'000);
    edge.claim(66, false, holding(lie));
    EXPECT_EQ(edge.reported(start)->random_access, first_of(990));
}

TEST(LiveEdge, claims_are_bounded_and_the_source_stays)
{
    LiveEdge edge;
    edge.claim(1, true, holding(map_at(5000)));
    for (std::uint64_t peer = 2; peer < 200; ++peer) {
        edge.claim(peer, false, holding(map_at(4900), start + Duration(peer)));
    }
    EXPECT_EQ(edge.reported(start + 1s)->newest, map_at(5000).newest);
}

TEST(LiveEdge, goes_with_those_who_told_it)
{
    LiveEdge edge;
    edge.claim(1, true, holding(map_at(5000)));
    edge.claim(2, false, holding(map_at(4990), start + 50s));
    edge.expire(start + 70s, 60s);
    EXPECT_EQ(edge.reported(start + 70s)->newest, map_at(4990).newest);
    edge.expire(start + 200s, 60s);
    EXPECT_FALSE(edge.is_known());
    EXPECT_FALSE(edge.newest_at(start + 200s).has_value());
}

TEST(LiveEdge, a_restarted_broadcast_with_lower_numbers_is_followed)
{
    LiveEdge edge;
    edge.claim(1, true, holding(map_at(5000)));
    edge.claim(1, true, holding(map_at(10), start + 10s));
    EXPECT_EQ(edge.reported(start + 10s)->newest, map_at(10).newest);
    EXPECT_EQ(edge.chunks_per_second(), 0);
}

} // namespace
} // namespace ppsp::tracker
