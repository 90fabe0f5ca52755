#include "peer/swarm/swarm.hpp"

#include <algorithm>
#include <array>

/// How datagrams get to a neighbour: the window, acknowledgements and losses.
namespace ppsp::peer {
namespace {

/// Datagrams of one train leave together.
constexpr Duration train_span_max = 300us;
/// What a train of some datagrams takes on the poorest uplink that is of any use.
constexpr Duration train_spread_max = 10s;
/// UDP payload that a chunk in flight stands for, besides the chunk.
constexpr std::size_t data_overhead_bytes = 21;

} // namespace

void Swarm::send_control(TimePoint now, Channel& channel)
{
    bool const haves = channel.haves_due && now >= *channel.haves_due;
    if (!channel.is_open() || !(haves || channel.control.urgent() || channel.acks.due(now))) {
        return;
    }
    channel.haves_due.reset();
    std::vector<ByteVector> datagrams;
    build_control(channel, datagrams);
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
    std::size_t const next = format().chunk_size + data_overhead_bytes;
    return flight == 0 || static_cast<double>(flight + next) <= channel.ledbat.window_bytes();
}

void Swarm::note_sending(Channel& channel)
{
    if (!channel.is_sending) {
        channel.is_sending = true;
        sending_.push_back(&channel);
    }
}

/// The channel is looked at before the engine rests: what waits on it, and when it wakes next.
void Swarm::touch(Channel& channel)
{
    if (!channel.is_touched) {
        channel.is_touched = true;
        touched_.push_back(&channel);
    }
}

void Swarm::note_sent(TimePoint now, Channel& channel, ChunkId chunk, std::size_t media_bytes)
{
    if (channel.in_flight.empty()) {
        channel.progress = now;
    }
    std::size_t const bytes = media_bytes + data_overhead_bytes;
    channel.pacer.on_sent(now, bytes, channel.ledbat.window_bytes(), channel.rtt.smoothed());
    channel.media_bytes_to += media_bytes;
    figures_.upload_media_bytes += media_bytes;
    // It arrives with its last byte.
    channel.in_flight.on_sent(now, chunk, bytes, services_.uplink.position_bytes());
    touch(channel);
}

void Swarm::on_ack(TimePoint now, Channel& channel, wire::Ack const& ack)
{
    // Nothing is faster than the handshake was, but for its own processing.
    Duration const floor = channel.rtt.minimum() * 3 / 4;
    auto const acknowledged = channel.in_flight.acknowledge(now, ack.chunks, floor);
    on_acknowledged(now, channel, ack);
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
        on_lost(now, channel, *chunk);
    }
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
            on_lost(now, channel, *newest);
        }
        return;
    }
    channel.ledbat.on_timeout(now);
    channel.rtt.on_timeout();
    channel.timeouts_in_a_row += 1;
    channel.progress = now;
    auto const all = channel.in_flight.take_all();
    for (auto chunk = all.rbegin(); chunk != all.rend(); ++chunk) {
        on_lost(now, channel, *chunk);
    }
}

} // namespace ppsp::peer
