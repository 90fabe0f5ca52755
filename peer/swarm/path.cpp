#include "peer/swarm/swarm.hpp"

#include <algorithm>
#include <ranges>

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
    build_control(channel, datagrams_);
    flush(now, channel, datagrams_);
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
    return channel.flow.has_room(format().chunk_size + data_overhead_bytes);
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
    channel.media_bytes_to += media_bytes;
    figures_.upload_media_bytes += media_bytes;
    channel.liveness.data_since = channel.liveness.data_since.value_or(now);
    // It arrives with its last byte.
    channel.flow.on_sent(now, chunk, media_bytes + data_overhead_bytes,
                         services_.uplink.position_bytes());
    touch(channel);
}

void Swarm::on_ack(TimePoint now, Channel& channel, wire::Ack const& ack)
{
    auto const acknowledged = channel.flow.on_ack(now, ack.chunks, ack.one_way_delay);
    on_acknowledged(now, channel, ack);
    if (acknowledged.bytes == 0) {
        return;
    }
    if (acknowledged.first && measures_uplink()) {
        measure_train(channel, *acknowledged.first, ack.one_way_delay);
    }
    // The latest one first: each goes ahead of what waits.
    auto const lost = channel.flow.take_lost(now);
    for (ChunkId const chunk : std::views::reverse(lost)) {
        on_overtaken(now, channel, chunk);
    }
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

} // namespace ppsp::peer
