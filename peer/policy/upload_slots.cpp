#include "peer/policy/upload_slots.hpp"

#include <algorithm>

namespace ppsp::peer {

void UploadSlots::set_budget(std::uint32_t places)
{
    budget_ = std::min(places, children_max_ * substreams);
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        auto& children = children_[substream];
        if (children.size() > limit(substream)) {
            children.resize(limit(substream), Child{PeerKey{}, TimePoint{}});
        }
    }
}

bool UploadSlots::admit(TimePoint now, PeerKey peer, std::uint32_t substream)
{
    forget_idle(now, substream);
    auto& children = children_[substream];
    auto const known = std::find_if(children.begin(), children.end(),
                                    [peer](Child const& child) { return child.peer == peer; });
    if (known != children.end()) {
        known->used = now;
        return true;
    }
    if (children.size() < limit(substream)) {
        children.push_back({peer, now});
        return true;
    }
    return preempt(now, peer, substream);
}

bool UploadSlots::holds(PeerKey peer, std::uint32_t substream) const
{
    auto const& children = children_[substream];
    return std::any_of(children.begin(), children.end(),
                       [peer](Child const& child) { return child.peer == peer; });
}

void UploadSlots::forget_idle(TimePoint now, std::uint32_t substream)
{
    std::erase_if(children_[substream],
                  [now](Child const& child) { return now - child.used > idle_max; });
}

void UploadSlots::release(PeerKey peer)
{
    for (auto& children : children_) {
        std::erase_if(children, [peer](Child const& child) { return child.peer == peer; });
    }
}

std::uint32_t UploadSlots::free(TimePoint now) const
{
    std::uint32_t taken = 0;
    for (auto const& children : children_) {
        taken += static_cast<std::uint32_t>(
            std::count_if(children.begin(), children.end(),
                          [now](Child const& child) { return now - child.used <= idle_max; }));
    }
    return taken >= budget_ ? 0 : budget_ - taken;
}

std::uint32_t UploadSlots::limit(std::uint32_t substream) const
{
    // What does not divide evenly goes to the first substreams.
    std::uint32_t const even = budget_ / substreams;
    return even + (substream < budget_ % substreams ? 1 : 0);
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

/// Spreads the places: a child with at least two more than the asker gives this one up, so that
/// first copies reach different neighbours (design §5.1).
bool UploadSlots::preempt(TimePoint now, PeerKey peer, std::uint32_t substream)
{
    if (children_[substream].empty() || now - last_preemption_ < preemption_gap) {
        return false;
    }
    auto const richest = std::max_element(
        children_[substream].begin(), children_[substream].end(),
        [this](Child const& a, Child const& b) { return places_of(a.peer) < places_of(b.peer); });
    if (places_of(richest->peer) < places_of(peer) + 2) {
        return false;
    }
    *richest = {peer, now};
    last_preemption_ = now;
    return true;
}

} // namespace ppsp::peer
