#pragma once

#include "peer/policy/substream_picker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

/// A swarm made up for SubstreamPicker, and what its plans say.
namespace ppsp::peer::substream_test {

inline TimePoint at(Duration time)
{
    return TimePoint{time};
}

/// The unit of substream 0 with which the tests begin, and when it exists.
inline constexpr UnitIndex unit_0 = 104;
inline constexpr Duration start = 1s;
inline constexpr Duration unit_duration = 50ms;
inline constexpr ChunkMask all_chunks = 0xff;

inline Duration when(UnitIndex unit)
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
    bool awaits_hashes(PeerKey parent, UnitIndex unit) const override
    {
        return awaits_.contains({parent, unit});
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
    bool passes_on(std::uint32_t) const override { return passes_on_; }
    bool playing() const override { return playing_; }
    std::optional<TimePoint> due(UnitIndex) const override { return due_; }

    std::vector<ParentView> parents_;
    std::map<std::pair<PeerKey, UnitIndex>, ChunkMask> held;
    std::set<std::pair<PeerKey, UnitIndex>> awaits_;
    std::map<UnitIndex, ChunkMask> missing_;
    UnitIndex edge_ = unit_0 - 1;
    UnitIndex first_ = unit_0;
    std::uint32_t places_ = 0;
    std::optional<TimePoint> due_;
    bool passes_on_ = true;
    bool playing_ = true;
};

inline std::vector<Ask> asks_for(Plan const& plan, UnitIndex unit)
{
    std::vector<Ask> asks;
    std::copy_if(plan.asks.begin(), plan.asks.end(), std::back_inserter(asks),
                 [unit](Ask const& ask) { return ask.unit == unit; });
    return asks;
}

/// Whom the plan asks for the unit; nullopt if nobody.
inline std::optional<PeerKey> asked_of(Plan const& plan, UnitIndex unit)
{
    auto const asks = asks_for(plan, unit);
    return asks.empty() ? std::nullopt : std::optional{asks.front().parent};
}

inline std::vector<UnitIndex> units_asked(Plan const& plan, std::uint32_t substream)
{
    std::vector<UnitIndex> units;
    for (Ask const& ask : plan.asks) {
        if (ask.unit % substreams == substream) {
            units.push_back(ask.unit);
        }
    }
    return units;
}

inline bool withdraws(Plan const& plan, PeerKey parent, UnitIndex unit)
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

} // namespace ppsp::peer::substream_test
