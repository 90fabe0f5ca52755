#include "peer/policy/substream_picker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace ppsp::peer {
namespace {

TimePoint at(Duration time)
{
    return TimePoint{time};
}

/// The unit of substream 0 with which the tests begin, and when it exists.
constexpr UnitIndex unit_0 = 104;
constexpr Duration start = 1s;
constexpr Duration unit_duration = 50ms;
constexpr ChunkMask all_chunks = 0xff;

Duration when(UnitIndex unit)
{
    return start + unit_duration * (static_cast<std::int64_t>(unit) - std::int64_t{unit_0});
}

/// A swarm as a picker sees it: a unit of eight chunks every 50 ms.
class FakeView final : public PickerView {
public:
    std::span<ParentView const> parents() const override { return parents_; }
    ChunkMask held_by(PeerKey parent, UnitIndex unit) const override
    {
        auto const at = held.find({parent, unit});
        return at == held.end() ? 0 : at->second;
    }
    ChunkMask missing(UnitIndex unit) const override
    {
        auto const at = missing_.find(unit);
        return at == missing_.end() ? all_chunks : at->second;
    }
    UnitIndex edge() const override { return edge_; }
    UnitIndex first_wanted() const override { return first_; }
    TimePoint expected(UnitIndex unit) const override { return at(when(unit)); }
    std::optional<TimePoint> first_sign(UnitIndex unit) const override
    {
        return unit <= edge_ ? std::optional{at(when(unit))} : std::nullopt;
    }
    std::uint32_t places() const override { return places_; }
    std::optional<TimePoint> due(UnitIndex) const override { return due_; }

    std::vector<ParentView> parents_;
    std::map<std::pair<PeerKey, UnitIndex>, ChunkMask> held;
    std::map<UnitIndex, ChunkMask> missing_;
    UnitIndex edge_ = unit_0 - 1;
    UnitIndex first_ = unit_0;
    std::uint32_t places_ = 0;
    std::optional<TimePoint> due_;
};

std::vector<Ask> asks_for(Plan const& plan, UnitIndex unit)
{
    std::vector<Ask> asks;
    std::copy_if(plan.asks.begin(), plan.asks.end(), std::back_inserter(asks),
                 [unit](Ask const& ask) { return ask.unit == unit; });
    return asks;
}

/// Whom the plan asks for the unit; nullopt if nobody.
std::optional<PeerKey> asked_of(Plan const& plan, UnitIndex unit)
{
    auto const asks = asks_for(plan, unit);
    return asks.empty() ? std::nullopt : std::optional{asks.front().parent};
}

std::vector<UnitIndex> units_asked(Plan const& plan, std::uint32_t substream)
{
    std::vector<UnitIndex> units;
    for (Ask const& ask : plan.asks) {
        if (ask.unit % substreams == substream) {
            units.push_back(ask.unit);
        }
    }
    return units;
}

bool withdraws(Plan const& plan, PeerKey parent, UnitIndex unit)
{
    return std::any_of(plan.withdrawals.begin(), plan.withdrawals.end(),
                       [&](Withdrawal const& withdrawal) {
                           return withdrawal.parent == parent && withdrawal.unit == unit;
                       });
}

class SubstreamPickerTest : public ::testing::Test {
protected:
    SubstreamPickerTest() { join(left_); }

    void join(PeerKey peer, bool is_source = false)
    {
        view_.parents_.push_back(
            {.key = peer, .is_source = is_source, .usable = true, .rtt = 10ms});
        // It is known from before: what a neighbour had when it came says nothing about its lag.
        picker_.on_announced(at(when(unit_0 - 18)), peer, unit_0 - 19, false, view_);
    }
    Plan plan(Duration now)
    {
        Plan plan;
        picker_.plan(at(now), view_, plan);
        return plan;
    }
    /// Subscribes everything to the left neighbour, which is alone; then the right one comes.
    void subscribe_to_left()
    {
        (void)plan(asked_at_);
        join(right_);
    }
    void announce(Duration now, PeerKey peer, UnitIndex unit, bool offered = true)
    {
        view_.edge_ = std::max(view_.edge_, unit);
        view_.held[{peer, unit}] = all_chunks;
        picker_.on_announced(at(now), peer, unit, offered, view_);
    }
    /// The first half of the unit arrives.
    void push_half(Duration now, PeerKey peer, UnitIndex unit)
    {
        view_.edge_ = std::max(view_.edge_, unit);
        view_.missing_[unit] = 0xf0;
        picker_.on_chunk(at(now), peer, unit, view_);
    }
    void push(Duration now, PeerKey peer, UnitIndex unit)
    {
        push_half(now, peer, unit);
        view_.missing_[unit] = 0;
        picker_.on_complete(at(now), unit, view_);
    }
    /// The parent pushes these units in time.
    void feed(PeerKey peer, UnitIndex first, UnitIndex last, Duration lag = 20ms)
    {
        for (UnitIndex unit = first; unit <= last; ++unit) {
            push(when(unit) + lag, peer, unit);
            (void)plan(when(unit) + lag);
        }
    }
    /// Everything up to the unit exists and arrived, but for those of substream 0 after the first.
    void advance_to(UnitIndex edge)
    {
        for (UnitIndex unit = view_.edge_ + 1; unit <= edge; ++unit) {
            view_.missing_[unit] = unit % substreams == 0 ? all_chunks : 0;
        }
        view_.edge_ = edge;
    }
    /// When substream 0 is asked for the next time; at most two minutes later.
    Duration next_request_after(Duration now)
    {
        Duration const end = now + 120s;
        while (now < end && units_asked(plan(now), 0).empty()) {
            now += 50ms;
        }
        return now;
    }

    PeerKey const source_{1};
    PeerKey const left_{2};
    PeerKey const right_{3};
    Duration const asked_at_ = start - 40ms;
    SubstreamPickerConfig const config_;
    FakeView view_;
    SubstreamPicker picker_{config_, Rng{1}};
};

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

TEST_F(SubstreamPickerTest, a_parent_that_pushes_and_says_something_again_gives_notice)
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

TEST_F(SubstreamPickerTest, who_gave_notice_and_pushes_on_does_not_lose_its_successor)
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

TEST_F(SubstreamPickerTest, who_gave_notice_and_withholds_a_unit_has_refused)
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

TEST_F(SubstreamPickerTest, who_announces_units_of_two_substreams_offers_places)
{
    announce(start, left_, unit_0);
    announce(start + 10ms, left_, unit_0);
    EXPECT_TRUE(picker_.offers(at(start + 10ms), left_, 0));
    EXPECT_FALSE(picker_.offers(at(start + 10ms), left_)) << "the rare word of a full one";
    EXPECT_FALSE(picker_.offers(at(start + 10ms), right_));
    announce(start + 100ms, left_, unit_0 + 1);
    EXPECT_TRUE(picker_.offers(at(start + 100ms), left_));
    EXPECT_FALSE(picker_.offers(at(start + 10ms + config_.offer_gap), left_)) << "an old word";
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

TEST_F(SubstreamPickerTest, an_overdue_unit_is_pulled_from_who_has_it)
{
    announce(when(unit_0 - 8) + 20ms, left_, unit_0 - 8); // it is usually 20 ms late, 5 to and fro
    subscribe_to_left();
    announce(start + 1ms, right_, unit_0);
    Duration const late = start + 20ms + 4 * 5ms + config_.patience;
    Plan const before = plan(late - 1us);
    EXPECT_TRUE(asks_for(before, unit_0).empty());
    EXPECT_EQ(picker_.deadline(), at(late));
    Plan const after = plan(late);
    EXPECT_EQ(asked_of(after, unit_0), right_);
    EXPECT_FALSE(withdraws(after, left_, unit_0)) << "its parent may still pass it on";
    EXPECT_EQ(picker_.asked(unit_0), right_);
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

TEST_F(SubstreamPickerTest, a_doubtful_parent_gets_no_subscription_while_there_are_others)
{
    join(right_);
    view_.parents_[0].doubtful = true;
    (void)plan(asked_at_);
    EXPECT_EQ(picker_.fed_by(left_), 0u);
    EXPECT_EQ(picker_.fed_by(right_), substreams);
}

TEST_F(SubstreamPickerTest, who_usually_has_a_unit_by_then_is_asked_though_it_said_nothing)
{
    announce(when(unit_0 - 8) + 40ms, left_, unit_0 - 8);
    view_.edge_ = unit_0;
    EXPECT_TRUE(asks_for(plan(start + 50ms), unit_0).empty());
    EXPECT_EQ(asked_of(plan(start + 51ms + config_.patience), unit_0), left_);
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
        for (UnitIndex unit = unit_0; unit < unit_0 + 200; ++unit) {
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
    Duration now_{};
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
} // namespace ppsp::peer
