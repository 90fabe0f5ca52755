#include "tests/peer/substream_swarm.hpp"

/// A parent that says it goes on for a little while only, and who comes after it.
namespace ppsp::peer::substream_test {
namespace {

using SubstreamPickerNoticeTest = SubstreamPickerTest;

TEST_F(SubstreamPickerNoticeTest, a_parent_that_pushes_and_says_something_again_gives_notice)
{
    subscribe_to_left();
    push(start + 20ms, left_, unit_0);
    EXPECT_EQ(picker_.orphans(), substreams - 1);
    picker_.on_repeated(at(start + 100ms), left_, unit_0, view_);
    EXPECT_EQ(picker_.orphans(), substreams) << "another parent is needed";
    Plan const both = plan(start + 100ms);
    EXPECT_EQ(asked_of(both, unit_0 + 8), right_);
    EXPECT_FALSE(withdraws(both, left_, unit_0 + 8)) << "it goes on for a while";
    EXPECT_EQ(picker_.fed_by(left_), substreams);
    push_half(when(unit_0 + 8) + 20ms, right_, unit_0 + 8);
    Plan const moved = plan(when(unit_0 + 8) + 20ms);
    EXPECT_TRUE(withdraws(moved, left_, unit_0 + 8));
    EXPECT_EQ(picker_.fed_by(right_), 1u);
    EXPECT_EQ(picker_.orphans(), substreams - 1);
}

TEST_F(SubstreamPickerNoticeTest, who_gave_notice_and_pushes_on_does_not_lose_its_successor)
{
    subscribe_to_left();
    push(start + 20ms, left_, unit_0);
    picker_.on_repeated(at(start + 100ms), left_, unit_0, view_);
    (void)plan(start + 100ms);
    push(when(unit_0 + 8) + 20ms, left_, unit_0 + 8);
    Plan const after = plan(when(unit_0 + 8) + 20ms);
    EXPECT_TRUE(withdraws(after, right_, unit_0 + 8)) << "it came already";
    EXPECT_FALSE(withdraws(after, right_, unit_0 + 16));
    push(when(unit_0 + 16) + 20ms, right_, unit_0 + 16);
    EXPECT_EQ(picker_.fed_by(right_), 1u);
}

TEST_F(SubstreamPickerNoticeTest,
       a_successor_that_pushes_takes_over_although_the_old_parent_is_earlier)
{
    subscribe_to_left();
    push(start + 20ms, left_, unit_0);
    picker_.on_repeated(at(start + 100ms), left_, unit_0, view_);
    (void)plan(start + 100ms);
    Duration const later = when(unit_0 + 8) + 20ms;
    push(later, left_, unit_0 + 8);
    picker_.on_duplicate(at(later + 10ms), right_, unit_0 + 8, view_);
    Plan const moved = plan(later + 10ms);
    EXPECT_EQ(picker_.fed_by(right_), 1u);
    EXPECT_EQ(picker_.orphans(), substreams - 1);
    EXPECT_TRUE(withdraws(moved, left_, unit_0 + 16)) << "somebody else can use the place";
    EXPECT_FALSE(withdraws(moved, right_, unit_0 + 16));
}

TEST_F(SubstreamPickerNoticeTest, a_successor_that_refuses_need_not_send_what_exists_already)
{
    subscribe_to_left();
    push(start + 20ms, left_, unit_0);
    picker_.on_repeated(at(start + 100ms), left_, unit_0, view_);
    ASSERT_EQ(asked_of(plan(start + 100ms), unit_0 + 8), right_);
    advance_to(unit_0 + 8);
    Duration const now = when(unit_0 + 8) + 1ms;
    ASSERT_FALSE(withdraws(plan(now), right_, unit_0 + 8)); // it is known to exist
    picker_.on_repeated(at(now), right_, unit_0, view_);
    Plan const after = plan(now);
    EXPECT_TRUE(withdraws(after, right_, unit_0 + 8));
    EXPECT_FALSE(withdraws(after, left_, unit_0 + 8)) << "it goes on for a while";
    EXPECT_FALSE(withdraws(after, right_, unit_0)) << "of that it knows nothing";
}

TEST_F(SubstreamPickerNoticeTest, a_successor_that_becomes_the_parent_is_not_raced_with_itself)
{
    subscribe_to_left();
    push(start + 20ms, left_, unit_0);
    (void)plan(start + 20ms);
    announce(when(unit_0 + 8) + 20ms, left_, unit_0 + 8);
    ASSERT_EQ(asked_of(plan(when(unit_0 + 8) + 20ms), unit_0 + 16), right_);
    announce(when(unit_0 + 16) + 20ms, left_, unit_0 + 16); // it withholds the next one, too
    Duration now = when(unit_0 + 16) + 20ms;
    (void)plan(now);
    ASSERT_EQ(picker_.fed_by(right_), 1u);
    for (UnitIndex unit = unit_0 + 24; unit <= unit_0 + 64; unit += substreams) {
        now = when(unit) + 20ms;
        push(now, right_, unit);
        EXPECT_FALSE(withdraws(plan(now), right_, unit + substreams)) << unit;
        EXPECT_TRUE(picker_.fed(at(now), 0)) << unit;
    }
}

TEST_F(SubstreamPickerNoticeTest, a_duplicate_of_who_is_no_successor_changes_nothing)
{
    subscribe_to_left();
    push(start + 20ms, left_, unit_0);
    picker_.on_duplicate(at(start + 30ms), right_, unit_0, view_);
    (void)plan(start + 30ms);
    EXPECT_EQ(picker_.fed_by(left_), substreams) << "no notice was given";
}

TEST_F(SubstreamPickerNoticeTest,
       who_gave_notice_and_still_pushes_after_two_seconds_has_a_place_again)
{
    subscribe_to_left();
    push(start + 20ms, left_, unit_0);
    picker_.on_repeated(at(start + 100ms), left_, unit_0, view_);
    (void)plan(start + 100ms);
    for (UnitIndex unit = unit_0 + 8; when(unit) + 20ms <= start + 100ms + config_.notice_max;
         unit += substreams) {
        push(when(unit) + 20ms, left_, unit);
        EXPECT_EQ(picker_.orphans(), substreams) << unit;
    }
    push(start + config_.notice_max + 400ms, left_, unit_0 + 56);
    EXPECT_EQ(picker_.orphans(), substreams - 1);
    Plan const later = plan(start + config_.notice_max + 700ms);
    for (Ask const& ask : later.asks) {
        EXPECT_FALSE(ask.parent == right_ && ask.unit % substreams == unit_0 % substreams)
            << "nobody else is tried any more";
    }
}

TEST_F(SubstreamPickerNoticeTest, who_gave_notice_and_withholds_a_unit_has_refused)
{
    subscribe_to_left();
    push(start + 20ms, left_, unit_0);
    (void)plan(start + 20ms);
    announce(when(unit_0 + 8) + 20ms, left_, unit_0 + 8);
    (void)plan(when(unit_0 + 8) + 20ms);
    EXPECT_EQ(picker_.fed_by(left_), substreams) << "the first time it is notice";
    announce(when(unit_0 + 16) + 20ms, left_, unit_0 + 16);
    EXPECT_EQ(picker_.fed_by(left_), substreams - 1);
}

} // namespace
} // namespace ppsp::peer::substream_test
