#include "peer/policy/substream_picker.hpp"

#include <algorithm>
#include <bit>

namespace ppsp::peer {
namespace {

/// A parent of which nothing is known yet.
constexpr Duration lag_unknown = 200ms;
/// What a neighbour's silence about one substream counts against its word about the others.
constexpr Duration lag_guessed = 20ms;
/// Each substream that a parent feeds already counts that much against it, to spread them.
constexpr Duration lag_per_fed = 5ms;
/// A rate that is assumed while none was measured, bytes per second.
constexpr double rate_unknown = 500e3;
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
            state.check = view.expected(unit) + lag.mean + lag.deviation * 4 + config_.patience;
        }
        units_.push_back(state);
        if (state.open) {
            next_check_ = std::min(next_check_, state.check);
        }
    }
}

void SubstreamPicker::on_announced(TimePoint now, PeerKey parent, UnitIndex unit,
                                   PickerView const& view)
{
    open_units(now, view);
    note_lag(now, parent, unit, view);
    parents_[parent].announced[substream_of(unit)] = now;
    parents_[parent].heard = now;
    // A child never hears of the units of a substream in which it has a place.
    Substream const& mine = substreams_[substream_of(unit)];
    bool const refused = mine.parent == parent && !mine.confirmed && mine.asked_until > 0 &&
                         now - mine.asked_at >= round_trip(view, parent) * 3 / 4;
    if (refused) {
        refuse(now, parent, substream_of(unit));
        next_check_ = now;
    }
    UnitState* const state = state_of(unit);
    if (state == nullptr || !state->open) {
        return;
    }
    if (state->parent == parent && !state->started && !state->pull) {
        if (mine.parent == parent && mine.confirmed) {
            refuse(now, parent, substream_of(unit));
        }
        state->parent.reset();
    }
    if (!state->parent) {
        state->check = now;
        next_check_ = now;
    }
}

void SubstreamPicker::on_repeated(TimePoint now, PeerKey parent, UnitIndex unit,
                                  PickerView const& view)
{
    Substream const& mine = substreams_[substream_of(unit)];
    if (mine.parent == parent && !mine.confirmed &&
        now - mine.asked_at >= round_trip(view, parent) * 3 / 4) {
        refuse(now, parent, substream_of(unit));
        next_check_ = now;
    }
}

void SubstreamPicker::on_chunk(TimePoint now, PeerKey from, UnitIndex unit, PickerView const& view)
{
    open_units(now, view);
    UnitState* const state = state_of(unit);
    parents_[from].heard = now;
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
        if (!state->pull) {
            adopt(from, unit, view);
        }
    }
    if (!state->started && !state->pull) {
        note_lag(now, from, unit, view);
        ParentState& parent = parents_[from];
        parent.misses[substream_of(unit)] = 0;
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

/// Somebody pushed a unit unasked and was faster than the parent of its substream: it takes over.
void SubstreamPicker::adopt(PeerKey parent, UnitIndex unit, PickerView const& view)
{
    Substream& mine = substreams_[substream_of(unit)];
    UnitIndex const from = next_of(substream_of(unit), view.edge() + 1);
    withdraw_from(from, substream_of(unit));
    mine.previous = std::exchange(mine.parent, parent);
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
        if (substream.previous == parent) {
            substream.previous.reset();
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
                      [](Substream const& s) { return !s.parent || !s.confirmed; }));
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
    Duration const lag = std::max<Duration>(now - expected, Duration::zero());
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

void SubstreamPicker::note_miss(TimePoint now, PeerKey parent, std::uint32_t substream)
{
    ParentState& state = parents_[parent];
    if (now - state.heard > config_.silent_max) {
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

/// The parent has no place in the substream, or fails in it.
void SubstreamPicker::refuse(TimePoint now, PeerKey parent, std::uint32_t substream)
{
    ParentState& state = parents_[parent];
    std::uint8_t& refusals = state.refusals[substream];
    Duration const block =
        std::min(config_.block * (1 << std::min<int>(refusals, 6)), config_.block_max);
    refusals = static_cast<std::uint8_t>(std::min(refusals + 1, 20));
    state.blocked_until[substream] = now + block + Duration{rng_.between(0, block.count())};
    state.refused_at[substream] = now;
    state.announced[substream] = TimePoint{};
    Substream& mine = substreams_[substream];
    if (mine.parent == parent) {
        auto const back = mine.previous;
        withdraw_from(first_ + units_.size(), substream);
        unsubscribe(mine);
        mine.parent = back; // it may still keep our place
        mine.confirmed = false;
    }
}

/// The parent need not keep the substream's units from `unit` on for us.
void SubstreamPicker::withdraw_from(UnitIndex unit, std::uint32_t substream)
{
    Substream const& mine = substreams_[substream];
    UnitIndex next = next_of(substream, std::max(unit, mine.asked_from));
    for (; mine.parent && next < mine.asked_until; next += substreams) {
        withdrawals_.push_back({*mine.parent, next});
    }
}

void SubstreamPicker::unsubscribe(Substream& substream)
{
    substream.parent.reset();
    substream.previous.reset();
    substream.asked_from = 0;
    substream.asked_until = 0;
    substream.confirmed = false;
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
    next_improvement_ =
        now + config_.improve_gap + Duration{rng_.between(0, config_.improve_gap.count())};
    std::optional<std::uint32_t> worst;
    Duration worst_gain = config_.improve_gain;
    std::optional<PeerKey> better;
    for (std::uint32_t number = 0; number < substreams; ++number) {
        Substream const& mine = substreams_[number];
        if (!mine.parent || !mine.own.known) {
            continue;
        }
        auto const candidate = best_parent(now, view, number);
        if (!candidate || candidate == mine.parent) {
            continue;
        }
        Duration const gain =
            usual_lag(*mine.parent, number).mean - usual_lag(*candidate, number).mean;
        if (gain > worst_gain) {
            worst = number;
            worst_gain = gain;
            better = candidate;
        }
    }
    if (!worst) {
        return;
    }
    Substream& mine = substreams_[*worst];
    UnitIndex const from = next_of(*worst, view.edge() + substreams);
    withdraw_from(from, *worst);
    mine.previous = mine.parent;
    mine.parent = better;
    mine.asked_from = from;
    mine.asked_until = from;
    mine.asked_at = now;
    mine.confirmed = false;
    for (UnitIndex unit = from; unit <= view.edge() + 2 * substreams; unit += substreams) {
        plan.asks.push_back({*mine.parent, unit, view.missing(unit)});
        mine.asked_until = unit + 1;
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
    if (parent && state.parent && !state.started && !state.pull && parent != state.parent) {
        note_miss(now, *state.parent, substream_of(unit));
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
        plan.withdrawals.push_back({*state.parent, unit});
    }
    ParentView const& view_of = *usable(view, *parent);
    double const rate = view_of.bytes_per_second > 0 ? view_of.bytes_per_second : rate_unknown;
    Duration const queue{static_cast<std::int64_t>(
        std::min(static_cast<double>(view_of.outstanding_chunks) * 1024e6 / rate, 300e3))};
    state.parent = parent;
    state.pull = true;
    state.started = false;
    state.progress = now;
    state.check = now + view_of.rtt + queue +
                  std::min(config_.pull_patience, config_.pull_patience_near + view_of.rtt * 3);
    ChunkMask const held = view.held_by(*parent, unit) & view.missing(unit);
    plan.asks.push_back({*parent, unit, held != 0 ? held : view.missing(unit)});
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
                      static_cast<double>(parent.outstanding_chunks) * 1024e6 / rate +
                      static_cast<double>(rng_.between(0, 5000));
        // Who holds a part only has to be followed by another request.
        cost += 100e3 * std::popcount(missing & ~held) / std::popcount(missing);
        if (parent.is_source && !urgent) {
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
