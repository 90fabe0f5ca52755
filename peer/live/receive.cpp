#include "peer/live/live_swarm.hpp"

#include "protocol/base/overloaded.hpp"

#include <algorithm>
#include <bit>

namespace ppsp::peer {
namespace {

/// A HAVE may run ahead of the newest proven unit by that much before it is doubted.
constexpr UnitIndex believable_ahead = 64;
/// HAVEs of older units are old.
constexpr UnitIndex named_units_max = 256;
/// Without another sign a unit is believed to exist that early at most: whoever names units before
/// others do moves what everybody asks for.
constexpr Duration sign_early_max = 300ms;
/// The answer to a munro that we know waits that long for company.
constexpr Duration munro_answer_delay = 100ms;

/// Who shows its newest munro goes on until it is seen that we know it, or a newer one (RFC 7574
/// §6.1.2.4). Those to whom units are not announced would never see it: they get a HAVE.
void answer_munro(TimePoint now, LiveStore const& store, Channel& channel)
{
    bool const announced_to = channel.follows_us() && !channel.choked_by_us;
    auto const newest = store.newest_complete();
    if (announced_to || channel.profile.is_source() || !newest || channel.haves_due) {
        return;
    }
    channel.control.haves.push_back(store.grid().chunks(*newest));
    channel.haves_due = now + munro_answer_delay;
}

} // namespace

void LiveSwarm::on_begin(Channel& channel)
{
    channel.offers_places = false;
    request_budget_ = requested_chunks_per_datagram_max;
}

void LiveSwarm::on_end(TimePoint now, Channel& channel)
{
    if (auto const unit = std::exchange(channel.scratch.touched, std::nullopt); unit && store_) {
        retry_pending(now, channel, *unit);
    }
}

void LiveSwarm::on_content(TimePoint now, Channel& channel, wire::Message const& message)
{
    std::visit(
        Overloaded{
            [&](wire::Data const& data) { on_data(now, channel, data); },
            [&](wire::Have const& have) { on_have(now, channel, have.chunks); },
            [&](wire::Integrity const& integrity) { on_integrity(now, channel, integrity); },
            [&](wire::SignedIntegrity const& munro) { on_signed_integrity(now, channel, munro); },
            [&](wire::Request const& request) { on_request(now, channel, request.chunks); },
            [&](wire::Cancel const& cancel) { on_cancel(now, channel, cancel.chunks); },
            [&](wire::Choke const&) {
                channel.chokes_us = true;
                channel.asked.clear();
                channel.pulled_chunks = 0;
                picker_->on_parent_gone(key_of(channel));
                fetch_wanted_ = true;
            },
            [&](wire::Unchoke const&) {
                fetch_wanted_ = fetch_wanted_ || channel.chokes_us;
                channel.chokes_us = false;
                channel.offers_places = true;
            },
            [](auto const&) {}, // the swarm's own
        },
        message);
}

void LiveSwarm::on_have(TimePoint now, Channel& channel, ChunkRange chunks)
{
    channel.requests.cancel(chunks);
    if (!store_) {
        if (channel.has.add(chunks)) {
            channel.tune_in.on_known(chunks.last);
            fetch_wanted_ = true;
        }
        return;
    }
    UnitGrid const& grid = store_->grid();
    UnitIndex const last = grid.unit_of(chunks.last);
    auto const newest = store_->newest();
    bool const is_early = !may_exist(now, last, Trust::early_max);
    if (newest && (last > *newest + believable_ahead || is_early)) {
        jump_ = Jump{key_of(channel), last};
        if (is_early) {
            channel.trust.announced_early(now, last);
        }
        return;
    }
    if (!channel.has.add(chunks)) {
        channel.marks.bad_datagrams += 1;
        return;
    }
    channel.tune_in.on_known(chunks.last);
    neighbour_homes_.note(now, key_of(channel), static_cast<std::uint32_t>(last % substreams));
    if (!newest || is_source()) {
        return;
    }
    if (may_exist(now, last, sign_early_max)) {
        signs_.note(now, last);
    }
    // The HAVE speaks of its last unit; what is before it is there, too (PP-4.3.1-a). A unit that
    // others were counted up to before is news when it is spoken of itself: an offer or a refusal.
    ChunkRange const whole = grid.chunks(last);
    bool const is_new = !channel.named.contains(whole);
    channel.named.add(whole);
    channel.named.trim_below(grid.chunks(last - std::min(last, named_units_max)).first);
    if (!is_new) {
        picker_->on_repeated(now, key_of(channel), last, *this);
    } else if (channel.has.has(whole)) {
        picker_->on_announced(now, key_of(channel), last, channel.offers_places, *this);
    }
}

void LiveSwarm::on_integrity(TimePoint now, Channel& channel, wire::Integrity const& integrity)
{
    integrity::NodeHash const node{integrity.chunks, integrity::Hash{integrity.hash}};
    channel.scratch.last_hash = node;
    if (!store_) {
        return;
    }
    UnitIndex const unit = store_->grid().unit_of(integrity.chunks.first);
    if (unit != store_->grid().unit_of(integrity.chunks.last) || store_->complete(unit)) {
        return;
    }
    Scratch::Entry& entry = channel.scratch.entry(now, unit);
    Scratch::add_hash(entry, node);
    channel.scratch.touched = unit;
}

void LiveSwarm::on_signed_integrity(TimePoint now, Channel& channel,
                                    wire::SignedIntegrity const& munro)
{
    if (is_source()) {
        return;
    }
    bool const known =
        units_proven_ && store_->find(store_->grid().unit_of(munro.chunks.first)) != nullptr;
    if (known) {
        channel.tune_in.on_known(munro.chunks.first);
        answer_munro(now, *store_, channel);
        return;
    }
    auto const hash = channel.scratch.last_hash; // by value: learning the units clears the scratch
    auto const use =
        playout_.begun() ? integrity::MunroUse::verification : integrity::MunroUse::tune_in;
    if (!hash || hash->chunks != munro.chunks ||
        munros_.check(munro.chunks, munro.signed_at, hash->hash, utc(now), use) !=
            integrity::MunroVerdict::acceptable) {
        return;
    }
    if (!signature_budget_.take(now, channel.trust.has_proved())) {
        channel.trust.not_checked(store_ ? store_->grid().unit_of(munro.chunks.first) : 0);
        return;
    }
    ByteVector const input = integrity::munro_signature_input(format().addressing, munro.chunks,
                                                              munro.signed_at, hash->hash);
    if (!services_.ports.checker.check(id(), input, munro.signature)) {
        figures_.bad_signatures += 1;
        channel.marks.bad_signatures += 1;
        judge(now, channel);
        return;
    }
    munros_.accept(munro.chunks, munro.signed_at, hash->hash);
    channel.trust.proved();
    accept_munro(now, channel, munro, hash->hash);
}

void LiveSwarm::accept_munro(TimePoint now, Channel& channel, wire::SignedIntegrity const& munro,
                             integrity::Hash const& hash)
{
    auto const chunks_per_unit = static_cast<std::uint32_t>(munro.chunks.count());
    if (!units_proven_) {
        learn_units(now, chunks_per_unit, true);
    }
    UnitIndex const unit = store_->grid().unit_of(munro.chunks.first);
    auto const newest_before = store_->newest();
    StoredUnit* const stored =
        store_->open(unit, integrity::UnitTree{munro.chunks.first, chunks_per_unit, hash},
                     munro.signed_at, munro.signature);
    if (stored == nullptr) {
        return;
    }
    clock_.on_munro(now, unit, from_ntp(munro.signed_at, utc(now)));
    signs_.note(now, unit);
    if (!newest_before || unit > *newest_before) {
        newest_changed_ = now;
    }
    TimePoint const made = clock_.local_time(from_ntp(munro.signed_at, utc(now)));
    for (auto const& other : channels_) {
        other->trust.settle(now, unit, made);
        judge(now, *other);
    }
    channel.tune_in.on_known(munro.chunks.first);
    fetch_wanted_ = fetch_wanted_ || !playout_.begun();
    retry_pending(now, channel, unit);
}

/// Whether a unit can have been made by now, by the pace of the stream; `slack` is how much earlier
/// than we would have it somebody else may.
bool LiveSwarm::may_exist(TimePoint now, UnitIndex unit, Duration slack) const
{
    auto const expected = clock_.expected(unit, config_.unit_duration);
    return !expected || unit <= store_->newest().value_or(0) || *expected <= now + slack;
}

/// The size of a unit is known: there can be a store. A size that was only hinted at gives way to
/// a proven one.
void LiveSwarm::learn_units(TimePoint now, std::uint32_t chunks_per_unit, bool proven)
{
    bool const fits = std::has_single_bit(chunks_per_unit) && chunks_per_unit >= 2 &&
                      chunks_per_unit <= unit_chunks_max;
    if (!fits) {
        return;
    }
    units_proven_ = units_proven_ || proven;
    if (store_ && store_->grid().chunks_per_unit() == chunks_per_unit) {
        return;
    }
    store_.emplace(UnitGrid{chunks_per_unit}, config_.chunk_size, window_units(),
                   services_.ports.memory);
    signs_.clear();
    for (auto const& channel : channels_) {
        // What was sorted by units of another size means nothing.
        channel->scratch = Scratch{};
        channel->asked.clear();
        channel->requests.clear();
        channel->named.clear();
    }
    newest_changed_ = now;
    if (!is_source()) {
        metadata_.discard_window_chunks = std::uint64_t{window_units()} * chunks_per_unit;
    }
}

void LiveSwarm::on_data(TimePoint now, Channel& channel, wire::Data const& data)
{
    ChunkId const chunk = data.chunks.first;
    if (data.chunks.count() != 1 || data.payload.size() != config_.chunk_size) {
        channel.marks.bad_datagrams += 1;
        return;
    }
    if (!store_ || is_source()) {
        return;
    }
    channel.asked.remove(single(chunk));
    channel.pulled_chunks -= channel.pulled_chunks > 0 ? 1 : 0;
    channel.rate_bytes += data.payload.size();
    UnitIndex const unit = store_->grid().unit_of(chunk);
    Duration const delay = one_way_delay(data.sent_at);
    if (unit < store_->oldest_kept() || store_->has(chunk)) {
        figures_.duplicate_bytes += data.payload.size();
        if (rescue_ && picker_->fed(now, static_cast<std::uint32_t>(unit % substreams))) {
            note_overtaken(now, unit);
        }
        channel.acks.add(now, chunk, delay);
        if (is_held(data)) {
            picker_->on_duplicate(now, key_of(channel), unit, *this);
        }
        refuse_more(channel, unit);
        return;
    }
    ArrivedChunk const arrived{chunk, data.payload, delay};
    if (StoredUnit* stored = store_->find(unit)) {
        verify_chunk(now, channel, *stored, arrived);
    } else if (auto const newest = store_->newest();
               !newest || unit <= *newest + believable_ahead) {
        Scratch::add_chunk(channel.scratch.entry(now, unit), to_pending(arrived));
        picker_->on_pending(now, key_of(channel), unit);
        channel.trust.unproven(unit);
    }
}

/// Whether the chunk has the bytes that were verified when it came first.
bool LiveSwarm::is_held(wire::Data const& data) const
{
    UnitGrid const& grid = store_->grid();
    UnitIndex const unit = grid.unit_of(data.chunks.first);
    StoredUnit const* const stored = store_->find(unit);
    if (stored == nullptr || !store_->has(data.chunks.first)) {
        return false;
    }
    auto const at = (to_number(data.chunks.first) - to_number(grid.first_chunk(unit))) *
                    std::uint64_t{config_.chunk_size};
    Bytes const held = Bytes{stored->payload}.subspan(at, config_.chunk_size);
    return std::equal(held.begin(), held.end(), data.payload.begin(), data.payload.end());
}

/// Chunks of a unit that is whole keep coming from somebody who was not asked: once told, it stops.
void LiveSwarm::refuse_more(Channel& channel, UnitIndex unit)
{
    ChunkRange const whole = store_->grid().chunks(unit);
    auto& cancels = channel.control.cancels;
    bool const told = channel.refused_unit == unit;
    if (!told && store_->complete(unit)) {
        channel.refused_unit = unit;
        cancels.push_back(whole);
    }
}

void LiveSwarm::verify_chunk(TimePoint now, Channel& channel, StoredUnit& unit,
                             ArrivedChunk const& chunk)
{
    static std::vector<integrity::NodeHash> const nothing;
    integrity::Hasher& hasher = services_.ports.hasher;
    Scratch::Entry* const entry = channel.scratch.find(unit.index);
    auto const& offered = entry != nullptr ? entry->hashes : nothing;
    integrity::Hash const leaf = hasher.leaf(chunk.payload);
    switch (unit.tree.verify(hasher, chunk.chunk, leaf, offered)) {
    case integrity::UnitTree::Verdict::verified:
        accept_chunk(now, channel, unit, chunk);
        return;
    case integrity::UnitTree::Verdict::missing_hash:
        Scratch::add_chunk(channel.scratch.entry(now, unit.index), to_pending(chunk));
        picker_->on_pending(now, key_of(channel), unit.index);
        return;
    case integrity::UnitTree::Verdict::mismatch:
        figures_.bad_chunks += 1;
        figures_.wasted_bytes += chunk.payload.size();
        channel.marks.bad_chunks += 1;
        channel.scratch.erase(unit.index);
        picker_->on_wrong(now, key_of(channel), unit.index);
        fetch_wanted_ = true;
        judge(now, channel);
        return;
    }
}

void LiveSwarm::accept_chunk(TimePoint now, Channel& channel, StoredUnit& unit,
                             ArrivedChunk const& chunk)
{
    channel.acks.add(now, chunk.chunk, chunk.one_way_delay);
    if (!store_->put(unit, chunk.chunk, chunk.payload)) {
        figures_.duplicate_bytes += chunk.payload.size();
        return;
    }
    channel.tune_in.on_known(chunk.chunk);
    channel.has.add(single(chunk.chunk));
    channel.media_bytes_from += chunk.payload.size();
    fed_at_ = now;
    (channel.profile.is_source() ? figures_.from_source_bytes : figures_.from_peers_bytes) +=
        chunk.payload.size();
    signs_.note(now, unit.index);
    channel.trust.kept(now, unit.index);
    picker_->on_chunk(now, key_of(channel), unit.index, *this);
    offer_chunk(now, chunk.chunk);
    if (store_->complete(unit.index)) {
        channel.scratch.erase(unit.index);
        emit(now, UnitCompleted{unit.index});
        picker_->on_complete(now, unit.index, *this);
        withdraw_rest(now, unit.index);
        announce(now, unit.index);
        play_wanted_ = true;
    }
}

/// Hashes came that chunks were waiting for.
void LiveSwarm::retry_pending(TimePoint now, Channel& channel, UnitIndex unit)
{
    StoredUnit* const stored = store_->find(unit);
    Scratch::Entry* const entry = channel.scratch.find(unit);
    if (stored == nullptr || entry == nullptr || entry->chunks.empty()) {
        return;
    }
    std::vector<PendingChunk> chunks = std::exchange(entry->chunks, {});
    for (PendingChunk const& chunk : chunks) {
        if (store_->has(chunk.chunk) || channel.state == ChannelState::closed) {
            continue;
        }
        verify_chunk(now, channel, *stored, chunk.arrived());
    }
}

} // namespace ppsp::peer
