#include "peer/swarm/swarm.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>
#include <tuple>

namespace ppsp::peer {
namespace {

/// A subscription may reach that far beyond our newest unit.
constexpr UnitIndex subscription_ahead_max = 128;
/// Hashes, acknowledgements and headers on top of media, for planning an uplink.
constexpr double wire_overhead = 1.3;
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
                return; // the rest is a subscription
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

void Swarm::request_chunk(TimePoint now, Channel& channel, ChunkId chunk)
{
    if (!store_->has(chunk)) {
        return;
    }
    UnitIndex const unit = store_->grid().unit_of(chunk);
    // Asked again although it is on its way: it got lost, perhaps with hashes of its unit.
    if (channel.in_flight.contains(chunk)) {
        if (!channel.in_flight.take(now, chunk, channel.rtt.smoothed() * 7 / 8)) {
            channel.requests.cancel(single(chunk));
            return;
        }
        channel.hashes.doubt(store_->grid().chunks(unit));
    }
    if (store_->complete(unit)) {
        channel.requests.make_ready(now, chunk, RequestQueue::Urgency::pull);
    } else {
        offer_chunk(now, chunk);
    }
}

/// A chunk became available: to the children that subscribed to it.
void Swarm::offer_chunk(TimePoint now, ChunkId chunk)
{
    UnitIndex const unit = store_->grid().unit_of(chunk);
    for (auto const& channel : channels_) {
        if (!channel->is_open() || channel->choked_by_us || !channel->requests.wants(chunk)) {
            continue;
        }
        ChunkRange const whole = store_->grid().chunks(unit);
        bool const admitted =
            channel->pushing.contains(whole) ||
            slots_.admit(now, key_of(*channel), static_cast<std::uint32_t>(unit % substreams));
        if (admitted) {
            channel->pushing.add(whole);
            channel->requests.make_ready(now, chunk, RequestQueue::Urgency::push);
        }
    }
}

/// A unit is whole: HAVE to everybody who does not get it pushed. To one who subscribed without
/// finding a place it is the answer: fetch it, here or elsewhere.
void Swarm::announce(UnitIndex unit)
{
    ChunkRange const whole = store_->grid().chunks(unit);
    ChunkId const oldest = store_->grid().first_chunk(store_->oldest_kept());
    for (auto const& channel : channels_) {
        channel->hashes.forget_below(oldest);
        channel->requests.forget_below(oldest);
        channel->pushing.trim_below(oldest);
        channel->asked.trim_below(oldest);
        bool const informed = channel->has.has(whole) || channel->profile.is_source();
        if (!channel->is_open() || informed || channel->choked_by_us) {
            continue;
        }
        if (channel->pushing.contains(whole)) {
            continue;
        }
        channel->requests.cancel(whole);
        channel->control.haves.push_back(
            store_->have().interval_around(whole.last).value_or(whole));
    }
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
    for (ChunkId chunk = chunks.first; chunk <= chunks.last; chunk = chunk + 1) {
        offer_chunk(now, chunk);
    }
    place_first_copies(now, unit);
    announce(unit);
}

/// A new unit must leave the source at once, whoever asked: copies that no subscriber gets go to
/// the children of the substream, then to the neighbours with the fewest places, who serve the
/// others. RFC 7574 §3.7 allows DATA without a REQUEST in a live swarm.
void Swarm::place_first_copies(TimePoint now, UnitIndex unit)
{
    ChunkRange const whole = store_->grid().chunks(unit);
    auto const substream = static_cast<std::uint32_t>(unit % substreams);
    struct Taker {
        bool stranger; ///< has no place in this substream
        std::uint32_t places;
        std::uint64_t lot; ///< decides among equals
        Channel* channel;
    };
    std::vector<Taker> takers;
    std::uint32_t copies = 0;
    for (auto const& channel : channels_) {
        if (channel->pushing.contains(whole)) {
            ++copies;
        } else if (channel->is_open() && !channel->choked_by_us && channel->peer_wants_stream &&
                   !channel->profile.is_source()) {
            PeerKey const key = key_of(*channel);
            takers.push_back(
                {!slots_.holds(key, substream), slots_.places_of(key), rng_.next(), channel.get()});
        }
    }
    std::sort(takers.begin(), takers.end(), [](Taker const& a, Taker const& b) {
        return std::tuple{a.stranger, a.places, a.lot} < std::tuple{b.stranger, b.places, b.lot};
    });
    for (Taker const& taker : takers) {
        if (copies >= slots_.limit(substream)) {
            return;
        }
        if (slots_.admit(now, key_of(*taker.channel), substream)) {
            push_unit(now, *taker.channel, whole);
            ++copies;
        }
    }
}

void Swarm::push_unit(TimePoint now, Channel& channel, ChunkRange chunks)
{
    channel.pushing.add(chunks);
    for (ChunkRange const& range : channel.requests.want(chunks)) {
        for (ChunkId chunk = range.first; chunk <= range.last; chunk = chunk + 1) {
            channel.requests.make_ready(now, chunk, RequestQueue::Urgency::push);
        }
    }
}

/// Places for children: what the uplink carries beside everything else.
void Swarm::update_budget()
{
    auto const limit = services_.uplink.limit_bps();
    if (!limit || !store_) {
        return;
    }
    Duration const unit = clock_.unit_duration().value_or(config_.unit_duration);
    double const stream_bps = static_cast<double>(store_->grid().chunks_per_unit()) *
                              config_.chunk_size * 8e6 / static_cast<double>(unit.count());
    double const places = static_cast<double>(*limit) * substreams / (stream_bps * wire_overhead);
    slots_.set_budget(static_cast<std::uint32_t>(std::clamp(places, 0.0, 1e6)));
}

DatagramBuilder Swarm::builder() const
{
    return {format(), services_.config.datagram_size_max, store_ ? &*store_ : nullptr};
}

void Swarm::send_control(TimePoint now)
{
    std::vector<ByteVector> datagrams;
    for (auto const& channel : channels_) {
        bool const due =
            channel->is_open() && (!channel->control.empty() || channel->acks.due(now));
        if (due) {
            builder().control(*channel, datagrams);
            flush(now, *channel, datagrams);
        }
    }
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

/// Units that are being pushed go first, one channel at a time for as long as its window allows:
/// serial beats parallel for delay (design decision 6).
void Swarm::send_data(TimePoint now)
{
    for (auto const urgency : {RequestQueue::Urgency::push, RequestQueue::Urgency::pull}) {
        std::size_t idle = 0;
        while (!channels_.empty() && idle < channels_.size()) {
            turn_ = turn_ % channels_.size();
            Channel& channel = *channels_[turn_];
            if (!services_.uplink.may_send_data(now)) {
                return;
            }
            idle = send_from(now, channel, urgency) ? 0 : idle + 1;
            if (!services_.uplink.may_send_data(now)) {
                return; // the same channel goes on with its unit
            }
            ++turn_;
        }
    }
}

/// Sends chunks of one unit; false if there was nothing to send.
bool Swarm::send_from(TimePoint now, Channel& channel, RequestQueue::Urgency urgency)
{
    bool sent = false;
    std::optional<UnitIndex> unit;
    while (channel.is_open() && !channel.choked_by_us && may_send_window(channel) &&
           channel.pacer.ready(now) && services_.uplink.may_send_data(now)) {
        auto const chunk = channel.requests.next(now, urgency);
        if (!chunk) {
            break;
        }
        if (!store_->has(*chunk)) {
            channel.requests.sent(*chunk); // fell out of the window meanwhile
            continue;
        }
        if (unit && *unit != store_->grid().unit_of(*chunk)) {
            break;
        }
        unit = store_->grid().unit_of(*chunk);
        send_chunk(now, channel, *chunk);
        sent = true;
    }
    return sent;
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
    channel.in_flight.on_sent(now, chunk, bytes);
    channel.pacer.on_sent(now, bytes, channel.ledbat.window_bytes(), channel.rtt.smoothed());
    channel.media_bytes_to += config_.chunk_size;
    figures_.upload_media_bytes += config_.chunk_size;
    flush(now, channel, datagrams);
}

void Swarm::on_ack(TimePoint now, Channel& channel, wire::Ack const& ack)
{
    auto const acknowledged = channel.in_flight.acknowledge(now, ack.chunks);
    channel.has.add(ack.chunks);
    channel.needs_munro = false;
    if (acknowledged.bytes == 0) {
        return;
    }
    channel.progress = now;
    channel.timeouts_in_a_row = 0;
    if (acknowledged.rtt) {
        channel.rtt.on_sample(*acknowledged.rtt);
    }
    std::array<Duration, 1> const delays{ack.one_way_delay};
    channel.ledbat.on_ack(now, delays, acknowledged.bytes, acknowledged.flight_before,
                          channel.rtt.smoothed());
    handle_losses(now, channel);
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
        channel.requests.make_ready_again(now, *chunk);
    }
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
    channel.progress = now;
    auto const all = channel.in_flight.take_all();
    for (auto chunk = all.rbegin(); chunk != all.rend(); ++chunk) {
        channel.hashes.doubt(store_->grid().chunks(store_->grid().unit_of(*chunk)));
        channel.requests.make_ready_again(now, *chunk);
    }
}

} // namespace ppsp::peer
