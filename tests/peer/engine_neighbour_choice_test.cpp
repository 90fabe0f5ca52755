#include "peer/policy/neighbour_choice.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

TimePoint at(Duration time)
{
    return TimePoint{time};
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

TEST(NeighbourChoiceTest, whom_no_tracker_has_named_for_longest_gives_way_to_a_newcomer)
{
    NeighbourChoice choice{Rng{1}};
    auto const peer = [](std::uint32_t number) { return Endpoint::v4(0x0a000000 + number, 80); };
    for (std::uint32_t i = 0; i < NeighbourChoice::candidates_max; ++i) {
        choice.add(at(Duration{1s} * i), peer(i));
        choice.note_proven(peer(i), 1000 + i);
    }
    choice.add(at(100s), peer(0));                                      // named again
    choice.add(at(101s), peer(1), NeighbourChoice::Origin::introduced); // by nobody we trust
    EXPECT_TRUE(choice.add(at(102s), peer(1000)));
    EXPECT_EQ(choice.size(), NeighbourChoice::candidates_max);
    EXPECT_EQ(choice.proven_kbps(peer(0)), 1000u);
    EXPECT_EQ(choice.proven_kbps(peer(1)), 0u) << "gone";
    EXPECT_EQ(choice.proven_kbps(peer(2)), 1002u);
}

TEST(NeighbourChoiceTest, only_those_who_were_proven_to_upload_so_much)
{
    NeighbourChoice choice{Rng{1}};
    Endpoint const strong = Endpoint::v4(0x0a000001, 80);
    choice.add(at(0s), strong);
    choice.add(at(0s), Endpoint::v4(0x0a000002, 80));
    EXPECT_FALSE(choice.next(at(0s), {}, true, 2500).has_value());
    choice.note_proven(strong, 2500);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(choice.next(at(0s), {}, true, 2500), strong);
    }
    EXPECT_FALSE(choice.next(at(0s), {}, true, 2501).has_value());
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
