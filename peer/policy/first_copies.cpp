#include "peer/policy/first_copies.hpp"

#include <algorithm>
#include <bit>

namespace ppsp::peer {

FirstCopies::Unit* FirstCopies::find(UnitIndex unit)
{
    auto const at = std::find_if(units_.rbegin(), units_.rend(),
                                 [unit](Unit const& known) { return known.unit == unit; });
    return at == units_.rend() ? nullptr : &*at;
}

std::optional<PeerKey> FirstCopies::placed(TimePoint now, UnitIndex unit,
                                           std::span<PeerKey const> children, std::uint32_t chunks)
{
    std::optional<PeerKey> failed;
    if (units_.size() >= units_max) {
        failed = settle(now, units_.front());
        units_.pop_front();
    }
    units_.push_back(
        {.unit = unit,
         .child = children.size() == 1 ? std::optional{children.front()} : std::nullopt,
         .safe = children.size() > 1,
         .chunks = chunks});
    credit_ = std::min(credit_ + share * chunks, saved_units_max * chunks);
    return failed;
}

/// The last word about a unit: did its child pass it on?
std::optional<PeerKey> FirstCopies::settle(TimePoint now, Unit const& unit)
{
    if (!unit.child) {
        return std::nullopt;
    }
    bool const failed = 2 * static_cast<std::uint32_t>(std::popcount(unit.blamed)) >= unit.chunks;
    auto at = records_.find(*unit.child);
    if (!failed) {
        if (at != records_.end() && at->second.failures > 0) {
            at->second.failures -= 1;
        }
        return std::nullopt;
    }
    if (at == records_.end()) {
        std::erase_if(records_, [&](auto const& record) {
            return records_.size() >= children_max && record.second.distrusted_until <= now;
        });
        if (records_.size() >= children_max) {
            return std::nullopt;
        }
        at = records_.try_emplace(*unit.child).first;
    }
    Record& record = at->second;
    if (record.failures > 0 && record.asker == unit.asker) {
        return std::nullopt;
    }
    record.asker = unit.asker;
    if (++record.failures < failures_max) {
        return std::nullopt;
    }
    record.failures = 0;
    record.distrusted_until = now + distrust;
    return unit.child;
}

std::optional<PeerKey> FirstCopies::child(UnitIndex unit)
{
    Unit const* const known = find(unit);
    return known == nullptr ? std::nullopt : known->child;
}

bool FirstCopies::replace(UnitIndex unit, ChunkMask chunk, PeerKey asker, bool blames)
{
    Unit* const known = find(unit);
    if (known == nullptr || known->safe || known->child == asker) {
        return false;
    }
    if (blames) {
        known->asker = known->blamed == 0 ? asker : known->asker;
        known->blamed |= chunk;
    }
    if ((known->replaced & chunk) != 0 || credit_ < 1) {
        return false;
    }
    known->replaced |= chunk;
    credit_ -= 1;
    return true;
}

bool FirstCopies::distrusts(TimePoint now, PeerKey peer) const
{
    auto const at = records_.find(peer);
    return at != records_.end() && now < at->second.distrusted_until;
}

void FirstCopies::forget(PeerKey peer)
{
    records_.erase(peer);
}

} // namespace ppsp::peer
