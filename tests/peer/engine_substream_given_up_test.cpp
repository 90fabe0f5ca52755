#include "tests/peer/substream_swarm.hpp"

/// What a parent still owes when it is given up.
namespace ppsp::peer::substream_test {
namespace {

using SubstreamPickerGivenUpTest = SubstreamPickerTest;

TEST_F(SubstreamPickerGivenUpTest, who_is_given_up_need_not_send_what_exists_already)
{
    subscribe_to_left();
    advance_to(unit_0 + 8);
    view_.missing_[unit_0 + 3] = all_chunks;
    view_.held[{right_, unit_0}] = all_chunks;
    Plan const before = plan(asked_at_ + 20ms);
    EXPECT_FALSE(withdraws(before, left_, unit_0));
    ASSERT_EQ(picker_.asked(unit_0), left_);
    picker_.on_repeated(at(asked_at_ + 30ms), left_, unit_0 - 8, view_);
    Plan const after = plan(asked_at_ + 30ms);
    EXPECT_TRUE(withdraws(after, left_, unit_0));
    EXPECT_TRUE(withdraws(after, left_, unit_0 + 8));
    EXPECT_FALSE(withdraws(after, left_, unit_0 + 3)) << "another substream";
    EXPECT_EQ(asked_of(after, unit_0), right_) << "not when the parent's patience ends";
}

TEST_F(SubstreamPickerGivenUpTest, who_is_given_up_finishes_what_it_began)
{
    subscribe_to_left();
    advance_to(unit_0);
    push_half(start + 20ms, left_, unit_0);
    picker_.on_repeated(at(start + 30ms), left_, unit_0 - 8, view_);
    (void)plan(start + 30ms); // notice
    advance_to(unit_0 + 8);
    (void)plan(when(unit_0 + 8));
    picker_.on_repeated(at(when(unit_0 + 8) + 1ms), left_, unit_0 + 8, view_);
    Plan const after = plan(when(unit_0 + 8) + 1ms);
    EXPECT_TRUE(withdraws(after, left_, unit_0 + 8));
    EXPECT_FALSE(withdraws(after, left_, unit_0));
}

TEST_F(SubstreamPickerGivenUpTest, who_is_given_up_need_not_send_what_is_fetched_elsewhere)
{
    subscribe_to_left();
    feed(left_, unit_0, unit_0 + 7);
    UnitIndex const late = unit_0 + 8;
    advance_to(late);
    view_.held[{right_, late}] = all_chunks;
    view_.parents_[0].heard = at(when(late));
    Plan const fetched = plan(when(late) + 300ms);
    ASSERT_EQ(asked_of(fetched, late), right_);
    EXPECT_FALSE(withdraws(fetched, left_, late)) << "what comes late is passed on";
    UnitIndex unit = late;
    Plan next = fetched;
    while (picker_.fed_by(left_) == substreams) {
        EXPECT_FALSE(withdraws(next, left_, late));
        unit += substreams;
        ASSERT_LT(unit, late + 10 * substreams);
        advance_to(unit);
        view_.held[{right_, unit}] = all_chunks;
        view_.parents_[0].heard = at(when(unit));
        next = plan(when(unit) + 300ms);
    }
    EXPECT_GT(unit, late);
    EXPECT_TRUE(withdraws(next, left_, late));
}

TEST_F(SubstreamPickerGivenUpTest, what_was_on_its_way_does_not_bring_it_back)
{
    subscribe_to_left();
    advance_to(unit_0);
    picker_.on_repeated(at(start + 30ms), left_, unit_0 - 8, view_);
    ASSERT_EQ(picker_.fed_by(left_), substreams - 1);
    Duration const late = start + 30ms + config_.refusal_fresh;
    push_half(late - 1us, left_, unit_0);
    EXPECT_EQ(picker_.asked(unit_0), left_) << "it is welcome all the same";
    EXPECT_EQ(picker_.fed_by(left_), substreams - 1);
    advance_to(unit_0 + 8);
    push_half(late + when(unit_0 + 8) - start, left_, unit_0 + 8);
    EXPECT_EQ(picker_.fed_by(left_), substreams) << "somebody gave us a place";
}

} // namespace
} // namespace ppsp::peer::substream_test
