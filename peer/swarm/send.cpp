#include "peer/swarm/swarm.hpp"

#include <algorithm>
#include <array>

/// How fast, and in which order: places by the uplink, the queue of datagrams, acknowledgements and
/// losses.
namespace ppsp::peer {
namespace {

/// While new units leave later than this after they came, pulls wait: what is asked again because
/// the first copies are late makes them later.
constexpr Duration push_late = 100ms;
constexpr int push_late_units = 3;
constexpr Duration pulls_pause = 200ms;
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
constexpr double control_share = 0.94;
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
/// A backlog that was there at every look for that long stands; bunches come and go.
constexpr Duration backlog_patience = 2s;
/// A path that was acknowledged that recently tells of the uplink's queue.
constexpr Duration queue_sample_age_max = 400ms;
/// UDP payload that a chunk in flight stands for.
constexpr std::size_t data_overhead_bytes = 21;

} // namespace

/// Places for children: what the uplink carries beside our own control messages.
void Swarm::update_budget(TimePoint now)
{
    auto const capacity = services_.uplink.capacity_bps();
    if (!store_) {
        return;
    }
    if (services_.config.places) {
        slots_.set_budget(now, *services_.config.places);
        return;
    }
    if (!capacity) {
        slots_.set_budget(now, services_.config.unproven_places);
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
    slots_.set_budget(now, std::min(places_limit_, wanted));
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
            ready && ready->ready != TimePoint{}) {
            waited = std::max(waited, now - ready->ready);
        }
    }
    if (is_source()) {
        return; // with fewer first copies more is asked of it, not less
    }
    if (waited <= std::max<Duration>(backlog_max, unit_time() * backlog_units)) {
        backlog_since_.reset();
    } else if (!backlog_since_) {
        backlog_since_ = now;
    }
    if (backlog_since_ && now - *backlog_since_ >= backlog_patience) {
        backlog_since_ = now;
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
            if (next.ready != TimePoint{} && urgency == RequestQueue::Urgency::push &&
                now - next.ready > std::max<Duration>(push_late, unit_time() * push_late_units)) {
                pulls_pause_until_ = now + pulls_pause;
            }
            send_chunk(now, *next.channel, next.chunk);
        }
    }
}

/// Chunks of the last units that the neighbour is known to hold, as a time to compare by.
Duration Swarm::held_lately(Channel const& channel) const
{
    constexpr UnitIndex units = 40;
    UnitIndex const newest = store_->newest().value_or(0);
    ChunkRange const lately = store_->grid().chunks(newest - std::min(newest, units), newest);
    std::int64_t held = 0;
    for (ChunkRange const& range : channel.has.chunks().common(lately)) {
        held += static_cast<std::int64_t>(range.count());
    }
    return Duration{held};
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
        if (!ready) {
            continue;
        }
        bool const by_need = config_.deprived_first && urgency == RequestQueue::Urgency::pull;
        TimePoint const since = by_need ? TimePoint{held_lately(channel)} : ready->since;
        if (best.channel == nullptr ||
            std::pair{since, ready->order} < std::pair{best_since, best_order}) {
            best = {&channel, ready->chunk, ready->ready};
            best_since = since;
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
    channel.probed = false;
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

/// What was not acknowledged by then may be lost.
Duration Swarm::loss_patience(Channel const& channel)
{
    // Receivers collect acknowledgements for some milliseconds; that is not a loss.
    Duration const spread = std::max(channel.rtt.variation() * 4, channel.rtt.smoothed() / 4);
    return channel.rtt.smoothed() + std::min(spread, channel.rtt.smoothed() + 10ms) +
           AckQueue::delay_max;
}

void Swarm::handle_losses(TimePoint now, Channel& channel)
{
    auto const lost = channel.in_flight.take_lost(now, loss_patience(channel));
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

Duration Swarm::timeout_of(Channel const& channel)
{
    return std::max(channel.rtt.timeout(), loss_patience(channel));
}

/// Nothing was acknowledged for a whole timeout (LB-2.4.2-e). Mostly the last ACK got lost: the
/// newest chunk asks for it, as in RFC 8985 §7, before everything is sent again.
void Swarm::check_timeout(TimePoint now, Channel& channel)
{
    if (channel.in_flight.empty() || now - channel.progress < timeout_of(channel)) {
        return;
    }
    if (!channel.probed) {
        channel.probed = true;
        channel.progress = now;
        if (auto const newest = channel.in_flight.take_newest()) {
            channel.hashes.doubt(store_->grid().chunks(store_->grid().unit_of(*newest)));
            send_again(now, channel, *newest);
            note_sending(channel);
        }
        return;
    }
    channel.ledbat.on_timeout(now);
    channel.rtt.on_timeout();
    channel.timeouts_in_a_row += 1;
    channel.progress = now;
    auto const all = channel.in_flight.take_all();
    for (auto chunk = all.rbegin(); chunk != all.rend(); ++chunk) {
        channel.hashes.doubt(store_->grid().chunks(store_->grid().unit_of(*chunk)));
        send_again(now, channel, *chunk);
    }
    note_sending(channel);
}

} // namespace ppsp::peer
