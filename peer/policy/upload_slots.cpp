#include "peer/policy/upload_slots.hpp"

#include <algorithm>

namespace ppsp::peer {

void UploadSlots::set_budget(TimePoint now, std::uint32_t places, std::size_t neighbours)
{
    budget_ = std::min(places, places_max);
    homes_.set(budget_, neighbours);
    homes_.review(now, taken());
    while (taken() > budget_) {
        // The least useful child of the fullest substream goes.
        auto const fullest =
            std::max_element(children_.begin(), children_.end(),
                             [](auto const& a, auto const& b) { return a.size() < b.size(); });
        auto const least =
            std::min_element(fullest->begin(), fullest->end(),
                             [](Child const& a, Child const& b) { return a.rank < b.rank; });
        give_notice(now, least->peer,
                    static_cast<std::uint32_t>(std::distance(children_.begin(), fullest)));
        fullest->erase(least);
    }
}

bool UploadSlots::admit(TimePoint now, PeerKey peer, std::uint32_t substream, double rank)
{
    auto& children = children_[substream];
    auto const known = std::find_if(children.begin(), children.end(),
                                    [peer](Child const& child) { return child.peer == peer; });
    if (known != children.end()) {
        known->used = now;
        known->rank = rank;
        return true;
    }
    if (taken() >= budget_ || children.size() >= limit(substream)) {
        forget_idle(now);
    }
    if (taken() < budget_ && children.size() < limit(substream)) {
        children.push_back({peer, now, rank});
        std::erase_if(leavers_, [&](Leaver const& leaver) {
            return leaver.peer == peer && leaver.substream == substream;
        });
        return true;
    }
    std::erase_if(leavers_, [now](Leaver const& leaver) { return leaver.until <= now; });
    return leaves(now, peer, substream) || preempt(now, peer, substream, rank);
}

void UploadSlots::give_notice(TimePoint now, PeerKey peer, std::uint32_t substream)
{
    if (leavers_.size() >= leavers_max) {
        leavers_.erase(leavers_.begin());
    }
    leavers_.push_back({peer, substream, now + grace});
    notices_.push_back({peer, substream});
}

bool UploadSlots::leaves(TimePoint now, PeerKey peer, std::uint64_t substream) const
{
    return std::any_of(leavers_.begin(), leavers_.end(), [&](Leaver const& leaver) {
        return leaver.peer == peer && leaver.substream == substream && leaver.until > now;
    });
}

bool UploadSlots::holds(PeerKey peer, std::uint64_t substream) const
{
    auto const& children = children_[substream];
    return std::any_of(children.begin(), children.end(),
                       [peer](Child const& child) { return child.peer == peer; });
}

bool UploadSlots::serves(TimePoint now, PeerKey peer, std::uint64_t substream) const
{
    return holds(peer, substream) || leaves(now, peer, substream);
}

bool UploadSlots::serves(TimePoint now, PeerKey peer) const
{
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        if (serves(now, peer, substream)) {
            return true;
        }
    }
    return false;
}

void UploadSlots::forget_idle(TimePoint now)
{
    for (auto& children : children_) {
        std::erase_if(children, [now](Child const& child) { return now - child.used > idle_max; });
    }
}

void UploadSlots::release(PeerKey peer)
{
    for (auto& children : children_) {
        std::erase_if(children, [peer](Child const& child) { return child.peer == peer; });
    }
    std::erase_if(leavers_, [peer](Leaver const& leaver) { return leaver.peer == peer; });
}

void UploadSlots::release(PeerKey peer, std::uint32_t substream)
{
    std::erase_if(children_[substream], [peer](Child const& child) { return child.peer == peer; });
    std::erase_if(leavers_, [&](Leaver const& leaver) {
        return leaver.peer == peer && leaver.substream == substream;
    });
}

std::uint32_t UploadSlots::taken() const
{
    std::size_t taken = 0;
    for (auto const& children : children_) {
        taken += children.size();
    }
    return static_cast<std::uint32_t>(taken);
}

std::uint32_t UploadSlots::free(TimePoint now) const
{
    std::uint32_t used = 0;
    for (auto const& children : children_) {
        used += static_cast<std::uint32_t>(
            std::count_if(children.begin(), children.end(),
                          [now](Child const& child) { return now - child.used <= idle_max; }));
    }
    return used >= budget_ ? 0 : budget_ - used;
}

std::uint32_t UploadSlots::room(TimePoint now, std::uint32_t substream)
{
    forget_idle(now);
    std::uint32_t const all = taken();
    auto const here = static_cast<std::uint32_t>(children_[substream].size());
    std::uint32_t const most = limit(substream);
    return all < budget_ && here < most ? std::min(budget_ - all, most - here) : 0;
}

std::uint32_t UploadSlots::limit(std::uint32_t substream) const
{
    if (spread_) {
        // A substream without a place at its source would reach nobody.
        return budget_ / substreams + (substream < budget_ % substreams ? 1 : 0);
    }
    return homes_.limit(substream);
}

bool UploadSlots::passes_on(std::uint32_t substream) const
{
    return budget_ > 0 && (spread_ || homes_.contains(substream));
}

std::uint32_t UploadSlots::places_of(PeerKey peer) const
{
    std::uint32_t places = 0;
    for (auto const& children : children_) {
        places += static_cast<std::uint32_t>(
            std::count_if(children.begin(), children.end(),
                          [peer](Child const& child) { return child.peer == peer; }));
    }
    return places;
}

/// The child that passes least on gives way to one that passes more on. Among equals a
/// source's places are spread: a child with at least two more than the asker gives this one up, so
/// that first copies reach different neighbours (design §5.1).
bool UploadSlots::preempt(TimePoint now, PeerKey peer, std::uint32_t substream, double rank)
{
    auto& children = children_[substream];
    Duration const since = now - last_preemption_;
    if (children.empty() || since < preemption_gap) {
        return false;
    }
    auto const least =
        std::min_element(children.begin(), children.end(),
                         [](Child const& a, Child const& b) { return a.rank < b.rank; });
    bool const earned = rank > least->rank * preemption_gain;
    auto const richest =
        std::max_element(children.begin(), children.end(), [this](Child const& a, Child const& b) {
            return places_of(a.peer) < places_of(b.peer);
        });
    bool const spread = spread_ && since >= spread_gap &&
                        places_of(richest->peer) >= places_of(peer) + 2 &&
                        rank * preemption_gain >= richest->rank;
    if (!earned && !spread) {
        return false;
    }
    Child& loser = *(earned ? least : richest);
    give_notice(now, loser.peer, substream);
    loser = {peer, now, rank};
    last_preemption_ = now;
    return true;
}

} // namespace ppsp::peer
