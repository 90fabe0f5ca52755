#include "peer/channel/scratch.hpp"

#include <algorithm>

namespace ppsp::peer {

Scratch::Entry& Scratch::entry(TimePoint now, UnitIndex unit)
{
    if (Entry* existing = find(unit)) {
        return *existing;
    }
    if (entries_.size() >= units_max) {
        auto const oldest =
            std::min_element(entries_.begin(), entries_.end(),
                             [](Entry const& a, Entry const& b) { return a.since < b.since; });
        drop(*oldest);
        entries_.erase(oldest);
    }
    entries_.push_back(
        {.unit = unit, .since = now, .hashes = std::exchange(spare_, {}), .chunks = {}});
    return entries_.back();
}

Scratch::Entry* Scratch::find(UnitIndex unit)
{
    auto const at = std::find_if(entries_.begin(), entries_.end(),
                                 [unit](Entry const& entry) { return entry.unit == unit; });
    return at == entries_.end() ? nullptr : &*at;
}

bool Scratch::has_chunks(UnitIndex unit) const
{
    return std::any_of(entries_.begin(), entries_.end(), [unit](Entry const& entry) {
        return entry.unit == unit && !entry.chunks.empty();
    });
}

void Scratch::erase(UnitIndex unit)
{
    auto const at = std::find_if(entries_.begin(), entries_.end(),
                                 [unit](Entry const& entry) { return entry.unit == unit; });
    if (at != entries_.end()) {
        drop(*at);
        entries_.erase(at);
    }
}

void Scratch::expire(TimePoint now)
{
    for (auto at = entries_.begin(); at != entries_.end();) {
        if (now - at->since <= age_max) {
            ++at;
            continue;
        }
        drop(*at);
        at = entries_.erase(at);
    }
}

void Scratch::drop(Entry& entry)
{
    for (PendingChunk const& chunk : entry.chunks) {
        dropped_bytes_ += chunk.payload.size();
    }
    spare_ = std::move(entry.hashes);
    spare_.clear();
}

bool Scratch::add_hash(Entry& entry, integrity::NodeHash hash)
{
    for (integrity::NodeHash& known : entry.hashes) {
        if (known.chunks == hash.chunks) {
            known = hash; // a neighbour may correct itself
            return true;
        }
    }
    if (entry.hashes.size() >= hashes_max) {
        return false;
    }
    entry.hashes.push_back(hash);
    return true;
}

bool Scratch::add_chunk(Entry& entry, PendingChunk chunk)
{
    bool const known =
        std::any_of(entry.chunks.begin(), entry.chunks.end(),
                    [&](PendingChunk const& other) { return other.chunk == chunk.chunk; });
    if (known || entry.chunks.size() >= chunks_max) {
        return false;
    }
    entry.chunks.push_back(std::move(chunk));
    return true;
}

} // namespace ppsp::peer
