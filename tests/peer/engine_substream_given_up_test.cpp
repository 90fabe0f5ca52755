#include "tests/peer/substream_swarm.hpp"

/// What a parent still owes when it is given up.
namespace ppsp::peer::substream_test {
namespace {

using SubstreamPickerGivenUpTest = SubstreamPickerTest;

TEST_F(SubstreamPickerGivenUpTest, who_is_given_up_need_not_send_what_exists_already)
{
    subscribe_to_left();
    advance_to(unit_0 + 8);
    view_.held[{right_, unit_0}] = all_chunks;
    Plan const before = plan(asked_at_ + 20ms);
    EXPECT_FALSE(withdraws(before, left_, unit_0));
    ASSERT_EQ(picker_.asked(unit_0), left_);
    picker_.on_repeated(at(asked_at_ + 30ms), left_, unit_0 - 8, view_);
    Plan const after = plan(asked_at_ + 30ms);
    EXPECT_TRUE(withdraws(after, left_, unit_0));
    EXPECT_TRUE(withdraws(after, left_, unit_0 + 8));
    EXPECT_FALSE(withdraws(after, left_, unit_0 + 1)) << "another substream";
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
    push_half(when(late) + 310ms, left_, late + 1); // the others go on
    for (UnitIndex unit = late + substreams; picker_.fed_by(left_) == substreams;
         unit += substreams) {
        advance_to(unit);
        view_.held[{right_, unit}] = all_chunks;
        view_.parents_[0].heard = at(when(unit));
        Plan const next = plan(when(unit) + 300ms);
        if (picker_.fed_by(left_) < substreams) {
            EXPECT_TRUE(withdraws(next, left_, late));
        }
        ASSERT_LT(unit, late + 10 * substreams);
    }
}

} // namespace
} // namespace ppsp::peer::substream_test
