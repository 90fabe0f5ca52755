#include "peer/policy/substream_picker.hpp"

#include <algorithm>
#include <bit>

/// Units that their parent does not bring: whom to ask instead, and when.
namespace ppsp::peer {
namespace {

/// A rate that is assumed while none was measured, bytes per second.
constexpr double rate_unknown = 100e3;

} // namespace

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
    auto const pulls = std::count_if(open_.begin(), open_.end(), [this](UnitIndex number) {
        UnitState const& other = units_[number - first_];
        return other.open && other.pull && other.parent;
    });
    bool const joining = std::none_of(substreams_.begin(), substreams_.end(),
                                      [](Substream const& s) { return s.own.known; });
    bool const too_many = !urgent && !joining && !state.pull && pulls >= config_.pulls_max;
    bool const in_vain = state.pull && state.parent && !state.started &&
                         now - state.progress >= config_.pull_patience_near;
    if (in_vain) {
        parents_[*state.parent].vain_at = now;
    }
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
        state.check = now + config_.search_gap;
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
    state.held = held != 0;
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

/// Whoever waits for a picture does not wait for one who answers its pull with another HAVE. Where
/// everybody is full it goes from one to the next: to wait in one queue takes longer (decision 43).
void SubstreamPicker::on_no_room(TimePoint now, PeerKey parent, UnitIndex unit,
                                 PickerView const& view)
{
    UnitState* const state = state_of(unit);
    bool const refused = state != nullptr && state->open && state->pull && state->held &&
                         !state->started && state->parent == parent &&
                         now - state->progress >= round_trip(view, parent) * 3 / 4;
    if (refused && !view.playing()) {
        parents_[parent].vain_at = now;
        state->check = now;
        next_check_ = now;
    }
}

/// A pull from it came to nothing lately.
bool SubstreamPicker::was_vain(TimePoint now, PeerKey parent) const
{
    auto const at = parents_.find(parent);
    return at != parents_.end() && at->second.vain_at &&
           now - *at->second.vain_at < config_.vain_fresh;
}

/// Chunks that were pulled from the parent and did not arrive, those of the running plan included.
std::uint32_t SubstreamPicker::outstanding(ParentView const& parent) const
{
    auto const planned = planned_.find(parent.key);
    return parent.outstanding_chunks + (planned != planned_.end() ? planned->second : 0);
}

/// By how much sooner than somebody's another delivery should be, for what is known of how likely
/// it comes. What is urgent goes to who is near, whether it has room or not.
Duration SubstreamPicker::handicap(TimePoint now, ParentView const& parent, std::uint32_t substream,
                                   bool urgent) const
{
    Duration sum = parent.doubtful ? config_.doubt_handicap : Duration::zero();
    if (was_vain(now, parent.key)) {
        sum += config_.vain_handicap;
    }
    if (parent.is_source) {
        sum += config_.source_handicap;
    } else if (!urgent && !offers(now, parent.key) && !offers(now, parent.key, substream)) {
        sum += config_.full_handicap;
    }
    if (!urgent && blocked(now, parent.key, substream)) {
        sum += config_.refusal_handicap;
    }
    return sum;
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
        cost += static_cast<double>(handicap(now, parent, substream_of(unit), urgent).count());
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
