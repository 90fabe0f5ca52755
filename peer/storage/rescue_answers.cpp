#include "peer/storage/rescue.hpp"

#include "protocol/integrity/munro_policy.hpp"

#include <algorithm>
#include <bit>
#include <utility>

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
    settle(fetch, finished);
    answered_[fetch.server] = now;
    StorageHealth& health = health_[fetch.server];
    if (finished.status == 0) {
        health.on_timeout(now - fetch.began);
    } else {
        health.on_answer(now - fetch.began, finished.body.size());
    }
    if (finished.status == status_not_found || finished.status == status_range) {
        on_missing(now, fetch);
        return;
    }
    bool const ranged = fetch.kind != Kind::index && fetch.kind != Kind::whole;
    if (finished.status != status_ok && !(ranged && finished.status == status_partial)) {
        fail(now, fetch.server, fetch.began);
        retry(now, fetch);
        return;
    }
    if (fetch.kind == Kind::index) {
        on_index(now, fetch, finished.body, tools);
    } else if (finished.status == status_ok) {
        ignores_ranges_[fetch.server] = ignores_ranges_[fetch.server] || ranged;
        on_whole(now, fetch, finished.body, tools);
    } else if (finished.body.size() != fetch.bytes) {
        lie(now, fetch);
    } else if (fetch.kind == Kind::records) {
        on_records(now, fetch, finished.body, tools);
    } else if (fetch.kind == Kind::chunks) {
        on_chunks(now, fetch, finished.body);
    } else {
        on_part(now,
                {fetch.object,
                 fetch.units,
                 fetch.offset,
                 {finished.body.begin(), finished.body.end()},
                 fetch.server,
                 fetch.began},
                tools);
    }
}

/// Who asked pays for what came, not for what was expected.
void Rescue::settle(Fetch const& fetch, FetchFinished const& finished)
{
    budget_bytes_ += static_cast<double>(fetch.bytes);
    budget_bytes_ -= static_cast<double>(finished.body.size() + config_.request_bytes);
}

/// The shell answers everything in its time; if it does not, a place must not stay taken.
void Rescue::expire(TimePoint now)
{
    for (auto entry = under_way_.begin(); entry != under_way_.end();) {
        Fetch const fetch = entry->second;
        if (now < fetch.expires) {
            ++entry;
            continue;
        }
        entry = under_way_.erase(entry);
        retry(now, fetch);
    }
}

/// The object as it was when it was asked for; nullptr if an index says otherwise now.
MappedObject* Rescue::object_of(UnitIndex first, std::uint32_t units)
{
    MappedObject* const object = map_.find(first);
    bool const same = object != nullptr && object->first == first && object->units == units;
    return same ? object : nullptr;
}

void Rescue::on_index(TimePoint now, Fetch const& fetch, Bytes body, Tools const& tools)
{
    auto const index = decade::parse_index(text_of(body), swarm_, tools.checker);
    if (!index) {
        lie(now, fetch);
        return;
    }
    Duration const age{tools.utc - index->made_at};
    if (tools.tuning_in && age - decade::index_clock_slack > integrity::tune_in_age_max) {
        fail(now, fetch.server, fetch.began);
        read_index_again(now, fetch);
        return;
    }
    switch (decade::freshness(*index, index_sequence_, tools.utc)) {
    case decade::IndexFreshness::fresh:
    case decade::IndexFreshness::same:
        break;
    case decade::IndexFreshness::replayed: // this server is behind another one: a little?
        if (Duration{tools.utc - index->made_at} <= decade::index_age_max) {
            health_[fetch.server].on_probe();
            return;
        }
        [[fallthrough]];
    case decade::IndexFreshness::too_old:
    case decade::IndexFreshness::from_future:
        fail(now, fetch.server, fetch.began);
        read_index_again(now, fetch);
        return;
    }
    // Fixed for a swarm (trap T10): whatever was foretold and asked for depends on it.
    std::uint32_t const width = index->chunks_per_unit;
    bool const fits = index->chunk_size == chunk_size_ && std::has_single_bit(width) &&
                      width >= 2 && width <= unit_chunks_max &&
                      (map_.empty() || width == map_.chunks_per_unit());
    if (!fits) {
        fail(now, fetch.server, fetch.began);
        return;
    }
    health_[fetch.server].on_probe();
    index_misses_ = index->sequence > index_sequence_ ? 0 : index_misses_;
    index_sequence_ = index->sequence;
    map_.take(*index);
}

/// Not there yet, or foretold wrongly.
void Rescue::on_missing(TimePoint now, Fetch const& fetch)
{
    if (fetch.kind == Kind::index) {
        if (others_work(now, fetch.server)) {
            fail(now, fetch.server, fetch.began);
        }
        read_index_again(now, fetch);
        return;
    }
    if (fetch.kind == Kind::records) {
        drop_parts(now, fetch.object);
    }
    MappedObject const* const object = object_of(fetch.object, fetch.units);
    Duration const retry_max =
        has_neighbours_ ? config_.missing_retry_max_among : config_.missing_retry_max;
    unsigned misses = 0;
    for (UnitIndex unit = fetch.first; unit <= fetch.last; ++unit) {
        misses = std::max(misses, attempts_[unit].misses);
    }
    constexpr unsigned doublings_max = 8;
    auto const gap =
        std::min(retry_max, config_.missing_retry * (1 << std::min(misses, doublings_max)));
    TimePoint const again = now + Duration{rng_.between(gap.count() * 3 / 4, gap.count() * 5 / 4)};
    misses += 1;
    for (UnitIndex unit = fetch.first; unit <= fetch.last; ++unit) {
        attempts_[unit].again = again;
        attempts_[unit].misses = misses;
        give_back(unit);
    }
    if (object != nullptr && !object->exists && misses == 1) {
        publish_lag_ = std::min(publish_lag_ + config_.publish_step, config_.publish_lag_max);
    }
    if (misses >= config_.misses_max) {
        // The server is behind, or what was foretold does not exist.
        if (others_work(now, fetch.server)) {
            fail(now, fetch.server, fetch.began);
            retry(now, fetch);
        }
        read_index_again(now, fetch);
    }
}

void Rescue::on_whole(TimePoint now, Fetch const& fetch, Bytes body, Tools const& tools)
{
    auto const view = decade::read_object(body);
    MappedObject* const object = object_of(fetch.object, fetch.units);
    if (object == nullptr) {
        retry(now, fetch);
        return;
    }
    if (!view || !is_head_of(view->head, *object) ||
        !find_units(view->head, view->payload, view->head.size, fetch, tools)) {
        lie(now, fetch);
        return;
    }
    object->head.assign(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(view->head.size));
    object->records.assign(object->units, {true, true, fetch.server});
    prove(*object, fetch);
}

void Rescue::on_chunks(TimePoint now, Fetch const& fetch, Bytes body)
{
    MappedObject* const object = object_of(fetch.object, fetch.units);
    if (object == nullptr) {
        retry(now, fetch);
        return;
    }
    chunks_ = FoundChunks{fetch.first,  fetch.chunk, body, servers_[fetch.server].tier,
                          fetch.server, fetch.began};
    prove(*object, fetch);
}

/// The object is there, and its server good unless its units turn out to be of no use.
void Rescue::prove(MappedObject& object, Fetch const& fetch)
{
    if (!object.exists) {
        object.exists = true;
        publish_lag_ = std::max(publish_lag_ - config_.publish_step / 10, config_.publish_lag_min);
    }
    gave_ = fetch.server;
}

/// After whoever takes the units had a say.
void Rescue::credit()
{
    if (auto const server = std::exchange(gave_, std::nullopt)) {
        health_[*server].on_success();
    }
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
    is_index_urgent_ = true;
    if (next_index_ > now + gap) {
        index_misses_ += try_another ? 0 : 1;
        next_index_ = now + gap;
    }
}

void Rescue::on_wrong(TimePoint now, UnitIndex unit, std::size_t server, TimePoint asked)
{
    gave_.reset();
    health_[server].on_lie(now, asked);
    call_others(now, server);
    attempts_[unit].again = now;
    give_back(unit);
}

void Rescue::on_useless(TimePoint now, UnitIndex unit, std::size_t server, TimePoint asked)
{
    gave_.reset();
    fail(now, server, asked);
    // The others may have better ones.
    attempts_[unit].again = others_work(now, server) ? now : now + config_.missing_retry_max_among;
    give_back(unit);
}

/// Peers are asked for the unit again.
void Rescue::give_back(UnitIndex unit)
{
    if (std::exchange(attempts_[unit].is_ours, false)) {
        failed_.push_back(unit);
    }
}

void Rescue::fail(TimePoint now, std::size_t server, TimePoint asked)
{
    bool const worked = !health_[server].on_probation();
    health_[server].on_failure(now, asked, has_neighbours_ || others_work(now, server));
    if (worked) {
        call_others(now, server);
    }
}

/// A source pushes to one cache, and to the next one when that fails: the others may hold now what
/// they did not when they were left alone.
void Rescue::call_others(TimePoint now, std::size_t gone)
{
    if (others_work(now, gone)) {
        return;
    }
    for (std::size_t i = 0; i < health_.size(); ++i) {
        if (i != gone) {
            health_[i].on_needed(now);
        }
    }
}

void Rescue::lie(TimePoint now, Fetch const& fetch)
{
    health_[fetch.server].on_lie(now, fetch.began);
    call_others(now, fetch.server);
    retry(now, fetch);
}

/// What the fetch was to bring is asked for again from then on.
void Rescue::retry(TimePoint at, Fetch const& fetch)
{
    if (fetch.kind == Kind::index) {
        next_index_ = at;
        is_index_urgent_ = true;
        return;
    }
    for (UnitIndex unit = fetch.first; unit <= fetch.last; ++unit) {
        attempts_[unit].again = at;
        give_back(unit);
    }
}

} // namespace ppsp::peer
