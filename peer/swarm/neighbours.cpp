#include "peer/swarm/swarm.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>
#include <ranges>

namespace ppsp::peer {
namespace {

/// RFC 7574 §3.12 guideline.
constexpr Duration silence_max = std::chrono::minutes{3};
/// In a live swarm an asked neighbour that says nothing at all for that long is gone.
constexpr Duration unanswered_max = 3s;
/// The seed of a recording may have many to serve.
constexpr Duration unanswered_recording_max = 20s;
constexpr std::uint32_t timeouts_max = 5;
constexpr std::uint32_t bad_chunks_max = 3;
constexpr std::uint32_t bad_signatures_max = 3;
constexpr std::uint32_t bad_datagrams_max = 10;
constexpr Duration housekeeping_gap = 250ms;

} // namespace

Swarm::Swarm(TimePoint now, SwarmMetadata metadata, congestion::LedbatConfig const& ledbat,
             SwarmServices const& services, Rng const& rng)
    : services_(services), metadata_(std::move(metadata)), rng_(rng.fork("swarm")),
      choice_(rng.fork("neighbours")), ledbat_config_(ledbat), next_housekeeping_(now)
{}

Swarm::~Swarm()
{
    for (auto const& channel : channels_) {
        services_.channels.remove(channel->own_id);
    }
}

Channel& Swarm::add_channel(TimePoint now, Endpoint const& endpoint)
{
    channels_.push_back(make_channel(services_.channels.unused_id(), endpoint, ledbat_config_));
    Channel& channel = *channels_.back();
    channel.flow.set_turn_gap(services_.config.turn_gap);
    channel.liveness.received = now;
    channel.liveness.keepalive_at = now + 15s;
    channel.handshake.started = now;
    services_.channels.add(channel.own_id, {this, &channel});
    census_.add(channel);
    return channel;
}

void Swarm::on_datagram(TimePoint now, TimePoint arrived, Channel& channel,
                        wire::DatagramReader& reader, std::size_t size)
{
    arrived_ = arrived;
    figures_.wire_bytes_in += size;
    touch(channel);
    channel.liveness.received = now;
    channel.liveness.sent_since_received = 0;
    channel.liveness.asked_since.reset();
    channel.liveness.data_since.reset();
    if (channel.state == ChannelState::half_open) {
        if (!has_room_for_strangers()) {
            close(now, channel, "no room", true);
            return;
        }
        opened(now, channel); // our number came back: the address is real
    }
    on_begin(channel);
    for (;;) {
        auto const message = reader.next();
        if (!message) {
            figures_.bad_datagrams += 1;
            channel.marks.bad_datagrams += 1;
            break;
        }
        if (!*message || channel.state == ChannelState::closed) {
            break;
        }
        on_message(now, channel, **message);
    }
    on_end(now, channel);
}

void Swarm::on_message(TimePoint now, Channel& channel, wire::Message const& message)
{
    if (auto const* handshake = std::get_if<wire::Handshake>(&message)) {
        on_handshake(now, channel, *handshake);
        return;
    }
    // Before datagram 2 nothing but a HANDSHAKE counts; in datagram 1 only minor payload does.
    bool const minor = std::holds_alternative<wire::Have>(message) ||
                       std::holds_alternative<wire::Request>(message) ||
                       std::holds_alternative<wire::Choke>(message);
    if (!channel.is_open() && !(channel.state == ChannelState::half_open && minor)) {
        return;
    }
    if (auto const* ack = std::get_if<wire::Ack>(&message)) {
        on_ack(now, channel, *ack);
    } else if (std::holds_alternative<wire::PexRequest>(message)) {
        answer_pex(now, channel);
    } else if (auto const* response = std::get_if<wire::PexResponse>(&message)) {
        on_peer_named(now, channel, response->peer);
    } else if (auto const* certificate = std::get_if<wire::PexCertificate>(&message)) {
        on_certificate(now, channel, certificate->certificate);
    } else {
        on_content(now, channel, message);
    }
}

/// What waits, or a keep-alive of four bytes (RFC 7574 §3.12).
void Swarm::show_life(TimePoint now, Channel& channel)
{
    channel.haves_due.reset();
    build_control(channel, datagrams_);
    if (datagrams_.empty()) {
        wire::DatagramWriter keepalive(channel.peer_id, format(), 4);
        datagrams_.push_back(keepalive.take());
    }
    flush(now, channel, datagrams_);
}

void Swarm::close(TimePoint now, Channel& channel, std::string_view why, bool say_goodbye)
{
    if (channel.state == ChannelState::closed) {
        return;
    }
    if (say_goodbye && to_number(channel.peer_id) != 0) {
        wire::DatagramWriter writer(channel.peer_id, format(), 64);
        PPSP_ASSERT(writer.add(closing_handshake()));
        std::vector<ByteVector> datagrams{writer.take()};
        flush(now, channel, datagrams);
    }
    bool const was_open = channel.is_open();
    census_.move(channel, ChannelState::closed);
    any_closed_ = true;
    next_dial_ = std::min(next_dial_, now + dial_gap);
    on_closed(now, channel);
    if (was_open) {
        emit(now, NeighbourClosed{channel.endpoint, why});
    }
}

void Swarm::punish(TimePoint now, Channel& channel, BanReason reason)
{
    choice_.ban(now, channel.endpoint);
    figures_.banned_peers += 1;
    emit(now, NeighbourBanned{channel.endpoint, reason});
    // RFC 7574 §3: stop talking; silence is the error.
    close(now, channel, "sent what does not verify", false);
}

/// Whether what a neighbour did is enough to end the conversation for good.
void Swarm::judge(TimePoint now, Channel& channel)
{
    if (!channel.is_open()) {
        return;
    }
    Misbehaviour const& marks = channel.marks;
    if (marks.bad_chunks >= bad_chunks_max) {
        punish(now, channel, BanReason::bad_chunks);
    } else if (marks.bad_signatures >= bad_signatures_max) {
        punish(now, channel, BanReason::bad_signatures);
    } else if (marks.bad_datagrams >= bad_datagrams_max) {
        punish(now, channel, BanReason::bad_messages);
    } else if (channel.trust.is_liar() && !channel.profile.is_source()) {
        // A source whose clock was set back proves nothing for a while.
        punish(now, channel, BanReason::broken_word);
    }
}

void Swarm::remove_closed()
{
    if (!std::exchange(any_closed_, false)) {
        return;
    }
    auto const is_closed = [](Channel const* channel) {
        return channel->state == ChannelState::closed;
    };
    std::erase_if(sending_, is_closed);
    std::erase_if(touched_, is_closed);
    std::erase_if(channels_, [this](auto const& channel) {
        if (channel->state != ChannelState::closed) {
            return false;
        }
        services_.channels.remove(channel->own_id);
        census_.remove(*channel);
        return true;
    });
}

void Swarm::look_after(TimePoint now, Channel& channel)
{
    Liveness& live = channel.liveness;
    bool const silent = now - live.received > silence_max && live.sent_since_received >= 3;
    Duration const patience = metadata_.is_live() ? unanswered_max : unanswered_recording_max;
    bool const ignored =
        live.asked_since && now - *live.asked_since > patience && live.sent_since_received >= 3;
    if (silent || ignored || is_passed_by(now, channel) ||
        channel.flow.timeouts_in_a_row() >= timeouts_max) {
        choice_.on_failed(now, channel.endpoint);
        close(now, channel, "does not answer", true);
        return;
    }
    channel.trust.expire(now, channel.flow.rtt().smoothed());
    judge(now, channel);
    if (channel.is_open() && now >= live.keepalive_at) {
        show_life(now, channel);
    }
    tend(now, channel);
    touch(channel);
    if (now - channel.rate_since >= 1s) {
        double const seconds = static_cast<double>((now - channel.rate_since).count()) / 1e6;
        double const rate = static_cast<double>(channel.rate_bytes) / seconds;
        channel.bytes_per_second =
            channel.bytes_per_second > 0 ? channel.bytes_per_second * 0.7 + rate * 0.3 : rate;
        channel.rate_bytes = 0;
        channel.rate_since = now;
    }
}

void Swarm::housekeeping(TimePoint now)
{
    for (std::size_t i = 0; i < channels_.size(); ++i) {
        Channel& channel = *channels_[i];
        if (channel.is_open()) {
            look_after(now, channel);
            ask_pex(now, channel);
        } else if (channel.state != ChannelState::closed) {
            look_after_handshake(now, channel);
        }
    }
    tend_all(now);
    next_housekeeping_ = now + housekeeping_gap;
}

void Swarm::advance_neighbours(TimePoint now)
{
    if (now >= next_housekeeping_) {
        housekeeping(now);
    }
    if (now >= next_dial_) {
        dial(now);
    }
    wake_channels(now);
}

void Swarm::wake_channels(TimePoint now)
{
    while (!agenda_.empty() && agenda_.top().first <= now) {
        auto const [at, number] = agenda_.top();
        agenda_.pop();
        Channel* const channel = channel_of(PeerKey{number});
        if (channel == nullptr || channel->wake != at) {
            continue;
        }
        channel->wake = TimePoint::max();
        auto const lost = channel->flow.take_timed_out(now);
        for (ChunkId const chunk : std::views::reverse(lost)) {
            on_lost(now, *channel, chunk);
        }
        touch(*channel);
    }
}

void Swarm::settle(TimePoint now)
{
    for (std::size_t i = 0; i < touched_.size(); ++i) {
        Channel& channel = *touched_[i];
        channel.is_touched = false;
        if (channel.is_open()) {
            send_control(now, channel);
            rearm(now, channel);
        }
    }
    touched_.clear();
    remove_closed();
}

void Swarm::rearm(TimePoint now, Channel& channel)
{
    TimePoint next = TimePoint::max();
    if (auto const due = channel.acks.deadline()) {
        next = std::min(next, *due);
    }
    if (channel.haves_due) {
        next = std::min(next, *channel.haves_due);
    }
    next = std::min(next, channel.flow.timeout_at());
    if (channel.is_sending && may_send_window(channel) && channel.flow.is_paced(now)) {
        next = std::min(next, channel.flow.ready_at());
    }
    if (next < channel.wake) {
        channel.wake = std::max(next, now + Duration{1});
        agenda_.push({channel.wake, to_number(channel.own_id)});
    }
}

TimePoint Swarm::neighbours_deadline(TimePoint now) const
{
    TimePoint next = next_housekeeping_;
    if (seeks()) {
        next = std::min(next, next_dial_);
    }
    if (!agenda_.empty()) {
        next = std::min(next, agenda_.top().first);
    }
    if (data_waits_) {
        if (auto const at = services_.uplink.ready_at(now)) {
            next = std::min(next, *at);
        }
    }
    return next;
}

void Swarm::leave(TimePoint now)
{
    for (auto const& channel : channels_) {
        close(now, *channel, "leaving", true);
    }
    remove_closed();
}

std::vector<NeighbourStatistics> Swarm::neighbour_statistics() const
{
    std::vector<NeighbourStatistics> all;
    for (auto const& channel : channels_) {
        if (channel->is_open()) {
            all.push_back({channel->endpoint, channel->profile.is_source(),
                           channel->media_bytes_from, channel->media_bytes_to,
                           channel->flow.rtt().smoothed()});
        }
    }
    return all;
}

/// Conversations that others began get what is left beside our own. Half-open ones do not count:
/// their senders may be invented, and they have a table of their own.
bool Swarm::has_room_for_strangers() const
{
    return census_.strangers() + calls_max() < services_.config.neighbours_max;
}

Channel* Swarm::channel_of(PeerKey key)
{
    Channel* const channel =
        services_.channels.find(ChannelId{static_cast<std::uint32_t>(key)}).channel;
    return channel != nullptr && channel->is_open() ? channel : nullptr;
}

Channel const* Swarm::channel_of(PeerKey key) const
{
    Channel const* const channel =
        services_.channels.find(ChannelId{static_cast<std::uint32_t>(key)}).channel;
    return channel != nullptr && channel->is_open() ? channel : nullptr;
}

void Swarm::emit(TimePoint now, Event const& event)
{
    services_.ports.events.on_event(now, id(), event);
}

} // namespace ppsp::peer
