#include "peer/storage/rescue.hpp"

#include "protocol/base/assert.hpp"
#include "protocol/wire/datagram.hpp"

#include <algorithm>
#include <bit>
#include <tuple>

namespace ppsp::peer {
namespace {

/// At most that much time passes between two looks: signs of new units move nothing here.
constexpr Duration look_gap = std::chrono::milliseconds{100};
constexpr std::size_t index_bytes_guess = 20'000;

/// Objects know chunk ranges only.
wire::AddressingMode object_addressing(wire::AddressingMode addressing)
{
    using enum wire::AddressingMode;
    return addressing == chunk64 ? chunk64 : chunk32;
}

std::size_t signature_size_of(SwarmId const& swarm)
{
    auto const algorithm = integrity::algorithm_of(swarm);
    PPSP_ASSERT(algorithm.has_value());
    return wire::signature_size(*algorithm, swarm).value_or(64);
}

} // namespace

Rescue::Rescue(RescueConfig const& config, LiveSwarmConfig const& swarm, TimePoint joined, Rng rng)
    : config_(config), swarm_(swarm.id), chunk_size_(swarm.chunk_size), servers_(swarm.storage),
      health_(swarm.storage.size()), ignores_ranges_(swarm.storage.size()),
      answered_(swarm.storage.size()), joined_(joined), rng_(rng), salt_(rng_.next()),
      publish_lag_(config.publish_lag), addressing_(object_addressing(swarm.addressing)),
      signature_size_(signature_size_of(swarm.id)), refilled_(joined), next_look_(joined)
{
    PPSP_ASSERT(servers_.size() <= servers_max);
}

void Rescue::plan(TimePoint now, Situation const& situation, std::vector<FetchWanted>& fetches)
{
    next_look_ = now + look_gap;
    has_neighbours_ = situation.has_neighbours;
    expire(now);
    refill(now, situation);
    plan_index(now, situation, fetches);
    // A source whose index speaks of other units than its munros is of no use.
    bool const other_units = situation.store != nullptr &&
                             situation.store->grid().chunks_per_unit() != map_.chunks_per_unit();
    if (map_.empty() || other_units) {
        return;
    }
    if (situation.units == nullptr) {
        plan_first(now, situation, fetches);
    } else {
        plan_units(now, situation, fetches);
    }
}

void Rescue::refill(TimePoint now, Situation const& situation)
{
    if (map_.chunks_per_unit() == 0 || situation.unit_duration <= Duration::zero()) {
        return;
    }
    double const per_second = static_cast<double>(unit_bytes()) * 1e6 /
                              static_cast<double>(situation.unit_duration.count());
    double const passed = static_cast<double>((now - refilled_).count()) / 1e6;
    // However slow the stream: a few objects, and an index.
    double const least = static_cast<double>(
        4 * (head_bytes(map_.units_per_object()) + map_.units_per_object() * unit_bytes()) +
        decade::index_text_size_max);
    budget_bytes_ = std::min(budget_bytes_ + passed * per_second * config_.budget_rate,
                             std::max(per_second * config_.budget_burst_s, least));
    refilled_ = now;
}

void Rescue::plan_index(TimePoint now, Situation const& situation,
                        std::vector<FetchWanted>& fetches)
{
    if (reads_index()) {
        return;
    }
    auto server = to_probe(now);
    if (!server && now < next_index_) {
        look_at(next_index_);
        return;
    }
    if (!server) {
        server = choose(now, index_bytes_guess, situation);
        if (!server) {
            return;
        }
        server = is_index_urgent_ ? *server : to_measure(now, *server);
    }
    Fetch fetch;
    fetch.kind = Kind::index;
    fetch.server = *server;
    fetch.bytes = index_bytes_guess;
    begin(now, situation, fetch, decade::index_path(swarm_), fetches);
    answered_[*server] = now; // or it is on probation
    auto const gap =
        (has_equals_unmeasured(*server) ? config_.index_gap_first : config_.index_gap).count();
    next_index_ = now + Duration{rng_.between(gap, gap + gap / 2)};
    is_index_urgent_ = false;
}

/// Of those that are as good by tier and cost the one that answered longest ago: only who is asked
/// can turn out to be nearer.
std::size_t Rescue::to_measure(TimePoint now, std::size_t nearest) const
{
    std::size_t oldest = nearest;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
        bool const equal = servers_[i].tier == servers_[nearest].tier &&
                           servers_[i].cost == servers_[nearest].cost;
        if (equal && health_[i].usable(now) && answered_[i] < answered_[oldest]) {
            oldest = i;
        }
    }
    return oldest;
}

bool Rescue::has_equals_unmeasured(std::size_t nearest) const
{
    for (std::size_t i = 0; i < servers_.size(); ++i) {
        bool const equal = servers_[i].tier == servers_[nearest].tier &&
                           servers_[i].cost == servers_[nearest].cost;
        if (equal && !answered_[i]) {
            return true;
        }
    }
    return false;
}

bool Rescue::reads_index() const
{
    return std::any_of(under_way_.begin(), under_way_.end(),
                       [](auto const& each) { return each.second.kind == Kind::index; });
}

/// Who failed shows by an index that it is back, not by a unit that somebody waits for.
std::optional<std::size_t> Rescue::to_probe(TimePoint now) const
{
    for (std::size_t i = 0; i < health_.size(); ++i) {
        if (health_[i].on_probation() && health_[i].usable(now)) {
            return i;
        }
    }
    return std::nullopt;
}

/// Nothing is known yet but the index: the objects from the newest start to the live edge.
void Rescue::plan_first(TimePoint now, Situation const& situation,
                        std::vector<FetchWanted>& fetches)
{
    UnitIndex const newest = map_.newest();
    auto const back = static_cast<UnitIndex>(config_.tune_in_back /
                                             std::max(situation.unit_duration, Duration{1}));
    UnitIndex first = newest > back ? newest - back : 0;
    if (map_.random_access() && map_.random_access_age() <= config_.random_access_age_max) {
        UnitIndex const start = to_number(*map_.random_access()) / map_.chunks_per_unit();
        first = start > 0 ? start - 1 : 0; // the PAT may lie in the unit before
    }
    for (UnitIndex unit = first; unit <= newest;) {
        MappedObject const* const object = map_.find(unit);
        if (object == nullptr) {
            unit = map_.next(unit).value_or(newest + 1);
            continue;
        }
        std::vector<UnitIndex> wanted;
        for (UnitIndex each = object->first; each <= object->last(); ++each) {
            if (!is_waiting(now, each)) {
                wanted.push_back(each);
            }
        }
        if (wanted.size() == object->units) {
            plan_object(now, situation, *object, wanted, fetches);
        }
        unit = object->last() + 1;
    }
}

void Rescue::plan_units(TimePoint now, Situation const& situation,
                        std::vector<FetchWanted>& fetches)
{
    UnitIndex const first = situation.units->first_wanted();
    attempts_.erase(attempts_.begin(), attempts_.lower_bound(first));
    bool const eager = situation.alone || !situation.playing;
    // No viewer wants what is further ahead.
    constexpr UnitIndex reach = 100'000;
    UnitIndex const edge =
        std::min(std::max(situation.units->edge(), map_.newest()), first + reach);
    for (UnitIndex unit = first; unit <= first + reach && (eager || unit <= edge);) {
        MappedObject const* const object = map_.find(unit);
        if (object == nullptr) {
            if (unit > edge) {
                break;
            }
            if (unit > map_.newest()) { // far behind: what was foretold from is no longer true
                read_index_again(now, Fetch{.kind = Kind::part});
                break;
            }
            unit = map_.next(unit).value_or(edge + 1); // before the oldest object, or in a gap
            continue;
        }
        if (TimePoint const at = published(situation, *object); at > now) {
            look_at(at);
            break; // what follows it is younger
        }
        std::vector<UnitIndex> wanted;
        TimePoint earliest = TimePoint::max();
        for (UnitIndex each = std::max(unit, object->first); each <= object->last(); ++each) {
            auto const at = wanted_at(now, situation, *object, each);
            earliest = std::min(earliest, at.value_or(earliest));
            if (at && *at <= now + config_.together && !is_waiting(now, each)) {
                wanted.push_back(each);
            }
        }
        if (earliest > now) {
            wanted.clear();
            look_at(earliest);
        }
        if (!wanted.empty()) {
            plan_object(now, situation, *object, wanted, fetches);
        }
        unit = object->last() + 1;
        if (auto const attempt = attempts_.find(object->last());
            !object->exists && attempt != attempts_.end() && attempt->second.misses > 0) {
            break; // the later ones are not there either
        }
    }
}

/// When the unit is to be asked for; nullopt if it is not missing or nobody knows when it is due.
std::optional<TimePoint> Rescue::wanted_at(TimePoint now, Situation const& situation,
                                           MappedObject const& object, UnitIndex unit)
{
    if (situation.units->missing(unit) == 0) {
        attempts_.erase(unit);
        return std::nullopt;
    }
    if (auto const attempt = attempts_.find(unit);
        attempt != attempts_.end() && attempt->second.again > now) {
        return attempt->second.again;
    }
    if (situation.alone || !situation.playing) {
        // All viewers of a server that wait for an object see it appear at the same time.
        constexpr std::int64_t spread_us = 30'000;
        Rng object_draw{salt_ ^ object.first};
        return situation.playing
                   ? published(situation, object) + Duration{object_draw.between(0, spread_us)}
                   : now;
    }
    auto const due = situation.units->due(unit);
    auto const server = choose(now, unit_bytes(), situation);
    if (!due || !server) {
        return std::nullopt;
    }
    // A late first sign makes nothing due later.
    TimePoint const latest = std::min(*due, situation.units->expected(unit) + situation.latency);
    auto const needed = health_[*server].safe(unit_bytes());
    auto const spread =
        static_cast<std::int64_t>(static_cast<double>(needed.count()) * config_.jitter);
    Rng draw{salt_ ^ unit};
    return latest - needed - config_.margin -
           Duration{draw.between(0, std::max<std::int64_t>(spread, 1))};
}

/// Whole if much of it is wanted, else each run of units.
void Rescue::plan_object(TimePoint now, Situation const& situation, MappedObject const& object,
                         std::vector<UnitIndex> const& wanted, std::vector<FetchWanted>& fetches)
{
    auto const server = choose(now, unit_bytes(), situation);
    if (!server) {
        return;
    }
    Fetch fetch;
    fetch.server = *server;
    fetch.object = object.first;
    fetch.units = object.units;
    if (ignores_ranges_[*server] ||
        static_cast<double>(wanted.size()) >= config_.whole_share * object.units) {
        fetch.kind = Kind::whole;
        fetch.first = object.first;
        fetch.last = object.last();
        fetch.bytes = object_bytes(object);
        begin(now, situation, fetch, path_of(object), fetches);
        return;
    }
    std::vector<UnitIndex> unproven;
    for (UnitIndex const unit : wanted) {
        bool const proven = situation.store != nullptr && situation.store->find(unit) != nullptr;
        if (!proven) {
            unproven.push_back(unit);
        } else if (!plan_chunks(now, situation, fetch, object, unit, fetches)) {
            return;
        }
    }
    if (unproven.empty()) {
        return;
    }
    if (!plan_records(now, situation, fetch, object, unproven, fetches)) {
        return;
    }
    for (auto unit = unproven.begin(); unit != unproven.end();) {
        fetch.kind = Kind::part;
        fetch.first = *unit;
        fetch.last = *unit;
        for (++unit; unit != unproven.end() && *unit == fetch.last + 1; ++unit) {
            fetch.last = *unit;
        }
        fetch.offset = head_bytes(object.units) + (fetch.first - object.first) * unit_bytes();
        fetch.bytes = (fetch.last - fetch.first + 1) * unit_bytes();
        if (!begin(now, situation, fetch, path_of(object), fetches)) {
            return;
        }
    }
}

/// From the first to the last chunk that is missing: with those that are here they give the munro.
bool Rescue::plan_chunks(TimePoint now, Situation const& situation, Fetch fetch,
                         MappedObject const& object, UnitIndex unit,
                         std::vector<FetchWanted>& fetches)
{
    ChunkMask const missing = situation.store->missing(unit);
    auto const first = static_cast<std::uint64_t>(std::countr_zero(missing));
    auto const end = static_cast<std::uint64_t>(std::bit_width(missing));
    fetch.kind = Kind::chunks;
    fetch.first = unit;
    fetch.last = unit;
    fetch.chunk = UnitGrid{map_.chunks_per_unit()}.first_chunk(unit) + first;
    fetch.offset =
        head_bytes(object.units) + (unit - object.first) * unit_bytes() + first * chunk_size_;
    fetch.bytes = (end - first) * chunk_size_;
    return begin(now, situation, fetch, path_of(object), fetches);
}

bool Rescue::begin(TimePoint now, Situation const& situation, Fetch fetch, std::string path,
                   std::vector<FetchWanted>& fetches)
{
    if (under_way_.size() >= config_.fetches_max) {
        return false; // the next answer is looked at with a new plan
    }
    auto const bytes = static_cast<double>(fetch.bytes);
    if (bytes > budget_bytes_) {
        double const missing = bytes - budget_bytes_;
        auto const wait = missing / (static_cast<double>(unit_bytes()) * config_.budget_rate) *
                          static_cast<double>(situation.unit_duration.count());
        look_at(now + Duration{static_cast<Duration::rep>(wait) + 1});
        return false;
    }
    budget_bytes_ -= bytes;
    fetch.began = now;
    StorageHealth const& health = health_[fetch.server];
    // Of a server that never answered little is known; it may be as far as it likes if nobody else
    // brings anything.
    bool const patient = !health.measured() && !has_neighbours_ && !others_work(now, fetch.server);
    Duration const timeout = patient ? config_.timeout_max
                                     : std::clamp(4 * health.safe(fetch.bytes), config_.timeout_min,
                                                  config_.timeout_max);
    FetchWanted wanted;
    wanted.swarm = swarm_;
    wanted.fetch = next_fetch_++;
    wanted.server = fetch.server;
    wanted.path = std::move(path);
    // A server that knows no ranges sends the whole.
    constexpr std::size_t head_slack = 4096;
    wanted.size_max = decade::index_text_size_max;
    if (fetch.kind != Kind::index) {
        MappedObject const* const object = map_.find(fetch.object);
        PPSP_ASSERT(object != nullptr);
        wanted.size_max = std::max<std::size_t>(object->bytes, object_bytes(*object)) + head_slack;
    }
    if (fetch.kind != Kind::index && fetch.kind != Kind::whole) {
        wanted.range = {fetch.offset, fetch.offset + fetch.bytes - 1};
    }
    wanted.timeout = timeout;
    fetch.expires = now + timeout + std::chrono::seconds{1};
    for (UnitIndex unit = fetch.first; unit <= fetch.last && fetch.kind != Kind::index; ++unit) {
        attempts_[unit].again = now + timeout + look_gap;
        // A server that failed lately must not keep peers from bringing the unit.
        if (health.is_reliable() || !has_neighbours_) {
            attempts_[unit].is_ours = true;
            begun_.push_back(unit);
        }
    }
    under_way_.emplace(wanted.fetch, fetch);
    fetches.push_back(std::move(wanted));
    return true;
}

/// The nearest server that works; of equal tiers and costs the fastest. One on probation if there
/// is no other.
std::optional<std::size_t> Rescue::choose(TimePoint now, std::size_t bytes,
                                          Situation const& situation) const
{
    bool const spares_cdn =
        !situation.playing && situation.peers_expected && now < joined_ + config_.cdn_patience;
    std::optional<std::size_t> best;
    auto const rank = [&](std::size_t server) {
        return std::tuple(health_[server].on_probation(), servers_[server].tier,
                          servers_[server].cost, health_[server].expected(bytes));
    };
    for (std::size_t i = 0; i < servers_.size(); ++i) {
        bool const spared = spares_cdn && servers_[i].tier == StorageTier::cdn;
        if (health_[i].usable(now) && !spared && (!best || rank(i) < rank(*best))) {
            best = i;
        }
    }
    return best;
}

TimePoint Rescue::published(Situation const& situation, MappedObject const& object) const
{
    if (object.exists) {
        return TimePoint::min();
    }
    return situation.units->expected(object.last()) + publish_lag_;
}

Duration Rescue::latency_floor(Duration unit_duration) const
{
    if (map_.empty()) {
        return Duration::zero();
    }
    Duration nearest = Duration::max();
    for (auto const& server : health_) {
        nearest = std::min(nearest, server.safe(unit_bytes() * map_.units_per_object()));
    }
    return std::min(config_.latency_floor_max, map_.units_per_object() * unit_duration +
                                                   publish_lag_ + nearest + config_.margin);
}

std::size_t Rescue::unit_bytes() const
{
    return std::size_t{map_.chunks_per_unit()} * chunk_size_;
}

std::size_t Rescue::record_bytes() const
{
    constexpr std::size_t time = 8;
    return wire::spec_size(addressing_) + time + signature_size_;
}

/// And without units the place of the first record.
std::size_t Rescue::head_bytes(std::uint32_t units) const
{
    constexpr std::size_t fixed = 20;
    return fixed + swarm_.size() + units * record_bytes();
}

std::size_t Rescue::object_bytes(MappedObject const& object) const
{
    return head_bytes(object.units) + object.units * unit_bytes();
}

std::string Rescue::path_of(MappedObject const& object) const
{
    if (object.name) {
        return object.name->path();
    }
    UnitGrid const grid{map_.chunks_per_unit()};
    return decade::alias_path(swarm_, grid.chunks(object.first, object.last()));
}

bool Rescue::is_waiting(TimePoint now, UnitIndex unit) const
{
    auto const attempt = attempts_.find(unit);
    return attempt != attempts_.end() && attempt->second.again > now;
}

} // namespace ppsp::peer
