#include "peer/storage/object_collector.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

std::size_t choose_units(decade::ObjectFormat const& format, Duration unit_time)
{
    auto const wanted = ObjectCollector::object_time / std::max<Duration>(unit_time, Duration{1});
    // Half of the largest object leaves room for any head.
    auto const fit =
        decade::object_size_max / 2 / (std::size_t{format.chunk_size} * format.chunks_per_unit);
    return std::clamp<std::size_t>(static_cast<std::size_t>(std::max<Duration::rep>(wanted, 1)), 1,
                                   std::clamp<std::size_t>(fit, 1, decade::object_units_max));
}

} // namespace

ObjectCollector::ObjectCollector(decade::ObjectFormat format, ByteVector swarm_id,
                                 Duration unit_time, integrity::Hasher& hasher)
    : format_(format), units_per_object_(choose_units(format, unit_time)), hasher_(hasher)
{
    index_.swarm_id = std::move(swarm_id);
    index_.chunk_size = format.chunk_size;
    index_.chunks_per_unit = format.chunks_per_unit;
}

std::optional<CollectedObject> ObjectCollector::add(CollectedUnit unit, UnixMicros now)
{
    std::optional<CollectedObject> object;
    bool const follows = units_.empty() || units_.back().chunks.last + 1 == unit.chunks.first;
    if (!follows) {
        object = finish(now);
    }
    units_.push_back(std::move(unit));
    // One call, one object: with one unit per object the one after a gap leaves with the next.
    if (!object && units_.size() >= units_per_object_) {
        object = finish(now);
    }
    return object;
}

std::optional<CollectedObject> ObjectCollector::finish(UnixMicros now)
{
    if (units_.empty()) {
        return std::nullopt;
    }
    std::vector<decade::SignedUnit> views;
    std::vector<ChunkId> random_access;
    for (auto const& unit : units_) {
        views.push_back({unit.chunks, unit.signed_at, unit.signature, unit.payload});
        if (unit.random_access_offset && random_access.size() < decade::index_random_access_max) {
            random_access.push_back(unit.chunks.first +
                                    *unit.random_access_offset / format_.chunk_size);
        }
    }
    auto bytes = write_object(format_, index_.swarm_id, views);
    PPSP_ASSERT(bytes.has_value()); // our own units, of one format
    decade::IndexedObject entry{decade::NiName::of(hasher_, *bytes),
                                {units_.front().chunks.first, units_.back().chunks.last},
                                bytes->size(),
                                from_ntp(units_.front().signed_at, now),
                                from_ntp(units_.back().signed_at, now),
                                std::move(random_access)};
    units_.clear();
    auto& objects = index_.objects;
    objects.push_back(entry);
    if (objects.size() > index_objects) {
        objects.erase(objects.begin());
    }
    return CollectedObject{std::move(entry), std::move(*bytes)};
}

decade::LiveIndex ObjectCollector::index(UnixMicros now)
{
    constexpr UnixMicros micros_per_ms = 1000;
    index_.made_at = now;
    index_.sequence =
        std::max(index_.sequence + 1,
                 static_cast<std::uint64_t>(std::max<UnixMicros>(now / micros_per_ms, 0)));
    return index_;
}

} // namespace ppsp::peer
