#include "peer/policy/neighbour_choice.hpp"
#include "peer/policy/uplink.hpp"
#include "peer/policy/upload_slots.hpp"

#include <gtest/gtest.h>

#include <map>

namespace ppsp::peer {
namespace {

TimePoint at(Duration time)
{
    return TimePoint{time};
}

TEST(UplinkTest, sends_at_its_limit)
{
    Uplink uplink{8'000'000}; // 1 MB/s
    std::size_t sent = 0;
    for (Duration now = 0ms; now < 10s; now += 1ms) {
        while (uplink.may_send_data(at(now))) {
            uplink.on_sent(at(now), 1000);
            sent += 1000;
        }
    }
    EXPECT_NEAR(static_cast<double>(sent), 10e6, 0.03e6);
    EXPECT_NEAR(static_cast<double>(uplink.measured_bps(at(10s))), 8e6, 0.3e6);
    EXPECT_EQ(uplink.measured_bps(at(20s)), 0u);
}

TEST(UplinkTest, zero_never_sends_and_no_limit_always_does)
{
    Uplink silent{0};
    EXPECT_FALSE(silent.may_send_data(at(1h)));
    EXPECT_FALSE(silent.ready_at(at(1h)).has_value());
    Uplink open{std::nullopt};
    open.on_sent(at(0s), 1'000'000'000);
    EXPECT_TRUE(open.may_send_data(at(0s)));
}

TEST(UplinkTest, says_when_it_is_out_of_debt)
{
    Uplink uplink{8'000'000};
    uplink.on_sent(at(1s), 20'000);
    auto const ready = uplink.ready_at(at(1s));
    ASSERT_TRUE(ready.has_value());
    EXPECT_FALSE(uplink.may_send_data(*ready - 100us));
    EXPECT_TRUE(uplink.may_send_data(*ready));
}

/// As many trains of 1000 bytes as asked for, each at that rate.
void measure(Uplink& uplink, std::int64_t mbps, int trains)
{
    for (int i = 0; i < trains; ++i) {
        uplink.on_spread(1000, Duration{8000 / mbps});
    }
}

/// Datagrams of 1200 bytes that go before DATA has to wait.
int send_until_it_waits(Uplink& uplink, Duration now)
{
    int sent = 0;
    while (sent < 1000 && uplink.may_send_data(at(now))) {
        uplink.on_sent(at(now), 1200);
        ++sent;
    }
    return sent;
}

TEST(UplinkTest, too_few_trains_say_nothing)
{
    Uplink uplink{std::nullopt};
    measure(uplink, 8, 2);
    EXPECT_FALSE(uplink.capacity_bps().has_value());
    EXPECT_TRUE(uplink.may_send_data(at(1s)));
    measure(uplink, 8, 1);
    EXPECT_EQ(uplink.capacity_bps(), 8e6);
}

TEST(UplinkTest, its_capacity_is_the_median_of_the_last_trains)
{
    Uplink uplink{std::nullopt};
    measure(uplink, 1, 100);
    measure(uplink, 4, 15);
    EXPECT_EQ(uplink.capacity_bps(), 1e6) << "16 of 31 say so";
    measure(uplink, 4, 1);
    EXPECT_EQ(uplink.capacity_bps(), 4e6);
}

TEST(UplinkTest, its_capacity_is_cut_to_what_the_user_allows)
{
    Uplink uplink{4'000'000};
    EXPECT_EQ(uplink.capacity_bps(), 4e6);
    measure(uplink, 8, 31);
    EXPECT_EQ(uplink.capacity_bps(), 4e6);
    measure(uplink, 2, 31);
    EXPECT_EQ(uplink.capacity_bps(), 2e6);
}

TEST(UplinkTest, a_queue_lowers_the_share_that_is_used_and_its_absence_raises_it)
{
    Uplink uplink{std::nullopt};
    measure(uplink, 10, 3);
    uplink.on_queue(0ms, 25ms);
    EXPECT_EQ(uplink.capacity_bps(), 10e6) << "no more than all of it";
    uplink.on_queue(50ms, 25ms);
    double const lowered = *uplink.capacity_bps();
    EXPECT_NEAR(lowered, 9.9e6, 1);
    uplink.on_queue(20ms, 25ms);
    EXPECT_EQ(*uplink.capacity_bps(), lowered) << "near the target it stays";
    uplink.on_queue(5ms, 25ms);
    EXPECT_GT(*uplink.capacity_bps(), lowered);
    uplink.on_queue(10s, 25ms);
    EXPECT_GT(*uplink.capacity_bps(), 0.9 * lowered) << "one bad moment costs little";
    for (int i = 0; i < 1000; ++i) {
        uplink.on_queue(10s, 25ms);
    }
    EXPECT_NEAR(*uplink.capacity_bps(), 3e6, 1) << "never less than that";
}

TEST(UplinkTest, is_paced_a_little_below_what_it_measured)
{
    Uplink uplink{std::nullopt};
    measure(uplink, 8, 3);
    double sent = 0;
    for (Duration now = 1s; now < 11s; now += 1ms) {
        while (uplink.may_send_data(at(now))) {
            uplink.on_sent(at(now), 1000);
            sent += 1028; // what the wire carries
        }
    }
    EXPECT_LT(sent, 10e6);
    EXPECT_GT(sent, 9.6e6);
}

TEST(UplinkTest, lets_few_go_at_once_and_a_train_now_and_then)
{
    Uplink uplink{std::nullopt};
    measure(uplink, 8, 3);
    EXPECT_EQ(send_until_it_waits(uplink, 1s), 6) << "enough to measure the uplink";
    EXPECT_EQ(send_until_it_waits(uplink, 1500ms), 3);
    EXPECT_EQ(send_until_it_waits(uplink, 1900ms), 3);
    EXPECT_EQ(send_until_it_waits(uplink, 2s), 6) << "a second later";
}

TEST(UplinkTest, the_users_limit_lets_ten_go_at_once)
{
    Uplink uplink{8'000'000};
    measure(uplink, 2, 31);
    int const sent = send_until_it_waits(uplink, 1s);
    EXPECT_GE(sent, 10);
    EXPECT_LE(sent, 13);
    EXPECT_EQ(send_until_it_waits(uplink, 1s + 600us), 0) << "still in debt";
    EXPECT_EQ(send_until_it_waits(uplink, 2s), sent) << "however it was measured";
}

TEST(UplinkTest, places_in_a_train_count_headers)
{
    Uplink uplink{std::nullopt};
    EXPECT_EQ(uplink.position_bytes(), 0u);
    uplink.on_sent(at(0s), 1000);
    uplink.on_sent(at(0s), 100);
    EXPECT_EQ(uplink.position_bytes(), 1000u + 100u + 2u * 28u);
}

constexpr double equal_rank = 500;

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
    UploadSlots slots{true};
    slots.set_budget(at(1s), 11);
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        EXPECT_EQ(slots.limit(substream), substream < 3 ? 2u : 1u);
    }
}

TEST(UploadSlotsTest, a_substream_has_its_share_of_the_places_and_a_quarter_more)
{
    UploadSlots slots;
    std::map<std::uint32_t, std::uint32_t> const limits{{0, 0},  {1, 1},  {6, 1},  {7, 1}, {8, 2},
                                                        {12, 2}, {13, 2}, {14, 3}, {32, 5}};
    for (auto const& [budget, limit] : limits) {
        slots.set_budget(at(1s), budget);
        EXPECT_EQ(slots.limit(0), limit) << budget;
    }
    EXPECT_EQ(admit_all(slots, 1, 20, 0), 5u);
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{20}, 1, equal_rank)) << "another substream";
}

TEST(UploadSlotsTest, no_more_places_than_the_budget_are_given)
{
    UploadSlots slots;
    slots.set_budget(at(1s), substreams);
    std::uint32_t taken = 0;
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        EXPECT_EQ(slots.has_free(at(1s), substream), taken < substreams);
        (void)admit_all(slots, 1, 4, substream);
        taken = places_taken(slots);
    }
    EXPECT_EQ(taken, substreams);
    EXPECT_EQ(slots.free(at(1s)), 0u);
    EXPECT_FALSE(slots.has_free(at(1s), 7)) << "it has no child, but nothing is left";
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0, equal_rank)) << "who has a place keeps it";
    slots.set_budget(at(1s), 0);
    EXPECT_TRUE(slots.take_notices().size() >= substreams);
    EXPECT_FALSE(slots.holds(PeerKey{1}, 0));
    EXPECT_FALSE(slots.admit(at(1s + UploadSlots::grace), PeerKey{1}, 0, equal_rank));
}

TEST(UploadSlotsTest, who_loses_its_place_is_told_and_served_for_a_while)
{
    UploadSlots slots;
    slots.set_budget(at(1s), 1);
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 3, 100));
    EXPECT_TRUE(slots.take_notices().empty());
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{2}, 3, 5000));
    auto const notices = slots.take_notices();
    ASSERT_EQ(notices.size(), 1u);
    EXPECT_EQ(notices[0].peer, PeerKey{1});
    EXPECT_EQ(notices[0].substream, 3u);
    EXPECT_TRUE(slots.take_notices().empty()) << "told once";
    EXPECT_FALSE(slots.holds(PeerKey{1}, 3));
    EXPECT_TRUE(slots.serves(at(1s), PeerKey{1}, 3));
    Duration const end = 1s + UploadSlots::grace;
    EXPECT_TRUE(slots.serves(at(end - 1us), PeerKey{1}, 3));
    EXPECT_FALSE(slots.serves(at(end), PeerKey{1}, 3)) << "asked or not";
    EXPECT_TRUE(slots.admit(at(end - 1us), PeerKey{1}, 3, 100));
    EXPECT_TRUE(slots.admit(at(end - 1us), PeerKey{2}, 3, 5000));
    EXPECT_FALSE(slots.admit(at(end), PeerKey{1}, 3, 100));
    EXPECT_FALSE(slots.serves(at(end), PeerKey{1}, 3));
}

TEST(UploadSlotsTest, a_substream_with_less_than_its_share_takes_from_the_fullest)
{
    UploadSlots slots;
    slots.set_budget(at(1s), 2 * substreams);
    std::array<std::uint32_t, substreams> const children{3, 3, 3, 3, 2, 2, 0, 0};
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        ASSERT_EQ(admit_all(slots, 1, children[substream], substream), children[substream]);
    }
    Duration const later = 1s + UploadSlots::preemption_gap;
    EXPECT_FALSE(slots.admit(at(later), PeerKey{9}, 0, equal_rank)) << "it has its share";
    double const poor = equal_rank / UploadSlots::preemption_gain - 1;
    EXPECT_FALSE(slots.admit(at(later), PeerKey{9}, substreams - 1, poor)) << "worth much less";
    EXPECT_TRUE(slots.admit(at(later), PeerKey{9}, substreams - 1, equal_rank));
    EXPECT_EQ(slots.take_notices().size(), 1u);
    EXPECT_FALSE(slots.admit(at(later), PeerKey{9}, substreams - 2, equal_rank)) << "one at a time";
}

TEST(UploadSlotsTest, the_list_of_those_that_leave_has_a_limit)
{
    UploadSlots slots;
    slots.set_budget(at(1s), UploadSlots::places_max);
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        (void)admit_all(slots, 1, 60, substream);
    }
    slots.set_budget(at(1s), 0);
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
    UploadSlots slots;
    slots.set_budget(at(1s), substreams);
    EXPECT_EQ(admit_all(slots, 1, 2, 0), 2u);
    EXPECT_FALSE(slots.has_free(at(1s), 0));
    EXPECT_TRUE(slots.has_free(at(1s), 1));
    EXPECT_EQ(slots.free(at(1s)), substreams - 2);
}

TEST(UploadSlotsTest, there_is_a_most_of_places)
{
    UploadSlots slots;
    slots.set_budget(at(1s), 1'000'000);
    EXPECT_EQ(slots.budget(), UploadSlots::places_max);
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        (void)admit_all(slots, 1, 100, substream);
    }
    EXPECT_EQ(places_taken(slots), UploadSlots::places_max);
}

TEST(UploadSlotsTest, a_child_that_asks_for_nothing_loses_its_place)
{
    UploadSlots slots;
    slots.set_budget(at(1s), 1);
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
    UploadSlots slots;
    slots.set_budget(at(1s), substreams);
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
    UploadSlots slots;
    slots.set_budget(at(1s), substreams);
    EXPECT_EQ(admit_all(slots, 1, 2, 0), 2u);
    EXPECT_EQ(admit_all(slots, 1, 2, 1), 2u);
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{3}, 0, 5000));
    Duration const again = 1s + UploadSlots::preemption_gap;
    EXPECT_FALSE(slots.admit(at(again - 1us), PeerKey{3}, 1, 5000)) << "of any substream";
    EXPECT_TRUE(slots.admit(at(again), PeerKey{3}, 1, 5000));
}

TEST(UploadSlotsTest, the_rank_of_a_child_is_what_was_said_last)
{
    UploadSlots slots;
    slots.set_budget(at(1s), 1);
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0, 100));
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0, 1000));
    EXPECT_FALSE(slots.admit(at(1s), PeerKey{2}, 0, 500));
}

/// Peer 1 has a place in each of the substreams.
void give_all_to_one(UploadSlots& slots)
{
    slots.set_budget(at(1s), 6); // one a substream
    for (std::uint32_t substream = 0; substream < 6; ++substream) {
        EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, substream, equal_rank));
    }
}

TEST(UploadSlotsTest, among_equals_nobody_gives_way)
{
    UploadSlots slots;
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
    UploadSlots slots{true};
    give_all_to_one(slots);
    for (std::uint32_t i = 0; i < 6; ++i) {
        Duration const now = 1s + UploadSlots::preemption_gap * i;
        keep_places(slots, now, PeerKey{1});
        keep_places(slots, now, PeerKey{2});
        EXPECT_EQ(slots.admit(at(now), PeerKey{2}, i, equal_rank), i < 3) << i;
    }
    EXPECT_EQ(slots.places_of(PeerKey{1}), 3u);
    EXPECT_EQ(slots.places_of(PeerKey{2}), 3u);
}

TEST(UploadSlotsTest, a_source_spreads_no_place_to_who_passes_much_less_on)
{
    UploadSlots slots{true};
    give_all_to_one(slots);
    double const least = equal_rank / UploadSlots::preemption_gain;
    EXPECT_FALSE(slots.admit(at(1s), PeerKey{2}, 0, least - 1));
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{2}, 0, least));
}

TEST(UploadSlotsTest, a_smaller_budget_takes_from_the_least_of_the_fullest_substream)
{
    UploadSlots slots;
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0, 1));
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{2}, 1, 300));
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{3}, 1, 100));
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{4}, 1, 200));
    slots.set_budget(at(1s), 2);
    EXPECT_TRUE(slots.holds(PeerKey{1}, 0)) << "least of all, but alone in its substream";
    EXPECT_TRUE(slots.holds(PeerKey{2}, 1));
    EXPECT_FALSE(slots.holds(PeerKey{3}, 1));
    EXPECT_FALSE(slots.holds(PeerKey{4}, 1));
}

TEST(UploadSlotsTest, a_place_can_be_given_up_in_one_substream_or_in_all)
{
    UploadSlots slots;
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

TEST(NeighbourChoiceTest, refuses_addresses_nobody_should_send_to)
{
    NeighbourChoice choice{Rng{1}};
    EXPECT_FALSE(choice.add(at(0s), Endpoint::v4(0xe0000001, 80)));
    EXPECT_FALSE(choice.add(at(0s), Endpoint::v4(0, 80)));
    EXPECT_FALSE(choice.add(at(0s), Endpoint::v4(0x0a000001, 0)));
    EXPECT_TRUE(choice.add(at(0s), Endpoint::v4(0x0a000001, 80)));
}

TEST(NeighbourChoiceTest, is_full_at_its_limit_and_failed_ones_give_way)
{
    NeighbourChoice choice{Rng{1}};
    for (std::uint32_t i = 0; i < 200; ++i) {
        choice.add(at(0s), Endpoint::v4(0x0a000000 + i, 80));
    }
    EXPECT_EQ(choice.size(), NeighbourChoice::candidates_max);
    choice.on_failed(at(0s), Endpoint::v4(0x0a000000, 80));
    EXPECT_TRUE(choice.add(at(0s), Endpoint::v4(0x0b000000, 80)));
    EXPECT_EQ(choice.size(), NeighbourChoice::candidates_max);
}

TEST(NeighbourChoiceTest, PP_3_10_1_b_who_peers_name_pushes_out_nobody_whom_a_tracker_named)
{
    using Origin = NeighbourChoice::Origin;
    NeighbourChoice choice{Rng{1}};
    Endpoint const both = Endpoint::v4(0x0a000000, 80);
    for (std::uint32_t i = 0; i < 200; ++i) {
        choice.add(at(0s), Endpoint::v4(0x0a000000 + i, 80), Origin::introduced);
    }
    EXPECT_TRUE(choice.is_introduced(both));
    EXPECT_FALSE(choice.next(at(0s), {}, false).has_value());
    EXPECT_TRUE(choice.add(at(0s), both));
    EXPECT_FALSE(choice.is_introduced(both)) << "a tracker's word is worth more";
    EXPECT_EQ(choice.next(at(0s), {}, false), both);
    for (std::uint32_t i = 1; i < NeighbourChoice::candidates_max; ++i) {
        EXPECT_TRUE(choice.add(at(0s), Endpoint::v4(0x0b000000 + i, 80)));
    }
    EXPECT_EQ(choice.size(), NeighbourChoice::candidates_max);
    EXPECT_FALSE(choice.add(at(0s), Endpoint::v4(0x0c000000, 80), Origin::introduced));
    EXPECT_FALSE(choice.add(at(0s), Endpoint::v4(0x0c000000, 80)));
    choice.on_opened(both);
    EXPECT_FALSE(choice.is_introduced(both));
    choice.on_failed(at(0s), both);
    EXPECT_TRUE(choice.add(at(0s), Endpoint::v4(0x0c000000, 80), Origin::introduced));
    choice.on_opened(Endpoint::v4(0x0c000000, 80));
    EXPECT_TRUE(choice.is_introduced(Endpoint::v4(0x0c000000, 80))) << "it stays what it was";
}

TEST(NeighbourChoiceTest, a_failed_one_waits_longer_each_time_and_a_banned_one_is_not_dialled)
{
    NeighbourChoice choice{Rng{1}};
    Endpoint const peer = Endpoint::v4(0x0a000001, 80);
    choice.add(at(0s), peer);
    EXPECT_EQ(choice.next(at(0s), {}), peer);
    choice.on_failed(at(0s), peer);
    EXPECT_FALSE(choice.next(at(1s), {}).has_value());
    EXPECT_EQ(choice.next(at(3s), {}), peer);
    choice.on_failed(at(3s), peer);
    EXPECT_FALSE(choice.next(at(6s), {}).has_value());
    EXPECT_FALSE(choice.next(at(1h), std::array{peer}).has_value()) << "connected";
    choice.ban(at(1h), peer);
    EXPECT_FALSE(choice.add(at(1h), peer));
    EXPECT_FALSE(choice.banned(at(1h) + NeighbourChoice::ban_time, peer));
    for (std::uint32_t i = 0; i < 1000; ++i) {
        choice.ban(at(1h), Endpoint::v4(i + 1, 1));
    }
    EXPECT_TRUE(choice.banned(at(1h), Endpoint::v4(1000, 1)));
}

TEST(NeighbourChoiceTest, who_was_proven_to_upload_is_dialled_more_often)
{
    NeighbourChoice choice{Rng{1}};
    Endpoint const strong = Endpoint::v4(0x0a000001, 80);
    choice.add(at(0s), strong);
    choice.add(at(0s), Endpoint::v4(0x0a000002, 80));
    choice.note_proven(strong, 2500); // weighs 3000 against 500
    int times = 0;
    for (int i = 0; i < 1000; ++i) {
        times += choice.next(at(0s), {}) == strong ? 1 : 0;
    }
    EXPECT_GT(times, 800);
    EXPECT_LT(times, 910) << "the other one has its chance";
}

TEST(NeighbourChoiceTest, what_was_proven_stays_when_it_is_connected_and_not_of_strangers)
{
    NeighbourChoice choice{Rng{1}};
    Endpoint const peer = Endpoint::v4(0x0a000001, 80);
    choice.note_proven(peer, 900);
    EXPECT_EQ(choice.size(), 0u);
    EXPECT_EQ(choice.proven_kbps(peer), 0u);
    choice.add(at(0s), peer);
    EXPECT_EQ(choice.proven_kbps(peer), 0u);
    choice.note_proven(peer, 900);
    choice.on_failed(at(0s), peer);
    choice.on_opened(peer);
    EXPECT_EQ(choice.next(at(0s), {}), peer) << "its failures are forgotten";
    EXPECT_EQ(choice.proven_kbps(peer), 900u);
}

TEST(NeighbourChoiceTest, whom_we_left_is_not_dialled_soon)
{
    NeighbourChoice choice{Rng{1}};
    Endpoint const peer = Endpoint::v4(0x0a000001, 80);
    choice.add(at(0s), peer);
    choice.on_left(at(1s), peer);
    choice.on_left(at(1s), Endpoint::v4(0x0a000002, 80));
    EXPECT_FALSE(choice.next(at(1s) + NeighbourChoice::leave_time - 1us, {}).has_value());
    EXPECT_EQ(choice.next(at(1s) + NeighbourChoice::leave_time, {}), peer);
}

} // namespace
} // namespace ppsp::peer
