#include "peer/storage/rescue.hpp"

#include <algorithm>

/// What came of a fetch.
namespace ppsp::peer {
namespace {

constexpr unsigned status_ok = 200;
constexpr unsigned status_partial = 206;
constexpr unsigned status_not_found = 404;
constexpr unsigned status_range = 416;

std::string_view text_of(Bytes bytes)
{
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

} // namespace

void Rescue::digest(TimePoint now, FetchFinished const& finished, Tools const& tools)
{
    auto const entry = under_way_.find(finished.fetch);
    if (entry == under_way_.end()) {
        return;
    }
    Fetch const fetch = entry->second;
    under_way_.erase(entry);
    next_look_ = now;
    StorageHealth& health = health_[fetch.server];
    index_under_way_ = index_under_way_ && fetch.kind != Kind::index;
    if (finished.status != 0) {
        health.on_answer(now - fetch.began, finished.body.size());
    }
    if (finished.status == status_not_found || finished.status == status_range) {
        on_missing(now, fetch);
        return;
    }
    bool const ranged = fetch.kind != Kind::index && fetch.kind != Kind::whole;
    if (finished.status != status_ok && !(ranged && finished.status == status_partial)) {
        health.on_failure(now);
        retry(now, fetch);
        return;
    }
    if (fetch.kind == Kind::index) {
        on_index(now, fetch, finished.body, tools);
    } else if (finished.status == status_ok) {
        on_whole(now, fetch, finished.body, tools); // also when a part was asked for
    } else if (finished.body.size() != fetch.bytes) {
        lie(now, fetch);
    } else if (fetch.kind == Kind::head) {
        on_head(now, fetch, finished.body, tools);
    } else if (fetch.kind == Kind::chunks) {
        on_chunks(fetch, finished.body);
    } else {
        Part part{
            fetch.object, fetch.offset, {finished.body.begin(), finished.body.end()}, fetch.server};
        on_part(now, std::move(part), tools);
    }
}

void Rescue::on_index(TimePoint now, Fetch const& fetch, Bytes body, Tools const& tools)
{
    auto const index = decade::parse_index(text_of(body), swarm_, tools.checker);
    if (!index) {
        lie(now, fetch);
        return;
    }
    switch (decade::freshness(*index, index_sequence_, tools.utc)) {
    case decade::IndexFreshness::fresh:
    case decade::IndexFreshness::same:
        break;
    case decade::IndexFreshness::replayed: // this server is behind another one: a little?
        if (Duration{tools.utc - index->made_at} <= decade::index_age_max) {
            health_[fetch.server].on_success();
            return;
        }
        [[fallthrough]];
    case decade::IndexFreshness::too_old:
    case decade::IndexFreshness::from_future:
        health_[fetch.server].on_failure(now);
        read_index_again(now, fetch);
        return;
    }
    if (index->chunk_size != chunk_size_ || index->chunks_per_unit > unit_chunks_max) {
        health_[fetch.server].on_failure(now);
        return;
    }
    health_[fetch.server].on_success();
    index_misses_ = index->sequence > index_sequence_ ? 0 : index_misses_;
    index_sequence_ = index->sequence;
    map_.take(*index);
}

/// Not there yet, or foretold wrongly.
void Rescue::on_missing(TimePoint now, Fetch const& fetch)
{
    if (fetch.kind == Kind::index) {
        if (others_work(now, fetch.server)) {
            health_[fetch.server].on_failure(now);
        }
        read_index_again(now, fetch);
        return;
    }
    MappedObject const* const object = map_.find(fetch.object);
    unsigned misses = 0;
    for (UnitIndex unit = fetch.first; unit <= fetch.last; ++unit) {
        Attempt& attempt = attempts_[unit];
        constexpr unsigned doublings_max = 8;
        attempt.again =
            now + std::min(config_.missing_retry_max,
                           config_.missing_retry * (1 << std::min(attempt.misses, doublings_max)));
        attempt.misses += 1;
        failed_.push_back(unit);
        misses = std::max(misses, attempt.misses);
    }
    if (object != nullptr && !object->exists && misses == 1) {
        publish_lag_ = std::min(publish_lag_ + config_.publish_step, config_.publish_lag_max);
    }
    if (misses >= config_.misses_max) {
        // The server is behind, or what was foretold does not exist.
        if (others_work(now, fetch.server)) {
            health_[fetch.server].on_failure(now);
            retry(now, fetch);
        }
        read_index_again(now, fetch);
    }
}

void Rescue::on_whole(TimePoint now, Fetch const& fetch, Bytes body, Tools const& tools)
{
    auto const view = decade::read_object(body);
    MappedObject* const object = map_.find(fetch.object);
    if (!view || object == nullptr || !is_head_of(view->head, *object) ||
        !find_units(view->head, view->payload, view->head.size, fetch.server, tools)) {
        lie(now, fetch);
        return;
    }
    object->head.assign(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(view->head.size));
    object->head_server = fetch.server;
    object->head_proven = true;
    prove(*object, fetch);
}

void Rescue::on_head(TimePoint now, Fetch const& fetch, Bytes body, Tools const& tools)
{
    MappedObject* const object = map_.find(fetch.object);
    auto const head = decade::read_head(body);
    if (!head || object == nullptr || !is_head_of(*head, *object)) {
        lie(now, fetch);
        return;
    }
    object->head.assign(body.begin(), body.end());
    object->head_server = fetch.server;
    object->head_proven = false;
    std::vector<Part> waiting;
    for (auto part = parts_.begin(); part != parts_.end();) {
        if (part->object == fetch.object) {
            waiting.push_back(std::move(*part));
            part = parts_.erase(part);
        } else {
            ++part;
        }
    }
    for (Part const& part : waiting) {
        read_part(now, *object, part, tools);
    }
}

void Rescue::on_chunks(Fetch const& fetch, Bytes body)
{
    MappedObject* const object = map_.find(fetch.object);
    if (object == nullptr) {
        return;
    }
    std::uint64_t const chunk = (fetch.offset - head_bytes(object->units)) / chunk_size_;
    UnitGrid const grid{map_.chunks_per_unit()};
    chunks_ = FoundChunks{fetch.first, grid.first_chunk(object->first) + chunk, body,
                          servers_[fetch.server].tier, fetch.server};
    prove(*object, fetch);
}

void Rescue::on_part(TimePoint now, Part part, Tools const& tools)
{
    MappedObject* const object = map_.find(part.object);
    if (object == nullptr) {
        return;
    }
    if (!object->head.empty()) {
        read_part(now, *object, part, tools);
        return;
    }
    if (parts_.size() >= config_.fetches_max) {
        parts_.erase(parts_.begin()); // its head never came
    }
    parts_.push_back(std::move(part));
}

void Rescue::read_part(TimePoint now, MappedObject& object, Part const& part, Tools const& tools)
{
    Fetch fetch;
    fetch.kind = Kind::part;
    fetch.server = part.server;
    fetch.object = part.object;
    fetch.first = object.first + (part.offset - head_bytes(object.units)) / unit_bytes();
    fetch.last = fetch.first + part.bytes.size() / unit_bytes() - 1;
    if (!object.head_proven && object.head_server != part.server) {
        // If they do not fit, nobody could say who lied.
        object.head.clear();
        retry(now, fetch);
        return;
    }
    kept_.push_back(object.head);
    auto const head = decade::read_head(kept_.back());
    kept_.push_back(part.bytes);
    if (!head || !find_units(*head, kept_.back(), part.offset, part.server, tools)) {
        if (!object.head_proven) {
            object.head.clear();
        }
        lie(now, fetch);
        return;
    }
    object.head_proven = true;
    prove(object, fetch);
}

/// The object is there, and its server good.
void Rescue::prove(MappedObject& object, Fetch const& fetch)
{
    if (!object.exists) {
        object.exists = true;
        publish_lag_ = std::max(publish_lag_ - config_.publish_step / 10, config_.publish_lag_min);
    }
    health_[fetch.server].on_success();
}

/// The units of which `bytes`, from `offset` of their object on, hold the whole payload. False if
/// one is not what the channel's key signed.
bool Rescue::find_units(decade::ObjectHead const& head, Bytes bytes, std::uint64_t offset,
                        std::size_t server, Tools const& tools)
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
                          head.units[i].signature, payload, servers_[server].tier, server});
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

bool Rescue::others_work(TimePoint now, std::size_t server) const
{
    for (std::size_t i = 0; i < health_.size(); ++i) {
        if (i != server && health_[i].usable(now) && !health_[i].on_probation()) {
            return true;
        }
    }
    return false;
}

/// A source that is away must not be asked for by all its viewers all the time.
void Rescue::read_index_again(TimePoint now, Fetch const& fetch)
{
    constexpr unsigned doublings_max = 3;
    bool const try_another =
        fetch.kind == Kind::index && map_.empty() && others_work(now, fetch.server);
    auto const gap = try_another
                         ? Duration::zero()
                         : config_.index_retry * (1 << std::min(index_misses_, doublings_max));
    if (next_index_ > now + gap) {
        index_misses_ += try_another ? 0 : 1;
        next_index_ = now + gap;
    }
}

void Rescue::on_unacceptable(TimePoint now, UnitIndex unit, std::size_t server)
{
    health_[server].on_lie(now);
    attempts_[unit].again = now;
    failed_.push_back(unit);
}

void Rescue::lie(TimePoint now, Fetch const& fetch)
{
    health_[fetch.server].on_lie(now);
    retry(now, fetch);
}

/// What the fetch was to bring is asked for again from then on.
void Rescue::retry(TimePoint at, Fetch const& fetch)
{
    if (fetch.kind == Kind::index) {
        next_index_ = at;
        return;
    }
    for (UnitIndex unit = fetch.first; unit <= fetch.last; ++unit) {
        attempts_[unit].again = at;
        failed_.push_back(unit);
    }
}

} // namespace ppsp::peer
