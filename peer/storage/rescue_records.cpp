#include "peer/storage/rescue.hpp"

#include <algorithm>
#include <utility>

/// Units as parts of an object, and the records of its head that prove them: asked for apart, since
/// a head is as long as a chunk.
namespace ppsp::peer {

/// From the first to the last unit whose record neither is here nor comes.
bool Rescue::plan_records(TimePoint now, Situation const& situation, Fetch fetch,
                          MappedObject const& object, std::vector<UnitIndex> const& unproven,
                          std::vector<FetchWanted>& fetches)
{
    auto const lacks = [&](UnitIndex unit) { return !records_come(object, unit); };
    auto const first = std::find_if(unproven.begin(), unproven.end(), lacks);
    if (first == unproven.end()) {
        return true;
    }
    auto const last = std::find_if(unproven.rbegin(), unproven.rend(), lacks);
    fetch.kind = Kind::records;
    fetch.first = 1; // no units
    fetch.last = 0;
    fetch.record = *first;
    fetch.offset = head_bytes(0) + (*first - object.first) * record_bytes();
    fetch.bytes = (*last - *first + 1) * record_bytes();
    return begin(now, situation, fetch, path_of(object), fetches);
}

bool Rescue::records_come(MappedObject const& object, UnitIndex unit) const
{
    bool const known = !object.records.empty() && object.records[unit - object.first].known;
    return known || std::any_of(under_way_.begin(), under_way_.end(), [&](auto const& each) {
               Fetch const& fetch = each.second;
               return fetch.kind == Kind::records && fetch.object == object.first &&
                      unit >= fetch.record && unit - fetch.record < fetch.bytes / record_bytes();
           });
}

void Rescue::on_records(TimePoint now, Fetch const& fetch, Bytes body, Tools const& tools)
{
    MappedObject* const object = object_of(fetch.object, fetch.units);
    if (object == nullptr || !keep_records(*object, fetch, body)) {
        if (object != nullptr) {
            lie(now, fetch);
        }
        drop_parts(now, fetch.object);
        return;
    }
    std::vector<Part> waiting;
    for (auto part = parts_.begin(); part != parts_.end();) {
        if (part->object == fetch.object) {
            waiting.push_back(std::move(*part));
            part = parts_.erase(part);
        } else {
            ++part;
        }
    }
    for (Part& part : waiting) {
        on_part(now, std::move(part), tools);
    }
}

/// False if they are not records of these units; then nothing is kept. What is known already stays.
bool Rescue::keep_records(MappedObject& object, Fetch const& fetch, Bytes records)
{
    ByteVector head = object.head;
    std::vector<MappedObject::Record> known = object.records;
    if (head.empty()) {
        UnitGrid const grid{map_.chunks_per_unit()};
        head = decade::blank_head({addressing_, chunk_size_, map_.chunks_per_unit()}, swarm_,
                                  signature_size_, grid.first_chunk(object.first), object.units);
        known.assign(object.units, {});
    }
    std::size_t const before = fetch.record - object.first;
    std::size_t const count = records.size() / record_bytes();
    for (std::size_t i = before; i < before + count; ++i) {
        if (!known[i].known) {
            Bytes const record = records.subspan((i - before) * record_bytes(), record_bytes());
            std::copy(record.begin(), record.end(),
                      head.begin() +
                          static_cast<std::ptrdiff_t>(head_bytes(0) + i * record_bytes()));
            known[i] = {true, false, fetch.server};
        }
    }
    auto const read = decade::read_head(head);
    if (!read || !is_head_of(*read, object)) {
        return false;
    }
    object.head = std::move(head);
    object.records = std::move(known);
    return true;
}

void Rescue::on_part(TimePoint now, Part part, Tools const& tools)
{
    MappedObject* const object = object_of(part.object, part.units);
    if (object == nullptr) {
        retry(now, fetch_of(part));
        return;
    }
    Fetch const fetch = fetch_of(part);
    bool provable = !object->records.empty();
    for (UnitIndex unit = fetch.first; unit <= fetch.last; ++unit) {
        if (!records_come(*object, unit)) {
            retry(now, fetch); // they came to nothing while the part was under way
            return;
        }
        provable = provable && object->records[unit - object->first].known;
    }
    if (provable) {
        read_part(now, *object, part, tools);
        return;
    }
    if (parts_.size() >= config_.fetches_max) {
        retry(now, fetch_of(parts_.front())); // its records never came
        parts_.erase(parts_.begin());
    }
    parts_.push_back(std::move(part));
}

void Rescue::read_part(TimePoint now, MappedObject& object, Part const& part, Tools const& tools)
{
    Fetch const fetch = fetch_of(part);
    auto const begin =
        object.records.begin() + static_cast<std::ptrdiff_t>(fetch.first - object.first);
    auto const end =
        object.records.begin() + static_cast<std::ptrdiff_t>(fetch.last + 1 - object.first);
    auto const forget_unproven = [&] {
        std::for_each(begin, end, [](MappedObject::Record& record) {
            record.known = record.known && record.proven;
        });
    };
    if (std::any_of(begin, end, [&](MappedObject::Record const& record) {
            return !record.proven && record.server != part.server;
        })) {
        // If they do not fit, nobody could say who lied.
        forget_unproven();
        retry(now, fetch);
        return;
    }
    kept_.push_back(object.head);
    auto const head = decade::read_head(kept_.back());
    kept_.push_back(part.bytes);
    if (!head || !find_units(*head, kept_.back(), part.offset, fetch, tools)) {
        forget_unproven();
        lie(now, fetch);
        return;
    }
    std::for_each(begin, end, [](MappedObject::Record& record) { record.proven = true; });
    prove(object, fetch);
}

/// The units of which `bytes`, from `offset` of their object on, hold the whole payload. False if
/// one is not what the channel's key signed.
bool Rescue::find_units(decade::ObjectHead const& head, Bytes bytes, std::uint64_t offset,
                        Fetch const& fetch, Tools const& tools)
{
    std::size_t const before = found_.size();
    for (std::size_t i = 0; i < head.units.size(); ++i) {
        std::uint64_t const at = head.unit_offset(i);
        if (at < offset || at + head.unit_bytes() > offset + bytes.size()) {
            continue;
        }
        Bytes const payload = bytes.subspan(at - offset, head.unit_bytes());
        auto tree = decade::verify_unit(head, i, payload, tools.hasher, tools.checker);
        if (!tree) {
            found_.erase(found_.begin() + static_cast<std::ptrdiff_t>(before), found_.end());
            return false;
        }
        found_.push_back({head.units[i].chunks, *std::move(tree), head.units[i].signed_at,
                          head.units[i].signature, payload, servers_[fetch.server].tier,
                          fetch.server, fetch.began});
    }
    return true;
}

bool Rescue::is_head_of(decade::ObjectHead const& head, MappedObject const& object) const
{
    UnitGrid const grid{map_.chunks_per_unit()};
    return std::ranges::equal(head.swarm_id, swarm_) && head.format.chunk_size == chunk_size_ &&
           head.format.chunks_per_unit == map_.chunks_per_unit() &&
           head.size == head_bytes(object.units) &&
           head.chunks() == grid.chunks(object.first, object.last());
}

Rescue::Fetch Rescue::fetch_of(Part const& part) const
{
    Fetch fetch;
    fetch.kind = Kind::part;
    fetch.server = part.server;
    fetch.began = part.asked;
    fetch.object = part.object;
    fetch.units = part.units;
    fetch.first = part.object + (part.offset - head_bytes(part.units)) / unit_bytes();
    fetch.last = fetch.first + part.bytes.size() / unit_bytes() - 1;
    return fetch;
}

/// Parts whose records do not come are asked for again.
void Rescue::drop_parts(TimePoint now, UnitIndex object)
{
    for (auto part = parts_.begin(); part != parts_.end();) {
        if (part->object != object) {
            ++part;
            continue;
        }
        retry(now, fetch_of(*part));
        part = parts_.erase(part);
    }
}

} // namespace ppsp::peer
