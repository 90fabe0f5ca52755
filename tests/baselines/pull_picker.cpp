#include "tests/baselines/pull_picker.hpp"

#include <algorithm>

namespace ppsp::baselines {
namespace {

/// Who announced something within this time can give something.
constexpr Duration offer_age = 1s;
/// Units back from the edge that are looked at.
constexpr UnitIndex reach = 120;

} // namespace

void PullPicker::on_announced(TimePoint now, PeerKey parent, UnitIndex unit, bool /*offered*/,
                              PickerView const& view)
{
    if (unit >= view.first_wanted()) {
        holders_[unit].push_back(parent);
    }
    known_[parent].announced = now;
    next_plan_ = std::min(next_plan_, std::max(now, planned_ + config_.plan_gap));
}

void PullPicker::on_repeated(TimePoint, PeerKey, UnitIndex, PickerView const&) {}

void PullPicker::on_chunk(TimePoint now, PeerKey from, UnitIndex unit, PickerView const&)
{
    Flight& flight = flights_[group_of(unit)];
    if (!flight.parent) {
        flight.parent = from; // pushed unasked
        loads_[from] += 1;
    }
    flight.progress = now;
}

void PullPicker::on_complete(TimePoint now, UnitIndex unit, PickerView const& view)
{
    auto const flight = flights_.find(group_of(unit));
    if (flight == flights_.end()) {
        return;
    }
    if (flight->second.parent) {
        Known& known = known_[*flight->second.parent];
        known.units = std::min<std::uint32_t>(known.units + 1, 50);
    }
    UnitIndex const first = group_of(unit) * config_.group_units;
    bool whole = true;
    for (UnitIndex one = first; one < first + config_.group_units; ++one) {
        whole = whole && (one < view.first_wanted() || view.missing(one) == 0);
    }
    if (whole && flight->second.parent) {
        loads_[*flight->second.parent] -= 1;
        flights_.erase(flight);
    }
    next_plan_ = std::min(next_plan_, std::max(now, planned_ + config_.plan_gap));
}

void PullPicker::on_rescued(TimePoint now, UnitIndex)
{
    next_plan_ = std::min(next_plan_, std::max(now, planned_ + config_.plan_gap));
}

void PullPicker::on_not_rescued(TimePoint now, UnitIndex unit)
{
    on_rescued(now, unit);
}

void PullPicker::on_parent_gone(PeerKey parent)
{
    for (auto& [group, flight] : flights_) {
        if (flight.parent == parent) {
            flight.parent.reset();
        }
    }
    for (auto& [unit, holders] : holders_) {
        std::erase(holders, parent);
    }
    loads_.erase(parent);
    known_.erase(parent);
    wake();
}

/// By what it announced: looking that up is cheaper than what it holds in detail.
bool PullPicker::holds(PickerView const& view, ParentView const& parent, UnitIndex unit) const
{
    if (parent.is_source) {
        return view.held_by(parent.key, unit) != 0;
    }
    auto const at = holders_.find(unit);
    return at != holders_.end() &&
           std::find(at->second.begin(), at->second.end(), parent.key) != at->second.end();
}

void PullPicker::give_up_late(TimePoint now, PickerView const& view, Plan& plan)
{
    holders_.erase(holders_.begin(), holders_.lower_bound(view.first_wanted()));
    UnitIndex const oldest = group_of(view.first_wanted());
    for (auto at = flights_.begin(); at != flights_.end();) {
        auto& [group, flight] = *at;
        if (group < oldest) {
            if (flight.parent) {
                loads_[*flight.parent] -= 1;
            }
            at = flights_.erase(at);
            continue;
        }
        Duration round_trip{};
        for (ParentView const& parent : view.parents()) {
            round_trip = flight.parent == parent.key ? parent.rtt : round_trip;
        }
        if (flight.parent && now - flight.progress >= round_trip + config_.patience) {
            for (UnitIndex unit = group * config_.group_units;
                 unit < (group + 1) * config_.group_units; ++unit) {
                plan.withdrawals.push_back({*flight.parent, unit});
            }
            loads_[*flight.parent] -= 1;
            known_[*flight.parent].units /= 2;
            flight.failed = std::exchange(flight.parent, std::nullopt);
        }
        ++at;
    }
}

bool PullPicker::may_ask(TimePoint now, PickerView const& view, ParentView const& parent,
                         UnitIndex last, bool others)
{
    if (!parent.usable || loads_[parent.key] >= config_.per_parent_max) {
        return false;
    }
    if (!parent.is_source || !others) {
        return true;
    }
    auto const sign = view.first_sign(last);
    Rng draw = rng_.fork("hold-off", last);
    Duration const hold_off =
        config_.source_hold_off + Duration{draw.between(0, 2 * config_.source_hold_off.count())};
    return sign && now - *sign >= hold_off;
}

std::optional<Offer> PullPicker::offer_of(TimePoint now, PickerView const& view, UnitIndex group)
{
    auto const flight = flights_.find(group);
    if (flight != flights_.end() && flight->second.parent) {
        return std::nullopt;
    }
    UnitIndex const first = group * config_.group_units;
    Offer offer{first, first + config_.group_units - 1, {}};
    std::vector<std::pair<UnitIndex, peer::ChunkMask>> missing;
    for (UnitIndex unit = std::max(first, view.first_wanted()); unit <= offer.last; ++unit) {
        if (auto const chunks = view.missing(unit); chunks != 0) {
            missing.emplace_back(unit, chunks);
        }
    }
    if (missing.empty() || comes_by_itself(now, first, view)) {
        return std::nullopt;
    }
    bool const others =
        std::any_of(view.parents().begin(), view.parents().end(),
                    [](ParentView const& parent) { return parent.usable && !parent.is_source; });
    std::optional<ParentView> failed;
    for (ParentView const& parent : view.parents()) {
        bool const holds_all = std::all_of(missing.begin(), missing.end(), [&](auto const& one) {
            return this->holds(view, parent, one.first);
        });
        if (!holds_all || !may_ask(now, view, parent, offer.last, others)) {
            continue;
        }
        if (flight != flights_.end() && flight->second.failed == parent.key) {
            failed = parent;
        } else {
            offer.holders.push_back(parent);
        }
    }
    bool const others_hold =
        std::any_of(offer.holders.begin(), offer.holders.end(),
                    [](ParentView const& parent) { return !parent.is_source; });
    if (others_hold) {
        std::erase_if(offer.holders, [](ParentView const& parent) { return parent.is_source; });
    }
    if (offer.holders.empty() && failed) {
        offer.holders.push_back(*failed);
    }
    std::sort(offer.holders.begin(), offer.holders.end(),
              [](ParentView const& a, ParentView const& b) { return a.key < b.key; });
    return offer.holders.empty() ? std::nullopt : std::optional{std::move(offer)};
}

std::vector<Offer> PullPicker::offers_of(TimePoint now, PickerView const& view)
{
    std::vector<Offer> offers;
    UnitIndex const edge = view.edge();
    UnitIndex const from =
        std::max(view.first_wanted(), edge - std::min(edge, reach * config_.group_units));
    for (UnitIndex group = group_of(from); (group + 1) * config_.group_units <= edge + 1; ++group) {
        if (auto offer = offer_of(now, view, group)) {
            offers.push_back(*std::move(offer));
        }
    }
    return offers;
}

void PullPicker::take(TimePoint now, PickerView const& view, Plan& plan, Offer const& offer,
                      PeerKey parent)
{
    for (UnitIndex unit = std::max(offer.first, view.first_wanted()); unit <= offer.last; ++unit) {
        if (auto const chunks = view.missing(unit); chunks != 0) {
            plan.asks.push_back({parent, unit, chunks});
        }
    }
    Flight& flight = flights_[group_of(offer.first)];
    flight.parent = parent;
    flight.progress = now;
    loads_[parent] += 1;
}

void PullPicker::plan(TimePoint now, PickerView const& view, Plan& plan)
{
    planned_ = now;
    next_plan_ = now + config_.plan_gap * 5;
    give_up_late(now, view, plan);
    auto in_flight = std::count_if(flights_.begin(), flights_.end(),
                                   [](auto const& entry) { return entry.second.parent; });
    bool const somebody =
        std::any_of(view.parents().begin(), view.parents().end(), [this](ParentView const& parent) {
            return parent.usable && loads_[parent.key] < config_.per_parent_max;
        });
    if (!somebody || in_flight >= config_.in_flight_max) {
        return;
    }
    std::vector<Offer> offers = offers_of(now, view);
    while (!offers.empty() && in_flight < config_.in_flight_max) {
        std::size_t const at = choose(offers);
        Offer offer = std::move(offers[at]);
        offers.erase(offers.begin() + static_cast<std::ptrdiff_t>(at));
        std::erase_if(offer.holders, [this](ParentView const& parent) {
            return loads_[parent.key] >= config_.per_parent_max;
        });
        if (!offer.holders.empty()) {
            take(now, view, plan, offer, offer.holders[choose_holder(offer)].key);
            ++in_flight;
        }
    }
}

std::optional<PeerKey> PullPicker::asked(UnitIndex unit) const
{
    auto const at = flights_.find(group_of(unit));
    return at == flights_.end() ? std::nullopt : at->second.parent;
}

std::uint32_t PullPicker::fed_by(PeerKey parent) const
{
    auto const at = known_.find(parent);
    return at == known_.end() ? 0 : at->second.units;
}

bool PullPicker::offers(TimePoint now, PeerKey parent) const
{
    auto const at = known_.find(parent);
    return at != known_.end() && at->second.announced != TimePoint{} &&
           now - at->second.announced < offer_age;
}

} // namespace ppsp::baselines
