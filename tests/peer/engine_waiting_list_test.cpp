#include "peer/policy/waiting_list.hpp"

#include <gtest/gtest.h>

#include <map>

namespace ppsp::peer {
namespace {

TimePoint at(Duration time)
{
    return TimePoint{time};
}

PeerKey peer(std::uint32_t number)
{
    return PeerKey{number};
}

constexpr std::size_t all = 1000;

std::optional<double> equal(PeerKey)
{
    return 1.0;
}

using Peers = std::vector<PeerKey>;

TEST(WaitingListTest, places_are_offered_to_those_who_asked_in_vain)
{
    WaitingList list;
    EXPECT_EQ(list.invite(at(1s), 3, all, equal), Peers{});
    list.note(at(1s), peer(7), 3);
    list.note(at(1s), peer(8), 4);
    EXPECT_EQ(list.invite(at(1s), 3, all, equal), Peers{peer(7)});
    EXPECT_EQ(list.invite(at(1s), 4, all, equal), Peers{peer(8)});
    EXPECT_EQ(list.invite(at(1s), 5, all, equal), Peers{});
}

TEST(WaitingListTest, no_more_are_invited_than_there_are_places)
{
    WaitingList list;
    for (std::uint32_t number = 1; number <= 5; ++number) {
        list.note(at(1s), peer(number), 0);
    }
    list.note(at(2s), peer(1), 0); // asks again: it keeps its turn
    EXPECT_EQ(list.invite(at(2s), 0, 0, equal), Peers{});
    EXPECT_EQ(list.invite(at(2s), 0, 2, equal), (Peers{peer(1), peer(2)}));
    EXPECT_EQ(list.invite(at(2s), 0, 2, equal), (Peers{peer(3), peer(4)}));
    EXPECT_EQ(list.invite(at(2s), 0, 2, equal), Peers{peer(5)});
}

TEST(WaitingListTest, who_passes_most_on_is_invited_first)
{
    WaitingList list;
    std::map<PeerKey, double> const ranks{{peer(1), 0.0}, {peer(2), 500.0}, {peer(4), 900.0}};
    for (std::uint32_t number = 1; number <= 4; ++number) {
        list.note(at(1s), peer(number), 0);
    }
    auto const rank = [&](PeerKey key) {
        auto const found = ranks.find(key);
        return found == ranks.end() ? std::nullopt : std::optional(found->second);
    };
    EXPECT_EQ(list.invite(at(1s), 0, all, rank), (Peers{peer(4), peer(2), peer(1)}))
        << "3 has no use for a place now";
    EXPECT_EQ(list.invite(at(1s), 0, all, equal), Peers{peer(3)}) << "and was not invited";
}

TEST(WaitingListTest, who_does_not_answer_is_passed_over_for_a_while)
{
    WaitingList list;
    list.note(at(1s), peer(1), 0);
    EXPECT_EQ(list.invite(at(1s), 0, 1, equal), Peers{peer(1)});
    EXPECT_EQ(list.invite(at(1s + WaitingList::answer_max - 1us), 0, 1, equal), Peers{});
    EXPECT_EQ(list.invite(at(1s + WaitingList::answer_max), 0, 1, equal), Peers{peer(1)});
}

TEST(WaitingListTest, who_asked_long_ago_waits_no_more)
{
    WaitingList list;
    list.note(at(1s), peer(1), 0);
    list.note(at(1s), peer(2), 0);
    list.note(at(2s), peer(2), 0);
    EXPECT_EQ(list.invite(at(1s + WaitingList::patience), 0, 1, equal), Peers{peer(1)});
    EXPECT_EQ(list.invite(at(2s + WaitingList::patience), 0, all, equal), Peers{peer(2)});
    EXPECT_EQ(list.size(), 1u);
}

TEST(WaitingListTest, who_got_a_place_or_left_waits_no_more)
{
    WaitingList list;
    for (std::uint32_t substream = 0; substream < 3; ++substream) {
        list.note(at(1s), peer(1), substream);
        list.note(at(1s), peer(2), substream);
    }
    list.remove(peer(1), 1);
    EXPECT_EQ(list.invite(at(1s), 1, all, equal), Peers{peer(2)});
    EXPECT_EQ(list.invite(at(1s), 0, all, equal), (Peers{peer(1), peer(2)}));
    list.forget(peer(2));
    EXPECT_EQ(list.size(), 2u);
    EXPECT_EQ(list.invite(at(1s), 2, all, equal), Peers{peer(1)});
}

TEST(WaitingListTest, it_has_a_limit)
{
    WaitingList list;
    auto const most = static_cast<std::uint32_t>(WaitingList::waiters_max);
    for (std::uint32_t number = 1; number <= most + 1; ++number) {
        list.note(at(1s), peer(number), number % substreams);
    }
    EXPECT_EQ(list.size(), WaitingList::waiters_max);
    Peers const first = list.invite(at(1s), 1, 2, equal);
    EXPECT_EQ(first, (Peers{peer(1 + substreams), peer(1 + 2 * substreams)}))
        << "who waited longest gave way";
}

} // namespace
} // namespace ppsp::peer
