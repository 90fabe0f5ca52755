#include "peer/policy/substream_picker.hpp"

#include <algorithm>
#include <bit>

namespace ppsp::peer {

void SubstreamPicker::on_announced(TimePoint now, PeerKey parent, UnitIndex unit,
                                   PickerView const& view)
{
    if (auto const sign = view.first_sign(unit)) {
        note_lag(parent, now - *sign);
    }
    auto const at = units_.find(unit);
    if (at == units_.end() || at->second.parent != parent || at->second.started ||
        at->second.pull) {
        return;
    }
    at->second.refused = true;
    block(now, parent, substream_of(unit));
}

void SubstreamPicker::on_chunk(TimePoint now, PeerKey from, UnitIndex unit, PickerView const& view)
{
    auto const at = units_.find(unit);
    if (at == units_.end()) {
        return;
    }
    UnitState& state = at->second;
    if (state.parent != from) {
        if (state.started) {
            return;
        }
        // Somebody else pushed it first, so it is the better parent.
        withdrawals_.push_back({state.parent, unit});
        state.parent = from;
        subscribed_[substream_of(unit)] = from;
        parents_[from].blocked_until[substream_of(unit)] = TimePoint{};
    }
    if (!state.started && !state.pull) {
        if (auto const sign = view.first_sign(unit)) {
            note_lag(from, now - *sign);
        }
        parents_[from].misses[substream_of(unit)] = 0;
    }
    state.started = true;
    state.progress = now;
}

void SubstreamPicker::on_parent_gone(PeerKey parent)
{
    parents_.erase(parent);
    std::erase_if(units_, [parent](auto const& item) { return item.second.parent == parent; });
    for (auto& subscribed : subscribed_) {
        if (subscribed == parent) {
            subscribed.reset();
        }
    }
}

void SubstreamPicker::plan(TimePoint now, PickerView const& view, Plan& plan)
{
    plan.withdrawals = std::exchange(withdrawals_, {});
    UnitIndex const first = view.first_wanted();
    units_.erase(units_.begin(), units_.lower_bound(first));
    for (UnitIndex unit = first; unit <= view.edge(); ++unit) {
        repair(now, view, plan, unit);
    }
    subscribe(now, view, plan);
}

std::optional<PeerKey> SubstreamPicker::asked(UnitIndex unit) const
{
    auto const at = units_.find(unit);
    return at == units_.end() ? std::nullopt : std::optional{at->second.parent};
}

void SubstreamPicker::note_lag(PeerKey parent, Duration lag)
{
    ParentState& state = parents_[parent];
    state.lag = state.lag_known ? (state.lag * 7 + lag) / 8 : lag;
    state.lag_known = true;
}

void SubstreamPicker::block(TimePoint now, PeerKey parent, std::uint32_t substream)
{
    Duration const extra{rng_.between(0, config_.block.count())};
    parents_[parent].blocked_until[substream] = now + config_.block + extra;
    if (subscribed_[substream] == parent) {
        subscribed_[substream].reset();
    }
}

ParentView const* SubstreamPicker::usable(PickerView const& view, PeerKey parent) const
{
    auto const parents = view.parents();
    auto const at = std::find_if(parents.begin(), parents.end(),
                                 [parent](ParentView const& p) { return p.key == parent; });
    return at != parents.end() && at->usable ? &*at : nullptr;
}

/// The parent in place, or the unblocked neighbour that had units earliest lately. Substreams that
/// a neighbour feeds already count a little against it, to spread them.
std::optional<PeerKey> SubstreamPicker::subscription_parent(TimePoint now, PickerView const& view,
                                                            std::uint32_t substream)
{
    auto& subscribed = subscribed_[substream];
    if (subscribed && usable(view, *subscribed) != nullptr) {
        return subscribed;
    }
    subscribed.reset();
    std::optional<Duration> best;
    for (ParentView const& parent : view.parents()) {
        ParentState const& state = parents_[parent.key];
        if (!parent.usable || state.blocked_until[substream] > now) {
            continue;
        }
        auto const fed = std::count(subscribed_.begin(), subscribed_.end(), parent.key);
        Duration const lag = parent.is_source && !state.lag_known ? Duration::zero() : state.lag;
        Duration const jitter{rng_.between(0, 3000)};
        Duration const cost = lag + parent.rtt / 2 + 5ms * fed + jitter;
        if (!best || cost < *best) {
            best = cost;
            subscribed = parent.key;
        }
    }
    return subscribed;
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
        double const rate = parent.bytes_per_second > 0 ? parent.bytes_per_second : 500e3;
        double cost = static_cast<double>(parent.rtt.count()) +
                      static_cast<double>(parent.outstanding_chunks) * 1024e6 / rate +
                      static_cast<double>(rng_.between(0, 5000));
        // Who holds a part only has to be followed by another request.
        cost += 100e3 * std::popcount(missing & ~held) / std::popcount(missing);
        if (parent.is_source && !urgent) {
            cost += static_cast<double>(config_.source_handicap.count());
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

void SubstreamPicker::subscribe(TimePoint now, PickerView const& view, Plan& plan)
{
    UnitIndex const edge = view.edge();
    UnitIndex const first = std::max(edge + 1, view.first_wanted());
    bool const refresh = now - refreshed_ >= config_.refresh;
    if (refresh) {
        refreshed_ = now;
    }
    for (UnitIndex unit = first; unit <= edge + config_.horizon_units; ++unit) {
        auto const known = units_.find(unit);
        if (known != units_.end() && usable(view, known->second.parent) != nullptr) {
            if (refresh) {
                plan.asks.push_back({known->second.parent, unit, view.missing(unit)});
            }
            continue;
        }
        auto const parent = subscription_parent(now, view, substream_of(unit));
        if (!parent) {
            continue;
        }
        units_[unit] = UnitState{.parent = *parent, .asked = now, .progress = now};
        plan.asks.push_back({*parent, unit, view.missing(unit)});
    }
}

bool SubstreamPicker::overdue(TimePoint now, PickerView const& view, UnitIndex unit,
                              UnitState const& state) const
{
    ParentView const* parent = usable(view, state.parent);
    if (parent == nullptr || (state.refused && !state.started)) {
        return true;
    }
    if (state.started) {
        return now - state.progress > config_.stall + parent->rtt * 2;
    }
    if (state.pull) {
        double const rate = parent->bytes_per_second > 0 ? parent->bytes_per_second : 500e3;
        Duration const queue{static_cast<std::int64_t>(
            static_cast<double>(parent->outstanding_chunks) * 1024e6 / rate)};
        return now - state.asked >
               config_.patience + parent->rtt * 2 + std::min<Duration>(queue, 500ms);
    }
    auto const sign = view.first_sign(unit);
    auto const lag = parents_.find(state.parent);
    Duration const usual =
        lag == parents_.end() ? 50ms : std::min<Duration>(lag->second.lag * 3 / 2, 400ms);
    TimePoint const from = std::max(sign.value_or(now), state.asked);
    return now - from > usual + config_.patience + parent->rtt * 2;
}

void SubstreamPicker::repair(TimePoint now, PickerView const& view, Plan& plan, UnitIndex unit)
{
    if (view.missing(unit) == 0) {
        units_.erase(unit);
        return;
    }
    auto const at = units_.find(unit);
    if (at == units_.end()) {
        pull(now, view, plan, unit, std::nullopt);
        return;
    }
    UnitState const state = at->second;
    if (!overdue(now, view, unit, state)) {
        return;
    }
    // A unit that stands still may just have lost its last datagram: the same parent is asked
    // once more, which tells it what is missing, before another one is.
    if (state.started && state.tries == 1 && usable(view, state.parent) != nullptr) {
        at->second.tries = 2;
        at->second.progress = now;
        plan.asks.push_back({state.parent, unit, view.missing(unit)});
        return;
    }
    pull(now, view, plan, unit, state.parent);
}

void SubstreamPicker::pull(TimePoint now, PickerView const& view, Plan& plan, UnitIndex unit,
                           std::optional<PeerKey> avoid)
{
    auto parent = holder(now, view, unit, avoid);
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
        return;
    }
    auto const at = units_.find(unit);
    std::uint8_t tries = 1;
    if (at != units_.end()) {
        tries = static_cast<std::uint8_t>(std::min(250, at->second.tries + 1));
        if (at->second.parent != *parent) {
            plan.withdrawals.push_back({at->second.parent, unit});
        }
        if (!at->second.pull && !at->second.started) {
            std::uint32_t& misses = parents_[at->second.parent].misses[substream_of(unit)];
            if (++misses >= config_.misses_max) {
                misses = 0;
                block(now, at->second.parent, substream_of(unit));
            }
        }
    }
    units_[unit] = UnitState{.parent = *parent,
                             .asked = now,
                             .progress = now,
                             .started = false,
                             .refused = false,
                             .pull = true,
                             .tries = tries};
    ChunkMask const held = view.held_by(*parent, unit) & view.missing(unit);
    plan.asks.push_back({*parent, unit, held != 0 ? held : view.missing(unit)});
}

} // namespace ppsp::peer
