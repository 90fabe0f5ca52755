#include "peer/policy/place_trials.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

constexpr PeerKey left{1};
constexpr PeerKey right{2};
constexpr TimePoint start{100s};

TEST(PlaceTrialsTest, who_has_not_had_it_may_show_that_it_passes_it_on)
{
    PlaceTrials trials;
    EXPECT_TRUE(trials.is_open(start, left, 3));
    trials.note_given(start, left, 3);
    EXPECT_TRUE(trials.is_open(start + PlaceTrials::trial - 1us, left, 3));
    EXPECT_FALSE(trials.is_open(start + PlaceTrials::trial, left, 3));
    EXPECT_TRUE(trials.is_open(start + PlaceTrials::trial, left, 4)) << "another substream";
    EXPECT_TRUE(trials.is_open(start + PlaceTrials::trial, right, 3)) << "another neighbour";
}

TEST(PlaceTrialsTest, what_it_gets_meanwhile_begins_no_other_trial)
{
    PlaceTrials trials;
    for (Duration since = 0s; since <= PlaceTrials::trial; since += 400ms) {
        trials.note_given(start + since, left, 3);
    }
    EXPECT_FALSE(trials.is_open(start + PlaceTrials::trial, left, 3));
}

TEST(PlaceTrialsTest, who_showed_nothing_gets_another_one_later)
{
    PlaceTrials trials;
    trials.note_given(start, left, 3);
    EXPECT_FALSE(trials.is_open(start + PlaceTrials::remembered, left, 3));
    TimePoint const again = start + PlaceTrials::remembered + 1us;
    EXPECT_TRUE(trials.is_open(again, left, 3));
    trials.note_given(again, left, 3);
    EXPECT_FALSE(trials.is_open(again + PlaceTrials::trial, left, 3));
}

TEST(PlaceTrialsTest, who_leaves_is_forgotten)
{
    PlaceTrials trials;
    trials.note_given(start, left, 3);
    trials.note_given(start, left, 4);
    trials.note_given(start, right, 3);
    EXPECT_EQ(trials.size(), 2u);
    trials.forget(left);
    EXPECT_EQ(trials.size(), 1u);
    EXPECT_TRUE(trials.is_open(start + PlaceTrials::trial, left, 3));
}

} // namespace
} // namespace ppsp::peer
