#include "peer/live/live_swarm.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>

/// Units from caches and CDN: when they are asked for is `Rescue`'s business, what becomes of them
/// ours. They are stored, announced and passed on like those of peers.
namespace ppsp::peer {
namespace {

/// Without a chunk from anybody for that long a node is as good as alone: fourteen units.
constexpr Duration starved_max = 700ms;

} // namespace

bool LiveSwarm::is_alone(TimePoint now) const
{
    return open_count() == 0 || now - fed_at_ > starved_max;
}

Rescue::Situation LiveSwarm::situation(TimePoint now) const
{
    bool const has_begun = store_ && units_proven_ && playout_.begun();
    Rescue::Situation result;
    result.units = has_begun ? this : nullptr;
    result.store = has_begun ? &*store_ : nullptr;
    result.playing = playout_.playing();
    result.alone = is_alone(now);
    result.has_neighbours = open_count() > 0;
    result.peers_expected = services_.config.neighbours_target > 0;
    // After a pause of the source the mean says little.
    result.unit_duration = std::clamp(clock_.unit_duration().value_or(config_.unit_duration),
                                      config_.unit_duration / 4, config_.unit_duration * 4);
    result.latency = playout_.latency();
    return result;
}

void LiveSwarm::rescue(TimePoint now)
{
    Rescue::Situation const state = situation(now);
    std::vector<FetchWanted> fetches;
    rescue_->plan(now, state, fetches);
    if (!fetches.empty() && state.units != nullptr) {
        figures_.last_rescue_cause = rescue_cause(now);
    }
    for (FetchWanted& wanted : fetches) {
        services_.outbox.push(std::move(wanted));
    }
    tell_picker(now);
}

/// What is fetched from storage is not asked of peers any more, unless it does not come.
void LiveSwarm::tell_picker(TimePoint now)
{
    constexpr std::size_t remembered = 64;
    for (UnitIndex const unit : rescue_->take_begun()) {
        asked_of_storage_.push_back(unit);
        if (asked_of_storage_.size() > remembered) {
            asked_of_storage_.pop_front();
        }
        picker_->on_rescued(now, unit);
        if (store_ && !store_->complete(unit)) {
            withdraw_rest(now, unit);
        }
    }
    for (UnitIndex const unit : rescue_->take_failed()) {
        if (store_ && units_proven_ && !store_->complete(unit)) {
            picker_->on_not_rescued(now, unit);
            fetch_wanted_ = true;
        }
    }
}

void LiveSwarm::on_fetched(TimePoint now, FetchFinished const& finished)
{
    if (!rescue_) {
        return;
    }
    figures_.storage_bytes += finished.body.size();
    Rescue::Tools const tools{services_.ports.hasher, services_.ports.checker, utc(now),
                              !playout_.begun()};
    rescue_->on_finished(now, finished, tools, [&](auto const& found) {
        if (!playout_.begun()) {
            random_access_hint_ = rescue_->random_access();
        }
        store_found(now, found);
    });
    tell_picker(now);
    note_storage_signs(now);
    playout_.set_latency_floor(
        rescue_->latency_floor(clock_.unit_duration().value_or(config_.unit_duration)));
}

/// Who plays from storage alone hears of units by the index only. It names their times: what came
/// to it late is as late as it is.
void LiveSwarm::note_storage_signs(TimePoint now)
{
    auto const newest = rescue_->newest();
    if (!newest || !playout_.playing()) {
        return;
    }
    UnitIndex const wanted = playout_.first_wanted();
    if (*newest > wanted && !signs_.first(wanted)) {
        auto const signed_at = rescue_->signed_at(wanted);
        bool const timed = signed_at && clock_.known();
        signs_.note(timed ? std::min(now, clock_.local_time(*signed_at)) : now, wanted);
        play_wanted_ = true;
    }
}

/// Its signature was verified; whether its time and place are believable was not.
StoredUnit* LiveSwarm::open_found(TimePoint now, Rescue::FoundUnit const& found)
{
    auto const use =
        playout_.begun() ? integrity::MunroUse::verification : integrity::MunroUse::tune_in;
    auto const verdict =
        munros_.check(found.chunks, found.signed_at, found.tree.munro(), utc(now), use);
    bool const good =
        verdict == integrity::MunroVerdict::acceptable || verdict == integrity::MunroVerdict::known;
    if (!good) {
        UnitGrid const grid{static_cast<std::uint32_t>(found.chunks.count())};
        UnitIndex const unit = grid.unit_of(found.chunks.first);
        if (verdict == integrity::MunroVerdict::other_hash) {
            rescue_->on_wrong(now, unit, found.server, found.asked);
        } else {
            rescue_->on_useless(now, unit, found.server, found.asked);
        }
        return nullptr;
    }
    auto const chunks_per_unit = static_cast<std::uint32_t>(found.chunks.count());
    munros_.accept(found.chunks, found.signed_at, found.tree.munro());
    if (!units_proven_) {
        learn_units(now, chunks_per_unit, true);
    }
    UnitIndex const unit = store_->grid().unit_of(found.chunks.first);
    if (StoredUnit* const known = store_->find(unit)) {
        known->tree = found.tree; // the whole of it: its chunks can be passed on
        return known;
    }
    auto const newest_before = store_->newest();
    StoredUnit* const stored = store_->open(unit, found.tree, found.signed_at, found.signature);
    if (stored != nullptr) {
        clock_.on_munro(now, unit, from_ntp(found.signed_at, utc(now)));
        signs_.note(now, unit);
        newest_changed_ = !newest_before || unit > *newest_before ? now : newest_changed_;
        fetch_wanted_ = fetch_wanted_ || !playout_.begun();
    }
    return stored;
}

void LiveSwarm::store_found(TimePoint now, Rescue::FoundUnit const& found)
{
    if (StoredUnit* const stored = open_found(now, found)) {
        auto const missing =
            static_cast<std::uint64_t>(std::popcount(store_->missing(stored->index)));
        figures_.duplicate_bytes += found.payload.size() - missing * config_.chunk_size;
        keep_found(now, *stored, found.payload, found.tier);
    }
}

/// Missing chunks of a unit whose munro is known: with those that are here they are a whole unit.
void LiveSwarm::store_found(TimePoint now, Rescue::FoundChunks const& found)
{
    StoredUnit* const stored = store_ ? store_->find(found.unit) : nullptr;
    if (stored == nullptr || store_->complete(found.unit)) {
        figures_.duplicate_bytes += found.payload.size();
        return;
    }
    UnitGrid const& grid = store_->grid();
    std::size_t const size = config_.chunk_size;
    ByteVector whole(stored->payload.begin(), stored->payload.end());
    ChunkRange const chunks = grid.chunks(found.unit);
    bool const inside =
        chunks.contains(found.first) &&
        found.payload.size() <= (to_number(chunks.last) - to_number(found.first) + 1) * size;
    if (!inside) {
        rescue_->on_useless(now, found.unit, found.server, found.asked);
        return;
    }
    auto const at = (to_number(found.first) - to_number(chunks.first)) * size;
    std::copy(found.payload.begin(), found.payload.end(),
              whole.begin() + static_cast<std::ptrdiff_t>(at));
    auto tree = integrity::UnitTree::build(services_.ports.hasher, grid.first_chunk(found.unit),
                                           grid.chunks_per_unit(), config_.chunk_size, whole);
    if (tree.munro() != stored->tree.munro()) {
        figures_.bad_chunks += 1;
        figures_.wasted_bytes += found.payload.size();
        rescue_->on_wrong(now, found.unit, found.server, found.asked);
        return;
    }
    stored->tree = std::move(tree);
    auto const held = static_cast<std::uint64_t>(std::popcount(stored->have)) * size;
    figures_.duplicate_bytes += found.payload.size() + held - whole.size();
    keep_found(now, *stored, whole, found.tier);
}

/// The unit is whole by a verified payload.
void LiveSwarm::keep_found(TimePoint now, StoredUnit& stored, Bytes payload, StorageTier tier)
{
    UnitIndex const unit = stored.index;
    ChunkMask const missing = store_->missing(unit);
    if (missing == 0) {
        return;
    }
    std::uint64_t const size = config_.chunk_size;
    (tier == StorageTier::cache ? figures_.from_cache_bytes : figures_.from_cdn_bytes) +=
        size * static_cast<std::uint64_t>(std::popcount(missing));
    ChunkRange const chunks = store_->grid().chunks(unit);
    for (ChunkId chunk = chunks.first; chunk <= chunks.last; chunk = chunk + 1) {
        if ((missing & store_->grid().bit(chunk)) != 0) {
            std::uint64_t const offset = (to_number(chunk) - to_number(chunks.first)) * size;
            store_->put(stored, chunk, payload.subspan(offset, size));
            offer_chunk(now, chunk);
        }
    }
    figures_.rescued_units += 1;
    emit(now, UnitRescued{unit, tier});
    emit(now, UnitCompleted{unit});
    picker_->on_rescued(now, unit);
    withdraw_rest(now, unit);
    announce(now, unit);
    play_wanted_ = true;
}

/// A little later a parent brings for nothing what storage was asked for. If that happens to more
/// than one unit in a while, there is something to be had by waiting.
void LiveSwarm::note_overtaken(TimePoint now, UnitIndex unit)
{
    constexpr Duration window = 4s;
    auto const asked = std::find(asked_of_storage_.begin(), asked_of_storage_.end(), unit);
    if (asked == asked_of_storage_.end()) {
        return; // a datagram that came twice
    }
    asked_of_storage_.erase(asked);
    if (overtaken_at_ && now - *overtaken_at_ < window) {
        playout_.wait_longer(now);
    }
    overtaken_at_ = now;
}

/// What kept peers from bringing what storage is asked for.
std::string LiveSwarm::rescue_cause(TimePoint now) const
{
    if (open_count() == 0) {
        return "no neighbour is connected";
    }
    if (!playout_.playing()) {
        return "first picture";
    }
    if (is_alone(now)) {
        return "no peer sends anything";
    }
    if (std::uint32_t const orphans = picker_->orphans(); orphans > 0) {
        auto const unit_bits = 8.0 * store_->grid().chunks_per_unit() * config_.chunk_size;
        auto const per_second =
            1e6 /
            static_cast<double>(clock_.unit_duration().value_or(config_.unit_duration).count());
        std::array<char, 64> text{};
        static_cast<void>(std::snprintf(text.data(), text.size(), "uplink missing %.1f Mbit/s",
                                        unit_bits * per_second / 1e6 * orphans / substreams));
        return text.data();
    }
    for (UnitIndex unit = first_wanted(); unit <= edge(); ++unit) {
        if (store_->missing(unit) != 0) {
            return stall_cause(unit);
        }
    }
    return {};
}

} // namespace ppsp::peer
