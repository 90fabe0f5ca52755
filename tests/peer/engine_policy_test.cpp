#include "peer/policy/neighbour_choice.hpp"
#include "peer/policy/substream_picker.hpp"
#include "peer/policy/uplink.hpp"
#include "peer/policy/upload_slots.hpp"

#include <gtest/gtest.h>

#include <map>

namespace ppsp::peer {
namespace {

TimePoint at(Duration time)
{
    return TimePoint{time};
}

TEST(UplinkTest, sends_at_its_limit)
{
    Uplink uplink{8'000'000}; // 1 MB/s
    std::size_t sent = 0;
    for (Duration now = 0ms; now < 10s; now += 1ms) {
        while (uplink.may_send_data(at(now))) {
            uplink.on_sent(at(now), 1000);
            sent += 1000;
        }
    }
    EXPECT_NEAR(static_cast<double>(sent), 10e6, 0.03e6);
    EXPECT_NEAR(static_cast<double>(uplink.measured_bps(at(10s))), 8e6, 0.3e6);
    EXPECT_EQ(uplink.measured_bps(at(20s)), 0u);
}

TEST(UplinkTest, zero_never_sends_and_no_limit_always_does)
{
    Uplink silent{0};
    EXPECT_FALSE(silent.may_send_data(at(1h)));
    EXPECT_FALSE(silent.ready_at(at(1h)).has_value());
    Uplink open{std::nullopt};
    open.on_sent(at(0s), 1'000'000'000);
    EXPECT_TRUE(open.may_send_data(at(0s)));
}

TEST(UplinkTest, says_when_it_is_out_of_debt)
{
    Uplink uplink{8'000'000};
    uplink.on_sent(at(1s), 20'000);
    auto const ready = uplink.ready_at(at(1s));
    ASSERT_TRUE(ready.has_value());
    EXPECT_FALSE(uplink.may_send_data(*ready - 100us));
    EXPECT_TRUE(uplink.may_send_data(*ready));
}

TEST(UploadSlotsTest, a_substream_has_few_children_and_keeps_them)
{
    UploadSlots slots{2};
    EXPECT_TRUE(slots.admit(at(0s), PeerKey{1}, 0));
    EXPECT_TRUE(slots.admit(at(0s), PeerKey{2}, 0));
    EXPECT_FALSE(slots.admit(at(0s), PeerKey{3}, 0));
    EXPECT_TRUE(slots.admit(at(0s), PeerKey{3}, 1)) << "another substream";
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, 0));
    EXPECT_EQ(slots.free(at(1s)), 2u * substreams - 3);
    slots.release(PeerKey{2});
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{3}, 0));
}

TEST(UploadSlotsTest, a_child_that_asks_for_nothing_loses_its_place)
{
    UploadSlots slots{1};
    EXPECT_TRUE(slots.admit(at(0s), PeerKey{1}, 0));
    EXPECT_FALSE(slots.admit(at(1s), PeerKey{2}, 0));
    EXPECT_TRUE(slots.admit(at(0s) + UploadSlots::idle_max + 1ms, PeerKey{2}, 0));
}

TEST(UploadSlotsTest, a_budget_is_spread_over_the_substreams)
{
    UploadSlots slots{4};
    slots.set_budget(substreams + 3);
    std::uint32_t taken = 0;
    for (std::uint32_t peer = 1; peer <= 4; ++peer) {
        for (std::uint32_t substream = 0; substream < substreams; ++substream) {
            taken += slots.admit(at(0s), PeerKey{peer * 100 + substream}, substream) ? 1 : 0;
        }
    }
    EXPECT_EQ(taken, substreams + 3);
    EXPECT_EQ(slots.free(at(0s)), 0u);
    slots.set_budget(0);
    EXPECT_FALSE(slots.admit(at(0s), PeerKey{1}, 0));
}

TEST(UploadSlotsTest, the_rich_give_way_to_the_poor_one_at_a_time)
{
    UploadSlots slots{1};
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        EXPECT_TRUE(slots.admit(at(1s), PeerKey{1}, substream));
    }
    EXPECT_TRUE(slots.admit(at(1s), PeerKey{2}, 0));
    EXPECT_FALSE(slots.admit(at(1s), PeerKey{2}, 1)) << "one per half second";
    EXPECT_FALSE(slots.admit(at(1s), PeerKey{1}, 0));
    EXPECT_TRUE(slots.admit(at(1s) + UploadSlots::preemption_gap, PeerKey{2}, 1));
}

TEST(NeighbourChoiceTest, refuses_addresses_nobody_should_send_to)
{
    NeighbourChoice choice{Rng{1}};
    EXPECT_FALSE(choice.add(at(0s), Endpoint::v4(0xe0000001, 80)));
    EXPECT_FALSE(choice.add(at(0s), Endpoint::v4(0, 80)));
    EXPECT_FALSE(choice.add(at(0s), Endpoint::v4(0x0a000001, 0)));
    EXPECT_TRUE(choice.add(at(0s), Endpoint::v4(0x0a000001, 80)));
}

TEST(NeighbourChoiceTest, is_full_at_its_limit_and_failed_ones_give_way)
{
    NeighbourChoice choice{Rng{1}};
    for (std::uint32_t i = 0; i < 200; ++i) {
        choice.add(at(0s), Endpoint::v4(0x0a000000 + i, 80));
    }
    EXPECT_EQ(choice.size(), NeighbourChoice::candidates_max);
    choice.on_failed(at(0s), Endpoint::v4(0x0a000000, 80));
    EXPECT_TRUE(choice.add(at(0s), Endpoint::v4(0x0b000000, 80)));
    EXPECT_EQ(choice.size(), NeighbourChoice::candidates_max);
}

TEST(NeighbourChoiceTest, a_failed_one_waits_longer_each_time_and_a_banned_one_is_not_dialled)
{
    NeighbourChoice choice{Rng{1}};
    Endpoint const peer = Endpoint::v4(0x0a000001, 80);
    choice.add(at(0s), peer);
    EXPECT_EQ(choice.next(at(0s), {}), peer);
    choice.on_failed(at(0s), peer);
    EXPECT_FALSE(choice.next(at(1s), {}).has_value());
    EXPECT_EQ(choice.next(at(3s), {}), peer);
    choice.on_failed(at(3s), peer);
    EXPECT_FALSE(choice.next(at(6s), {}).has_value());
    EXPECT_FALSE(choice.next(at(1h), std::array{peer}).has_value()) << "connected";
    choice.ban(at(1h), peer);
    EXPECT_FALSE(choice.add(at(1h), peer));
    EXPECT_FALSE(choice.banned(at(1h) + NeighbourChoice::ban_time, peer));
    for (std::uint32_t i = 0; i < 1000; ++i) {
        choice.ban(at(1h), Endpoint::v4(i + 1, 1));
    }
    EXPECT_TRUE(choice.banned(at(1h), Endpoint::v4(1000, 1)));
}

/// Two neighbours and the source, as a picker sees them.
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
        return at == missing_.end() ? 0xff : at->second;
    }
    UnitIndex edge() const override { return edge_; }
    UnitIndex first_wanted() const override { return first_; }
    std::optional<TimePoint> first_sign(UnitIndex unit) const override
    {
        return unit <= edge_ ? std::optional{sign} : std::nullopt;
    }
    std::optional<TimePoint> due(UnitIndex) const override { return due_; }

    std::vector<ParentView> parents_;
    std::map<std::pair<PeerKey, UnitIndex>, ChunkMask> held;
    std::map<UnitIndex, ChunkMask> missing_;
    UnitIndex edge_ = 99;
    UnitIndex first_ = 100;
    TimePoint sign{};
    std::optional<TimePoint> due_;
};

class SubstreamPickerTest : public ::testing::Test {
protected:
    SubstreamPickerTest()
    {
        view_.parents_ = {{.key = source_, .is_source = true, .usable = true, .rtt = 10ms},
                          {.key = peer_, .usable = true, .rtt = 10ms}};
    }
    Plan plan(Duration now)
    {
        Plan plan;
        picker_.plan(at(now), view_, plan);
        return plan;
    }

    PeerKey const source_{1};
    PeerKey const peer_{2};
    FakeView view_;
    SubstreamPicker picker_{SubstreamPickerConfig{}, Rng{1}};
};

TEST_F(SubstreamPickerTest, subscribes_to_units_that_do_not_exist_yet)
{
    Plan const first = plan(1s);
    EXPECT_EQ(first.asks.size(), SubstreamPickerConfig{}.horizon_units);
    for (Ask const& ask : first.asks) {
        EXPECT_GT(ask.unit, view_.edge_);
        EXPECT_EQ(ask.chunks, 0xffu);
    }
    EXPECT_TRUE(plan(1s + 10ms).asks.empty()) << "asked already";
    EXPECT_EQ(plan(1s + 500ms).asks.size(), first.asks.size()) << "repeated: requests get lost";
}

TEST_F(SubstreamPickerTest, a_parent_that_announces_instead_of_sending_has_refused)
{
    (void)plan(1s);
    PeerKey const asked = *picker_.asked(100);
    PeerKey const other = asked == source_ ? peer_ : source_;
    view_.edge_ = 100;
    view_.sign = at(1s);
    view_.held[{asked, 100}] = 0xff;
    view_.held[{other, 100}] = 0xff;
    picker_.on_announced(at(1s + 20ms), asked, 100, view_);
    (void)plan(1s + 300ms);
    (void)plan(1s + 310ms);
    ASSERT_TRUE(picker_.asked(108).has_value());
    bool const pulled = picker_.asked(100).has_value();
    EXPECT_TRUE(pulled);
    view_.edge_ = 124; // units beyond the first horizon are asked of the other one
    view_.first_ = 125;
    (void)plan(1s + 400ms);
    EXPECT_EQ(picker_.asked(132), other) << "same substream as unit 100";
}

TEST_F(SubstreamPickerTest, a_unit_its_parent_does_not_begin_is_pulled_from_who_has_it)
{
    (void)plan(1s);
    PeerKey const asked = *picker_.asked(100);
    PeerKey const other = asked == source_ ? peer_ : source_;
    view_.edge_ = 100;
    view_.sign = at(1s);
    view_.held[{other, 100}] = 0xff;
    EXPECT_EQ(plan(1s + 20ms).withdrawals.size(), 0u) << "patience";
    view_.due_ = at(1s + 600ms); // soon due, so the source may be asked, too
    Plan const late = plan(1s + 590ms);
    ASSERT_GE(late.asks.size(), 1u);
    EXPECT_EQ(late.asks[0].parent, other);
    EXPECT_EQ(late.asks[0].unit, 100u);
    ASSERT_EQ(late.withdrawals.size(), 1u);
    EXPECT_EQ(late.withdrawals[0].parent, asked);
}

TEST_F(SubstreamPickerTest, a_unit_that_stands_still_is_asked_again_of_the_same_parent_first)
{
    (void)plan(1s);
    PeerKey const asked = *picker_.asked(100);
    view_.edge_ = 100;
    view_.sign = at(1s);
    view_.held[{asked, 100}] = 0x0f;
    view_.missing_[100] = 0xf0;
    picker_.on_chunk(at(1s + 10ms), asked, 100, view_);
    for (Ask const& ask : plan(1s + 20ms).asks) {
        EXPECT_NE(ask.unit, 100u);
    }
    Plan const again = plan(1s + 100ms);
    ASSERT_GE(again.asks.size(), 1u);
    EXPECT_EQ(again.asks[0].parent, asked);
    EXPECT_EQ(again.asks[0].chunks, 0xf0u);
}

TEST_F(SubstreamPickerTest, who_pushes_first_becomes_the_parent)
{
    (void)plan(1s);
    PeerKey const asked = *picker_.asked(100);
    PeerKey const other = asked == source_ ? peer_ : source_;
    view_.edge_ = 100;
    view_.sign = at(1s);
    picker_.on_chunk(at(1s + 10ms), other, 100, view_);
    EXPECT_EQ(picker_.asked(100), other);
    EXPECT_EQ(plan(1s + 20ms).withdrawals.size(), 1u);
}

TEST_F(SubstreamPickerTest, the_source_is_held_off_while_others_are_there)
{
    view_.edge_ = 100;
    view_.sign = at(1s);
    view_.held[{source_, 100}] = 0xff;
    auto const pulls = [&](Duration now) {
        for (Ask const& ask : plan(now).asks) {
            if (ask.unit == 100) {
                return true;
            }
        }
        return false;
    };
    EXPECT_FALSE(pulls(1s + 10ms));
    EXPECT_TRUE(pulls(1s + 400ms));
}

TEST_F(SubstreamPickerTest, a_parent_that_is_gone_is_forgotten)
{
    (void)plan(1s);
    picker_.on_parent_gone(source_);
    view_.parents_.erase(view_.parents_.begin());
    (void)plan(1s + 10ms);
    for (UnitIndex unit = 100; unit < 120; ++unit) {
        EXPECT_EQ(picker_.asked(unit), peer_);
    }
}

} // namespace
} // namespace ppsp::peer
