#include "peer/policy/waiting_list.hpp"

#include <algorithm>
#include <tuple>

namespace ppsp::peer {

void WaitingList::note(TimePoint now, PeerKey peer, std::uint32_t substream)
{
    auto const known = std::find_if(waiters_.begin(), waiters_.end(), [&](Waiter const& waiter) {
        return waiter.peer == peer && waiter.substream == substream;
    });
    if (known != waiters_.end()) {
        known->asked = now;
        return;
    }
    if (waiters_.size() >= waiters_max) {
        waiters_.erase(waiters_.begin());
    }
    waiters_.push_back({peer, substream, now, std::nullopt});
}

void WaitingList::remove(PeerKey peer, std::uint32_t substream)
{
    std::erase_if(waiters_, [&](Waiter const& waiter) {
        return waiter.peer == peer && waiter.substream == substream;
    });
}

void WaitingList::forget(PeerKey peer)
{
    std::erase_if(waiters_, [peer](Waiter const& waiter) { return waiter.peer == peer; });
}

void WaitingList::expire(TimePoint now)
{
    std::erase_if(waiters_, [now](Waiter const& waiter) { return now - waiter.asked > patience; });
}

std::vector<PeerKey> WaitingList::choose(TimePoint now, std::vector<Candidate> candidates,
                                         std::size_t count)
{
    std::sort(candidates.begin(), candidates.end(), [](Candidate const& a, Candidate const& b) {
        return std::tuple(-a.rank, a.place) < std::tuple(-b.rank, b.place);
    });
    candidates.resize(std::min(candidates.size(), count));
    std::vector<PeerKey> chosen;
    for (Candidate const& candidate : candidates) {
        Waiter& waiter = waiters_[candidate.place];
        waiter.invited = now;
        chosen.push_back(waiter.peer);
    }
    return chosen;
}

} // namespace ppsp::peer
