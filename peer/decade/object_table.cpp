#include "peer/decade/object_table.hpp"

#include "protocol/base/assert.hpp"

namespace ppsp::peer {

std::optional<std::vector<NiName>> ObjectTable::reserve(std::uint64_t size)
{
    if (size > bytes_max_ || reserved_ > bytes_max_ - size) {
        return std::nullopt;
    }
    std::vector<NiName> gone;
    while (!order_.empty() &&
           (bytes_ + reserved_ + size > bytes_max_ || entries_.size() >= objects_max)) {
        gone.push_back(order_.front().meta.name);
        drop(order_.begin());
    }
    reserved_ += size;
    return gone;
}

void ObjectTable::release(std::uint64_t size)
{
    PPSP_ASSERT(size <= reserved_);
    reserved_ -= size;
}

void ObjectTable::insert(ObjectMeta meta, bool is_verified)
{
    erase(meta.name);
    bytes_ += meta.size;
    stored_by_[meta.owner] += meta.size;
    expiries_.emplace(meta.expires, meta.name);
    if (!meta.swarm_id.empty() && meta.chunks) {
        swarms_[meta.swarm_id].insert_or_assign(*meta.chunks, meta.name);
    }
    auto const name = meta.name;
    order_.push_back(Entry{std::move(meta), 0, 0, is_verified});
    entries_.emplace(name, std::prev(order_.end()));
}

bool ObjectTable::erase(NiName const& name)
{
    auto const found = entries_.find(name);
    if (found == entries_.end()) {
        return false;
    }
    drop(found->second);
    return true;
}

void ObjectTable::drop(Order::iterator entry)
{
    auto const& meta = entry->meta;
    bytes_ -= meta.size;
    auto const owner = stored_by_.find(meta.owner);
    owner->second -= meta.size;
    if (owner->second == 0) {
        stored_by_.erase(owner);
    }
    unlist(meta);
    entries_.erase(meta.name);
    order_.erase(entry);
}

void ObjectTable::unlist(ObjectMeta const& meta)
{
    auto [begin, end] = expiries_.equal_range(meta.expires);
    for (auto at = begin; at != end; ++at) {
        if (at->second == meta.name) {
            expiries_.erase(at);
            break;
        }
    }
    auto const swarm = swarms_.find(meta.swarm_id);
    if (swarm == swarms_.end() || !meta.chunks) {
        return;
    }
    auto const alias = swarm->second.find(*meta.chunks);
    if (alias != swarm->second.end() && alias->second == meta.name) {
        swarm->second.erase(alias);
    }
    if (swarm->second.empty()) {
        swarms_.erase(swarm);
    }
}

ObjectTable::Entry* ObjectTable::find(NiName const& name, UnixSeconds now)
{
    auto const found = entries_.find(name);
    return found == entries_.end() || found->second->meta.expires <= now ? nullptr
                                                                         : &*found->second;
}

void ObjectTable::touch(Entry& entry, UnixSeconds now)
{
    ++entry.reads;
    entry.last_read = now;
    order_.splice(order_.end(), order_, entries_.at(entry.meta.name));
}

std::vector<NiName> ObjectTable::expire(UnixSeconds now)
{
    std::vector<NiName> gone;
    while (!expiries_.empty() && expiries_.begin()->first <= now) {
        gone.push_back(expiries_.begin()->second);
        drop(entries_.at(gone.back()));
    }
    return gone;
}

std::optional<NiName> ObjectTable::find_alias(Bytes swarm_id, ChunkRange chunks) const
{
    auto const swarm = swarms_.find(ByteVector(swarm_id.begin(), swarm_id.end()));
    if (swarm == swarms_.end()) {
        return std::nullopt;
    }
    auto const found = swarm->second.find(chunks);
    return found == swarm->second.end() ? std::nullopt : std::optional(found->second);
}

std::vector<ObjectTable::Entry const*> ObjectTable::objects_of(Bytes swarm_id,
                                                               std::size_t count_max) const
{
    std::vector<Entry const*> found;
    auto const swarm = swarms_.find(ByteVector(swarm_id.begin(), swarm_id.end()));
    if (swarm == swarms_.end()) {
        return found;
    }
    for (auto at = swarm->second.rbegin(); at != swarm->second.rend(); ++at) {
        if (found.size() == count_max) {
            break;
        }
        found.push_back(&*entries_.at(at->second));
    }
    return {found.rbegin(), found.rend()};
}

std::vector<ObjectTable::Entry const*> ObjectTable::listed(std::string_view owner,
                                                           std::size_t count_max) const
{
    std::vector<Entry const*> found;
    for (auto at = order_.rbegin(); at != order_.rend() && found.size() < count_max; ++at) {
        if (owner.empty() || at->meta.owner == owner) {
            found.push_back(&*at);
        }
    }
    return found;
}

std::uint64_t ObjectTable::stored_by(std::string_view owner) const
{
    auto const found = stored_by_.find(owner);
    return found == stored_by_.end() ? 0 : found->second;
}

} // namespace ppsp::peer
