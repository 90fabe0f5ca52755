#include "peer/policy/first_copies.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace ppsp::peer {
namespace {

constexpr std::uint32_t chunks = 8;
constexpr PeerKey mute{1};
constexpr PeerKey honest{2};
constexpr PeerKey ann{3};
constexpr PeerKey bob{4};

ChunkMask bit(std::uint32_t chunk)
{
    return ChunkMask{1} << chunk;
}

class FirstCopiesTest : public ::testing::Test {
protected:
    /// Who is distrusted when the next unit goes to `child`.
    std::optional<PeerKey> place(PeerKey child) { return place(std::vector{child}); }
    std::optional<PeerKey> place(std::vector<PeerKey> const& children)
    {
        now_ += 50ms;
        return copies_.placed(now_, next_++, children, chunks);
    }

    /// The newest unit is pulled; how many of its chunks leave like new ones.
    std::uint32_t pull(PeerKey asker, std::uint32_t first = 0, std::uint32_t end = chunks,
                       bool blames = true)
    {
        std::uint32_t replaced = 0;
        for (std::uint32_t chunk = first; chunk < end; ++chunk) {
            replaced += copies_.replace(next_ - 1, bit(chunk), asker, blames) ? 1 : 0;
        }
        return replaced;
    }

    void save_credit()
    {
        for (int unit = 0; unit < 16; ++unit) {
            EXPECT_EQ(place(honest), std::nullopt);
        }
    }

    /// Eight substreams, the mute one has a place in one; until it is distrusted or for 20 rounds.
    template <typename Pull>
    int rounds_until_distrusted(Pull pull_of_round)
    {
        for (int round = 0; round < 20; ++round) {
            for (int substream = 0; substream < 8; ++substream) {
                if (auto const failed = place(substream == 0 ? mute : honest)) {
                    EXPECT_EQ(failed, mute);
                    return round;
                }
                if (substream == 0) {
                    pull_of_round(round);
                }
            }
        }
        return 20;
    }

    FirstCopies copies_;
    TimePoint now_{};
    UnitIndex next_ = 0;
};

TEST_F(FirstCopiesTest, what_is_pulled_leaves_once_more_like_new_and_once_only)
{
    save_credit();
    place(mute);
    EXPECT_EQ(copies_.child(next_ - 1), mute);
    EXPECT_EQ(pull(ann, 0, 3), 3u);
    EXPECT_EQ(pull(bob), chunks - 3) << "the first three are on their way";
    EXPECT_EQ(pull(ann), 0u);
}

TEST_F(FirstCopiesTest, the_child_itself_gets_no_second_one)
{
    save_credit();
    place(mute);
    EXPECT_EQ(pull(mute), 0u);
    EXPECT_EQ(pull(ann), chunks);
}

TEST_F(FirstCopiesTest, a_unit_that_went_to_nobody_leaves_like_new_when_it_is_pulled)
{
    save_credit();
    place(std::vector<PeerKey>{});
    EXPECT_EQ(pull(ann), chunks);
}

TEST_F(FirstCopiesTest, a_unit_that_went_to_two_is_left_to_them)
{
    save_credit();
    place({mute, honest});
    EXPECT_EQ(copies_.child(next_ - 1), std::nullopt);
    EXPECT_EQ(pull(ann), 0u);
}

TEST_F(FirstCopiesTest, old_units_and_unknown_ones_are_ordinary_pulls)
{
    save_credit();
    UnitIndex const old = next_ - 1;
    for (std::size_t unit = 0; unit < FirstCopies::units_max; ++unit) {
        EXPECT_TRUE(copies_.child(old).has_value());
        place(honest);
    }
    EXPECT_FALSE(copies_.child(old).has_value());
    EXPECT_FALSE(copies_.replace(old, bit(0), ann, true));
    EXPECT_FALSE(copies_.replace(next_ + 7, bit(0), ann, true));
}

TEST_F(FirstCopiesTest, a_share_of_the_stream_may_leave_again)
{
    save_credit();
    std::uint32_t replaced = 0;
    constexpr int units = 200;
    for (int unit = 0; unit < units; ++unit) {
        place(honest);
        replaced += pull(ann);
    }
    EXPECT_LE(replaced, (FirstCopies::share * units + FirstCopies::saved_units_max) * chunks);
    EXPECT_GE(replaced, FirstCopies::share * units * chunks);
}

TEST_F(FirstCopiesTest, whose_units_are_pulled_again_and_again_is_not_trusted_for_a_while)
{
    save_credit();
    int const rounds =
        rounds_until_distrusted([&](int round) { pull(round % 2 == 0 ? ann : bob); });
    EXPECT_EQ(rounds, FirstCopies::failures_max - 1 + 4) << "a unit is judged 32 units later";
    EXPECT_TRUE(copies_.distrusts(now_, mute));
    EXPECT_FALSE(copies_.distrusts(now_, honest));
    EXPECT_FALSE(copies_.distrusts(now_ + FirstCopies::distrust, mute));
}

TEST_F(FirstCopiesTest, losses_are_no_failures)
{
    EXPECT_EQ(rounds_until_distrusted([&](int round) { pull(round % 2 == 0 ? ann : bob, 5, 8); }),
              20);
}

TEST_F(FirstCopiesTest, who_asks_too_early_or_came_too_late_is_served_and_makes_nobody_look_bad)
{
    std::uint32_t served = 0;
    EXPECT_EQ(rounds_until_distrusted(
                  [&](int round) { served += pull(round % 2 == 0 ? ann : bob, 0, chunks, false); }),
              20);
    EXPECT_GT(served, 15 * chunks);
}

TEST_F(FirstCopiesTest, one_asker_alone_makes_nobody_look_bad)
{
    EXPECT_EQ(rounds_until_distrusted([&](int) { pull(ann); }), 20);
}

TEST_F(FirstCopiesTest, who_passes_every_other_unit_on_is_trusted)
{
    EXPECT_EQ(rounds_until_distrusted([&](int round) {
                  if (round % 2 == 0) {
                      pull(round % 4 == 0 ? ann : bob);
                  }
              }),
              20);
}

TEST_F(FirstCopiesTest, who_leaves_is_forgotten)
{
    rounds_until_distrusted([&](int round) { pull(round % 2 == 0 ? ann : bob); });
    copies_.forget(mute);
    EXPECT_FALSE(copies_.distrusts(now_, mute));
}

TEST_F(FirstCopiesTest, a_crowd_that_fails_takes_no_more_memory_than_the_limit)
{
    // Each fails once; those beyond the limit are not remembered, so nothing comes of it.
    for (std::uint32_t peer = 10; peer < 10 + 3 * FirstCopies::children_max; ++peer) {
        place(PeerKey{peer});
        pull(ann);
        for (int unit = 0; unit < 4; ++unit) {
            EXPECT_EQ(place(honest), std::nullopt);
        }
    }
    EXPECT_LE(copies_.remembered(), FirstCopies::children_max);
}

} // namespace
} // namespace ppsp::peer
