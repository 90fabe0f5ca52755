#include "peer/policy/substream_picker.hpp"

#include <algorithm>
#include <utility>

namespace ppsp::peer {
SubstreamPicker::UnitState* SubstreamPicker::state_of(UnitIndex unit)
{
    return unit >= first_ && unit < first_ + units_.size() ? &units_[unit - first_] : nullptr;
}

/// Units that came into being get a state, those that nobody wants any more lose it.
void SubstreamPicker::open_units(TimePoint now, PickerView const& view)
{
    UnitIndex const wanted = view.first_wanted();
    while (!units_.empty() && first_ < wanted) {
        units_.pop_front();
        ++first_;
    }
    if (units_.empty()) {
        first_ = std::max(first_, wanted);
    }
    while (first_ + units_.size() <= view.edge()) {
        UnitIndex const unit = first_ + units_.size();
        UnitState state;
        state.open = view.missing(unit) != 0;
        state.progress = now;
        Substream const& substream = substreams_[substream_of(unit)];
        state.check = now;
        if (substream.parent && unit >= substream.asked_from && unit < substream.asked_until) {
            Lag const lag = usual_lag(*substream.parent, substream_of(unit));
            state.parent = substream.parent;
            // Its first datagram, with the munro, is often all that was lost.
            state.started = view.awaits_hashes(*substream.parent, unit);
            state.check =
                state.started ? now + config_.stall : view.expected(unit) + wait(view, unit, lag);
        }
        units_.push_back(state);
        if (state.open) {
            open_.push_back(unit);
            next_check_ = std::min(next_check_, state.check);
        }
    }
}

void SubstreamPicker::on_announced(TimePoint now, PeerKey parent, UnitIndex unit, bool offered,
                                   PickerView const& view)
{
    open_units(now, view);
    note_lag(now, parent, unit, view);
    if (offered) {
        parents_[parent].announced[substream_of(unit)] = now;
    }
    on_no_place(now, parent, unit, view);
    on_no_room(now, parent, unit, view);
    UnitState* const state = state_of(unit);
    if (state == nullptr || !state->open) {
        return;
    }
    if (state->parent == parent && !state->started && !state->pull) {
        state->parent.reset();
    }
    if (state->subscribed == parent) {
        state->subscribed.reset();
    }
    // What the source has not begun to send is better taken from who has it now.
    ParentView const* const asked = state->parent ? usable(view, *state->parent) : nullptr;
    bool const relieves = asked != nullptr && asked->is_source && asked->key != parent &&
                          state->pull && !state->started;
    if (!state->parent || relieves) {
        state->check = now;
        next_check_ = now;
    }
}

void SubstreamPicker::on_repeated(TimePoint now, PeerKey parent, UnitIndex unit,
                                  PickerView const& view)
{
    on_no_place(now, parent, unit, view);
    on_no_room(now, parent, unit, view);
}

void SubstreamPicker::on_chunk(TimePoint now, PeerKey from, UnitIndex unit, PickerView const& view)
{
    open_units(now, view);
    UnitState* const state = state_of(unit);
    if (state == nullptr || !state->open) {
        return;
    }
    if (state->parent != from) {
        if (state->started) {
            return;
        }
        if (state->parent) {
            withdrawals_.push_back({*state->parent, unit});
        }
        state->parent = from;
        if (state->subscribed == from) {
            state->subscribed.reset();
            state->pull = false;
        } else if (!state->pull && !was_given_up(now, from, substream_of(unit))) {
            adopt(from, unit, view);
        }
    }
    if (state->subscribed) {
        withdrawals_.push_back({*state->subscribed, unit});
        state->subscribed.reset();
    }
    Substream& substream = substreams_[substream_of(unit)];
    if (!state->started && substream.rival && substream.rival != from &&
        unit >= substream.rival_from) {
        // The race for this unit is over. Who is not faster is no better parent.
        withdrawals_.push_back({*substream.rival, unit});
        if (!substream.notice) {
            refuse(now, *substream.rival, substream_of(unit));
        }
    }
    if (!state->started && !state->pull) {
        note_lag(now, from, unit, view);
        ParentState& parent = parents_[from];
        parent.refusals[substream_of(unit)] = 0;
        Substream& mine = substreams_[substream_of(unit)];
        mine.pushed_at = now;
        if (mine.notice && now - *mine.notice > config_.notice_max) {
            mine.notice.reset();
        }
        if (mine.parent == from && !mine.confirmed) {
            mine.confirmed = true;
            next_check_ = now; // the subscription gets longer
        }
    }
    state->started = true;
    state->progress = now;
    state->check = now + config_.stall;
    next_check_ = std::min(next_check_, state->check);
}

/// A successor of a parent that gave notice need not be earlier: it has a place.
void SubstreamPicker::on_duplicate(TimePoint now, PeerKey from, UnitIndex unit,
                                   PickerView const& view)
{
    Substream& mine = substreams_[substream_of(unit)];
    if (mine.notice && mine.rival == from && unit >= mine.rival_from) {
        adopt(from, unit, view);
        mine.pushed_at = now;
    }
}

/// Its first datagrams were lost: asked again, the parent sends them at once. Anybody can send such
/// a chunk, so nothing else follows from it.
void SubstreamPicker::on_pending(TimePoint now, PeerKey from, UnitIndex unit)
{
    UnitState* const state = state_of(unit);
    if (state == nullptr || !state->open || state->parent != from) {
        return;
    }
    state->started = true;
    state->progress = now;
    state->check = now + config_.stall;
    next_check_ = std::min(next_check_, state->check);
}

void SubstreamPicker::on_wrong(TimePoint now, PeerKey from, UnitIndex unit)
{
    UnitState* const state = state_of(unit);
    if (state == nullptr || !state->open) {
        return;
    }
    if (state->subscribed == from) {
        state->subscribed.reset();
    }
    if (state->parent == from) {
        withdrawals_.push_back({from, unit});
        state->parent.reset();
        state->started = false;
        state->check = now;
        next_check_ = now;
    }
}

void SubstreamPicker::on_complete(TimePoint now, UnitIndex unit, PickerView const& view)
{
    UnitState* const state = state_of(unit);
    if (state == nullptr || !state->open) {
        return;
    }
    state->open = false;
    if (state->parent && !state->pull) {
        parents_[*state->parent].misses[substream_of(unit)] = 0;
    }
    substreams_[substream_of(unit)].own.note(now - view.expected(unit));
}

/// No credit to its parent, who missed it, and nothing to learn about how late peers are.
void SubstreamPicker::on_rescued(TimePoint, UnitIndex unit)
{
    if (UnitState* const state = state_of(unit)) {
        state->open = false;
    }
}

void SubstreamPicker::on_not_rescued(TimePoint now, UnitIndex unit)
{
    if (UnitState* const state = state_of(unit)) {
        auto const at = std::lower_bound(open_.begin(), open_.end(), unit);
        if (at == open_.end() || *at != unit) {
            open_.insert(at, unit);
        }
        state->open = true;
        state->parent.reset();
        state->started = false;
        state->check = now;
        next_check_ = now;
    }
}

void SubstreamPicker::on_parent_gone(PeerKey parent)
{
    parents_.erase(parent);
    for (UnitState& state : units_) {
        if (state.parent == parent) {
            state.parent.reset();
            state.check = TimePoint{};
        }
    }
    for (Substream& substream : substreams_) {
        if (substream.parent == parent) {
            unsubscribe(substream);
        }
        if (substream.rival == parent) {
            substream.rival.reset();
        }
    }
    next_check_ = TimePoint{};
}

std::optional<PeerKey> SubstreamPicker::asked(UnitIndex unit) const
{
    return unit >= first_ && unit < first_ + units_.size() ? units_[unit - first_].parent
                                                           : std::nullopt;
}

ParentView const* SubstreamPicker::usable(PickerView const& view, PeerKey parent) const
{
    auto const parents = view.parents();
    auto const at = std::find_if(parents.begin(), parents.end(),
                                 [parent](ParentView const& p) { return p.key == parent; });
    return at != parents.end() && at->usable ? &*at : nullptr;
}

Duration SubstreamPicker::round_trip(PickerView const& view, PeerKey parent) const
{
    ParentView const* const found = usable(view, parent);
    return found == nullptr ? Duration::zero() : found->rtt;
}

void SubstreamPicker::plan(TimePoint now, PickerView const& view, Plan& plan)
{
    planned_.clear();
    open_units(now, view);
    next_check_ = now + 1s;
    climbs_ = view.places() >= config_.climb_places;
    subscribe(now, view, plan);
    improve(now, view, plan);
    std::erase_if(open_, [&](UnitIndex unit) {
        UnitState const* const state = state_of(unit);
        return state == nullptr || !state->open;
    });
    for (UnitIndex const unit : open_) {
        UnitState& state = *state_of(unit);
        if (state.check <= now) {
            examine(now, view, plan, unit, state);
        }
        if (state.open) {
            next_check_ = std::min(next_check_, state.check);
        }
    }
    plan.withdrawals.insert(plan.withdrawals.end(), withdrawals_.begin(), withdrawals_.end());
    withdrawals_.clear();
}

} // namespace ppsp::peer
