#include "peer/policy/substream_picker.hpp"

#include <algorithm>
#include <bit>

namespace ppsp::peer {
namespace {

/// A parent of which nothing is known yet.
constexpr Duration lag_unknown = 200ms;
/// What comes later was fetched late, which says little about the next unit.
constexpr Duration lag_max = 1500ms;
/// What a neighbour's silence about one substream counts against its word about the others.
constexpr Duration lag_guessed = 20ms;
/// Each substream that a parent feeds already counts that much against it, to spread them.
constexpr Duration lag_per_fed = 5ms;
/// A rate that is assumed while none was measured, bytes per second.
constexpr double rate_unknown = 100e3;
constexpr Duration retry_gap = 100ms;

} // namespace

void SubstreamPicker::Lag::note(Duration value)
{
    if (!known) {
        known = true;
        mean = value;
        deviation = value / 4;
        return;
    }
    Duration const error = value > mean ? value - mean : mean - value;
    deviation = (deviation * 3 + error) / 4;
    mean = (mean * 7 + value) / 8;
}

UnitIndex SubstreamPicker::next_of(std::uint32_t substream, UnitIndex from)
{
    return from + (substream + substreams - from % substreams) % substreams;
}

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
            state.check = view.expected(unit) + wait(view, unit, lag);
        }
        units_.push_back(state);
        if (state.open) {
            next_check_ = std::min(next_check_, state.check);
        }
    }
}

/// How long after it could have been here a unit is left to its parent: longer where the playout
/// leaves time, because a parent that repairs it serves a whole branch.
Duration SubstreamPicker::wait(PickerView const& view, UnitIndex unit, Lag const& lag) const
{
    Duration const usual = lag.mean + lag.deviation * 4;
    auto const due = view.due(unit);
    if (!due) {
        return std::min(usual + config_.patience, config_.wait_max);
    }
    Duration const slack = std::max<Duration>(*due - view.expected(unit), Duration::zero());
    Duration const patience = std::clamp(slack / 10, config_.patience_min, config_.patience);
    // Of a parent that nothing is known of yet little is expected: the stream may just begin.
    Duration const most = lag.known ? slack * 2 / 3 : slack / 3;
    return std::min({usual + patience, config_.wait_max, most});
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
}

/// A child never hears of the units of a substream in which it has a place: `parent` refuses, or
/// gives notice to one that it serves.
void SubstreamPicker::on_no_place(TimePoint now, PeerKey parent, UnitIndex unit,
                                  PickerView const& view)
{
    std::uint32_t const number = substream_of(unit);
    Substream& mine = substreams_[number];
    Duration const answer = round_trip(view, parent) * 3 / 4;
    if (mine.rival == parent && now - mine.rival_at >= answer) {
        refuse(now, parent, number);
        next_check_ = now;
        return;
    }
    if (mine.parent != parent || mine.asked_until == 0 || now - mine.asked_at < answer) {
        return;
    }
    UnitState const* const state = state_of(unit);
    bool const withheld = state != nullptr && state->open && !state->started;
    if (mine.confirmed && !(mine.notice && withheld)) {
        block(now, parent, number);
        mine.notice = true;
        mine.next_try = now;
    } else {
        refuse(now, parent, number);
    }
    next_check_ = now;
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
        } else if (!state->pull) {
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

/// Somebody pushed a unit unasked and was faster than the parent of its substream: it takes over.
void SubstreamPicker::adopt(PeerKey parent, UnitIndex unit, PickerView const& view)
{
    Substream& mine = substreams_[substream_of(unit)];
    UnitIndex const from = next_of(substream_of(unit), view.edge() + 1);
    if (mine.parent) {
        withdraw_from(*mine.parent, from, substream_of(unit));
    }
    if (mine.rival == parent) {
        mine.rival.reset();
        improve_gap_ = Duration::zero();
    }
    mine.parent = parent;
    mine.notice = false;
    mine.asked_from = from;
    mine.asked_until = 0;
    mine.confirmed = true;
    parents_[parent].blocked_until[substream_of(unit)] = TimePoint{};
    next_check_ = TimePoint{};
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

std::uint32_t SubstreamPicker::fed_by(PeerKey parent) const
{
    return static_cast<std::uint32_t>(
        std::count_if(substreams_.begin(), substreams_.end(),
                      [parent](Substream const& s) { return s.parent == parent; }));
}

bool SubstreamPicker::fed(TimePoint now, std::uint32_t substream) const
{
    Substream const& mine = substreams_[substream];
    return mine.parent && mine.pushed_at != TimePoint{} && now - mine.pushed_at < config_.fed_max;
}

std::uint32_t SubstreamPicker::orphans() const
{
    return static_cast<std::uint32_t>(
        std::count_if(substreams_.begin(), substreams_.end(),
                      [](Substream const& s) { return !s.parent || !s.confirmed || s.notice; }));
}

void SubstreamPicker::note_lag(TimePoint now, PeerKey parent, UnitIndex unit,
                               PickerView const& view)
{
    ParentState& state = parents_[parent];
    if (state.since == TimePoint{}) {
        state.since = now;
    }
    TimePoint const expected = view.expected(unit);
    if (expected < state.since) {
        return; // it had the unit before we knew it
    }
    Duration const lag = std::clamp<Duration>(now - expected, Duration::zero(), lag_max);
    state.lag[substream_of(unit)].note(lag);
    state.any.note(lag);
}

SubstreamPicker::Lag SubstreamPicker::usual_lag(PeerKey parent, std::uint32_t substream) const
{
    auto const at = parents_.find(parent);
    if (at == parents_.end() || !at->second.any.known) {
        return {false, lag_unknown, lag_unknown / 4};
    }
    if (at->second.lag[substream].known) {
        return at->second.lag[substream];
    }
    return {true, at->second.any.mean + lag_guessed, at->second.any.deviation};
}

void SubstreamPicker::note_miss(TimePoint now, ParentView const& view, std::uint32_t substream)
{
    PeerKey const parent = view.key;
    ParentState& state = parents_[parent];
    if (now - view.heard > config_.silent_max) {
        for (std::uint32_t fed = 0; fed < substreams; ++fed) {
            if (substreams_[fed].parent == parent) {
                refuse(now, parent, fed);
            }
        }
        return;
    }
    if (++state.misses[substream] >= config_.misses_max) {
        state.misses[substream] = 0;
        refuse(now, parent, substream);
    }
}

void SubstreamPicker::block(TimePoint now, PeerKey parent, std::uint32_t substream)
{
    ParentState& state = parents_[parent];
    std::uint8_t& refusals = state.refusals[substream];
    Duration const block =
        std::min(config_.block * (1 << std::min<int>(refusals, 6)), config_.block_max);
    refusals = static_cast<std::uint8_t>(std::min(refusals + 1, 20));
    state.blocked_until[substream] = now + block + Duration{rng_.between(0, block.count())};
    state.refused_at[substream] = now;
    state.announced[substream] = TimePoint{};
}

/// The parent has no place in the substream, or fails in it.
void SubstreamPicker::refuse(TimePoint now, PeerKey parent, std::uint32_t substream)
{
    block(now, parent, substream);
    Substream& mine = substreams_[substream];
    if (mine.rival == parent) {
        withdraw_from(parent, first_ + units_.size(), substream);
        mine.rival.reset();
    }
    if (mine.parent == parent) {
        withdraw_from(parent, first_ + units_.size(), substream);
        unsubscribe(mine);
    }
}

/// The parent need not keep the substream's units from `unit` on for us.
void SubstreamPicker::withdraw_from(PeerKey parent, UnitIndex unit, std::uint32_t substream)
{
    Substream const& mine = substreams_[substream];
    UnitIndex const reach = mine.parent == parent ? mine.asked_until : unit + 2 * substreams;
    for (UnitIndex next = next_of(substream, unit); next < reach; next += substreams) {
        withdrawals_.push_back({parent, next});
    }
}

void SubstreamPicker::unsubscribe(Substream& substream)
{
    substream.parent.reset();
    substream.asked_from = 0;
    substream.asked_until = 0;
    substream.confirmed = false;
    substream.notice = false;
    substream.next_try = TimePoint{};
    next_check_ = TimePoint{};
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
    subscribe(now, view, plan);
    improve(now, view, plan);
    for (std::size_t i = 0; i < units_.size(); ++i) {
        UnitState& state = units_[i];
        if (!state.open) {
            continue;
        }
        if (state.check <= now) {
            examine(now, view, plan, first_ + i, state);
        }
        if (state.open) {
            next_check_ = std::min(next_check_, state.check);
        }
    }
    plan.withdrawals.insert(plan.withdrawals.end(), withdrawals_.begin(), withdrawals_.end());
    withdrawals_.clear();
}

/// Keeps each substream subscribed well ahead of the edge.
void SubstreamPicker::subscribe(TimePoint now, PickerView const& view, Plan& plan)
{
    UnitIndex const edge = view.edge();
    UnitIndex const next = std::max(edge + 1, view.first_wanted());
    for (std::uint32_t number = 0; number < substreams; ++number) {
        Substream& mine = substreams_[number];
        if (mine.parent && usable(view, *mine.parent) == nullptr) {
            unsubscribe(mine);
        }
        bool const silent = mine.parent && !mine.confirmed && mine.asked_until > 0 &&
                            now - mine.asked_at > config_.trial_max;
        if (silent) {
            refuse(now, *mine.parent, number);
        }
        if (mine.rival && now - mine.rival_at > config_.trial_max) {
            refuse(now, *mine.rival, number);
        }
        if (mine.parent && mine.notice && !mine.rival) {
            if (now >= mine.next_try) {
                auto const other = best_parent(now, view, number);
                if (other && other != mine.parent) {
                    challenge(now, view, plan, number, *other);
                }
                mine.next_try = now + retry_gap + Duration{rng_.between(0, retry_gap.count())};
            }
            next_check_ = std::min(next_check_, mine.next_try);
        }
        if (!mine.parent && now >= mine.next_try) {
            mine.parent = best_parent(now, view, number);
            mine.next_try = now + retry_gap + Duration{rng_.between(0, retry_gap.count())};
        }
        if (!mine.parent) {
            next_check_ = std::min(next_check_, mine.next_try);
            continue;
        }
        if (!mine.confirmed) {
            next_check_ = std::min(next_check_, now + config_.trial_max / 4);
        }
        auto const low =
            mine.confirmed ? config_.horizon_units_min : config_.horizon_units_trial / 2;
        auto const high = mine.confirmed ? config_.horizon_units_max : config_.horizon_units_trial;
        if (mine.again_at <= now) {
            mine.again_at = TimePoint::max();
            UnitIndex const from = next_of(number, std::max(next, mine.again_from));
            for (UnitIndex unit = from; unit < mine.asked_until; unit += substreams) {
                plan.asks.push_back({*mine.parent, unit, view.missing(unit)});
            }
        }
        next_check_ = std::min(next_check_, mine.again_at);
        if (mine.asked_until > edge + low) {
            continue;
        }
        UnitIndex const from = next_of(number, std::max(next, mine.asked_until));
        if (mine.asked_until == 0) {
            mine.asked_from = from;
            mine.asked_at = now;
        }
        for (UnitIndex unit = from; unit <= edge + high; unit += substreams) {
            plan.asks.push_back({*mine.parent, unit, view.missing(unit)});
            mine.asked_until = unit + 1;
        }
        mine.again_from = from;
        mine.again_at = now + config_.repeat;
        next_check_ = std::min(next_check_, mine.again_at);
    }
}

bool SubstreamPicker::offers(TimePoint now, PeerKey parent, std::uint32_t substream) const
{
    auto const at = parents_.find(parent);
    return at != parents_.end() && at->second.announced[substream] != TimePoint{} &&
           now - at->second.announced[substream] < config_.offer_gap;
}

bool SubstreamPicker::offers(TimePoint now, PeerKey parent) const
{
    std::uint32_t offered = 0;
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        offered += offers(now, parent, substream) ? 1 : 0;
    }
    return offered >= 2; // one may be the rare word of a full one
}

bool SubstreamPicker::blocked(TimePoint now, PeerKey parent, std::uint32_t substream) const
{
    auto const at = parents_.find(parent);
    if (at == parents_.end() || at->second.blocked_until[substream] <= now) {
        return false;
    }
    return !offers(now, parent, substream) ||
           now - at->second.refused_at[substream] < config_.refusal_fresh;
}

/// The unblocked neighbour that had the substream's units earliest lately.
std::optional<PeerKey> SubstreamPicker::best_parent(TimePoint now, PickerView const& view,
                                                    std::uint32_t substream)
{
    std::optional<PeerKey> best;
    Duration best_cost{};
    for (ParentView const& parent : view.parents()) {
        if (!parent.usable || blocked(now, parent.key, substream)) {
            continue;
        }
        auto const at = parents_.find(parent.key);
        bool const known = at != parents_.end() && at->second.any.known;
        Duration const lag =
            parent.is_source && !known ? Duration::zero() : usual_lag(parent.key, substream).mean;
        Duration const handicap = known && !offers(now, parent.key, substream)
                                      ? config_.no_offer_handicap
                                      : Duration::zero();
        Duration const doubt = parent.doubtful ? config_.doubt_handicap : Duration::zero();
        Duration const cost = lag + handicap + doubt + lag_per_fed * fed_by(parent.key) +
                              Duration{rng_.between(0, 3000)};
        if (!best || cost < best_cost) {
            best = parent.key;
            best_cost = cost;
        }
    }
    return best;
}

/// Now and then one substream tries a parent that is earlier. If it refuses, the old one, which
/// forgets a child only after a while, is asked again.
void SubstreamPicker::improve(TimePoint now, PickerView const& view, Plan& plan)
{
    if (now < next_improvement_) {
        return;
    }
    next_improvement_ = now + config_.improve_gap;
    std::optional<std::uint32_t> worst;
    std::optional<PeerKey> better;
    Duration worst_gain = config_.improve_gain;
    bool const climbs = view.places() >= config_.climb_places;
    for (std::uint32_t number = 0; number < substreams; ++number) {
        Substream const& mine = substreams_[number];
        if (!mine.parent || !mine.confirmed || mine.rival) {
            continue;
        }
        Duration const own = usual_lag(*mine.parent, number).mean;
        for (ParentView const& parent : view.parents()) {
            auto const at = parents_.find(parent.key);
            bool const candidate = parent.usable && parent.key != *mine.parent &&
                                   at != parents_.end() && at->second.lag[number].known &&
                                   !blocked(now, parent.key, number);
            if (!candidate) {
                continue;
            }
            bool const offered = offers(now, parent.key, number);
            Duration const gain = own - at->second.lag[number].mean;
            if ((offered || (climbs && gain > config_.climb_gain)) && gain > worst_gain) {
                worst = number;
                worst_gain = gain;
                better = parent.key;
            }
        }
    }
    if (!worst) {
        return;
    }
    // An attempt costs a unit twice: they become rare while they lead nowhere.
    improve_gap_ =
        std::min(std::max(config_.improve_gap, improve_gap_ * 2), config_.improve_gap_max);
    next_improvement_ = now + improve_gap_ + Duration{rng_.between(0, improve_gap_.count())};
    challenge(now, view, plan, *worst, *better);
}

/// Another parent is asked for the next units as well. Whose first chunk is here first goes on.
void SubstreamPicker::challenge(TimePoint now, PickerView const& view, Plan& plan,
                                std::uint32_t substream, PeerKey rival)
{
    Substream& mine = substreams_[substream];
    if (mine.rival) {
        withdraw_from(*mine.rival, first_ + units_.size(), substream);
    }
    mine.rival = rival;
    mine.rival_at = now;
    UnitIndex const from = next_of(substream, view.edge() + 1);
    mine.rival_from = from;
    for (UnitIndex unit = from; unit <= view.edge() + 2 * substreams; unit += substreams) {
        plan.asks.push_back({rival, unit, view.missing(unit)});
    }
}

void SubstreamPicker::examine(TimePoint now, PickerView const& view, Plan& plan, UnitIndex unit,
                              UnitState& state)
{
    if (view.missing(unit) == 0) {
        state.open = false;
        return;
    }
    ParentView const* const parent = state.parent ? usable(view, *state.parent) : nullptr;
    // A unit that stands still may just have lost a datagram: the same parent is asked again,
    // which tells it what is missing, before another one is.
    if (parent != nullptr && state.started && state.tries < 3) {
        if (now - state.progress >= config_.stall || state.tries == 0) {
            state.tries += 1;
            plan.asks.push_back({*state.parent, unit, view.missing(unit)});
            state.check = now + parent->rtt + config_.stall * state.tries;
            return;
        }
    }
    pull(now, view, plan, unit, state);
}

void SubstreamPicker::pull(TimePoint now, PickerView const& view, Plan& plan, UnitIndex unit,
                           UnitState& state)
{
    auto const due = view.due(unit);
    bool const urgent = due && *due - now < config_.urgent;
    auto const pulls = std::count_if(units_.begin(), units_.end(), [](UnitState const& other) {
        return other.open && other.pull && other.parent;
    });
    bool const joining = std::none_of(substreams_.begin(), substreams_.end(),
                                      [](Substream const& s) { return s.own.known; });
    bool const too_many = !urgent && !joining && !state.pull && pulls >= config_.pulls_max;
    auto parent = too_many ? std::nullopt : holder(now, view, unit, state.parent);
    // Others have it and the parent does not: that is its fault. If nobody has it, it is late for
    // everybody.
    bool const fails = !state.started || state.tries >= 3; // a chunk of each unit is not enough
    if (parent && state.parent && fails && !state.pull && parent != state.parent) {
        if (ParentView const* const late = usable(view, *state.parent)) {
            note_miss(now, *late, substream_of(unit));
        }
    }
    if (!parent && !too_many && !state.parent) {
        parent = likely_holder(now, view, unit);
    }
    auto const sign = view.first_sign(unit);
    if (!parent && sign && now - *sign > config_.silence) {
        auto const parents = view.parents();
        auto const source = std::find_if(parents.begin(), parents.end(), [](ParentView const& p) {
            return p.is_source && p.usable;
        });
        if (source != parents.end()) {
            parent = source->key;
        }
    }
    if (!parent) {
        state.check = now + config_.patience;
        return;
    }
    if (state.parent && state.parent != parent) {
        if (!state.pull) {
            state.subscribed = state.parent;
        } else {
            plan.withdrawals.push_back({*state.parent, unit});
        }
    }
    ParentView const& view_of = *usable(view, *parent);
    double const rate = view_of.bytes_per_second > 0 ? view_of.bytes_per_second : rate_unknown;
    Duration const queue{static_cast<std::int64_t>(
        std::min(static_cast<double>(outstanding(view_of)) * 1024e6 / rate, 300e3))};
    state.parent = parent;
    state.pull = true;
    state.started = false;
    state.progress = now;
    state.check = now + view_of.rtt + queue +
                  std::min(config_.pull_patience, config_.pull_patience_near + view_of.rtt * 3);
    ChunkMask const held = view.held_by(*parent, unit) & view.missing(unit);
    plan.asks.push_back({*parent, unit, held != 0 ? held : view.missing(unit)});
    planned_[*parent] += static_cast<std::uint32_t>(std::popcount(plan.asks.back().chunks));
    // The picture begins with these: one who does not serve at once must not hold it up.
    bool const begins = joining && unit < view.first_wanted() + config_.hedged_units;
    auto const second = begins ? holder(now, view, unit, parent) : std::nullopt;
    if (second && second != parent && !usable(view, *second)->is_source) {
        plan.asks.push_back({*second, unit, view.missing(unit)});
        planned_[*second] += static_cast<std::uint32_t>(std::popcount(plan.asks.back().chunks));
    }
}

/// Chunks that were pulled from the parent and did not arrive, those of the running plan included.
std::uint32_t SubstreamPicker::outstanding(ParentView const& parent) const
{
    auto const planned = planned_.find(parent.key);
    return parent.outstanding_chunks + (planned != planned_.end() ? planned->second : 0);
}

/// Among those who hold some of what is missing, the one whose delivery would be complete first.
std::optional<PeerKey> SubstreamPicker::holder(TimePoint now, PickerView const& view,
                                               UnitIndex unit, std::optional<PeerKey> avoid)
{
    ChunkMask const missing = view.missing(unit);
    auto const due = view.due(unit);
    bool const urgent = due && *due - now < config_.urgent;
    std::optional<PeerKey> best;
    double best_cost = 0;
    for (ParentView const& parent : view.parents()) {
        ChunkMask const held = view.held_by(parent.key, unit) & missing;
        if (!parent.usable || held == 0 ||
            (parent.is_source && !urgent && !source_may_be_asked(now, view, unit))) {
            continue;
        }
        double const rate = parent.bytes_per_second > 0 ? parent.bytes_per_second : rate_unknown;
        double cost = static_cast<double>(parent.rtt.count()) +
                      static_cast<double>(outstanding(parent)) * 1024e6 / rate +
                      static_cast<double>(rng_.between(0, 5000));
        // Who holds a part only has to be followed by another request.
        cost += 100e3 * std::popcount(missing & ~held) / std::popcount(missing);
        if (parent.is_source) {
            cost += static_cast<double>(config_.source_handicap.count());
        }
        if (!urgent && blocked(now, parent.key, substream_of(unit))) {
            cost += static_cast<double>(config_.refusal_handicap.count());
        }
        if (parent.doubtful) {
            cost += static_cast<double>(config_.doubt_handicap.count());
        }
        if (parent.key == avoid) {
            cost += 1e6;
        }
        if (!best || cost < best_cost) {
            best = parent.key;
            best_cost = cost;
        }
    }
    return best;
}

/// Nobody announced the unit; who usually has its substream's units by that time may have it.
std::optional<PeerKey> SubstreamPicker::likely_holder(TimePoint now, PickerView const& view,
                                                      UnitIndex unit) const
{
    std::uint32_t const substream = substream_of(unit);
    std::optional<PeerKey> best;
    Duration best_lag = Duration::max();
    for (ParentView const& parent : view.parents()) {
        Lag const lag = usual_lag(parent.key, substream);
        bool const due = view.expected(unit) + lag.mean + lag.deviation < now;
        if (parent.usable && !parent.is_source && lag.known && due &&
            !blocked(now, parent.key, substream) && lag.mean < best_lag) {
            best = parent.key;
            best_lag = lag.mean;
        }
    }
    return best;
}

bool SubstreamPicker::source_may_be_asked(TimePoint now, PickerView const& view,
                                          UnitIndex unit) const
{
    auto const parents = view.parents();
    bool const others = std::any_of(parents.begin(), parents.end(), [](ParentView const& parent) {
        return parent.usable && !parent.is_source;
    });
    auto const sign = view.first_sign(unit);
    if (!others || !sign) {
        return true;
    }
    auto const spread = static_cast<std::uint64_t>(config_.source_hold_off.count()) * 2;
    Rng draw{salt_ ^ unit};
    return now - *sign >=
           config_.source_hold_off + Duration{static_cast<std::int64_t>(draw.below(spread))};
}

} // namespace ppsp::peer
