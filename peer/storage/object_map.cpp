#include "peer/storage/object_map.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>

namespace ppsp::peer {

void ObjectMap::take(decade::LiveIndex const& index)
{
    std::deque<MappedObject> const before = std::exchange(objects_, {});
    chunks_per_unit_ = index.chunks_per_unit;
    random_access_.reset();
    for (auto const& entry : index.objects) {
        std::uint64_t const first = to_number(entry.chunks.first);
        std::uint64_t const count = entry.chunks.count();
        bool const is_whole = first % chunks_per_unit_ == 0 && count % chunks_per_unit_ == 0 &&
                              count / chunks_per_unit_ <= decade::object_units_max;
        if (!is_whole) {
            continue;
        }
        MappedObject object;
        object.first = first / chunks_per_unit_;
        object.units = static_cast<std::uint32_t>(count / chunks_per_unit_);
        object.name = entry.name;
        object.bytes = entry.bytes;
        object.first_signed = entry.first_signed;
        object.last_signed = entry.last_signed;
        object.exists = true;
        auto const same = std::find_if(before.begin(), before.end(), [&](MappedObject const& old) {
            return old.first == object.first && old.units == object.units;
        });
        if (same != before.end()) {
            object.head = same->head;
            object.records = same->records;
        }
        objects_.push_back(std::move(object));
        newest_signed_ = entry.last_signed;
        if (!entry.random_access.empty()) {
            random_access_ = entry.random_access.back();
            random_access_signed_ = entry.first_signed;
        }
    }
    // What came after this index was made is true still, if it continues it.
    for (MappedObject const& old : before) {
        if (!objects_.empty() && old.exists && old.first == objects_.back().last() + 1) {
            objects_.push_back(old);
        }
    }
    if (!objects_.empty()) {
        // The last one of a stream that ended may be shorter; so is one before a gap.
        auto const longest = std::max_element(
            objects_.begin(), objects_.end(),
            [](auto const& one, auto const& other) { return one.units < other.units; });
        units_per_object_ = longest->units;
    }
    while (objects_.size() > objects_max) {
        objects_.pop_front();
    }
}

MappedObject* ObjectMap::find(UnitIndex unit)
{
    if (objects_.empty() || unit < objects_.front().first) {
        return nullptr;
    }
    if (unit > objects_.back().last()) {
        UnitIndex const ahead = unit - newest();
        if (ahead > std::uint64_t{foretold_max} * units_per_object_) {
            return nullptr;
        }
        while (unit > objects_.back().last()) {
            MappedObject next;
            next.first = objects_.back().last() + 1;
            next.units = units_per_object_;
            objects_.push_back(std::move(next));
        }
        while (objects_.size() > objects_max) {
            objects_.pop_front();
        }
    }
    auto const after = std::upper_bound(
        objects_.begin(), objects_.end(), unit,
        [](UnitIndex wanted, auto const& object) { return wanted < object.first; });
    MappedObject& object = *std::prev(after);
    return unit <= object.last() ? &object : nullptr;
}

std::optional<UnitIndex> ObjectMap::next(UnitIndex unit) const
{
    for (MappedObject const& object : objects_) {
        if (object.last() >= unit) {
            return std::max(object.first, unit);
        }
    }
    return std::nullopt;
}

std::optional<UnixMicros> ObjectMap::signed_at(UnitIndex unit) const
{
    for (MappedObject const& object : objects_) {
        if (object.last() < unit || object.first_signed == 0) {
            continue;
        }
        auto const into = static_cast<std::int64_t>(std::max(unit, object.first) - object.first);
        auto const steps = std::max<std::int64_t>(object.units - 1, 1);
        return object.first_signed + (object.last_signed - object.first_signed) * into / steps;
    }
    return std::nullopt;
}

UnitIndex ObjectMap::newest() const
{
    PPSP_ASSERT(!objects_.empty());
    auto const newest = std::find_if(objects_.rbegin(), objects_.rend(),
                                     [](MappedObject const& object) { return object.exists; });
    return newest != objects_.rend() ? newest->last() : objects_.front().last();
}

} // namespace ppsp::peer
