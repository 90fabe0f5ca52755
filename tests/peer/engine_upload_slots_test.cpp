#include "peer/policy/upload_slots.hpp"

#include <gtest/gtest.h>

#include <map>

namespace ppsp::peer {
namespace {

TimePoint at(Duration time)
{
    return TimePoint{time};
}

constexpr double equal_rank = 500;
/// With so few all substreams are at home: each has an equal share of the places.
constexpr std::size_t one_neighbour = 1;

/// Whether each of the peers [first, last] gets a place, one after the other.
std::uint32_t admit_all(UploadSlots& slots, std::uint32_t first, std::uint32_t last,
                        std::uint32_t substream, double rank = equal_rank)
{
    std::uint32_t admitted = 0;
    for (std::uint32_t peer = first; peer <= last; ++peer) {
        admitted += slots.admit(at(1s), PeerKey{peer}, substream, rank) ? 1 : 0;
    }
    return admitted;
}

/// By the peers 1 to 100.
std::uint32_t places_taken(UploadSlots const& slots)
{
    std::uint32_t taken = 0;
    for (std::uint32_t peer = 1; peer <= 100; ++peer) {
        taken += slots.places_of(PeerKey{peer});
    }
    return taken;
}

TEST(UploadSlotsTest, a_source_has_places_in_every_substream)
{
    auto slots = UploadSlots::of_source();
    slots.set_budget(at(1s), 11, one_neighbour);
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        EXPECT_EQ(slots.limit(substream), substream < 3 ? 2u : 1u);
    }
}

TEST(UploadSlotsTest, a_substream_has_its_share_of_the_places_and_a_quarter_more)
{
    UploadSlots slots{HomeSubstreams{}};
    std::map<std::uint32_t, std::uint32_t> const limits{{0, 0},  {1, 2},  {6, 2},  {7, 2}, {8, 2},
                                                        {12, 2}, {13, 3}, {14, 3}, {32, 5}};
    for (auto const& [budget, limit] : limits) {
        slots.set_budget(at(1s), budget, one_neighbour);
        EXPECT_EQ(slots.limit(0), limit) << budget;
    }
    EXPECT_EQ(admit_all(slots, 1, 20, 0), 5u);
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{20}, 1, equal_rank)) << "another substream";
}

TEST(UploadSlotsTest, no_more_places_than_the_budget_are_given)
{
    UploadSlots slots{HomeSubstreams{}};
    slots.set_budget(at(1s), substreams, one_neighbour);
    std::uint32_t taken = 0;
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        EXPECT_EQ(slots.room(at(1s), substream) > 0, taken < substreams);
        (void)admit_all(slots, 1, 4, substream);
        taken = places_taken(slots);
    }
    EXPECT_EQ(taken, substreams);
    EXPECT_EQ(slots.free(at(1s)), 0u);
    EXPECT_EQ(slots.room(at(1s), 7), 0u) << "it has no child, but nothing is left";
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0, equal_rank)) << "who has a place keeps it";
    slots.set_budget(at(1s), 0, one_neighbour);
    EXPECT_TRUE(slots.take_notices().size() >= substreams);
    EXPECT_FALSE(slots.holds(PeerKey{1}, 0));
    EXPECT_FALSE(slots.admit(at(1s + UploadSlots::grace), PeerKey{1}, 0, equal_rank));
}

TEST(UploadSlotsTest, who_loses_its_place_is_told_and_served_for_a_while)
{
    UploadSlots slots{HomeSubstreams{}};
    slots.set_budget(at(1s), 1, one_neighbour);
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0, 100));
    EXPECT_TRUE(slots.take_notices().empty());
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{2}, 0, 5000));
    auto const notices = slots.take_notices();
    ASSERT_EQ(notices.size(), 1u);
    EXPECT_EQ(notices[0].peer, PeerKey{1});
    EXPECT_EQ(notices[0].substream, 0u);
    EXPECT_TRUE(slots.take_notices().empty()) << "told once";
    EXPECT_FALSE(slots.holds(PeerKey{1}, 0));
    EXPECT_TRUE(slots.serves(at(1s), PeerKey{1}, 0));
    Duration const end = 1s + UploadSlots::grace;
    EXPECT_TRUE(slots.serves(at(end - 1us), PeerKey{1}, 0));
    EXPECT_TRUE(slots.serves(at(end - 1us), PeerKey{1}));
    EXPECT_FALSE(slots.serves(at(end), PeerKey{1}, 0)) << "asked or not";
    EXPECT_FALSE(slots.serves(at(end), PeerKey{1}));
    EXPECT_TRUE(slots.admit(at(end - 1us), PeerKey{1}, 0, 100));
    EXPECT_TRUE(slots.admit(at(end - 1us), PeerKey{2}, 0, 5000));
    EXPECT_FALSE(slots.admit(at(end), PeerKey{1}, 0, 100));
    EXPECT_FALSE(slots.serves(at(end), PeerKey{1}, 0));
}

TEST(UploadSlotsTest, places_are_in_the_home_substreams)
{
    UploadSlots slots{HomeSubstreams{}};
    constexpr std::size_t many = 30;
    slots.set_budget(at(0s), 8, many);
    EXPECT_TRUE(slots.passes_on(0) && slots.passes_on(1));
    EXPECT_FALSE(slots.passes_on(2));
    EXPECT_EQ(admit_all(slots, 1, 20, 2), 0u) << "free, and for others";
    EXPECT_EQ(admit_all(slots, 1, 20, 0), 5u);
    EXPECT_EQ(admit_all(slots, 1, 20, 1), 3u) << "what the other one left";
    slots.set_budget(at(0s), 0, many);
    EXPECT_FALSE(slots.passes_on(0)) << "without places";
    EXPECT_TRUE(UploadSlots::of_source().passes_on(7));
}

TEST(UploadSlotsTest, places_that_stay_free_go_to_who_asked_in_vain)
{
    UploadSlots slots{HomeSubstreams{}};
    constexpr std::size_t many = 30;
    slots.set_budget(at(0s), 8, many);
    EXPECT_FALSE(slots.admit(at(1s), PeerKey{1}, 5, equal_rank));
    slots.note_refused(5);
    slots.set_budget(at(HomeSubstreams::review_gap), 8, many);
    EXPECT_TRUE(slots.admit(at(2s), PeerKey{1}, 5, equal_rank));
    EXPECT_FALSE(slots.passes_on(5)) << "as long as it lasts";
}

TEST(UploadSlotsTest, the_list_of_those_that_leave_has_a_limit)
{
    UploadSlots slots{HomeSubstreams{}};
    slots.set_budget(at(1s), UploadSlots::places_max, one_neighbour);
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        (void)admit_all(slots, 1, 60, substream);
    }
    slots.set_budget(at(1s), 0, one_neighbour);
    std::uint32_t served = 0;
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        for (std::uint32_t peer = 1; peer <= 60; ++peer) {
            served += slots.serves(at(1s), PeerKey{peer}, substream) ? 1 : 0;
        }
    }
    EXPECT_EQ(served, UploadSlots::leavers_max);
}

TEST(UploadSlotsTest, a_full_substream_has_no_place_while_others_have)
{
    UploadSlots slots{HomeSubstreams{}};
    slots.set_budget(at(1s), substreams, one_neighbour);
    EXPECT_EQ(admit_all(slots, 1, 2, 0), 2u);
    EXPECT_EQ(slots.room(at(1s), 0), 0u);
    EXPECT_EQ(slots.room(at(1s), 1), 2u);
    EXPECT_EQ(slots.free(at(1s)), substreams - 2);
}

TEST(UploadSlotsTest, there_is_a_most_of_places)
{
    UploadSlots slots{HomeSubstreams{}};
    slots.set_budget(at(1s), 1'000'000, one_neighbour);
    EXPECT_EQ(slots.budget(), UploadSlots::places_max);
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        (void)admit_all(slots, 1, 100, substream);
    }
    EXPECT_EQ(places_taken(slots), UploadSlots::places_max);
}

TEST(UploadSlotsTest, a_child_that_asks_for_nothing_loses_its_place)
{
    UploadSlots slots{HomeSubstreams{}};
    slots.set_budget(at(1s), 1, one_neighbour);
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0, equal_rank));
    EXPECT_TRUE(slots.admit(at(2s), PeerKey{1}, 0, equal_rank));
    Duration const idle = 2s + UploadSlots::idle_max;
    EXPECT_EQ(slots.free(at(idle)), 0u);
    EXPECT_FALSE(slots.admit(at(idle), PeerKey{2}, 0, equal_rank));
    EXPECT_EQ(slots.free(at(idle + 1us)), 1u);
    EXPECT_TRUE(slots.admit(at(idle + 1us), PeerKey{2}, 0, equal_rank));
    EXPECT_FALSE(slots.holds(PeerKey{1}, 0));
    EXPECT_TRUE(slots.holds(PeerKey{2}, 0));
}

TEST(UploadSlotsTest, who_passes_much_more_on_takes_the_place_of_the_least)
{
    UploadSlots slots{HomeSubstreams{}};
    slots.set_budget(at(1s), substreams, one_neighbour);
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0, 1000));
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{2}, 0, 500));
    double const enough = 500 * UploadSlots::preemption_gain;
    EXPECT_FALSE(slots.admit(at(1s), PeerKey{3}, 0, enough)) << "not more than that";
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{3}, 0, enough + 1));
    EXPECT_FALSE(slots.holds(PeerKey{2}, 0));
    EXPECT_TRUE(slots.holds(PeerKey{1}, 0));
}

TEST(UploadSlotsTest, one_place_at_a_time_changes_hands)
{
    UploadSlots slots{HomeSubstreams{}};
    slots.set_budget(at(1s), substreams, one_neighbour);
    EXPECT_EQ(admit_all(slots, 1, 2, 0), 2u);
    EXPECT_EQ(admit_all(slots, 1, 2, 1), 2u);
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{3}, 0, 5000));
    Duration const again = 1s + UploadSlots::preemption_gap;
    EXPECT_FALSE(slots.admit(at(again - 1us), PeerKey{3}, 1, 5000)) << "of any substream";
    EXPECT_TRUE(slots.admit(at(again), PeerKey{3}, 1, 5000));
}

TEST(UploadSlotsTest, the_rank_of_a_child_is_what_was_said_last)
{
    UploadSlots slots{HomeSubstreams{}};
    slots.set_budget(at(1s), 1, one_neighbour);
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0, 100));
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0, 1000));
    EXPECT_FALSE(slots.admit(at(1s), PeerKey{2}, 0, 500));
}

/// Peer 1 has a place in each of the substreams.
void give_all_to_one(UploadSlots& slots)
{
    slots.set_budget(at(1s), 6, one_neighbour); // one a substream
    for (std::uint32_t substream = 0; substream < 6; ++substream) {
        EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, substream, equal_rank));
    }
}

TEST(UploadSlotsTest, among_equals_nobody_gives_way)
{
    UploadSlots slots{HomeSubstreams{}};
    give_all_to_one(slots);
    EXPECT_FALSE(slots.admit(at(1s), PeerKey{2}, 0, equal_rank));
    EXPECT_EQ(slots.places_of(PeerKey{1}), 6u);
}

/// The peer asks for units of the substreams in which it has a place.
void keep_places(UploadSlots& slots, Duration now, PeerKey peer)
{
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        if (slots.holds(peer, substream)) {
            EXPECT_TRUE(slots.admit(at(now), peer, substream, equal_rank));
        }
    }
}

TEST(UploadSlotsTest, a_source_spreads_its_places_over_equals)
{
    auto slots = UploadSlots::of_source();
    give_all_to_one(slots);
    for (std::uint32_t i = 0; i < 6; ++i) {
        Duration const now = 1s + UploadSlots::spread_gap * i;
        keep_places(slots, now, PeerKey{1});
        keep_places(slots, now, PeerKey{2});
        EXPECT_EQ(slots.admit(at(now), PeerKey{2}, i, equal_rank), i < 3) << i;
    }
    EXPECT_EQ(slots.places_of(PeerKey{1}), 3u);
    EXPECT_EQ(slots.places_of(PeerKey{2}), 3u);
}

TEST(UploadSlotsTest, a_source_does_not_hurry_to_spread_its_places)
{
    auto slots = UploadSlots::of_source();
    give_all_to_one(slots);
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{2}, 0, equal_rank));
    Duration const again = 1s + UploadSlots::spread_gap;
    EXPECT_FALSE(slots.admit(at(again - 1us), PeerKey{2}, 1, equal_rank));
    EXPECT_TRUE(slots.admit(at(again), PeerKey{2}, 1, equal_rank));
}

TEST(UploadSlotsTest, a_source_spreads_no_place_to_who_passes_much_less_on)
{
    auto slots = UploadSlots::of_source();
    give_all_to_one(slots);
    double const least = equal_rank / UploadSlots::preemption_gain;
    EXPECT_FALSE(slots.admit(at(1s), PeerKey{2}, 0, least - 1));
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{2}, 0, least));
}

TEST(UploadSlotsTest, a_smaller_budget_takes_from_the_least_of_the_fullest_substream)
{
    UploadSlots slots{HomeSubstreams{}};
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0, 1));
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{2}, 1, 300));
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{3}, 1, 100));
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{4}, 1, 200));
    slots.set_budget(at(1s), 2, one_neighbour);
    EXPECT_TRUE(slots.holds(PeerKey{1}, 0)) << "least of all, but alone in its substream";
    EXPECT_TRUE(slots.holds(PeerKey{2}, 1));
    EXPECT_FALSE(slots.holds(PeerKey{3}, 1));
    EXPECT_FALSE(slots.holds(PeerKey{4}, 1));
}

TEST(UploadSlotsTest, a_place_can_be_given_up_in_one_substream_or_in_all)
{
    UploadSlots slots{HomeSubstreams{}};
    for (std::uint32_t substream = 0; substream < 3; ++substream) {
        EXPECT_EQ(admit_all(slots, 1, 2, substream), 2u);
    }
    slots.release(PeerKey{1}, 1);
    EXPECT_FALSE(slots.holds(PeerKey{1}, 1));
    EXPECT_EQ(slots.places_of(PeerKey{1}), 2u);
    slots.release(PeerKey{1});
    EXPECT_EQ(slots.places_of(PeerKey{1}), 0u);
    EXPECT_EQ(slots.places_of(PeerKey{2}), 3u);
}

} // namespace
} // namespace ppsp::peer
