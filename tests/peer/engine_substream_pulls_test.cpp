#include "tests/peer/substream_swarm.hpp"

namespace ppsp::peer::substream_test {
namespace {

TEST_F(SubstreamPickerTest, an_overdue_unit_is_pulled_from_who_has_it)
{
    announce(when(unit_0 - 8) + 20ms, left_, unit_0 - 8); // it is usually 20 ms late, 5 to and fro
    subscribe_to_left();
    announce(start + 1ms, right_, unit_0);
    Duration const late = start + 20ms + 4 * 5ms + config_.patience;
    Plan const before = plan(late - 1us);
    EXPECT_TRUE(asks_for(before, unit_0).empty());
    EXPECT_EQ(picker_.deadline(), at(late));
    view_.parents_[0].heard = at(start);
    Plan const after = plan(late);
    EXPECT_EQ(asked_of(after, unit_0), right_);
    EXPECT_FALSE(withdraws(after, left_, unit_0)) << "its parent may still pass it on";
    EXPECT_EQ(picker_.asked(unit_0), right_);
}

TEST_F(SubstreamPickerTest,
       a_unit_that_storage_is_asked_for_is_asked_of_nobody_until_it_does_not_come)
{
    subscribe_to_left();
    feed(left_, unit_0, unit_0 + 7);
    Duration const late = when(unit_0 + 8) + 1s;
    announce(late, right_, unit_0 + 8);
    picker_.on_rescued(at(late), unit_0 + 8);
    for (Duration now = late; now < late + 2s; now += 20ms) {
        EXPECT_EQ(asked_of(plan(now), unit_0 + 8), std::nullopt);
    }
    picker_.on_not_rescued(at(late + 2s), unit_0 + 8);
    EXPECT_EQ(asked_of(plan(late + 2s), unit_0 + 8), right_);
}

TEST_F(SubstreamPickerTest, of_parent_and_holder_only_the_first_goes_on)
{
    subscribe_to_left();
    announce(start + 1ms, right_, unit_0);
    announce(start + 1ms, right_, unit_0 + 1);
    view_.parents_[0].heard = at(start + 700ms);
    (void)plan(start + 700ms);
    ASSERT_EQ(picker_.asked(unit_0), right_);
    push_half(start + 710ms, right_, unit_0);
    push_half(start + 710ms, left_, unit_0 + 1);
    Plan const after = plan(start + 711ms);
    EXPECT_TRUE(withdraws(after, left_, unit_0));
    EXPECT_TRUE(withdraws(after, right_, unit_0 + 1));
    EXPECT_EQ(picker_.fed_by(left_), substreams) << "nothing else follows from it";
}

/// Both neighbours hold a unit that is overdue, and one of them was asked for it.
class SubstreamPickerNoRoomTest : public SubstreamPickerTest {
protected:
    void pull_from_somebody()
    {
        view_.playing_ = false;
        view_.parents_[0].rtt = 100ms;
        join(right_);
        view_.parents_[1].rtt = 100ms;
        for (PeerKey const peer : {left_, right_}) {
            announce(start, peer, unit_0);
        }
        asked_ = asked_of(plan(start), unit_0).value();
        other_ = asked_ == left_ ? right_ : left_;
    }
    PeerKey asked_{};
    PeerKey other_{};
};

TEST_F(SubstreamPickerNoRoomTest, who_waits_for_a_picture_asks_the_next_one_at_once)
{
    pull_from_somebody();
    picker_.on_repeated(at(start + 100ms), asked_, unit_0, view_);
    EXPECT_LE(picker_.deadline(), at(start + 100ms));
    Plan const next = plan(start + 100ms);
    EXPECT_EQ(asked_of(next, unit_0), other_);
    EXPECT_TRUE(withdraws(next, asked_, unit_0));
}

TEST_F(SubstreamPickerNoRoomTest, an_announcement_that_crossed_the_pull_says_nothing)
{
    pull_from_somebody();
    picker_.on_repeated(at(start + 74ms), asked_, unit_0, view_);
    EXPECT_EQ(asked_of(plan(start + 74ms), unit_0), std::nullopt);
}

TEST_F(SubstreamPickerNoRoomTest, what_somebody_else_says_changes_nothing)
{
    pull_from_somebody();
    picker_.on_repeated(at(start + 100ms), other_, unit_0, view_);
    EXPECT_EQ(asked_of(plan(start + 100ms), unit_0), std::nullopt);
}

TEST_F(SubstreamPickerNoRoomTest, what_comes_already_is_not_asked_of_another_one)
{
    pull_from_somebody();
    push_half(start + 90ms, asked_, unit_0);
    picker_.on_repeated(at(start + 100ms), asked_, unit_0, view_);
    EXPECT_NE(asked_of(plan(start + 100ms), unit_0), other_);
}

TEST_F(SubstreamPickerNoRoomTest, who_has_a_picture_is_patient)
{
    pull_from_somebody();
    view_.playing_ = true;
    picker_.on_repeated(at(start + 100ms), asked_, unit_0, view_);
    EXPECT_EQ(asked_of(plan(start + 100ms), unit_0), std::nullopt);
}

TEST_F(SubstreamPickerTest, however_late_a_parent_is_there_is_an_end_to_waiting)
{
    subscribe_to_left();
    advance_to(unit_0 + 63);
    for (UnitIndex unit = unit_0; unit < unit_0 + 64; unit += substreams) {
        push(when(unit) + (unit % 16 == 0 ? 1ms : 1500ms), left_, unit);
    }
    (void)plan(when(unit_0 + 64));
    announce(when(unit_0 + 64), right_, unit_0 + 64);
    Duration const end = when(unit_0 + 64) + config_.wait_max;
    EXPECT_NE(asked_of(plan(end - 1us), unit_0 + 64), right_);
    EXPECT_EQ(asked_of(plan(end), unit_0 + 64), right_);
}

TEST_F(SubstreamPickerTest, a_unit_that_cannot_be_verified_is_asked_of_its_parent_again)
{
    subscribe_to_left();
    view_.edge_ = unit_0;
    (void)plan(start);
    picker_.on_pending(at(start + 10ms), right_, unit_0);
    EXPECT_TRUE(asks_for(plan(start + 10ms + config_.stall), unit_0).empty()) << "not its parent";
    picker_.on_pending(at(start + 50ms), left_, unit_0);
    EXPECT_EQ(asked_of(plan(start + 50ms + config_.stall), unit_0), left_);
}

TEST_F(SubstreamPickerTest, a_unit_whose_munro_was_lost_is_asked_of_its_parent_as_soon_as_it_shows)
{
    subscribe_to_left();
    view_.awaits_.insert({left_, unit_0}); // came before there was any other sign of the unit
    view_.edge_ = unit_0;
    EXPECT_TRUE(asks_for(plan(start + 20ms), unit_0).empty());
    EXPECT_LE(picker_.deadline(), at(start + 20ms + config_.stall));
    EXPECT_EQ(asked_of(plan(start + 20ms + config_.stall), unit_0), left_);
}

TEST_F(SubstreamPickerTest, what_somebody_else_sent_unverified_does_not_hurry_the_parent)
{
    subscribe_to_left();
    view_.awaits_.insert({right_, unit_0});
    view_.edge_ = unit_0;
    (void)plan(start + 20ms);
    EXPECT_TRUE(asks_for(plan(start + 20ms + config_.stall), unit_0).empty());
}

TEST_F(SubstreamPickerTest, who_sends_something_else_is_not_waited_for)
{
    subscribe_to_left();
    view_.edge_ = unit_0;
    view_.held[{right_, unit_0}] = all_chunks;
    EXPECT_TRUE(asks_for(plan(start), unit_0).empty());
    picker_.on_wrong(at(start + 10ms), right_, unit_0);
    EXPECT_TRUE(asks_for(plan(start + 10ms), unit_0).empty()) << "not its parent";
    picker_.on_wrong(at(start + 20ms), left_, unit_0);
    EXPECT_LE(picker_.deadline(), at(start + 20ms));
    Plan const after = plan(start + 20ms);
    EXPECT_EQ(asked_of(after, unit_0), right_);
    EXPECT_TRUE(withdraws(after, left_, unit_0));
}

TEST_F(SubstreamPickerTest, pulls_of_one_plan_are_spread_over_equals)
{
    view_.parents_[0].bytes_per_second = 50e3;
    join(right_);
    view_.parents_[1].bytes_per_second = 50e3;
    for (UnitIndex unit = unit_0; unit < unit_0 + 4; ++unit) {
        view_.held[{left_, unit}] = all_chunks;
        view_.held[{right_, unit}] = all_chunks;
    }
    view_.edge_ = unit_0 + 3;
    Plan const pulls = plan(start);
    std::map<PeerKey, int> asked;
    for (UnitIndex unit = unit_0; unit < unit_0 + 4; ++unit) {
        asked[asked_of(pulls, unit).value_or(source_)] += 1;
    }
    EXPECT_EQ(asked, (std::map<PeerKey, int>{{left_, 2}, {right_, 2}}));
}

TEST_F(SubstreamPickerTest, the_first_units_of_a_joiner_are_asked_of_two)
{
    join(right_);
    for (UnitIndex unit = unit_0; unit < unit_0 + 4; ++unit) {
        view_.held[{left_, unit}] = all_chunks;
        view_.held[{right_, unit}] = all_chunks;
    }
    view_.edge_ = unit_0 + 3;
    Plan const pulls = plan(start);
    for (UnitIndex unit = unit_0; unit < unit_0 + 4; ++unit) {
        auto const asks = asks_for(pulls, unit);
        ASSERT_EQ(asks.size(), unit < unit_0 + config_.hedged_units ? 2u : 1u) << unit;
        EXPECT_NE(asks.front().parent, asks.size() == 2 ? asks.back().parent : source_);
    }
    push_half(start + 20ms, asks_for(pulls, unit_0).back().parent, unit_0);
    EXPECT_TRUE(withdraws(plan(start + 20ms), asks_for(pulls, unit_0).front().parent, unit_0));
    push(start + 40ms, left_, unit_0);
    view_.edge_ = unit_0 + 4;
    view_.held[{left_, unit_0 + 4}] = all_chunks;
    view_.held[{right_, unit_0 + 4}] = all_chunks;
    view_.first_ = unit_0 + 4;
    EXPECT_LE(asks_for(plan(start + 800ms), unit_0 + 4).size(), 1u) << "it has begun";
}

TEST_F(SubstreamPickerTest, a_pull_leaves_the_source_for_who_has_the_unit_now)
{
    join(source_, true);
    view_.edge_ = unit_0 + 1;
    view_.held[{source_, unit_0}] = all_chunks;
    view_.held[{source_, unit_0 + 1}] = all_chunks;
    Duration const now = start + config_.source_hold_off * 3 + unit_duration;
    Plan const first = plan(now);
    ASSERT_EQ(asked_of(first, unit_0), source_);
    ASSERT_EQ(asked_of(first, unit_0 + 1), source_);
    push_half(now + 5ms, source_, unit_0 + 1);
    announce(now + 10ms, left_, unit_0);
    announce(now + 10ms, left_, unit_0 + 1);
    EXPECT_LE(picker_.deadline(), at(now + 10ms));
    Plan const moved = plan(now + 10ms);
    EXPECT_EQ(asked_of(moved, unit_0), left_);
    EXPECT_TRUE(withdraws(moved, source_, unit_0));
    EXPECT_FALSE(asked_of(moved, unit_0 + 1).has_value()) << "the source has begun";
}

TEST_F(SubstreamPickerTest, the_source_is_not_asked_on_top)
{
    join(source_, true);
    view_.edge_ = unit_0;
    view_.held[{left_, unit_0}] = all_chunks;
    view_.held[{source_, unit_0}] = all_chunks;
    EXPECT_EQ(asks_for(plan(start + config_.source_hold_off * 3), unit_0).size(), 1u);
}

TEST_F(SubstreamPickerTest, a_pull_names_only_what_the_holder_has)
{
    view_.edge_ = unit_0;
    view_.held[{left_, unit_0}] = 0x1f;
    view_.missing_[unit_0] = 0xfc;
    auto const asks = asks_for(plan(start), unit_0);
    ASSERT_EQ(asks.size(), 1u);
    EXPECT_EQ(asks[0].chunks, 0x1cu);
}

TEST_F(SubstreamPickerTest, a_pull_that_brings_nothing_goes_to_somebody_else)
{
    view_.edge_ = unit_0;
    view_.held[{left_, unit_0}] = all_chunks;
    EXPECT_EQ(asked_of(plan(start), unit_0), left_);
    join(right_);
    view_.held[{right_, unit_0}] = all_chunks;
    Duration const end = start + 10ms + config_.pull_patience_near + 3 * 10ms;
    EXPECT_TRUE(asks_for(plan(end - 1us), unit_0).empty());
    Plan const after = plan(end);
    EXPECT_EQ(asked_of(after, unit_0), right_);
    EXPECT_TRUE(withdraws(after, left_, unit_0));
}

TEST_F(SubstreamPickerTest, who_was_asked_in_vain_is_asked_last_for_a_while)
{
    join(right_);
    view_.parents_[1].rtt = 450ms;
    for (UnitIndex unit = unit_0; unit < unit_0 + 3; ++unit) {
        view_.held[{left_, unit}] = all_chunks;
        view_.held[{right_, unit}] = all_chunks;
        view_.missing_[unit] = unit == unit_0 ? all_chunks : 0;
    }
    view_.edge_ = unit_0 + 2;
    ASSERT_EQ(asked_of(plan(start), unit_0), left_);
    Duration const vain = start + 10ms + config_.pull_patience_near + 3 * 10ms;
    ASSERT_EQ(asked_of(plan(vain), unit_0), right_);
    auto const asked_for = [&](Duration now, UnitIndex unit) {
        view_.missing_[unit] = all_chunks;
        picker_.on_not_rescued(at(now), unit);
        return asked_of(plan(now), unit);
    };
    view_.missing_[unit_0] = 0;
    EXPECT_EQ(asked_for(vain + 1ms, unit_0 + 1), right_) << "left is much nearer";
    view_.missing_[unit_0 + 1] = 0;
    EXPECT_EQ(asked_for(vain + config_.vain_fresh, unit_0 + 2), left_);
}

TEST_F(SubstreamPickerTest, who_offers_places_is_asked_before_who_is_nearer)
{
    join(right_);
    view_.parents_[1].rtt = 200ms;
    view_.edge_ = unit_0;
    view_.held[{left_, unit_0}] = all_chunks;
    announce(start, right_, unit_0);
    EXPECT_EQ(asked_of(plan(start), unit_0), right_);
}

TEST_F(SubstreamPickerTest, a_doubtful_holder_is_asked_last)
{
    join(right_);
    view_.edge_ = unit_0;
    view_.held[{left_, unit_0}] = all_chunks;
    view_.held[{right_, unit_0}] = all_chunks;
    view_.parents_[0].doubtful = true;
    view_.parents_[1].rtt = 400ms;
    EXPECT_EQ(asked_of(plan(start), unit_0), right_);
}

TEST_F(SubstreamPickerTest, who_usually_has_a_unit_by_then_is_asked_though_it_said_nothing)
{
    announce(when(unit_0 - 8) + 40ms, left_, unit_0 - 8);
    view_.edge_ = unit_0;
    EXPECT_TRUE(asks_for(plan(start + 50ms), unit_0).empty());
    EXPECT_EQ(asked_of(plan(start + 51ms + config_.patience), unit_0), left_);
}

TEST_F(SubstreamPickerTest, a_unit_that_stands_still_is_asked_of_its_parent_again_then_of_another)
{
    subscribe_to_left();
    push_half(start + 10ms, left_, unit_0);
    view_.held[{right_, unit_0}] = all_chunks;
    EXPECT_LE(picker_.deadline(), at(start + 10ms + config_.stall));
    EXPECT_TRUE(asks_for(plan(start + 10ms + config_.stall - 1us), unit_0).empty());
    std::vector<PeerKey> asked;
    for (Duration now = start + 10ms + config_.stall; now < start + 500ms; now += 5ms) {
        for (Ask const& ask : asks_for(plan(now), unit_0)) {
            EXPECT_EQ(ask.chunks, 0xf0u);
            asked.push_back(ask.parent);
        }
    }
    ASSERT_GE(asked.size(), 4u);
    asked.resize(4);
    EXPECT_EQ(asked, (std::vector{left_, left_, left_, right_}));
}

TEST_F(SubstreamPickerTest, a_unit_that_goes_on_is_not_asked_again)
{
    (void)plan(asked_at_);
    for (Duration now = start + 10ms; now < start + 300ms; now += 30ms) {
        push_half(now, left_, unit_0);
        EXPECT_TRUE(asks_for(plan(now + 29ms), unit_0).empty());
    }
}

TEST_F(SubstreamPickerTest, few_units_are_pulled_at_once_but_urgent_ones)
{
    push(start, left_, unit_0); // who joins may pull as much as it likes until a unit came
    std::size_t const units = config_.pulls_max + 4;
    for (UnitIndex unit = unit_0 + 1; unit <= unit_0 + units; ++unit) {
        view_.held[{left_, unit}] = all_chunks;
    }
    view_.edge_ = unit_0 + units;
    auto const pulls = [this](Plan const& plan) {
        return std::count_if(plan.asks.begin(), plan.asks.end(),
                             [this](Ask const& ask) { return ask.unit <= view_.edge_; });
    };
    EXPECT_EQ(pulls(plan(start)), config_.pulls_max);
    // Those that are pulled come meanwhile, the rest waits for its turn.
    view_.due_ = at(start + config_.patience + config_.urgent);
    auto const later = [&](Duration now) {
        Plan const next = plan(now);
        return std::count_if(next.asks.begin(), next.asks.end(), [&](Ask const& ask) {
            return ask.unit > unit_0 + config_.pulls_max && ask.unit <= view_.edge_;
        });
    };
    EXPECT_EQ(later(start + config_.patience), 0) << "not that urgent";
    view_.due_ = at(start + config_.patience * 2 + config_.urgent - 1us);
    EXPECT_EQ(later(start + config_.patience * 2), 4);
}

TEST_F(SubstreamPickerTest, the_source_is_held_off_while_others_are_there)
{
    join(source_, true);
    view_.edge_ = unit_0;
    view_.held[{source_, unit_0}] = all_chunks;
    EXPECT_TRUE(asks_for(plan(start + config_.source_hold_off - 1us), unit_0).empty());
    EXPECT_EQ(asked_of(plan(start + config_.source_hold_off * 3), unit_0), source_);
}

TEST_F(SubstreamPickerTest, the_source_is_asked_at_once_by_who_has_nobody_else)
{
    view_.parents_.clear();
    join(source_, true);
    view_.edge_ = unit_0;
    view_.held[{source_, unit_0}] = all_chunks;
    EXPECT_EQ(asked_of(plan(start), unit_0), source_);
}

TEST_F(SubstreamPickerTest, the_source_is_asked_at_once_for_what_is_urgent)
{
    join(source_, true);
    view_.edge_ = unit_0;
    view_.held[{source_, unit_0}] = all_chunks;
    view_.due_ = at(start + config_.urgent - 1us);
    EXPECT_EQ(asked_of(plan(start), unit_0), source_);
}

TEST_F(SubstreamPickerTest, who_else_has_a_unit_is_asked_before_the_source)
{
    join(source_, true);
    view_.parents_[0].rtt = 40ms; // the source is a little nearer
    view_.edge_ = unit_0;
    view_.held[{source_, unit_0}] = all_chunks;
    view_.held[{left_, unit_0}] = all_chunks;
    EXPECT_EQ(asked_of(plan(start + config_.source_hold_off * 3), unit_0), left_);
}

TEST_F(SubstreamPickerTest, the_source_is_spared_what_is_urgent_and_held_by_others)
{
    join(source_, true);
    for (UnitIndex unit = unit_0; unit < unit_0 + 4; ++unit) {
        view_.held[{source_, unit}] = all_chunks;
        view_.held[{left_, unit}] = all_chunks;
    }
    view_.edge_ = unit_0 + 3;
    view_.due_ = at(start);
    for (Ask const& ask : plan(start + 200ms).asks) {
        EXPECT_TRUE(ask.unit > view_.edge_ || ask.parent == left_) << ask.unit;
    }
}

TEST_F(SubstreamPickerTest, a_unit_nobody_announced_is_asked_of_the_source_in_the_end)
{
    join(source_, true);
    view_.edge_ = unit_0;
    EXPECT_TRUE(asks_for(plan(start + config_.silence), unit_0).empty());
    EXPECT_EQ(asked_of(plan(start + config_.silence + config_.patience), unit_0), source_);
}

} // namespace
} // namespace ppsp::peer::substream_test
