#include "peer/policy/unasked_copies.hpp"

#include <algorithm>

namespace ppsp::peer {

void UnaskedCopies::give(PeerKey peer, UnitIndex unit)
{
    Record& record = records_[{peer, static_cast<std::uint32_t>(unit % substreams)}];
    record.open.push_back(unit);
    if (record.open.size() <= open_max) {
        return;
    }
    record.open.pop_front(); // it was kept
    record.declined -= record.declined > 0 ? 1 : 0;
    record.pause = record.declined > 0 ? record.pause : Duration::zero();
}

bool UnaskedCopies::decline(TimePoint now, PeerKey peer, std::uint32_t substream, UnitIndex first,
                            UnitIndex last)
{
    auto const at = records_.find({peer, substream});
    if (at == records_.end()) {
        return false;
    }
    Record& record = at->second;
    auto const taken_back =
        std::erase_if(record.open, [&](UnitIndex unit) { return unit >= first && unit <= last; });
    if (taken_back == 0) {
        return false;
    }
    record.declined =
        std::min(record.declined + static_cast<std::uint32_t>(taken_back), declined_max);
    if (record.declined < declined_max) {
        return false;
    }
    record.pause = std::clamp(record.pause * 2, pause_min, pause_max);
    record.declined_until = now + record.pause;
    return true;
}

void UnaskedCopies::wanted(PeerKey peer, std::uint32_t substream)
{
    records_.erase({peer, substream});
}

bool UnaskedCopies::may_give(TimePoint now, PeerKey peer, std::uint32_t substream) const
{
    auto const at = records_.find({peer, substream});
    return at == records_.end() || now >= at->second.declined_until;
}

void UnaskedCopies::forget(PeerKey peer)
{
    records_.erase(records_.lower_bound({peer, 0}), records_.lower_bound({peer, substreams}));
}

} // namespace ppsp::peer
