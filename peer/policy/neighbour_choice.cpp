#include "peer/policy/neighbour_choice.hpp"

#include <algorithm>
#include <tuple>

namespace ppsp::peer {

bool NeighbourChoice::add(TimePoint now, Endpoint const& endpoint, Origin origin)
{
    AddressScope const scope = endpoint.scope();
    if (scope == AddressScope::multicast || scope == AddressScope::unspecified ||
        endpoint.port() == 0 || banned(now, endpoint)) {
        return false;
    }
    if (auto const at = candidates_.find(endpoint); at != candidates_.end()) {
        at->second.origin = std::min(at->second.origin, origin);
        if (origin == Origin::trusted) {
            at->second.named = now;
        }
        return true;
    }
    if (candidates_.size() >= candidates_max) {
        auto const worst = least_useful(origin);
        if (worst == candidates_.end()) {
            return false;
        }
        candidates_.erase(worst);
    }
    candidates_.emplace(endpoint, Candidate{.origin = origin, .named = now});
    return true;
}

/// Who gives way to a newcomer: whoever failed most, or, to a trusted one, any introduced one, or
/// whom no tracker has named for longest and who may be gone. Whatever peers name, it pushes out
/// nobody that a tracker named and that did not fail.
NeighbourChoice::Candidates::iterator NeighbourChoice::least_useful(Origin newcomer)
{
    auto const worst =
        std::max_element(candidates_.begin(), candidates_.end(), [](auto const& a, auto const& b) {
            return a.second.failures < b.second.failures;
        });
    if (worst->second.failures > 0 || newcomer == Origin::introduced) {
        return worst->second.failures > 0 ? worst : candidates_.end();
    }
    return std::min_element(
        candidates_.begin(), candidates_.end(), [](auto const& a, auto const& b) {
            bool const trusted_a = a.second.origin == Origin::trusted;
            bool const trusted_b = b.second.origin == Origin::trusted;
            return std::tie(trusted_a, a.second.named) < std::tie(trusted_b, b.second.named);
        });
}

std::optional<Endpoint> NeighbourChoice::next(TimePoint now, std::span<Endpoint const> connected,
                                              bool introduced, std::uint32_t proven_kbps_min)
{
    std::vector<std::pair<Endpoint, std::uint64_t>> ready;
    std::uint64_t weights = 0;
    for (auto const& [endpoint, candidate] : candidates_) {
        bool const used =
            std::find(connected.begin(), connected.end(), endpoint) != connected.end();
        bool const allowed = introduced || candidate.origin == Origin::trusted;
        bool const able = candidate.proven_kbps >= proven_kbps_min;
        if (!used && allowed && able && candidate.next_try <= now && !banned(now, endpoint)) {
            weights += candidate.proven_kbps + unknown_kbps;
            ready.emplace_back(endpoint, weights);
        }
    }
    if (ready.empty()) {
        return std::nullopt;
    }
    std::uint64_t const lot = rng_.below(weights);
    return std::find_if(ready.begin(), ready.end(),
                        [lot](auto const& entry) { return lot < entry.second; })
        ->first;
}

void NeighbourChoice::note_proven(Endpoint const& endpoint, std::uint32_t kbps)
{
    auto const at = candidates_.find(endpoint);
    if (at != candidates_.end()) {
        at->second.proven_kbps = kbps;
    }
}

std::uint32_t NeighbourChoice::proven_kbps(Endpoint const& endpoint) const
{
    auto const at = candidates_.find(endpoint);
    return at == candidates_.end() ? 0 : at->second.proven_kbps;
}

bool NeighbourChoice::is_introduced(Endpoint const& endpoint) const
{
    auto const at = candidates_.find(endpoint);
    return at != candidates_.end() && at->second.origin == Origin::introduced;
}

void NeighbourChoice::on_opened(Endpoint const& endpoint)
{
    auto const at = candidates_.find(endpoint);
    if (at != candidates_.end()) {
        at->second.next_try = {};
        at->second.failures = 0;
    }
}

void NeighbourChoice::on_left(TimePoint now, Endpoint const& endpoint)
{
    auto const at = candidates_.find(endpoint);
    if (at != candidates_.end()) {
        at->second.next_try = std::max(at->second.next_try, now + leave_time);
    }
}

void NeighbourChoice::on_failed(TimePoint now, Endpoint const& endpoint)
{
    auto const at = candidates_.find(endpoint);
    if (at == candidates_.end()) {
        return;
    }
    std::uint32_t const doublings = std::min<std::uint32_t>(at->second.failures, 5);
    Duration const wait = std::min(retry_min * (1 << doublings), retry_max);
    at->second.failures += 1;
    at->second.next_try = now + wait + Duration{rng_.between(0, wait.count() / 2)};
}

void NeighbourChoice::ban(TimePoint now, Endpoint const& endpoint)
{
    if (bans_.size() >= bans_max) {
        bans_.erase(std::min_element(bans_.begin(), bans_.end(), [](auto const& a, auto const& b) {
            return a.second < b.second;
        }));
    }
    bans_[endpoint] = now + ban_time;
    candidates_.erase(endpoint);
}

bool NeighbourChoice::banned(TimePoint now, Endpoint const& endpoint) const
{
    auto const at = bans_.find(endpoint);
    return at != bans_.end() && at->second > now;
}

} // namespace ppsp::peer
