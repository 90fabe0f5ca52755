#include "tests/baselines/baselines.hpp"
#include "tests/baselines/deadline_segments.hpp"
#include "tests/baselines/pull_push.hpp"
#include "tests/baselines/random_useful.hpp"
#include "tests/baselines/rarest.hpp"
#include "tests/sim/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace ppsp::baselines {
namespace {

constexpr PeerKey source{1};
constexpr PeerKey left{2};
constexpr PeerKey right{3};
constexpr PeerKey third{4};
constexpr UnitIndex unit_0 = 120;

TimePoint at(Duration time)
{
    return TimePoint{time};
}

/// Units of eight chunks, all missing but those that came.
class FakeView final : public PickerView {
public:
    std::span<ParentView const> parents() const override { return parents_; }
    bool awaits_hashes(PeerKey, UnitIndex) const override { return false; }
    peer::ChunkMask held_by(PeerKey parent, UnitIndex unit) const override
    {
        return parent == source && unit <= edge_ ? 0xff : 0;
    }
    peer::ChunkMask missing(UnitIndex unit) const override
    {
        return came.contains(unit) ? 0 : 0xff;
    }
    UnitIndex edge() const override { return edge_; }
    UnitIndex first_wanted() const override { return unit_0; }
    TimePoint expected(UnitIndex unit) const override
    {
        return at(1s + 50ms * static_cast<std::int64_t>(unit - unit_0));
    }
    std::optional<TimePoint> first_sign(UnitIndex unit) const override
    {
        return unit <= edge_ ? std::optional{expected(unit)} : std::nullopt;
    }
    std::uint32_t places() const override { return 0; }
    bool passes_on(std::uint32_t) const override { return true; }
    bool playing() const override { return true; }
    std::optional<TimePoint> due(UnitIndex) const override { return std::nullopt; }

    std::vector<ParentView> parents_;
    std::set<UnitIndex> came;
    UnitIndex edge_ = unit_0;
};

template <typename P>
class Swarm {
public:
    template <typename... Args>
    explicit Swarm(Args const&... args) : picker(args..., Rng{3})
    {
        for (PeerKey const key : {left, right, third}) {
            join(key, false);
        }
    }
    void join(PeerKey key, bool is_source)
    {
        view.parents_.push_back({.key = key, .is_source = is_source, .usable = true, .rtt = 20ms});
    }
    void announce(PeerKey from, UnitIndex first, UnitIndex last, Duration now = 1s)
    {
        view.edge_ = std::max(view.edge_, last);
        for (UnitIndex unit = first; unit <= last; ++unit) {
            picker.on_announced(at(now), from, unit, false, view);
        }
    }
    void come(PeerKey from, UnitIndex unit, Duration now)
    {
        picker.on_chunk(at(now), from, unit, view);
        view.came.insert(unit);
        picker.on_complete(at(now), unit, view);
    }
    Plan plan(Duration now)
    {
        Plan plan;
        picker.plan(at(now), view, plan);
        return plan;
    }

    FakeView view;
    P picker;
};

std::vector<UnitIndex> units(Plan const& plan)
{
    std::vector<UnitIndex> all;
    for (Ask const& ask : plan.asks) {
        all.push_back(ask.unit);
    }
    return all;
}

TEST(RandomUsefulTest, asks_for_the_newest_units_first_and_for_few_at_a_time)
{
    Swarm<RandomUseful> swarm{PullConfig{}};
    swarm.announce(left, unit_0, unit_0 + 9);
    EXPECT_EQ(units(swarm.plan(1s)), (std::vector{unit_0 + 9, unit_0 + 8}));
    EXPECT_EQ(swarm.picker.asked(unit_0 + 9), left);
    EXPECT_TRUE(swarm.plan(1s + 100ms).asks.empty()) << "they are on their way";
    swarm.come(left, unit_0 + 9, 1s + 100ms);
    EXPECT_EQ(units(swarm.plan(1s + 120ms)), std::vector{unit_0 + 7});
}

TEST(RandomUsefulTest, asks_any_holder)
{
    std::map<PeerKey, int> asked;
    Swarm<RandomUseful> swarm{PullConfig{}};
    for (UnitIndex unit = unit_0; unit < unit_0 + 300; ++unit) {
        Duration const now = 1s + 50ms * static_cast<std::int64_t>(unit - unit_0);
        swarm.announce(left, unit, unit, now);
        swarm.announce(right, unit, unit, now);
        Plan const plan = swarm.plan(now);
        ASSERT_EQ(plan.asks.size(), 1u);
        asked[plan.asks[0].parent] += 1;
        swarm.come(plan.asks[0].parent, unit, now + 10ms);
    }
    EXPECT_NEAR(asked[left], 150, 40);
    EXPECT_EQ(asked[third], 0) << "it holds nothing";
}

TEST(RandomUsefulTest, who_does_not_deliver_is_taken_back_and_somebody_else_asked)
{
    Swarm<RandomUseful> swarm{PullConfig{}};
    swarm.announce(left, unit_0, unit_0);
    swarm.announce(right, unit_0, unit_0);
    PeerKey const first = swarm.plan(1s).asks.at(0).parent;
    Duration const late = 1s + 20ms + PullConfig{}.patience;
    EXPECT_TRUE(swarm.plan(late - 1us).asks.empty());
    Plan const again = swarm.plan(late);
    ASSERT_EQ(again.withdrawals.size(), 1u);
    EXPECT_EQ(again.withdrawals[0].parent, first);
    EXPECT_NE(again.asks.at(0).parent, first);
}

TEST(RandomUsefulTest, who_left_owes_nothing)
{
    Swarm<RandomUseful> swarm{PullConfig{}};
    swarm.announce(left, unit_0, unit_0);
    (void)swarm.plan(1s);
    swarm.announce(right, unit_0, unit_0);
    swarm.picker.on_parent_gone(left);
    EXPECT_EQ(swarm.plan(1s + 30ms).asks.at(0).parent, right);
}

TEST(RandomUsefulTest, the_source_is_asked_for_what_nobody_else_holds_after_a_while)
{
    Swarm<RandomUseful> swarm{PullConfig{}};
    swarm.join(source, true);
    swarm.view.edge_ = unit_0;
    EXPECT_TRUE(swarm.plan(1s + PullConfig{}.source_hold_off - 1us).asks.empty());
    EXPECT_EQ(swarm.plan(1s + PullConfig{}.source_hold_off * 3).asks.at(0).parent, source);
    swarm.announce(left, unit_0 + 1, unit_0 + 1);
    EXPECT_EQ(swarm.plan(9s).asks.at(0).parent, left) << "others before the source";
}

TEST(RandomUsefulTest, what_is_pushed_unasked_is_not_asked_of_others)
{
    Swarm<RandomUseful> swarm{PullConfig{}};
    swarm.picker.on_chunk(at(1s), third, unit_0, swarm.view);
    swarm.announce(left, unit_0, unit_0);
    EXPECT_TRUE(swarm.plan(1s + 20ms).asks.empty());
    EXPECT_EQ(swarm.picker.asked(unit_0), third);
}

TEST(RarestFirstTest, asks_for_the_unit_with_the_fewest_holders_first)
{
    Swarm<RarestFirst> swarm{PullConfig{}};
    swarm.announce(left, unit_0, unit_0 + 4);
    swarm.announce(right, unit_0, unit_0 + 1);
    swarm.announce(right, unit_0 + 3, unit_0 + 4);
    EXPECT_EQ(units(swarm.plan(1s)).at(0), unit_0 + 2);
}

TEST(RarestFirstTest, asks_the_fastest_holder_but_for_a_try)
{
    int fast = 0;
    Swarm<RarestFirst> swarm{PullConfig{}};
    swarm.view.parents_[0].bytes_per_second = 1e5;
    swarm.view.parents_[1].bytes_per_second = 2e5;
    for (UnitIndex unit = unit_0; unit < unit_0 + 200; ++unit) {
        Duration const now = 1s + 50ms * static_cast<std::int64_t>(unit - unit_0);
        swarm.announce(left, unit, unit, now);
        swarm.announce(right, unit, unit, now);
        PeerKey const asked = swarm.plan(now).asks.at(0).parent;
        fast += asked == right ? 1 : 0;
        swarm.come(asked, unit, now + 10ms);
    }
    EXPECT_GT(fast, 170);
    EXPECT_LT(fast, 200);
}

TEST(DeadlineSegmentsTest, asks_for_whole_segments_by_their_deadline_of_one_holder)
{
    Swarm<DeadlineSegments> swarm;
    constexpr UnitIndex length = DeadlineSegments::segment_units;
    swarm.announce(left, unit_0, unit_0 + length - 2);
    EXPECT_TRUE(swarm.plan(1s).asks.empty()) << "it is not whole";
    swarm.announce(left, unit_0 + length - 1, unit_0 + 2 * length - 1);
    swarm.announce(right, unit_0 + length, unit_0 + 2 * length - 1);
    Plan const plan = swarm.plan(2s);
    ASSERT_EQ(plan.asks.size(), 2 * length);
    for (UnitIndex i = 0; i < 2 * length; ++i) {
        EXPECT_EQ(plan.asks[i].unit, unit_0 + i);
        EXPECT_EQ(plan.asks[i].parent, i < length ? left : right);
    }
}

TEST(PullPushTest, who_delivered_a_pulled_unit_is_subscribed_to)
{
    Swarm<PullPush> swarm;
    swarm.announce(left, unit_0, unit_0);
    ASSERT_EQ(units(swarm.plan(1s)), std::vector{unit_0});
    swarm.come(left, unit_0, 1s + 30ms);
    Plan const plan = swarm.plan(1s + 50ms);
    ASSERT_EQ(plan.asks.size(), PullPush::horizon / peer::substreams);
    for (Ask const& ask : plan.asks) {
        EXPECT_EQ(ask.parent, left);
        EXPECT_EQ(ask.unit % peer::substreams, unit_0 % peer::substreams);
    }
    EXPECT_EQ(swarm.picker.orphans(), peer::substreams - 1);
}

class PullPushLateTest : public ::testing::Test {
protected:
    PullPushLateTest()
    {
        swarm_.announce(left, unit_0, unit_0);
        (void)swarm_.plan(1s);
        swarm_.come(left, unit_0, 1s + 30ms);
        (void)swarm_.plan(1s + 50ms);
    }
    Duration due(UnitIndex unit) { return swarm_.view.expected(unit).time_since_epoch(); }

    Swarm<PullPush> swarm_;
};

TEST_F(PullPushLateTest, what_is_subscribed_to_is_pulled_only_when_it_is_late)
{
    UnitIndex const next = unit_0 + peer::substreams;
    swarm_.announce(right, next, next, due(next));
    EXPECT_TRUE(swarm_.plan(due(next) + PullPush::late - 1us).asks.empty());
    Plan const plan = swarm_.plan(due(next) + PullPush::late);
    EXPECT_EQ(plan.asks.at(0).unit, next);
    EXPECT_EQ(plan.asks.at(0).parent, right);
    EXPECT_EQ(swarm_.picker.orphans(), peer::substreams - 1) << "one may get lost";
    UnitIndex const after = next + peer::substreams;
    swarm_.announce(right, after, after, due(after));
    (void)swarm_.plan(due(after) + PullPush::late);
    EXPECT_EQ(swarm_.picker.orphans(), peer::substreams) << "two in a row do not";
}

TEST_F(PullPushLateTest, a_parent_that_announces_instead_of_pushing_is_given_up)
{
    UnitIndex const next = unit_0 + peer::substreams;
    swarm_.announce(left, next, next, due(next));
    Plan const plan = swarm_.plan(due(next) + 1ms);
    EXPECT_EQ(plan.asks.at(0).unit, next) << "it is pulled";
    EXPECT_FALSE(plan.withdrawals.empty()) << "and the subscription taken back";
}

TEST(BaselinesTest, every_name_stands_for_something_and_delivers_something)
{
    auto scenario = sim::load_scenario(std::string{PPSP_SCENARIOS} + "/small.toml");
    ASSERT_TRUE(scenario.has_value());
    scenario->peers = 8;
    scenario->seed = 2; // of so few in so short a time one may get nothing from peers
    scenario->join_over = 2;
    scenario->seconds = 16;
    scenario->measure_from = 8;
    scenario->settle = 2;
    std::set<std::string> digests;
    for (std::string const name : {"substream", "random-overlay", "random-useful", "deprived",
                                   "rarest", "deadline-segments", "pull-push"}) {
        ASSERT_TRUE(find(name).has_value()) << name;
        EXPECT_NE(names().find(name), std::string::npos);
        scenario->picker = name;
        ASSERT_TRUE(sim::check(*scenario).has_value());
        bool const segments = name == "deadline-segments";
        scenario->latency_ms = segments ? 7000 : 0;
        sim::RunResult const result = sim::World{*scenario}.run();
        EXPECT_GT(result.continuity, segments ? 0.1 : 0.8) << name;
        EXPECT_GT(result.offload, segments ? 0.2 : 0.3) << name;
        EXPECT_EQ(result.polluted_bytes_out, 0u);
        bool const equal = result.classes.at("half").slots == peer::substreams &&
                           result.classes.at("five").slots == peer::substreams;
        EXPECT_EQ(equal, name == "random-overlay") << name;
        EXPECT_TRUE(digests.insert(result.digest).second) << name << " does the same as another";
    }
    EXPECT_FALSE(find("best").has_value());
    scenario->picker = "best";
    EXPECT_NE(sim::check(*scenario).error().find("rarest"), std::string::npos);
}

} // namespace
} // namespace ppsp::baselines
