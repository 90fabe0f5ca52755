#include "peer/policy/home_substreams.hpp"
#include "peer/policy/neighbour_homes.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace ppsp::peer {
namespace {

constexpr std::size_t many_neighbours = 40;

TimePoint at(Duration time)
{
    return TimePoint{time};
}

std::uint32_t open_substreams(HomeSubstreams const& homes)
{
    std::uint32_t open = 0;
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        open += homes.limit(substream) > 0 ? 1 : 0;
    }
    return open;
}

std::uint32_t homes_of(std::uint32_t places, std::size_t neighbours)
{
    HomeSubstreams homes;
    homes.set(places, neighbours);
    std::uint32_t count = 0;
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        count += homes.contains(substream) ? 1 : 0;
        EXPECT_EQ(homes.limit(substream) > 0, homes.contains(substream) && places > 0);
    }
    return count;
}

TEST(HomeSubstreamsTest, who_has_more_places_has_more_homes)
{
    std::map<std::uint32_t, std::uint32_t> const counts{
        {0, 1},  {1, 1},  {4, 1},  {5, 1},  {6, 2},   {8, 2},   {16, 2}, {17, 3},
        {42, 4}, {43, 4}, {52, 4}, {53, 5}, {146, 7}, {147, 8}, {480, 8}};
    for (auto const& [places, homes] : counts) {
        EXPECT_EQ(homes_of(places, many_neighbours), homes) << places;
    }
}

TEST(HomeSubstreamsTest, few_neighbours_need_more_homes_to_use_all_places)
{
    EXPECT_EQ(homes_of(42, 14), 4u);
    EXPECT_EQ(homes_of(42, 8), 6u);
    EXPECT_EQ(homes_of(42, 2), substreams);
    EXPECT_EQ(homes_of(4, 3), 2u);
    EXPECT_EQ(homes_of(4, 1), 4u);
    EXPECT_EQ(homes_of(4, 0), 4u) << "nobody is known yet";
    EXPECT_EQ(homes_of(100, 0), substreams);
}

TEST(HomeSubstreamsTest, each_home_has_its_share_and_a_quarter_more)
{
    HomeSubstreams homes;
    homes.set(42, many_neighbours);
    EXPECT_EQ(homes.limit(0), 14u); // 42 / 4 * 1.25 = 13.1
    EXPECT_EQ(homes.limit(3), 14u);
    EXPECT_EQ(homes.limit(4), 0u);
    homes.set(1, many_neighbours);
    EXPECT_EQ(homes.limit(0), 2u);
}

TEST(HomeSubstreamsTest, nodes_draw_their_homes_evenly)
{
    constexpr std::uint32_t nodes = 4000;
    std::array<std::uint32_t, substreams> chosen{};
    for (std::uint32_t node = 0; node < nodes; ++node) {
        HomeSubstreams homes{Rng{node}};
        homes.set(8, many_neighbours);
        EXPECT_EQ(open_substreams(homes), 2u);
        for (std::uint32_t substream = 0; substream < substreams; ++substream) {
            chosen[substream] += homes.contains(substream) ? 1 : 0;
        }
    }
    for (std::uint32_t const count : chosen) {
        EXPECT_NEAR(count, nodes * 2 / substreams, 150) << "five standard deviations";
    }
}

TEST(HomeSubstreamsTest, places_that_stay_free_are_for_all_and_first_for_who_asks)
{
    HomeSubstreams homes;
    homes.set(8, many_neighbours);
    homes.review(at(500ms), 8);
    homes.review(at(1s), 7);
    EXPECT_EQ(open_substreams(homes), 2u) << "it was full half a second ago";
    homes.note_refused(4);
    homes.note_refused(6);
    homes.note_refused(6);
    homes.review(at(2s - 1us), 7);
    EXPECT_EQ(open_substreams(homes), 2u) << "once a second";
    homes.review(at(2s), 7);
    EXPECT_EQ(open_substreams(homes), 3u);
    EXPECT_EQ(homes.limit(6), homes.limit(0));
    EXPECT_FALSE(homes.contains(6));
    homes.review(at(3s), 7);
    EXPECT_GT(homes.limit(4), 0u);
    homes.review(at(4s), 7);
    EXPECT_EQ(open_substreams(homes), 5u) << "whoever may ask next";
}

TEST(HomeSubstreamsTest, who_is_full_opens_nothing_and_closes_what_it_opened_last)
{
    HomeSubstreams homes;
    homes.set(8, many_neighbours);
    homes.note_refused(5);
    homes.review(at(1s), 8);
    EXPECT_EQ(open_substreams(homes), 2u);
    homes.review(at(2s), 7);
    EXPECT_EQ(homes.limit(5), 5u) << "free for a second";
    homes.note_refused(7);
    homes.review(at(2500ms), 8);
    homes.review(at(3s), 7);
    EXPECT_EQ(homes.limit(7), 0u) << "it was full half a second ago";
    homes.review(at(4s), 8);
    EXPECT_EQ(homes.limit(5), 0u);
    EXPECT_EQ(open_substreams(homes), 2u) << "the homes stay";
    homes.review(at(5s), 8);
    EXPECT_EQ(open_substreams(homes), 2u);
}

TEST(HomeSubstreamsTest, no_more_are_open_than_there_are)
{
    HomeSubstreams homes;
    homes.set(8, many_neighbours);
    for (int second = 1; second < 20; ++second) {
        for (std::uint32_t substream = 0; substream < substreams; ++substream) {
            homes.note_refused(substream);
        }
        homes.review(at(second * 1s), 0);
    }
    EXPECT_EQ(open_substreams(homes), substreams);
    homes.set(60, 3);
    EXPECT_EQ(open_substreams(homes), substreams);
    EXPECT_EQ(homes.count(), substreams);
    homes.set(8, many_neighbours);
    EXPECT_EQ(open_substreams(homes), 2u);
}

SubstreamSet all_but(std::uint32_t substream)
{
    return SubstreamSet{}.set().reset(substream);
}

/// A node with places for two homes, 0 and 1, of which 1 comes no more from second 10 on.
HomeSubstreams with_barren_home()
{
    HomeSubstreams homes;
    homes.set(8, many_neighbours);
    homes.note_fed(at(9s), SubstreamSet{}.set(), {});
    homes.note_fed(at(10s), all_but(1), {});
    return homes;
}

TEST(HomeSubstreamsTest, a_home_that_brings_nothing_moves_to_where_most_is_asked_for)
{
    HomeSubstreams homes = with_barren_home();
    homes.note_refused(4);
    homes.note_refused(6);
    homes.note_refused(6);
    homes.review(at(10s + HomeSubstreams::barren_max - 1us), 8);
    EXPECT_TRUE(homes.contains(1));
    homes.review(at(10s + HomeSubstreams::barren_max + 1s), 8);
    EXPECT_TRUE(homes.contains(0));
    EXPECT_FALSE(homes.contains(1));
    EXPECT_TRUE(homes.contains(6));
    EXPECT_EQ(homes.limit(1), 0u);
    EXPECT_EQ(homes.count(), 2u);
}

TEST(HomeSubstreamsTest, it_moves_only_to_one_that_comes)
{
    HomeSubstreams homes = with_barren_home();
    homes.note_fed(at(10s), all_but(1).reset(6), {});
    homes.note_refused(4);
    homes.note_refused(6);
    homes.note_refused(6);
    homes.review(at(20s), 8);
    EXPECT_TRUE(homes.contains(4));

    HomeSubstreams starved = with_barren_home();
    starved.note_fed(at(11s), SubstreamSet{}, {});
    starved.review(at(20s), 8);
    EXPECT_TRUE(starved.contains(0) && starved.contains(1)) << "nothing comes: they stay";
}

TEST(HomeSubstreamsTest, a_home_that_came_again_stays)
{
    HomeSubstreams homes = with_barren_home();
    homes.note_fed(at(12s), SubstreamSet{}.set(), {});
    homes.note_fed(at(12500ms), all_but(1), {});
    homes.review(at(15s), 8);
    EXPECT_TRUE(homes.contains(1));
    homes.review(at(16s), 8);
    EXPECT_FALSE(homes.contains(1));
}

TEST(HomeSubstreamsTest, homes_move_one_by_one)
{
    HomeSubstreams homes = with_barren_home();
    homes.note_fed(at(10s), all_but(1).reset(0), {});
    homes.review(at(20s), 8);
    EXPECT_NE(homes.contains(0), homes.contains(1));
    homes.review(at(20500ms), 8);
    EXPECT_NE(homes.contains(0), homes.contains(1)) << "once a second";
    homes.review(at(21s), 8);
    EXPECT_FALSE(homes.contains(0) || homes.contains(1));
    EXPECT_EQ(open_substreams(homes), 2u);
}

TEST(HomeSubstreamsTest, free_places_go_first_to_substreams_that_come)
{
    HomeSubstreams homes;
    homes.set(8, many_neighbours);
    homes.note_fed(at(0s), all_but(6), {});
    homes.note_refused(4);
    homes.note_refused(6);
    homes.note_refused(6);
    homes.review(at(1s), 7);
    EXPECT_GT(homes.limit(4), 0u);
    EXPECT_EQ(homes.limit(6), 0u);
}

SubstreamSet only(std::initializer_list<std::uint32_t> numbers)
{
    SubstreamSet set;
    for (std::uint32_t const number : numbers) {
        set.set(number);
    }
    return set;
}

SubstreamSet homes_in(HomeSubstreams const& homes)
{
    SubstreamSet set;
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        set.set(substream, homes.contains(substream));
    }
    return set;
}

TEST(HomeSubstreamsTest, what_the_source_pushes_is_at_home)
{
    HomeSubstreams homes;
    homes.set(4, many_neighbours);
    EXPECT_EQ(homes_in(homes), only({0}));
    homes.note_fed(at(1s), SubstreamSet{}.set(), only({5}));
    EXPECT_EQ(homes_in(homes), only({5}));
    homes.note_fed(at(2s), SubstreamSet{}.set(), {});
    EXPECT_EQ(homes_in(homes), only({5})) << "and stays there";
}

TEST(HomeSubstreamsTest, in_the_place_of_the_one_that_is_wanted_least)
{
    HomeSubstreams homes;
    homes.set(8, many_neighbours);
    homes.note_refused(0);
    homes.note_fed(at(1s), SubstreamSet{}.set(), only({5}));
    EXPECT_EQ(homes_in(homes), only({0, 5}));
    homes.note_fed(at(2s), SubstreamSet{}.set(), only({5, 6}));
    EXPECT_EQ(homes_in(homes), only({5, 6}));
}

TEST(HomeSubstreamsTest, it_has_more_homes_while_the_source_pushes_more_with_two_places_each)
{
    HomeSubstreams homes;
    homes.set(4, many_neighbours);
    homes.note_fed(at(1s), SubstreamSet{}.set(), only({5, 6, 7}));
    EXPECT_EQ(homes.count(), 2u);
    EXPECT_EQ(homes_in(homes) & only({5, 6, 7}), homes_in(homes));
    EXPECT_EQ(homes.limit(5), 3u) << "4 / 2 * 1.25";
    homes.set(6, many_neighbours);
    EXPECT_EQ(homes_in(homes), only({5, 6, 7}));
    homes.set(1, many_neighbours);
    EXPECT_EQ(homes.count(), 1u);
    EXPECT_EQ(homes_in(homes) & only({5, 6, 7}), homes_in(homes));
    homes.set(4, many_neighbours);
    homes.note_fed(at(2s), SubstreamSet{}.set(), {});
    EXPECT_EQ(homes.count(), 1u);
}

TEST(NeighbourHomesTest, an_announcement_counts_for_a_while)
{
    NeighbourHomes homes;
    EXPECT_FALSE(homes.passes_on(at(1s), PeerKey{1}, 3));
    homes.note(at(1s), PeerKey{1}, 3);
    EXPECT_TRUE(homes.passes_on(at(1s), PeerKey{1}, 3));
    EXPECT_FALSE(homes.passes_on(at(1s), PeerKey{1}, 4));
    EXPECT_FALSE(homes.passes_on(at(1s), PeerKey{2}, 3));
    EXPECT_EQ(homes.weigh(at(1s), PeerKey{1}, 3, 500), 500);
    EXPECT_EQ(homes.weigh(at(1s), PeerKey{1}, 4, 500), 500 * NeighbourHomes::elsewhere);
    TimePoint const end = at(1s + NeighbourHomes::fresh);
    EXPECT_TRUE(homes.passes_on(end - 1us, PeerKey{1}, 3));
    EXPECT_FALSE(homes.passes_on(end, PeerKey{1}, 3));
    homes.note(at(2s), PeerKey{1}, 3);
    EXPECT_TRUE(homes.passes_on(end, PeerKey{1}, 3));
    EXPECT_EQ(homes.size(), 1u);
    homes.forget(PeerKey{1});
    EXPECT_FALSE(homes.passes_on(at(2s), PeerKey{1}, 3));
    EXPECT_EQ(homes.size(), 0u);
}

} // namespace
} // namespace ppsp::peer
