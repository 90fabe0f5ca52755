#include "peer/policy/substream_picker.hpp"

#include <algorithm>

/// Who feeds which substream: subscriptions, refusals, notice, rivals.
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
        mine.notice = now;
        mine.next_try = now;
    } else {
        refuse(now, parent, number);
    }
    next_check_ = now;
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
    mine.notice.reset();
    mine.asked_from = from;
    mine.asked_until = 0;
    mine.confirmed = true;
    parents_[parent].blocked_until[substream_of(unit)] = TimePoint{};
    next_check_ = TimePoint{};
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
    release_units(now, parent, substream);
    if (mine.rival == parent) {
        withdraw_from(parent, first_ + units_.size(), substream);
        mine.rival.reset();
    }
    if (mine.parent == parent) {
        withdraw_from(parent, first_ + units_.size(), substream);
        unsubscribe(mine);
    }
}

/// A parent that is given up is often behind: units that exist have yet to come to it. It would
/// keep our place for them and push them at last, when somebody else has sent them.
void SubstreamPicker::release_units(TimePoint now, PeerKey parent, std::uint32_t substream)
{
    Substream const& mine = substreams_[substream];
    UnitIndex const end = first_ + units_.size();
    for (UnitIndex unit = next_of(substream, first_); unit < end; unit += substreams) {
        UnitState& state = units_[unit - first_];
        if (!state.open) {
            continue;
        }
        bool const awaited = state.parent == parent && !state.started && !state.pull;
        bool const raced =
            mine.rival == parent && unit >= mine.rival_from && state.parent != parent;
        if (awaited) {
            state.parent.reset();
            state.check = now;
            next_check_ = now;
        } else if (state.subscribed == parent) {
            state.subscribed.reset();
        } else if (!raced) {
            continue;
        }
        withdrawals_.push_back({parent, unit});
    }
}

/// The parent need not keep the substream's units from `unit` on for us.
void SubstreamPicker::withdraw_from(PeerKey parent, UnitIndex unit, std::uint32_t substream)
{
    Substream const& mine = substreams_[substream];
    UnitIndex const reach = mine.parent == parent ? mine.asked_until : unit + 2 * substreams;
    UnitIndex next = next_of(substream, unit);
    for (; next < reach; next += substreams) {
        withdrawals_.push_back({parent, next});
    }
    // All that was asked may be past; that its place is free it has to hear all the same.
    withdrawals_.push_back({parent, next + substreams});
}

void SubstreamPicker::unsubscribe(Substream& substream)
{
    substream.parent.reset();
    substream.asked_from = 0;
    substream.asked_until = 0;
    substream.confirmed = false;
    substream.notice.reset();
    substream.next_try = TimePoint{};
    next_check_ = TimePoint{};
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
            if (mine.parent && mine.parent == mine.rival) {
                mine.rival.reset(); // what it was asked before the old parent went, it still is
            }
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
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        if (offers(now, parent, substream)) {
            return true;
        }
    }
    return false;
}

/// What it sent before it heard of it may still come.
bool SubstreamPicker::was_given_up(TimePoint now, PeerKey parent, std::uint32_t substream) const
{
    auto const at = parents_.find(parent);
    return at != parents_.end() && at->second.refused_at[substream] != TimePoint{} &&
           now - at->second.refused_at[substream] < config_.refusal_fresh;
}

bool SubstreamPicker::blocked(TimePoint now, PeerKey parent, std::uint32_t substream) const
{
    auto const at = parents_.find(parent);
    if (at == parents_.end() || at->second.blocked_until[substream] <= now) {
        return false;
    }
    return !offers(now, parent, substream) || was_given_up(now, parent, substream);
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
        bool const is_full = known && !offers(now, parent.key, substream);
        bool const is_entitled = climbs_ && parent.is_source && view.passes_on(substream);
        Duration const handicap =
            is_full && !is_entitled ? config_.no_offer_handicap : Duration::zero();
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

/// The substream that gains most with another parent, and that parent: somebody with a place free,
/// or, to climb, anybody in the substreams that we pass on.
std::optional<SubstreamPicker::Move>
SubstreamPicker::best_move(TimePoint now, PickerView const& view, bool climb) const
{
    std::optional<Move> best;
    Duration best_gain = config_.improve_gain;
    for (std::uint32_t number = 0; number < substreams; ++number) {
        Substream const& mine = substreams_[number];
        if (!mine.parent || !mine.confirmed || mine.rival || (climb && !view.passes_on(number))) {
            continue;
        }
        Duration const own = usual_lag(*mine.parent, number).mean;
        for (ParentView const& parent : view.parents()) {
            auto const at = parents_.find(parent.key);
            bool const candidate = parent.usable && parent.key != *mine.parent &&
                                   at != parents_.end() && at->second.lag[number].known &&
                                   !blocked(now, parent.key, number) &&
                                   (climb || offers(now, parent.key, number));
            if (candidate && own - at->second.lag[number].mean > best_gain) {
                best = {number, parent.key};
                best_gain = own - at->second.lag[number].mean;
            }
        }
    }
    return best;
}

/// Now and then one substream tries a parent that is earlier. If it refuses, the old one, which
/// forgets a child only after a while, is asked again. Who passes much on climbs more often: its
/// own way is a part of the ways of all behind it.
void SubstreamPicker::improve(TimePoint now, PickerView const& view, Plan& plan)
{
    if (climbs_ && now >= next_climb_) {
        next_climb_ =
            now + config_.climb_gap + Duration{rng_.between(0, config_.climb_gap.count())};
        if (auto const move = best_move(now, view, true)) {
            challenge(now, view, plan, move->substream, move->parent);
        }
    }
    if (now < next_improvement_) {
        return;
    }
    next_improvement_ = now + config_.improve_gap;
    auto const move = best_move(now, view, false);
    if (!move) {
        return;
    }
    // An attempt costs a unit twice: they become rare while they lead nowhere.
    improve_gap_ =
        std::min(std::max(config_.improve_gap, improve_gap_ * 2), config_.improve_gap_max);
    next_improvement_ = now + improve_gap_ + Duration{rng_.between(0, improve_gap_.count())};
    challenge(now, view, plan, move->substream, move->parent);
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

} // namespace ppsp::peer
