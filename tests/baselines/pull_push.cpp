#include "tests/baselines/pull_push.hpp"

#include <algorithm>

namespace ppsp::baselines {

/// A parent that announces a unit instead of pushing it has no place for us.
void PullPush::on_announced(TimePoint now, PeerKey parent, UnitIndex unit, bool offered,
                            PickerView const& view)
{
    Substream& mine = substream_of(unit);
    if (mine.parent == parent && unit >= mine.from && unit < mine.until) {
        give_up(mine);
    }
    PullPicker::on_announced(now, parent, unit, offered, view);
}

void PullPush::on_chunk(TimePoint now, PeerKey from, UnitIndex unit, PickerView const& view)
{
    Substream& mine = substream_of(unit);
    if (!mine.parent) {
        mine = {from, view.edge() + 1, 0, 0, 0};
        wake();
    } else if (mine.parent == from) {
        mine.misses = 0;
    }
    PullPicker::on_chunk(now, from, unit, view);
}

void PullPush::on_parent_gone(PeerKey parent)
{
    for (Substream& mine : substreams_) {
        if (mine.parent == parent) {
            mine = {};
        }
    }
    PullPicker::on_parent_gone(parent);
}

void PullPush::give_up(Substream& substream)
{
    auto const number = static_cast<UnitIndex>(&substream - substreams_.data());
    UnitIndex unit = substream.from;
    unit += (number + peer::substreams - unit % peer::substreams) % peer::substreams;
    for (; unit < substream.until; unit += peer::substreams) {
        withdrawals_.push_back({*substream.parent, unit});
    }
    substream = {};
}

bool PullPush::comes_by_itself(TimePoint now, UnitIndex unit, PickerView const& view)
{
    Substream& mine = substream_of(unit);
    if (!mine.parent || unit < mine.from || unit >= mine.until) {
        return false;
    }
    if (now < view.expected(unit) + late) {
        return true;
    }
    if (mine.missed != unit) {
        mine.missed = unit;
        if (++mine.misses >= misses_max) {
            give_up(mine);
        }
    }
    return false;
}

void PullPush::plan(TimePoint now, PickerView const& view, Plan& plan)
{
    PullPicker::plan(now, view, plan);
    plan.withdrawals.insert(plan.withdrawals.end(), withdrawals_.begin(), withdrawals_.end());
    withdrawals_.clear();
    UnitIndex const edge = view.edge();
    for (UnitIndex number = 0; number < peer::substreams; ++number) {
        Substream& mine = substreams_[number];
        if (!mine.parent || mine.until > edge + horizon / 2) {
            continue;
        }
        UnitIndex unit = std::max({edge + 1, mine.from, mine.until});
        unit += (number + peer::substreams - unit % peer::substreams) % peer::substreams;
        for (; unit <= edge + horizon; unit += peer::substreams) {
            plan.asks.push_back({*mine.parent, unit, view.missing(unit)});
            mine.until = unit + 1;
        }
    }
}

std::uint32_t PullPush::orphans() const
{
    return static_cast<std::uint32_t>(
        std::count_if(substreams_.begin(), substreams_.end(),
                      [](Substream const& mine) { return !mine.parent; }));
}

std::uint32_t PullPush::fed_by(PeerKey parent) const
{
    auto const feeds =
        std::count_if(substreams_.begin(), substreams_.end(),
                      [parent](Substream const& mine) { return mine.parent == parent; });
    return PullPicker::fed_by(parent) + static_cast<std::uint32_t>(feeds);
}

} // namespace ppsp::baselines
