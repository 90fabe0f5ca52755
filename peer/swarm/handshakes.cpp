#include "peer/swarm/swarm.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>

/// How conversations begin (RFC 7574 §3.1.1).
namespace ppsp::peer {
namespace {

/// Handshakes: again after 0.5, 1, 2 s, given up at 5 s (protocols.md §2.4).
constexpr Duration handshake_again = 500ms;
constexpr Duration handshake_give_up = 5s;
constexpr Duration half_open_max = 10s;
/// Who did not answer so many datagrams 1 may know the draft only, which drops what it does not
/// know without a word.
constexpr std::uint32_t rfc_tries = 2;
/// Before its address is proven a neighbour gets at most that many bytes per byte (§2.4).
constexpr std::size_t amplification_max = 3;
/// Intervals of what is held that a new neighbour is told of at once.
constexpr std::size_t haves_max = 16;

} // namespace

/// Datagram 1 or 2: HANDSHAKE, and from the responder what it holds (RFC 7574 §3.1.1 allows HAVE).
void Swarm::send_handshake(TimePoint now, Channel& channel, bool initiator, std::size_t size_max)
{
    wire::DatagramWriter writer(channel.peer_id, format(), size_max);
    PPSP_ASSERT(writer.add(wire::Handshake{
        channel.own_id, handshake_options(metadata_, initiator, channel.profile.dialect)}));
    if (RangeSet const* const have = held(); !initiator && have != nullptr) {
        auto const intervals = have->intervals();
        std::size_t const count = std::min(intervals.size(), haves_max);
        for (ChunkRange const& range : intervals.last(count)) {
            if (!writer.add(wire::Have{range})) {
                break;
            }
        }
    }
    if (!initiator && channel.choked_by_us && !writer.add(wire::Choke{})) {
        channel.control.choke = true; // goes with datagram 4
    }
    channel.handshake.datagram = writer.take();
    channel.handshake.sends = 1;
    channel.handshake.resend_at = now + handshake_again;
    std::vector<ByteVector> datagrams{channel.handshake.datagram};
    flush(now, channel, datagrams);
}

/// What a neighbour holds, nothing yet. A recording has no window, whatever the neighbour says.
PeerAvailability Swarm::availability_of(PeerProfile const& profile) const
{
    return metadata_.is_live() ? PeerAvailability{profile.discard_window_chunks}
                               : PeerAvailability{wire::discard_window_all,
                                                  PeerAvailability::recording_intervals_max};
}

/// Datagram 1 and nothing else.
ByteVector Swarm::opening_datagram(Channel const& channel, Dialect dialect) const
{
    wire::DatagramWriter writer(ChannelId{0}, format(), handshake_size_max);
    PPSP_ASSERT(
        writer.add(wire::Handshake{channel.own_id, handshake_options(metadata_, true, dialect)}));
    return writer.take();
}

/// True if datagram 1 needs no new channel: it is a repetition, which gets the same answer
/// (trap T24), or both ends dialled each other and ours stays, the one whose initiator's number is
/// larger (protocols.md §2.5).
bool Swarm::superfluous(TimePoint now, Endpoint const& from, ChannelId source, std::size_t size)
{
    auto const [first, last] = census_.of(from);
    for (auto at = first; at != last; ++at) {
        Channel* const channel = at->second;
        if (channel->state == ChannelState::closed) {
            continue;
        }
        if (channel->peer_id == source && !channel->initiator) {
            if (channel->state == ChannelState::half_open &&
                channel->handshake.datagram.size() <= amplification_max * size) {
                std::vector<ByteVector> datagrams{channel->handshake.datagram};
                flush(now, *channel, datagrams);
            }
            return true;
        }
        if (channel->state == ChannelState::wait_reply) {
            if (to_number(channel->own_id) > to_number(source)) {
                return true;
            }
            census_.move(*channel, ChannelState::closed);
            any_closed_ = true;
        }
    }
    return false;
}

void Swarm::on_initiation(TimePoint now, Endpoint const& from, wire::Handshake const& handshake,
                          wire::DatagramReader& reader, Bytes datagram)
{
    AddressScope const scope = from.scope();
    bool const plausible = to_number(handshake.source) != 0 && scope != AddressScope::multicast &&
                           scope != AddressScope::unspecified && from.port() != 0;
    if (!plausible || choice_.banned(now, from)) {
        return;
    }
    auto const profile = check_handshake(metadata_, handshake.options, true);
    if (!profile || superfluous(now, from, handshake.source, datagram.size())) {
        return;
    }
    if (!has_room_for_strangers() && !make_room(now)) {
        return;
    }
    Channel& channel = add_channel(now, from);
    channel.peer_id = handshake.source;
    channel.profile = *profile;
    channel.has = availability_of(*profile);
    census_.move(channel, ChannelState::half_open);
    channel.choked_by_us = !uploads();
    figures_.wire_bytes_in += datagram.size();
    on_begin(channel);
    // What may ride in datagram 1 is minor: HAVE and REQUEST (§3.1.1).
    for (auto message = reader.next(); message && *message; message = reader.next()) {
        on_message(now, channel, **message);
    }
    send_handshake(now, channel, false,
                   std::min(handshake_size_max, amplification_max * datagram.size()));
}

void Swarm::on_handshake(TimePoint now, Channel& channel, wire::Handshake const& handshake)
{
    if (to_number(handshake.source) == 0) {
        if (!seeks()) { // else it may be a source that begins anew
            choice_.on_left(now, channel.endpoint);
        }
        close(now, channel, "closed by the neighbour", false);
        return;
    }
    if (channel.state != ChannelState::wait_reply) {
        return; // datagram 2 came twice
    }
    auto const profile = check_handshake(metadata_, handshake.options, false);
    if (!profile) {
        channel.peer_id = handshake.source;
        choice_.on_failed(now, channel.endpoint); // it will not fit in a moment either
        close(now, channel, "handshake does not fit the swarm", true);
        return;
    }
    channel.peer_id = handshake.source;
    channel.profile = *profile;
    channel.has = availability_of(*profile);
    if (!channel.flow.rtt().has_sample() && channel.handshake.sends == 1) {
        channel.flow.on_round_trip(now - channel.handshake.started);
    }
    opened(now, channel);
}

void Swarm::opened(TimePoint now, Channel& channel)
{
    if (!channel.initiator && channel.handshake.sends == 1) {
        channel.flow.on_round_trip(now - channel.handshake.started);
    }
    census_.move(channel, ChannelState::open);
    channel.opened_at = now;
    channel.proven_kbps = std::max(channel.proven_kbps, choice_.proven_kbps(channel.endpoint));
    channel.flow.start(now);
    channel.rate_since = now;
    choice_.on_opened(channel.endpoint);
    // A restarted neighbour took a new number: its old conversation is over (trap T24).
    auto const [first, last] = census_.of(channel.endpoint);
    for (auto at = first; at != last; ++at) {
        if (at->second != &channel && at->second->is_open()) {
            close(now, *at->second, "replaced by a newer conversation", false);
        }
    }
    if (!uploads()) {
        channel.choked_by_us = true;
        channel.control.choke = true;
    }
    if (RangeSet const* const have = held();
        channel.initiator && have != nullptr && !channel.profile.is_source()) {
        auto const intervals = have->intervals();
        std::size_t const count = std::min(intervals.size(), haves_max);
        for (ChunkRange const& range : intervals.last(count)) {
            channel.control.held.push_back(range);
        }
    }
    on_opened(now, channel);
    ask_pex(now, channel);
    show_membership(channel);
    // Datagram 3 goes at once, so that the other side has no half-open state (PP-12.1.2-a).
    show_life(now, channel);
    emit(now, NeighbourOpened{channel.endpoint, channel.profile.is_source()});
}

void Swarm::look_after_handshake(TimePoint now, Channel& channel)
{
    if (channel.state == ChannelState::half_open) {
        if (now - channel.handshake.started > half_open_max) {
            census_.move(channel, ChannelState::closed);
            any_closed_ = true;
            on_closed(now, channel); // its HAVEs came with the first datagram
        }
        return;
    }
    if (now - channel.handshake.started > handshake_give_up) {
        choice_.on_failed(now, channel.endpoint);
        census_.move(channel, ChannelState::closed);
        any_closed_ = true;
        next_dial_ = now;
        return;
    }
    if (now >= channel.handshake.resend_at) {
        if (channel.handshake.sends == rfc_tries && !metadata_.is_live() && !metadata_.strict) {
            channel.handshake.datagram = opening_datagram(channel, Dialect::draft);
        }
        std::vector<ByteVector> datagrams{channel.handshake.datagram};
        channel.handshake.resend_at = now + handshake_again * (1 << channel.handshake.sends);
        channel.handshake.sends += 1;
        flush(now, channel, datagrams);
    }
}

} // namespace ppsp::peer
