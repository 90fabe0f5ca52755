#include "peer/swarm/swarm.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace ppsp::peer {
namespace {

/// A subscription may reach that far beyond our newest unit.
constexpr UnitIndex subscription_ahead_max = 160;
/// Units on their way through us at the same time: three seconds of 50 ms.
constexpr std::size_t spreading_max = 64;
/// HAVEs to those that get the stream elsewhere wait that long for others: two units.
constexpr Duration have_delay = 100ms;
/// While new units leave later than this after they came, pulls wait: what is asked again because
/// the first copies are late makes them later.
constexpr Duration push_late = 100ms;
constexpr Duration pulls_pause = 200ms;
/// Timeouts in a row after which nothing new is sent to a neighbour; the first may be a lost tail.
constexpr std::uint32_t gone_timeouts = 2;
/// One HAVE of so many units from a node without free places in the substream: about one a second.
constexpr UnitIndex have_sample = 19;
/// A refusal names a held unit of the substream, no further back than this.
constexpr UnitIndex refusal_reach = 10 * substreams;
/// Datagrams of one train leave together.
constexpr Duration train_span_max = 300us;
/// What a train of some datagrams takes on the poorest uplink that is of any use.
constexpr Duration train_spread_max = 10s;
// What a place takes of an uplink (wire layout, RFC 7574 §8): channel, DATA header, IP and UDP;
// type and range of an INTEGRITY; the same and the time of a SIGNED_INTEGRITY.
constexpr std::size_t datagram_overhead_bytes = 4 + 17 + 28;
constexpr std::size_t node_overhead_bytes = 9;
constexpr std::size_t munro_overhead_bytes = 17;
/// Share of the uplink that is left to places, and what acknowledgements of the stream take.
constexpr double control_share = 0.98;
constexpr double control_bps = 20e3;
/// Rounding of places, and how far they may be short before one is taken away.
constexpr double place_round = 0.2;
constexpr double place_slack = 0.6;
/// The source keeps more: what nobody got a first copy of is fetched from it.
constexpr double source_share = 0.88;
/// New units that wait longer than this show that there are too many children.
constexpr Duration backlog_max = 150ms;
/// Or as long as so many units take on the uplink: a poor one gets them in bunches.
constexpr int backlog_units = 4;
constexpr Duration relax_gap = 1s;
/// A path that was acknowledged that recently tells of the uplink's queue.
constexpr Duration queue_sample_age_max = 400ms;
/// UDP payload that a chunk in flight stands for.
constexpr std::size_t data_overhead_bytes = 21;

} // namespace

void Swarm::on_request(TimePoint now, Channel& channel, ChunkRange chunks)
{
    if (!uploads()) {
        channel.control.choke = true; // the neighbour missed it (trap T21)
        return;
    }
    channel.peer_wants_stream = true;
    if (!store_) {
        return;
    }
    UnitGrid const& grid = store_->grid();
    UnitIndex const reach = store_->newest().value_or(next_own_unit_) + subscription_ahead_max;
    ChunkId const first = std::max(chunks.first, grid.first_chunk(store_->oldest_kept()));
    ChunkId const last = std::min(chunks.last, grid.chunks(reach).last);
    if (first > last) {
        return;
    }
    for (ChunkRange const& fresh : channel.requests.want({first, last})) {
        for (ChunkId chunk = fresh.first; chunk <= fresh.last; chunk = chunk + 1) {
            if (store_->newest() && chunk > grid.chunks(*store_->newest()).last) {
                subscribe(now, channel, grid.unit_of(chunk));
                return;
            }
            if (request_budget_ == 0) {
                channel.requests.cancel({chunk, last});
                return;
            }
            request_budget_ -= 1;
            request_chunk(now, channel, chunk);
        }
    }
}

/// Who has to fetch a substream's units late itself is no parent for it.
bool Swarm::can_push(TimePoint now, std::uint32_t substream) const
{
    return is_source() || picker_->fed(now, substream);
}

/// A neighbour wants units that do not exist yet. Without a place for it the answer goes at once: a
/// HAVE of the newest unit of the substream, of which a child with a place never hears.
void Swarm::subscribe(TimePoint now, Channel& channel, UnitIndex unit)
{
    auto const substream = static_cast<std::uint32_t>(unit % substreams);
    if (can_push(now, substream) && slots_.admit(now, key_of(channel), substream, channel.rank())) {
        return;
    }
    UnitIndex const newest = store_->newest_complete().value_or(0);
    for (UnitIndex back = 0; back < refusal_reach && back <= newest; ++back) {
        UnitIndex const held = newest - back;
        if (held % substreams == substream && store_->complete(held)) {
            channel.control.haves.push_back(store_->grid().chunks(held));
            channel.haves_due = now;
            touch(channel);
            return;
        }
    }
}

/// Who takes a subscription back gives its place away, too.
void Swarm::on_cancel(Channel& channel, ChunkRange chunks)
{
    channel.requests.cancel(chunks);
    if (!store_ || !store_->newest()) {
        return;
    }
    UnitGrid const& grid = store_->grid();
    UnitIndex const next = *store_->newest() + 1;
    UnitIndex const first = std::max(grid.unit_of(chunks.first), next);
    UnitIndex const last = std::min(grid.unit_of(chunks.last), next + subscription_ahead_max);
    for (UnitIndex unit = first; unit <= last && unit < first + substreams; ++unit) {
        bool wanted = false; // of its substream; the range holds each of them once by then
        for (UnitIndex later = next + (unit - next) % substreams;
             later < next + subscription_ahead_max && !wanted; later += substreams) {
            wanted = channel.requests.wants_any(grid.chunks(later));
        }
        if (!wanted) {
            slots_.release(key_of(channel), static_cast<std::uint32_t>(unit % substreams));
        }
    }
}

void Swarm::request_chunk(TimePoint now, Channel& channel, ChunkId chunk)
{
    UnitIndex const unit = store_->grid().unit_of(chunk);
    if (!store_->complete(unit)) {
        // It is on its way through us: the neighbour joins those that get it, if there is a place.
        // What does not come, whoever asks for it, must not push out what does.
        auto const at = std::find_if(spreading_.rbegin(), spreading_.rend(),
                                     [unit](Spreading const& s) { return s.unit == unit; });
        if (at == spreading_.rend() || !adopt(now, *at, channel)) {
            return;
        }
    }
    if (!store_->has(chunk)) {
        return;
    }
    // Asked again although it is on its way: it got lost, perhaps with hashes of its unit.
    if (channel.in_flight.contains(chunk)) {
        if (!channel.in_flight.take(now, chunk, channel.rtt.smoothed() * 7 / 8)) {
            channel.requests.cancel(single(chunk));
            return;
        }
        channel.hashes.doubt(store_->grid().chunks(unit));
        send_again(now, channel, chunk);
    } else {
        channel.requests.make_ready({chunk, now, 0}, RequestQueue::Urgency::pull);
    }
    note_sending(channel);
}

/// The record of a unit that is on its way through us; made when its first chunk comes, with those
/// neighbours that subscribed to it, in the order of what they pass on.
Swarm::Spreading& Swarm::spreading_of(TimePoint now, UnitIndex unit)
{
    auto const at = std::find_if(spreading_.rbegin(), spreading_.rend(),
                                 [unit](Spreading const& s) { return s.unit == unit; });
    if (at != spreading_.rend()) {
        return *at;
    }
    if (spreading_.size() >= spreading_max) {
        spreading_.pop_front();
    }
    Spreading& spreading = spreading_.emplace_back(Spreading{unit, now, {}});
    ChunkRange const whole = store_->grid().chunks(unit);
    std::vector<Channel*> subscribers;
    for (auto const& channel : channels_) {
        if (channel->is_open() && !channel->choked_by_us &&
            channel->timeouts_in_a_row < gone_timeouts && channel->requests.wants_any(whole)) {
            subscribers.push_back(channel.get());
        }
    }
    std::sort(subscribers.begin(), subscribers.end(), [](Channel const* a, Channel const* b) {
        return std::pair{b->rank(), to_number(a->own_id)} <
               std::pair{a->rank(), to_number(b->own_id)};
    });
    for (Channel* const channel : subscribers) {
        adopt(now, spreading, *channel);
    }
    return spreading;
}

/// The neighbour gets the unit's chunks as they come; false if there is no place for it.
bool Swarm::adopt(TimePoint now, Spreading& spreading, Channel& channel)
{
    PeerKey const key = key_of(channel);
    if (std::find(spreading.children.begin(), spreading.children.end(), key) !=
        spreading.children.end()) {
        return true;
    }
    auto const substream = static_cast<std::uint32_t>(spreading.unit % substreams);
    if (!can_push(now, substream) || !slots_.admit(now, key, substream, channel.rank())) {
        return false;
    }
    add_child(spreading, channel);
    return true;
}

void Swarm::add_child(Spreading& spreading, Channel& channel)
{
    ChunkRange const whole = store_->grid().chunks(spreading.unit);
    auto const order = static_cast<std::uint32_t>(spreading.children.size());
    spreading.children.push_back(key_of(channel));
    channel.pushing.add(whole);
    for (ChunkId chunk = whole.first; chunk <= whole.last; chunk = chunk + 1) {
        if (store_->has(chunk) && channel.requests.wants(chunk)) {
            channel.requests.make_ready({chunk, spreading.began, order},
                                        RequestQueue::Urgency::push);
        }
    }
    note_sending(channel);
}

/// A chunk became available: to the children that get its unit.
void Swarm::offer_chunk(TimePoint now, ChunkId chunk)
{
    UnitIndex const unit = store_->grid().unit_of(chunk);
    auto const at = std::find_if(spreading_.rbegin(), spreading_.rend(),
                                 [unit](Spreading const& s) { return s.unit == unit; });
    if (at == spreading_.rend()) {
        spreading_of(now, unit); // makes ready what is held, this chunk included
        return;
    }
    for (std::uint32_t order = 0; order < at->children.size(); ++order) {
        Channel* const channel = channel_of(at->children[order]);
        if (channel != nullptr && channel->requests.wants(chunk)) {
            channel->requests.make_ready({chunk, at->began, order}, RequestQueue::Urgency::push);
            note_sending(*channel);
        }
    }
}

/// A unit is whole: HAVE to those who may want it and do not get it pushed. To one who subscribed
/// without finding a place it is the answer: fetch it, here or elsewhere. To the others it waits
/// for company.
void Swarm::announce(TimePoint now, UnitIndex unit)
{
    ChunkRange const whole = store_->grid().chunks(unit);
    bool const few = channels_.size() <= services_.config.neighbours_target;
    auto const substream = static_cast<std::uint32_t>(unit % substreams);
    bool const has_places = can_push(now, substream) && slots_.has_free(now, substream);
    for (auto const& channel : channels_) {
        bool const concerned = channel->is_open() && !channel->choked_by_us &&
                               !channel->profile.is_source() && (few || channel->follows_us());
        if (!concerned || channel->pushing.contains(whole) || channel->has.has(whole)) {
            continue;
        }
        bool const refused = channel->requests.wants_any(whole);
        if (!refused && slots_.holds(key_of(*channel), unit % substreams)) {
            continue;
        }
        // Who is full does not advertise; now and then it tells how early it is.
        bool const sample = (unit + to_number(channel->own_id)) % have_sample == 0;
        if (!refused && !has_places && !few && !sample) {
            continue;
        }
        if (refused) {
            channel->requests.cancel(whole);
        }
        auto& haves = channel->control.haves;
        bool const continues =
            !haves.empty() && to_number(haves.back().last) + 1 == to_number(whole.first);
        if (continues) {
            haves.back().last = whole.last;
        } else {
            haves.push_back(whole);
        }
        // A handful of neighbours costs little, and a small swarm lives on who has what first.
        TimePoint const due = refused || few ? now : now + have_delay;
        channel->haves_due = std::min(channel->haves_due.value_or(due), due);
        touch(*channel);
    }
    std::erase_if(spreading_, [unit](Spreading const& s) { return s.unit == unit; });
}

void Swarm::on_unit_cut(TimePoint now, Bytes payload, bool random_access)
{
    PPSP_ASSERT(is_source() && signer_ != nullptr && store_);
    UnitGrid const& grid = store_->grid();
    UnitIndex const unit = next_own_unit_++;
    ChunkRange const chunks = grid.chunks(unit);
    auto tree = integrity::UnitTree::build(services_.ports.hasher, chunks.first,
                                           grid.chunks_per_unit(), config_.chunk_size, payload);
    NtpTime const signed_at = to_ntp(utc(now));
    ByteVector const signature = signer_->sign(
        integrity::munro_signature_input(format().addressing, chunks, signed_at, tree.munro()));
    StoredUnit* const stored = store_->open(unit, std::move(tree), signed_at, signature);
    PPSP_ASSERT(stored != nullptr);
    store_->put_all(*stored, payload);
    clock_.on_munro(now, unit, utc(now));
    signs_.note(now, unit);
    figures_.media_bytes += payload.size();
    if (random_access) {
        newest_random_access_ = unit;
    }
    place_first_copies(now, unit);
    announce(now, unit);
}

/// A new unit must leave the source at once, whoever asked: copies that no subscriber gets go to
/// those neighbours that pass most on, to the children of the substream and to those with the
/// fewest places first among equals. RFC 7574 §3.7 allows DATA without a REQUEST in a live swarm.
void Swarm::place_first_copies(TimePoint now, UnitIndex unit)
{
    Spreading& spreading = spreading_of(now, unit);
    ChunkRange const whole = store_->grid().chunks(unit);
    auto const substream = static_cast<std::uint32_t>(unit % substreams);
    struct Taker {
        double rank;
        bool stranger; ///< has no place in this substream
        std::uint32_t places;
        std::uint64_t lot; ///< decides among equals
        Channel* channel;
    };
    std::vector<Taker> takers;
    for (auto const& channel : channels_) {
        PeerKey const key = key_of(*channel);
        bool const served = std::find(spreading.children.begin(), spreading.children.end(), key) !=
                            spreading.children.end();
        if (!served && channel->is_open() && !channel->choked_by_us &&
            channel->timeouts_in_a_row < gone_timeouts && channel->peer_wants_stream &&
            !channel->profile.is_source()) {
            takers.push_back({channel->rank(), !slots_.holds(key, substream), slots_.places_of(key),
                              rng_.next(), channel.get()});
        }
    }
    std::sort(takers.begin(), takers.end(), [](Taker const& a, Taker const& b) {
        return std::tuple{b.rank, a.stranger, a.places, a.lot} <
               std::tuple{a.rank, b.stranger, b.places, b.lot};
    });
    for (Taker const& taker : takers) {
        if (spreading.children.size() >= slots_.limit(substream)) {
            return;
        }
        if (slots_.admit(now, key_of(*taker.channel), substream, taker.rank)) {
            static_cast<void>(taker.channel->requests.want(whole));
            add_child(spreading, *taker.channel);
        }
    }
}

/// Places for children: what the uplink carries beside our own control messages.
void Swarm::update_budget()
{
    auto const capacity = services_.uplink.capacity_bps();
    if (!store_) {
        return;
    }
    if (!capacity) {
        slots_.set_budget(services_.config.unproven_places);
        return;
    }
    UnitGrid const& grid = store_->grid();
    Duration const unit = clock_.unit_duration().value_or(config_.unit_duration);
    std::size_t const auth = (format().hash_size + node_overhead_bytes) * grid.chunks_per_unit() +
                             format().signature_size + munro_overhead_bytes;
    double const unit_bytes = static_cast<double>(grid.chunks_per_unit()) *
                                  (config_.chunk_size + datagram_overhead_bytes) +
                              static_cast<double>(auth);
    double const place_bps = unit_bytes * 8e6 / static_cast<double>(unit.count()) / substreams;
    double const share = is_source() ? source_share : control_share;
    double const places = std::clamp((*capacity * share - control_bps) / place_bps, 0.0, 1e6);
    // Places that come and go with every measurement would cost children their parents.
    double const now_held = slots_.budget();
    bool const keeps = places > now_held - place_slack && places < now_held + 1 - place_round;
    auto const wanted = keeps ? slots_.budget() : static_cast<std::uint32_t>(places + place_round);
    slots_.set_budget(std::min(places_limit_, wanted));
}

/// What one copy of a unit takes on our uplink; zero while that is unknown.
Duration Swarm::unit_time() const
{
    auto const capacity = services_.uplink.capacity_bps();
    if (!capacity || *capacity <= 0 || !store_) {
        return Duration::zero();
    }
    double const bits =
        8.0 * store_->grid().chunks_per_unit() * (config_.chunk_size + datagram_overhead_bytes);
    return Duration{static_cast<std::int64_t>(bits * 1e6 / *capacity)};
}

/// Whatever was measured: who cannot send new units at once has too many children. One place goes
/// at a time, and comes back slowly while nothing waits.
void Swarm::relieve(TimePoint now)
{
    std::optional<Duration> queue;
    for (auto const& channel : channels_) {
        if (channel->is_open() && now - channel->acked_at < queue_sample_age_max) {
            Duration const own = channel->ledbat.queuing_delay();
            queue = std::min(queue.value_or(own), own);
        }
    }
    if (queue) {
        services_.uplink.on_queue(*queue, services_.config.ledbat_target);
    }
    Duration waited{};
    for (Channel* const channel : sending_) {
        if (!data_waits_ || !may_send_window(*channel)) {
            continue; // its own path is the narrow one
        }
        if (auto const ready = channel->requests.next(now, RequestQueue::Urgency::push);
            ready && ready->since != TimePoint{}) {
            waited = std::max(waited, now - ready->since);
        }
    }
    if (is_source()) {
        return; // with fewer first copies more is asked of it, not less
    }
    if (waited > std::max<Duration>(backlog_max, unit_time() * backlog_units)) {
        places_limit_ = std::max<std::uint32_t>(std::min(places_limit_, slots_.budget()), 2) - 1;
        next_relax_ = now + relax_gap;
    } else if (now >= next_relax_ && places_limit_ < UploadSlots::places_max) {
        places_limit_ += 1 + places_limit_ / 8;
        next_relax_ = now + relax_gap;
    }
}

DatagramBuilder Swarm::builder() const
{
    return {format(), services_.config.datagram_size_max, store_ ? &*store_ : nullptr};
}

void Swarm::send_control(TimePoint now, Channel& channel)
{
    bool const haves = channel.haves_due && now >= *channel.haves_due;
    if (!channel.is_open() || !(haves || channel.control.urgent() || channel.acks.due(now))) {
        return;
    }
    channel.haves_due.reset();
    std::vector<ByteVector> datagrams;
    builder().control(channel, datagrams);
    flush(now, channel, datagrams);
}

void Swarm::flush(TimePoint now, Channel& channel, std::vector<ByteVector>& datagrams)
{
    for (ByteVector& datagram : datagrams) {
        figures_.wire_bytes_out += datagram.size();
        services_.uplink.on_sent(now, datagram.size());
        channel.liveness.sent_since_received += 1;
        services_.outbox.push(SendDatagram{channel.endpoint, std::move(datagram)});
    }
    // NAT bindings live 30 s and more; the spread keeps neighbours from talking in chorus.
    channel.liveness.keepalive_at = now + 15s + Duration{rng_.between(0, 3'000'000)};
    datagrams.clear();
}

bool Swarm::may_send_window(Channel const& channel) const
{
    std::size_t const flight = channel.in_flight.bytes();
    std::size_t const next = config_.chunk_size + data_overhead_bytes;
    return flight == 0 || static_cast<double>(flight + next) <= channel.ledbat.window_bytes();
}

void Swarm::note_sending(Channel& channel)
{
    if (!channel.is_sending) {
        channel.is_sending = true;
        sending_.push_back(&channel);
    }
}

/// Units that are being pushed go first, the oldest before the others and one neighbour after the
/// other: serial beats parallel for delay (design decision 6).
void Swarm::send_data(TimePoint now)
{
    data_waits_ = false;
    for (auto const urgency : {RequestQueue::Urgency::push, RequestQueue::Urgency::pull}) {
        if (urgency == RequestQueue::Urgency::pull && now < pulls_pause_until_) {
            return;
        }
        for (;;) {
            if (sending_.empty()) {
                return;
            }
            if (!services_.uplink.may_send_data(now)) {
                data_waits_ = true;
                return;
            }
            NextData const next = next_data(now, urgency);
            if (next.channel == nullptr) {
                break;
            }
            if (next.since != TimePoint{} && urgency == RequestQueue::Urgency::push &&
                now - next.since > push_late) {
                pulls_pause_until_ = now + pulls_pause;
            }
            send_chunk(now, *next.channel, next.chunk);
        }
    }
}

/// Whose turn it is; channels that have nothing left leave the list.
Swarm::NextData Swarm::next_data(TimePoint now, RequestQueue::Urgency urgency)
{
    NextData best;
    TimePoint best_since{};
    std::uint32_t best_order = 0;
    for (std::size_t i = 0; i < sending_.size();) {
        Channel& channel = *sending_[i];
        bool const idle =
            !channel.is_open() || channel.choked_by_us || !channel.requests.has_ready();
        if (idle) {
            channel.is_sending = false;
            sending_[i] = sending_.back();
            sending_.pop_back();
            continue;
        }
        ++i;
        if (!may_send_window(channel) || !channel.pacer.ready(now)) {
            touch(channel);
            continue;
        }
        auto ready = channel.requests.next(now, urgency);
        while (ready && !store_->has(ready->chunk)) {
            channel.requests.sent(ready->chunk); // fell out of the window meanwhile
            ready = channel.requests.next(now, urgency);
        }
        if (ready && (best.channel == nullptr ||
                      std::pair{ready->since, ready->order} < std::pair{best_since, best_order})) {
            best = {&channel, ready->chunk, ready->since};
            best_since = ready->since;
            best_order = ready->order;
        }
    }
    return best;
}

void Swarm::send_chunk(TimePoint now, Channel& channel, ChunkId chunk)
{
    std::vector<ByteVector> datagrams;
    builder().data(channel, chunk, utc(now), datagrams);
    channel.requests.sent(chunk);
    channel.hashes.on_sent(chunk);
    if (channel.in_flight.empty()) {
        channel.progress = now;
    }
    std::size_t const bytes = config_.chunk_size + data_overhead_bytes;
    channel.pacer.on_sent(now, bytes, channel.ledbat.window_bytes(), channel.rtt.smoothed());
    channel.media_bytes_to += config_.chunk_size;
    figures_.upload_media_bytes += config_.chunk_size;
    flush(now, channel, datagrams);
    // It arrives with its last byte.
    channel.in_flight.on_sent(now, chunk, bytes, services_.uplink.position_bytes());
    touch(channel);
}

void Swarm::on_ack(TimePoint now, Channel& channel, wire::Ack const& ack)
{
    // Nothing is faster than the handshake was, but for its own processing.
    Duration const floor = channel.rtt.minimum() * 3 / 4;
    auto const acknowledged = channel.in_flight.acknowledge(now, ack.chunks, floor);
    channel.has.add(ack.chunks);
    channel.needs_munro = false;
    if (acknowledged.bytes == 0) {
        return;
    }
    channel.progress = now;
    channel.acked_at = now;
    channel.timeouts_in_a_row = 0;
    if (acknowledged.rtt) {
        channel.rtt.on_sample(*acknowledged.rtt);
    }
    if (acknowledged.first) {
        measure_train(channel, *acknowledged.first, ack.one_way_delay);
    }
    std::array<Duration, 1> const delays{ack.one_way_delay};
    channel.ledbat.on_ack(now, delays, acknowledged.bytes, acknowledged.flight_before,
                          channel.rtt.smoothed());
    handle_losses(now, channel);
}

/// The delay of an ACK is that of the earliest of its datagrams (AckQueue). Two that left soon
/// after one another, the later one delayed more, waited in the same queue: how far apart they came
/// out of it tells its rate.
void Swarm::measure_train(Channel& channel, InFlight::Mark const& first, Duration delay)
{
    auto const before = channel.train;
    channel.train = Channel::Train{first.at, first.position, delay};
    if (!before || first.position <= before->position || first.at < before->sent ||
        first.at - before->sent > train_span_max) {
        return;
    }
    // A peer may report any 64-bit number: no difference of two such is taken as it is.
    auto const later = static_cast<std::uint64_t>(delay.count()) -
                       static_cast<std::uint64_t>(before->delay.count());
    bool const plausible = later <= static_cast<std::uint64_t>(train_spread_max.count());
    if (delay >= before->delay && !plausible) {
        return;
    }
    Duration const grown =
        delay > before->delay ? Duration{static_cast<std::int64_t>(later)} : Duration::zero();
    services_.uplink.on_spread(first.position - before->position,
                               (first.at - before->sent) + grown);
}

/// A lost chunk of a unit that is pushed goes first, one that was pulled before the other pulls.
void Swarm::send_again(TimePoint now, Channel& channel, ChunkId chunk)
{
    bool const pushed = channel.pushing.contains(chunk);
    channel.requests.make_ready_again(
        now, chunk, pushed ? RequestQueue::Urgency::push : RequestQueue::Urgency::pull);
}

void Swarm::handle_losses(TimePoint now, Channel& channel)
{
    // Receivers collect acknowledgements for some milliseconds; that is not a loss.
    Duration const spread = std::max(channel.rtt.variation() * 4, channel.rtt.smoothed() / 4);
    Duration const patience = channel.rtt.smoothed() +
                              std::min(spread, channel.rtt.smoothed() + 10ms) + AckQueue::delay_max;
    auto const lost = channel.in_flight.take_lost(now, patience);
    if (lost.empty()) {
        return;
    }
    channel.ledbat.on_loss(now, channel.rtt.smoothed());
    for (auto chunk = lost.rbegin(); chunk != lost.rend(); ++chunk) {
        channel.hashes.doubt(store_->grid().chunks(store_->grid().unit_of(*chunk)));
        send_again(now, channel, *chunk);
    }
    note_sending(channel);
}

/// Nothing was acknowledged for a whole timeout (LB-2.4.2-e).
void Swarm::check_timeout(TimePoint now, Channel& channel)
{
    if (channel.in_flight.empty() || now - channel.progress < channel.rtt.timeout()) {
        return;
    }
    channel.ledbat.on_timeout(now);
    channel.rtt.on_timeout();
    channel.timeouts_in_a_row += 1;
    if (channel.timeouts_in_a_row >= gone_timeouts) {
        slots_.release(key_of(channel)); // it may be gone; others wait for the place
    }
    channel.progress = now;
    auto const all = channel.in_flight.take_all();
    for (auto chunk = all.rbegin(); chunk != all.rend(); ++chunk) {
        channel.hashes.doubt(store_->grid().chunks(store_->grid().unit_of(*chunk)));
        send_again(now, channel, *chunk);
    }
    note_sending(channel);
}

} // namespace ppsp::peer
