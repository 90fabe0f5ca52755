#include "tests/peer/substream_swarm.hpp"

namespace ppsp::peer::substream_test {
namespace {

TEST_F(SubstreamPickerTest, subscribes_a_little_on_trial)
{
    Plan const first = plan(asked_at_);
    EXPECT_EQ(first.asks.size(), config_.horizon_units_trial);
    for (Ask const& ask : first.asks) {
        EXPECT_GT(ask.unit, view_.edge_);
        EXPECT_LE(ask.unit, view_.edge_ + config_.horizon_units_trial);
        EXPECT_EQ(ask.chunks, all_chunks);
    }
    EXPECT_TRUE(plan(asked_at_ + 10ms).asks.empty()) << "asked already";
    advance_to(unit_0 + 1);
    EXPECT_EQ(units_asked(plan(when(unit_0 + 1)), 0), std::vector{unit_0 + 16}) << "renewed";
}

TEST_F(SubstreamPickerTest, subscribes_far_ahead_once_the_parent_pushed)
{
    (void)plan(asked_at_);
    push(start + 20ms, left_, unit_0);
    EXPECT_LE(picker_.deadline(), at(start + 20ms));
    Plan const longer = plan(start + 20ms);
    std::vector<UnitIndex> expected;
    for (UnitIndex unit = unit_0 + 16; unit <= unit_0 + config_.horizon_units_max; unit += 8) {
        expected.push_back(unit);
    }
    EXPECT_EQ(units_asked(longer, 0), expected);
    EXPECT_EQ(longer.asks.size(), expected.size()) << "the others are on trial";
}

TEST_F(SubstreamPickerTest, renews_a_subscription_before_it_runs_out)
{
    (void)plan(asked_at_);
    push(start + 20ms, left_, unit_0);
    (void)plan(start + 20ms);
    UnitIndex const last = unit_0 + config_.horizon_units_max;
    view_.edge_ = last - config_.horizon_units_min;
    view_.first_ = view_.edge_;
    EXPECT_TRUE(units_asked(plan(start + 30ms), 0).empty());
    view_.edge_ += 1;
    EXPECT_TRUE(asked_of(plan(start + 40ms), last + substreams).has_value());
}

TEST_F(SubstreamPickerTest, spreads_the_substreams_over_equals)
{
    join(right_);
    (void)plan(asked_at_);
    EXPECT_EQ(picker_.fed_by(left_), substreams / 2);
    EXPECT_EQ(picker_.fed_by(right_), substreams / 2);
}

TEST_F(SubstreamPickerTest, a_parent_that_announces_instead_of_sending_has_refused)
{
    subscribe_to_left();
    announce(start + 20ms, left_, unit_0);
    EXPECT_LE(picker_.deadline(), at(start + 20ms));
    Plan const moved = plan(start + 20ms);
    EXPECT_EQ(asked_of(moved, unit_0 + 8), right_);
    EXPECT_TRUE(withdraws(moved, left_, unit_0 + 8));
    EXPECT_FALSE(withdraws(moved, left_, unit_0 + 1)) << "another substream";
    EXPECT_EQ(picker_.fed_by(left_), substreams - 1);
    EXPECT_EQ(picker_.fed_by(right_), 1u);
}

TEST_F(SubstreamPickerTest, an_announcement_that_crossed_the_request_is_no_refusal)
{
    view_.parents_[0].rtt = 100ms;
    subscribe_to_left();
    announce(asked_at_ + 74ms, left_, unit_0 - 8);
    (void)plan(asked_at_ + 74ms);
    EXPECT_EQ(picker_.fed_by(left_), substreams);
    announce(asked_at_ + 75ms, left_, unit_0 - 8);
    (void)plan(asked_at_ + 75ms);
    EXPECT_EQ(picker_.fed_by(left_), substreams - 1);
}

TEST_F(SubstreamPickerTest, an_announcement_said_again_is_a_refusal_of_who_pushed_nothing_yet)
{
    view_.parents_[0].rtt = 100ms;
    subscribe_to_left();
    picker_.on_repeated(at(asked_at_ + 74ms), left_, unit_0, view_);
    EXPECT_EQ(picker_.fed_by(left_), substreams) << "it may have crossed the request";
    picker_.on_repeated(at(asked_at_ + 75ms), right_, unit_0, view_);
    EXPECT_EQ(picker_.fed_by(left_), substreams) << "not its parent";
    picker_.on_repeated(at(asked_at_ + 75ms), left_, unit_0, view_);
    Plan const moved = plan(asked_at_ + 75ms);
    EXPECT_EQ(asked_of(moved, unit_0), right_);
    EXPECT_TRUE(withdraws(moved, left_, unit_0));
    EXPECT_TRUE(withdraws(moved, left_, unit_0 + 8));
}

TEST_F(SubstreamPickerTest, a_subscription_is_said_twice)
{
    (void)plan(asked_at_);
    EXPECT_LE(picker_.deadline(), at(asked_at_ + config_.repeat));
    EXPECT_TRUE(plan(asked_at_ + config_.repeat - 1us).asks.empty());
    auto const again = units_asked(plan(asked_at_ + config_.repeat), 0);
    EXPECT_EQ(again, (std::vector{unit_0, unit_0 + 8}));
    EXPECT_TRUE(plan(asked_at_ + config_.repeat + 1ms).asks.empty()) << "not three times";
}

TEST_F(SubstreamPickerTest, a_parent_that_answers_nothing_is_given_up)
{
    subscribe_to_left();
    Plan const before = plan(asked_at_ + config_.trial_max);
    EXPECT_TRUE(before.withdrawals.empty());
    EXPECT_LE(picker_.deadline(), at(asked_at_ + config_.trial_max * 5 / 4));
    Plan const after = plan(asked_at_ + config_.trial_max + 1us);
    EXPECT_EQ(asked_of(after, unit_0), right_);
    EXPECT_TRUE(withdraws(after, left_, unit_0));
    EXPECT_EQ(picker_.fed_by(right_), substreams);
}

TEST_F(SubstreamPickerTest,
       a_parent_that_is_given_up_late_hears_it_although_all_that_was_asked_is_past)
{
    subscribe_to_left();
    view_.edge_ = unit_0 + 30; // the trial was for two units of each substream
    for (UnitIndex unit = unit_0; unit <= view_.edge_; ++unit) {
        view_.missing_[unit] = 0;
    }
    Plan const after = plan(asked_at_ + config_.trial_max + 1us);
    bool hears = false;
    for (UnitIndex unit = unit_0; unit < unit_0 + 80; unit += substreams) {
        hears = hears || (unit > view_.edge_ && withdraws(after, left_, unit));
    }
    EXPECT_TRUE(hears);
}

TEST_F(SubstreamPickerTest, who_refuses_is_left_alone_longer_each_time)
{
    Duration now = asked_at_;
    (void)plan(now);
    Duration block = config_.block;
    for (int refusal = 0; refusal < 7; ++refusal) {
        now += 20ms;
        picker_.on_repeated(at(now), left_, unit_0, view_);
        Duration const again = next_request_after(now);
        EXPECT_GE(again - now, block) << refusal;
        EXPECT_LE(again - now, block * 2 + 500ms) << refusal;
        block = std::min(block * 2, config_.block_max);
        now = again;
    }
}

TEST_F(SubstreamPickerTest, who_pushes_after_a_refusal_is_as_good_as_new)
{
    (void)plan(asked_at_);
    picker_.on_repeated(at(start), left_, unit_0, view_);
    Duration now = next_request_after(start);
    push(now, left_, unit_0);
    announce(now + 20ms, left_, unit_0 + 8); // refuses again
    view_.first_ = unit_0 + 9;
    EXPECT_LE(next_request_after(now + 20ms) - now, config_.block * 2 + 500ms);
}

TEST_F(SubstreamPickerTest, an_offer_lifts_a_block_but_not_right_after_the_refusal)
{
    (void)plan(asked_at_);
    picker_.on_repeated(at(start), left_, unit_0, view_);
    view_.first_ = unit_0 + 1; // nothing is pulled
    announce(start + 200ms, left_, unit_0);
    EXPECT_TRUE(picker_.offers(at(start + 200ms), left_, 0));
    EXPECT_TRUE(units_asked(plan(start + config_.refusal_fresh - 1ms), 0).empty());
    EXPECT_FALSE(units_asked(plan(start + config_.refusal_fresh + 200ms), 0).empty());
}

TEST_F(SubstreamPickerTest, without_an_offer_a_block_lasts)
{
    (void)plan(asked_at_);
    picker_.on_repeated(at(start), left_, unit_0, view_);
    EXPECT_TRUE(units_asked(plan(start + config_.refusal_fresh), 0).empty());
    EXPECT_TRUE(units_asked(plan(start + config_.block - 1us), 0).empty());
}

TEST_F(SubstreamPickerTest, who_announces_a_unit_with_an_offer_has_places)
{
    announce(start, left_, unit_0);
    EXPECT_TRUE(picker_.offers(at(start), left_, 0));
    EXPECT_FALSE(picker_.offers(at(start), left_, 1));
    EXPECT_TRUE(picker_.offers(at(start), left_));
    EXPECT_FALSE(picker_.offers(at(start), right_));
    EXPECT_FALSE(picker_.offers(at(start + config_.offer_gap), left_)) << "an old word";
}

TEST_F(SubstreamPickerTest, an_announcement_alone_offers_nothing)
{
    announce(start, left_, unit_0, false);
    EXPECT_FALSE(picker_.offers(at(start), left_, 0));
}

TEST_F(SubstreamPickerTest, prefers_a_parent_that_offers_to_one_that_is_a_little_earlier)
{
    join(right_);
    announce(when(unit_0 - 16) + 20ms, left_, unit_0 - 16);
    announce(when(unit_0 - 8) + 60ms, right_, unit_0 - 8);
    ASSERT_FALSE(picker_.offers(at(asked_at_), left_, 0));
    ASSERT_TRUE(picker_.offers(at(asked_at_), right_, 0));
    Plan const first = plan(asked_at_);
    EXPECT_EQ(asked_of(first, unit_0), right_);
    EXPECT_EQ(asked_of(first, unit_0 + 1), left_) << "of that substream nobody said anything";
}

TEST_F(SubstreamPickerTest, only_who_passes_much_on_asks_a_full_source_first)
{
    join(source_, true);
    announce(when(unit_0 - 16) + 20ms, source_, unit_0 - 16);
    announce(when(unit_0 - 8) + 60ms, left_, unit_0 - 8);
    ASSERT_FALSE(picker_.offers(at(asked_at_), source_, 0));
    for (bool const climbs : {false, true}) {
        for (bool const at_home : {false, true}) {
            view_.places_ = config_.climb_places - (climbs ? 0 : 1);
            view_.passes_on_ = at_home;
            SubstreamPicker picker = picker_;
            Plan plan;
            picker.plan(at(asked_at_), view_, plan);
            EXPECT_EQ(asked_of(plan, unit_0), climbs && at_home ? source_ : left_);
        }
    }
}

TEST_F(SubstreamPickerTest, a_doubtful_parent_gets_no_subscription_while_there_are_others)
{
    join(right_);
    view_.parents_[0].doubtful = true;
    (void)plan(asked_at_);
    EXPECT_EQ(picker_.fed_by(left_), 0u);
    EXPECT_EQ(picker_.fed_by(right_), substreams);
}

TEST_F(SubstreamPickerTest, units_that_others_have_are_missed)
{
    subscribe_to_left();
    feed(left_, unit_0, unit_0 + 7);
    for (std::uint32_t miss = 1; miss <= config_.misses_max; ++miss) {
        EXPECT_EQ(picker_.fed_by(left_), substreams) << "one may get lost";
        UnitIndex const missed = unit_0 + miss * substreams;
        advance_to(missed);
        view_.held[{right_, missed}] = all_chunks;
        view_.parents_[0].heard = at(when(missed));
        EXPECT_EQ(asked_of(plan(when(missed) + 300ms), missed), right_);
        feed(left_, missed + 6, missed + 7);
    }
    EXPECT_EQ(picker_.fed_by(left_), substreams - 1);
}

TEST_F(SubstreamPickerTest, a_chunk_of_each_unit_does_not_keep_a_parent)
{
    subscribe_to_left();
    feed(left_, unit_0, unit_0 + 7);
    for (std::uint32_t miss = 1; miss <= config_.misses_max; ++miss) {
        EXPECT_EQ(picker_.fed_by(left_), substreams);
        UnitIndex const begun = unit_0 + miss * substreams;
        advance_to(begun);
        view_.held[{right_, begun}] = all_chunks;
        push_half(when(begun) + 20ms, left_, begun);
        for (Duration late = 30ms; late < 700ms; late += 10ms) {
            view_.parents_[0].heard = at(when(begun) + late);
            (void)plan(when(begun) + late);
        }
        EXPECT_EQ(picker_.asked(begun), right_);
    }
    EXPECT_EQ(picker_.fed_by(left_), substreams - 1);
}

TEST_F(SubstreamPickerTest, who_misses_a_unit_and_says_nothing_at_all_is_gone)
{
    subscribe_to_left();
    feed(left_, unit_0, unit_0 + 7);
    advance_to(unit_0 + 16);
    view_.held[{right_, unit_0 + 16}] = all_chunks;
    view_.parents_[0].heard = at(when(unit_0 + 7) + 20ms);
    (void)plan(when(unit_0 + 7) + 20ms + config_.silent_max + 100ms);
    EXPECT_EQ(picker_.fed_by(left_), 0u);
}

TEST_F(SubstreamPickerTest, units_that_nobody_has_are_nobodys_fault)
{
    subscribe_to_left();
    feed(left_, unit_0, unit_0 + 7);
    for (UnitIndex unit = unit_0 + 8; unit <= unit_0 + 32; unit += substreams) {
        advance_to(unit);
        EXPECT_TRUE(asks_for(plan(when(unit) + 300ms), unit).empty());
    }
    EXPECT_EQ(picker_.fed_by(left_), substreams);
}

TEST_F(SubstreamPickerTest, who_pushes_unasked_and_first_takes_the_substream_over)
{
    subscribe_to_left();
    push_half(start + 10ms, right_, unit_0);
    EXPECT_EQ(picker_.asked(unit_0), right_);
    Plan const taken = plan(start + 10ms);
    EXPECT_TRUE(withdraws(taken, left_, unit_0));
    EXPECT_TRUE(withdraws(taken, left_, unit_0 + 8));
    EXPECT_EQ(asked_of(taken, unit_0 + 8), right_);
    EXPECT_EQ(asked_of(taken, unit_0 + config_.horizon_units_max), right_) << "no trial";
    EXPECT_EQ(picker_.fed_by(right_), 1u);
    EXPECT_EQ(picker_.orphans(), substreams - 1);
}

TEST_F(SubstreamPickerTest, who_pushes_unasked_and_second_changes_nothing)
{
    subscribe_to_left();
    push_half(start + 10ms, left_, unit_0);
    push_half(start + 11ms, right_, unit_0);
    EXPECT_EQ(picker_.asked(unit_0), left_);
    EXPECT_EQ(picker_.fed_by(right_), 0u);
}

/// The left neighbour feeds everything, but the right one has it much earlier.
class SubstreamPickerImproveTest : public SubstreamPickerTest {
protected:
    /// Until a substream moves; the plan that moves it.
    std::optional<Plan> run(Duration right_lag)
    {
        subscribe_to_left();
        return go_on(right_lag);
    }
    std::optional<Plan> go_on(Duration right_lag)
    {
        for (UnitIndex const end = next_unit_ + 200; next_unit_ < end;) {
            UnitIndex const unit = next_unit_++;
            now_ = when(unit) + 300ms;
            announce(when(unit) + right_lag, right_, unit, right_offers_);
            push(now_, left_, unit);
            Plan const moved = plan(now_);
            bool const right_asked =
                std::any_of(moved.asks.begin(), moved.asks.end(),
                            [this](Ask const& ask) { return ask.parent == right_; });
            if (right_asked) {
                return moved;
            }
        }
        return std::nullopt;
    }
    std::optional<Ask> asked_of_right(Plan const& plan) const
    {
        auto const at = std::find_if(plan.asks.begin(), plan.asks.end(),
                                     [this](Ask const& ask) { return ask.parent == right_; });
        return at == plan.asks.end() ? std::nullopt : std::optional{*at};
    }
    /// How long after a try in vain the next one comes.
    Duration next_try_after_refusal()
    {
        auto const tried = run(50ms);
        auto const ask = tried ? asked_of_right(*tried) : std::nullopt;
        if (!ask) {
            return Duration::max();
        }
        Duration const first = now_;
        picker_.on_repeated(at(now_ + 20ms), right_, ask->unit, view_);
        return go_on(50ms) ? now_ - first : Duration::max();
    }
    Duration now_{};
    UnitIndex next_unit_ = unit_0;
    bool right_offers_ = true;
};

TEST_F(SubstreamPickerImproveTest, an_earlier_parent_is_tried_beside_the_old_one)
{
    auto const tried = run(50ms);
    ASSERT_TRUE(tried.has_value());
    EXPECT_TRUE(tried->withdrawals.empty()) << "the old one goes on";
    EXPECT_EQ(picker_.fed_by(left_), substreams);
    auto const ask = asked_of_right(*tried);
    ASSERT_TRUE(ask.has_value());
    push_half(now_ + 10ms, right_, ask->unit);
    Plan const moved = plan(now_ + 10ms);
    EXPECT_TRUE(withdraws(moved, left_, ask->unit));
    EXPECT_EQ(picker_.fed_by(right_), 1u);
    EXPECT_EQ(picker_.fed_by(left_), substreams - 1);
}

TEST_F(SubstreamPickerImproveTest, who_is_not_earlier_after_all_is_let_go)
{
    auto const tried = run(50ms);
    ASSERT_TRUE(tried.has_value());
    auto const ask = asked_of_right(*tried);
    ASSERT_TRUE(ask.has_value());
    push_half(now_ + 10ms, left_, ask->unit);
    Plan const after = plan(now_ + 10ms);
    EXPECT_TRUE(withdraws(after, right_, ask->unit));
    EXPECT_TRUE(withdraws(after, right_, ask->unit + substreams));
    EXPECT_EQ(picker_.fed_by(left_), substreams);
}

TEST_F(SubstreamPickerImproveTest, nothing_changes_when_the_earlier_parent_refuses)
{
    auto const tried = run(50ms);
    ASSERT_TRUE(tried.has_value());
    auto const ask = asked_of_right(*tried);
    ASSERT_TRUE(ask.has_value());
    picker_.on_repeated(at(now_ + 20ms), right_, ask->unit, view_);
    Plan const after = plan(now_ + 20ms);
    EXPECT_TRUE(withdraws(after, right_, ask->unit));
    EXPECT_FALSE(withdraws(after, left_, ask->unit));
    EXPECT_EQ(picker_.fed_by(left_), substreams);
}

TEST_F(SubstreamPickerImproveTest, a_full_parent_is_only_tried_by_who_passes_much_on)
{
    right_offers_ = false;
    EXPECT_FALSE(run(50ms).has_value());
}

TEST_F(SubstreamPickerImproveTest, who_passes_much_on_climbs)
{
    right_offers_ = false;
    view_.places_ = config_.climb_places;
    EXPECT_TRUE(run(50ms).has_value());
}

TEST_F(SubstreamPickerImproveTest, who_passes_much_on_tries_again_soon)
{
    right_offers_ = false;
    view_.places_ = config_.climb_places;
    EXPECT_LE(next_try_after_refusal(), 2 * config_.climb_gap + 50ms);
}

TEST_F(SubstreamPickerImproveTest, others_wait_longer_before_they_try_again)
{
    Duration const wait = next_try_after_refusal();
    EXPECT_GE(wait, config_.improve_gap);
    EXPECT_LE(wait, 2 * config_.improve_gap + 50ms);
}

TEST_F(SubstreamPickerImproveTest, nobody_climbs_in_a_substream_that_it_does_not_pass_on)
{
    right_offers_ = false;
    view_.places_ = config_.climb_places;
    view_.passes_on_ = false;
    EXPECT_FALSE(run(50ms).has_value());
}

TEST_F(SubstreamPickerImproveTest, a_parent_that_is_a_little_earlier_is_not_worth_it)
{
    EXPECT_FALSE(run(300ms - config_.improve_gain + 20ms).has_value());
    EXPECT_EQ(picker_.fed_by(left_), substreams);
}

TEST_F(SubstreamPickerTest, a_substream_is_fed_while_it_is_pushed)
{
    subscribe_to_left();
    EXPECT_EQ(picker_.orphans(), substreams) << "nobody has pushed anything";
    EXPECT_FALSE(picker_.fed(at(start + config_.fed_max), 0));
    feed(left_, unit_0, unit_0 + 2);
    EXPECT_EQ(picker_.orphans(), substreams - 3);
    Duration const end = start + 20ms + config_.fed_max;
    EXPECT_TRUE(picker_.fed(at(end - 1us), 0));
    EXPECT_FALSE(picker_.fed(at(end), 0));
    EXPECT_TRUE(picker_.fed(at(end), 2)) << "it was pushed later";
    EXPECT_FALSE(picker_.fed(at(end), 3));
}

TEST_F(SubstreamPickerTest, what_is_pulled_does_not_make_a_substream_fed)
{
    view_.edge_ = unit_0;
    view_.held[{left_, unit_0}] = all_chunks;
    ASSERT_EQ(asked_of(plan(start), unit_0), left_);
    Duration const now = start + 390ms;
    push(now, left_, unit_0);
    EXPECT_EQ(picker_.fed_by(left_), substreams);
    EXPECT_FALSE(picker_.fed(at(now), 0));
    EXPECT_EQ(picker_.orphans(), substreams);
}

TEST_F(SubstreamPickerTest, a_parent_that_is_gone_is_forgotten)
{
    subscribe_to_left();
    feed(left_, unit_0, unit_0 + 7);
    advance_to(unit_0 + 8);
    view_.held[{right_, unit_0 + 8}] = all_chunks;
    (void)plan(when(unit_0 + 8));
    ASSERT_EQ(picker_.asked(unit_0 + 8), left_);
    picker_.on_parent_gone(left_);
    view_.parents_.erase(view_.parents_.begin());
    EXPECT_FALSE(picker_.asked(unit_0 + 8).has_value());
    EXPECT_EQ(picker_.orphans(), substreams);
    Plan const after = plan(when(unit_0 + 8) + 1ms);
    EXPECT_EQ(asked_of(after, unit_0 + 8), right_) << "pulled at once";
    EXPECT_EQ(picker_.fed_by(left_), 0u);
    EXPECT_EQ(picker_.fed_by(right_), substreams);
    EXPECT_TRUE(after.withdrawals.empty()) << "there is nobody to tell";
}

TEST_F(SubstreamPickerTest, a_parent_that_chokes_loses_its_substreams)
{
    subscribe_to_left();
    view_.parents_[0].usable = false;
    (void)plan(start);
    EXPECT_EQ(picker_.fed_by(left_), 0u);
    EXPECT_EQ(picker_.fed_by(right_), substreams);
}

} // namespace
} // namespace ppsp::peer::substream_test
