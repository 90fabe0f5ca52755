#include "peer/policy/unasked_copies.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

constexpr PeerKey ann{1};
constexpr PeerKey bob{2};
constexpr TimePoint start{100s};

class UnaskedCopiesTest : public ::testing::Test {
protected:
    /// The next unit of substream 3.
    UnitIndex give(PeerKey peer)
    {
        next_ += substreams;
        copies_.give(peer, next_);
        return next_;
    }
    bool take_back(TimePoint now, PeerKey peer, UnitIndex unit)
    {
        return copies_.decline(now, peer, 3, unit, unit);
    }
    bool give_and_take_back(TimePoint now, PeerKey peer)
    {
        return take_back(now, peer, give(peer));
    }
    /// As many times as it takes.
    void decline(TimePoint now, PeerKey peer)
    {
        for (std::uint32_t time = 1; time < UnaskedCopies::declined_max; ++time) {
            EXPECT_FALSE(give_and_take_back(now, peer));
            EXPECT_TRUE(copies_.may_give(now, peer, 3)) << time;
        }
        EXPECT_TRUE(give_and_take_back(now, peer));
    }
    void keep(PeerKey peer, std::size_t copies)
    {
        for (std::size_t i = 0; i < copies; ++i) {
            give(peer);
        }
    }

    UnaskedCopies copies_;
    UnitIndex next_ = 8003; // of substream 3
};

TEST_F(UnaskedCopiesTest, who_takes_some_back_gets_none_for_a_while_in_that_substream)
{
    EXPECT_TRUE(copies_.may_give(start, ann, 3));
    decline(start, ann);
    EXPECT_FALSE(copies_.may_give(start + UnaskedCopies::pause_min - 1ms, ann, 3));
    EXPECT_TRUE(copies_.may_give(start + UnaskedCopies::pause_min, ann, 3));
    EXPECT_TRUE(copies_.may_give(start, ann, 4)) << "another substream";
    EXPECT_TRUE(copies_.may_give(start, bob, 3)) << "another neighbour";
}

TEST_F(UnaskedCopiesTest, what_was_not_given_cannot_be_taken_back)
{
    UnitIndex const unit = give(ann);
    for (int time = 0; time < 10; ++time) {
        EXPECT_FALSE(take_back(start, ann, unit + substreams));
        EXPECT_FALSE(take_back(start, ann, unit - substreams));
        EXPECT_FALSE(take_back(start, bob, unit));
        EXPECT_FALSE(copies_.decline(start, ann, 4, unit, unit + 1));
    }
    for (int time = 0; time < 10; ++time) {
        EXPECT_FALSE(take_back(start, ann, unit)) << "once only";
    }
    EXPECT_EQ(copies_.remembered(), 1u) << "a CANCEL makes no record";
}

TEST_F(UnaskedCopiesTest, a_cancel_may_come_behind_the_next_copies)
{
    UnitIndex const first = give(ann);
    UnitIndex const second = give(ann);
    UnitIndex const third = give(ann);
    EXPECT_FALSE(take_back(start, ann, first));
    EXPECT_TRUE(copies_.decline(start, ann, 3, second, third)) << "both at once";
}

TEST_F(UnaskedCopiesTest, copies_that_are_kept_make_up_for_others)
{
    keep(ann, UnaskedCopies::open_max);
    for (int time = 0; time < 20; ++time) {
        keep(ann, 1);
        EXPECT_FALSE(give_and_take_back(start, ann)) << time;
    }
    EXPECT_TRUE(copies_.may_give(start, ann, 3));
}

TEST_F(UnaskedCopiesTest, the_pause_doubles_up_to_its_limit)
{
    TimePoint now = start;
    Duration expected = UnaskedCopies::pause_min;
    decline(now, ann);
    for (int time = 0; time < 8; ++time) {
        EXPECT_FALSE(copies_.may_give(now + expected - 1ms, ann, 3)) << time;
        EXPECT_TRUE(copies_.may_give(now + expected, ann, 3)) << time;
        now += expected;
        EXPECT_TRUE(give_and_take_back(now, ann)) << "one is enough after a pause";
        expected = std::min(expected * 2, UnaskedCopies::pause_max);
    }
}

TEST_F(UnaskedCopiesTest, who_keeps_as_many_as_it_took_back_begins_anew)
{
    decline(start, ann);
    for (int time = 0; time < 5; ++time) {
        EXPECT_TRUE(give_and_take_back(start, ann));
    }
    keep(ann, UnaskedCopies::declined_max + UnaskedCopies::open_max);
    TimePoint const later = start + UnaskedCopies::pause_max;
    EXPECT_TRUE(copies_.may_give(later, ann, 3));
    decline(later, ann);
    EXPECT_TRUE(copies_.may_give(later + UnaskedCopies::pause_min, ann, 3));
}

TEST_F(UnaskedCopiesTest, who_subscribes_is_given_no_more_and_may_be_given_again)
{
    decline(start, ann);
    copies_.wanted(ann, 3);
    EXPECT_TRUE(copies_.may_give(start, ann, 3));
    UnitIndex const unit = give(ann);
    copies_.wanted(ann, 3);
    EXPECT_EQ(copies_.remembered(), 0u);
    EXPECT_FALSE(take_back(start, ann, unit));
}

TEST_F(UnaskedCopiesTest, who_is_gone_is_forgotten_and_nobody_else)
{
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        copies_.give(ann, substream);
        copies_.give(bob, substream);
    }
    copies_.forget(ann);
    EXPECT_EQ(copies_.remembered(), substreams) << "bob's";
}

} // namespace
} // namespace ppsp::peer
