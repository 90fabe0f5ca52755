#include "peer/recording/recording_swarm.hpp"

#include "peer/channel/datagram_builder.hpp"
#include "protocol/base/assert.hpp"

#include <algorithm>

/// What others get of a recording.
namespace ppsp::peer {
namespace {

/// Chunks in a row to one neighbour before the next one's turn: they leave in one piece where the
/// system can (UDP GSO).
constexpr int turn_chunks = 16;
constexpr int turn_chunks_min = 2;
constexpr int turns_chunks = 64; ///< of all turns
/// HAVEs wait that long for others.
constexpr Duration have_delay = 100ms;
/// Who asks again for a chunk did not have it a round trip ago; that much later it should have.
constexpr Duration again_margin = 20ms;

} // namespace

void RecordingSwarm::on_request(TimePoint, RecordingChannel& channel, ChunkRange chunks)
{
    if (!uploads() || failed_) {
        channel.control.choke = true; // the neighbour missed it (trap T21)
        return;
    }
    for (ChunkRange const& held : store_.have().touching(chunks)) {
        ChunkRange const wanted{std::max(held.first, chunks.first),
                                std::min(held.last, chunks.last)};
        if (request_budget_ == 0 || !channel.wants.want(wanted)) {
            break;
        }
        request_budget_ -= 1;
    }
    if (!channel.wants.empty()) {
        note_sending(channel);
    }
}

/// HAVE names the largest interval around what is new (PP-4.3.1-a).
void RecordingSwarm::announce(TimePoint now, ChunkRange chunks)
{
    ChunkRange const interval = *store_.have().interval_around(chunks.first);
    for (auto const& channel : channels_) {
        if (!channel->is_open() || channel->has.has(interval)) {
            continue;
        }
        auto& haves = channel->control.haves;
        std::erase_if(haves, [&](ChunkRange const& old) { return interval.contains(old); });
        haves.push_back(interval);
        TimePoint const due = now + have_delay;
        channel->haves_due = std::min(channel->haves_due.value_or(due), due);
        touch(*channel);
    }
}

/// Neighbours in turn, as far as their windows and our uplink let them.
void RecordingSwarm::send_data(TimePoint now)
{
    data_waits_ = false;
    std::size_t refused = 0;
    while (refused < sending_.size()) {
        next_turn_ = next_turn_ < sending_.size() ? next_turn_ : 0;
        auto& channel = static_cast<RecordingChannel&>(*sending_[next_turn_]);
        if (!channel.is_open() || channel.choked_by_us || channel.wants.empty()) {
            channel.is_sending = false;
            sending_[next_turn_] = sending_.back();
            sending_.pop_back();
            continue;
        }
        bool sent = false;
        // Where many wait nobody waits long.
        int const turn = std::clamp(turns_chunks / static_cast<int>(sending_.size()),
                                    turn_chunks_min, turn_chunks);
        for (int i = 0; i < turn && may_send_window(channel) && !channel.flow.is_paced(now); ++i) {
            if (!services_.uplink.may_send_data(now)) {
                data_waits_ = true;
                next_turn_ += sent ? 1 : 0; // the next one goes on, or this one would have it all
                return;
            }
            if (!send_chunk(now, channel)) {
                break;
            }
            sent = true;
        }
        if (!sent) {
            touch(channel); // its pacer may have to wake us
        }
        refused = sent ? 0 : refused + 1;
        ++next_turn_;
    }
}

/// The next chunk that the neighbour wants; false if there is none that can go.
bool RecordingSwarm::send_chunk(TimePoint now, RecordingChannel& channel)
{
    while (auto const chunk = channel.wants.pop()) {
        if (channel.flow.in_flight().contains(*chunk)) {
            if (!channel.flow.take(now, *chunk, channel.flow.rtt().smoothed() + again_margin)) {
                continue; // asked again too early
            }
            channel.hashes.doubt(slabs_.chunks(SlabTable::slab_of(*chunk)));
        }
        Bytes const payload = store_.chunk(*chunk);
        if (payload.empty()) { // somebody cut the file, or the disk is broken
            channel.wants.clear();
            fail(now);
            return false;
        }
        build_data(now, channel, *chunk, payload, datagrams_);
        channel.hashes.on_sent(*chunk);
        flush(now, channel, datagrams_);
        note_sent(now, channel, *chunk, payload.size());
        return true;
    }
    return false;
}

/// A chunk with the hashes that the neighbour lacks, peaks first (PP-5.6.2-a), then the uncles from
/// the top (PP-5.4-a). What does not fit goes ahead in datagrams of its own (PP-5.3-b).
void RecordingSwarm::build_data(TimePoint now, RecordingChannel& channel, ChunkId chunk,
                                Bytes payload, std::vector<ByteVector>& out)
{
    auto const known = [&](ChunkRange range) {
        return channel.hashes.knows_some_of(channel.has, range);
    };
    wire::DatagramWriter writer(channel.peer_id, format(), services_.config.datagram_size_max,
                                spare_buffer(services_.ports.buffers));
    auto const add = [&](wire::Message const& message) {
        if (!writer.add(message)) {
            out.push_back(writer.take());
            PPSP_ASSERT(writer.add(message));
        }
    };
    if (!channel.peaks_sent) {
        for (integrity::NodeHash const& peak : store_.peaks()) {
            add(wire::Integrity{peak.chunks, peak.hash.bytes()});
        }
        channel.peaks_sent = true;
    }
    store_.visit_uncles(chunk, known, [&](integrity::NodeHash const& uncle) {
        add(wire::Integrity{uncle.chunks, uncle.hash.bytes()});
    });
    wire::Message const data{wire::Data{single(chunk), utc(now), payload}};
    if (!channel.acks.empty()) {
        for (wire::Ack const& ack : channel.acks.take(store_.have())) {
            add(ack);
        }
    }
    add(data);
    out.push_back(writer.take());
}

void RecordingSwarm::build_control(Channel& channel, std::vector<ByteVector>& out)
{
    DatagramBuilder{format(), services_.config.datagram_size_max, store_.have(),
                    services_.ports.buffers}
        .control(channel, out);
}

void RecordingSwarm::on_acknowledged(TimePoint, Channel& channel, wire::Ack const& ack)
{
    auto& conversation = static_cast<RecordingChannel&>(channel);
    conversation.has_acked = true;
    note_held(conversation, ack.chunks);
    fetch_wanted_ = fetch_wanted_ || !store_.is_whole();
    if (!channel.flow.in_flight().empty() || !conversation.wants.empty()) {
        note_sending(channel);
    }
}

/// Lost with it: hashes that the neighbour needs for the whole slab, perhaps the peaks.
void RecordingSwarm::on_lost(TimePoint, Channel& channel, ChunkId chunk)
{
    auto& conversation = static_cast<RecordingChannel&>(channel);
    std::uint64_t const first = SlabTable::slab_of(chunk) * SlabTable::slab_chunks;
    channel.hashes.doubt({ChunkId{first}, ChunkId{first + SlabTable::slab_chunks - 1}});
    if (!conversation.has_acked) {
        conversation.peaks_sent = false;
    }
    if (conversation.wants.want_again(chunk)) {
        note_sending(channel);
    }
}

} // namespace ppsp::peer
