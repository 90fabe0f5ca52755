#include "peer/recording/recording_swarm.hpp"

#include <algorithm>

/// What is asked of whom, and what becomes of what comes.
namespace ppsp::peer {
namespace {

/// Asked ahead: a round trip and this much time at the rate of the neighbour.
constexpr Duration pipeline_ahead = 250ms;
/// And no more than a quarter of what a socket holds: nothing is lost while we are busy.
constexpr double pipeline_bytes_ahead = 1 << 20;
constexpr std::uint64_t pipeline_chunks_min = SlabTable::slab_chunks;
/// A rate over a shorter time than that says nothing.
constexpr Duration rate_time_min = 100ms;
/// For the pace of acknowledgements, which is nobody's loss if it is wrong for a moment.
constexpr Duration pace_time_min = 20ms;
constexpr std::uint64_t pipeline_chunks_max = 8192;
/// While the size is unknown a few chunks are asked for: their peaks tell it (RFC 7574 §5.6.2).
constexpr std::uint64_t first_chunks = 4;
/// At the end a slab may be asked of a second neighbour if the first one sent nothing of it for
/// that long.
constexpr Duration share_after = 1s;

} // namespace

void RecordingSwarm::on_data(TimePoint now, RecordingChannel& channel, wire::Data const& data)
{
    bool const plausible = data.chunks.count() == 1 && !data.payload.empty() &&
                           data.payload.size() <= config_.chunk_size;
    if (!plausible) {
        channel.marks.bad_datagrams += 1;
        return;
    }
    ChunkId const chunk = data.chunks.first;
    channel.rate_bytes += data.payload.size();
    Duration const delay = one_way_delay(data.sent_at);
    if (store_.has(chunk)) {
        channel.asked.remove(data.chunks);
        figures_.duplicate_bytes += data.payload.size();
        channel.acks.add(now, chunk, delay);
        return;
    }
    if (failed_) {
        return;
    }
    take_chunk(now, channel, {chunk, data.payload, delay});
}

void RecordingSwarm::take_chunk(TimePoint now, RecordingChannel& channel, ArrivedChunk const& chunk)
{
    switch (verify(channel, chunk)) {
    case RecordingStore::Verdict::added:
        accept(now, channel, chunk);
        return;
    case RecordingStore::Verdict::had_it:
        return;
    case RecordingStore::Verdict::unknown_size:
    case RecordingStore::Verdict::missing_hash:
        // What was not asked for is not kept for better times.
        if (channel.asked.contains(chunk.chunk)) {
            keep_pending(channel, chunk);
        } else {
            figures_.wasted_bytes += chunk.payload.size();
        }
        return;
    case RecordingStore::Verdict::wrong:
        refuse(now, channel, chunk);
        return;
    case RecordingStore::Verdict::not_kept:
        fail(now);
        return;
    }
}

/// Nothing more can be kept, or read.
void RecordingSwarm::fail(TimePoint now)
{
    if (!std::exchange(failed_, true)) {
        emit(now, RecordingFailed{});
    }
}

/// As long as the size is not certain, peaks of another one come first: who claimed it may have
/// claimed too much.
bool RecordingSwarm::claims_other_size(RecordingChannel& channel) const
{
    if (store_.length() || channel.size_claims >= size_claims_max) {
        return false;
    }
    auto const peaks = integrity::leading_peaks(channel.offered);
    bool const claims = !peaks.empty() &&
                        to_number(peaks.back().chunks.last) + 1 != store_.chunk_count().value_or(0);
    channel.size_claims += claims ? 1 : 0;
    return claims;
}

RecordingStore::Verdict RecordingSwarm::verify(RecordingChannel& channel, ArrivedChunk const& chunk)
{
    if (claims_other_size(channel) && store_.offer_peaks(*hasher_, channel.offered)) {
        learn_size();
    }
    return store_.add(*hasher_, chunk.chunk, chunk.payload, channel.offered);
}

void RecordingSwarm::accept(TimePoint now, RecordingChannel& channel, ArrivedChunk const& chunk)
{
    channel.asked.remove(single(chunk.chunk));
    channel.offered.clear();
    channel.fed_at = now;
    channel.has_news = true;
    channel.acks.add(now, chunk.chunk, chunk.one_way_delay);
    if (!channel.has.has(single(chunk.chunk))) {
        channel.has.add(single(chunk.chunk)); // a draft peer may say less than it holds
    }
    channel.media_bytes_from += chunk.payload.size();
    figures_.from_peers_bytes += chunk.payload.size();
    channel.acks.set_pace(chunks_per_second(now, channel, pace_time_min),
                          channel.flow.rtt().smoothed());
    learn_size();
    std::uint64_t const slab = SlabTable::slab_of(chunk.chunk);
    slabs_.on_progress(now, slab, key_of(channel));
    if (store_.have().contains(slabs_.chunks(slab))) {
        note_whole_slab(now, channel, slab);
    }
    // Not for each chunk: planning looks at every neighbour.
    fetch_wanted_ = fetch_wanted_ || to_number(chunk.chunk) % 16 == 15 || channel.asked.empty();
}

/// A slab is whole: whoever else was asked for it need not send it, and others hear of it.
void RecordingSwarm::note_whole_slab(TimePoint now, RecordingChannel const& from,
                                     std::uint64_t slab)
{
    for (PeerKey const peer : slabs_.on_whole(slab)) {
        Channel* const other = channel_of(peer);
        if (other != nullptr && other != &from) {
            withdraw(static_cast<RecordingChannel&>(*other), slabs_.chunks(slab));
        }
    }
    announce(now, slabs_.chunks(slab));
    fetch_wanted_ = true;
    if (store_.is_whole() && store_.length()) {
        emit(now, RecordingCompleted{});
    }
}

/// Forged, or a forged hash beside it: the neighbour pays for it, the chunk is asked again.
void RecordingSwarm::refuse(TimePoint now, RecordingChannel& channel, ArrivedChunk const& chunk)
{
    figures_.bad_chunks += 1;
    figures_.wasted_bytes += chunk.payload.size();
    channel.marks.bad_chunks += 1;
    channel.offered.clear();
    channel.asked.remove(single(chunk.chunk));
    slabs_.release(SlabTable::slab_of(chunk.chunk), key_of(channel));
    fetch_wanted_ = true;
    judge(now, channel);
}

void RecordingSwarm::keep_pending(RecordingChannel& channel, ArrivedChunk const& chunk)
{
    auto& pending = channel.pending;
    std::erase_if(pending, [&](PendingChunk const& old) { return old.chunk == chunk.chunk; });
    if (pending.size() >= pending_max) {
        figures_.wasted_bytes += pending.front().payload.size();
        pending.erase(pending.begin());
    }
    pending.push_back(to_pending(chunk));
}

/// Hashes came that chunks were waiting for, perhaps.
void RecordingSwarm::retry_pending(TimePoint now, RecordingChannel& channel)
{
    if (channel.pending.empty()) {
        return;
    }
    std::vector<PendingChunk> chunks = std::exchange(channel.pending, {});
    for (PendingChunk const& chunk : chunks) {
        if (channel.is_open() && channel.asked.contains(chunk.chunk)) {
            take_chunk(now, channel, chunk.arrived());
        }
    }
}

/// Chunks beyond the end may have been asked for while the size was a claim.
void RecordingSwarm::learn_size()
{
    auto const count = store_.chunk_count();
    if (!count || *count == known_chunks_) {
        return;
    }
    known_chunks_ = *count;
    slabs_.set_chunk_count(*count);
    end_asked_ = false;
    for (auto const& channel : channels_) {
        channel->asked.remove(
            {ChunkId{*count}, channel->asked.empty()
                                  ? ChunkId{*count}
                                  : std::max(ChunkId{*count}, channel->asked.last())});
        for (ChunkRange const& range : channel->has.chunks().intervals()) {
            slabs_.on_have(range);
        }
    }
}

/// What comes from the neighbour, over seconds or lately if that is `span` or longer.
double RecordingSwarm::chunks_per_second(TimePoint now, RecordingChannel const& channel,
                                         Duration span) const
{
    Duration const measured = now - channel.rate_since;
    double const lately = measured >= span ? static_cast<double>(channel.rate_bytes) * 1e6 /
                                                 static_cast<double>(measured.count())
                                           : 0.0;
    return std::max(channel.bytes_per_second, lately) / config_.chunk_size;
}

/// About what the neighbour sends while our next request is on its way.
std::uint64_t RecordingSwarm::pipeline_chunks(TimePoint now, RecordingChannel const& channel) const
{
    double const rate = chunks_per_second(now, channel, rate_time_min);
    auto const in = [rate](Duration time) {
        return rate * static_cast<double>(time.count()) / 1e6;
    };
    double const ahead = std::min(in(pipeline_ahead), pipeline_bytes_ahead / config_.chunk_size);
    double const chunks = in(channel.flow.rtt().smoothed()) + ahead;
    return std::clamp(static_cast<std::uint64_t>(chunks), pipeline_chunks_min, pipeline_chunks_max);
}

/// Others lack parts, too: whoever is no seed.
bool RecordingSwarm::has_rivals() const
{
    if (!slabs_.knows_size()) {
        return false;
    }
    ChunkRange const all{ChunkId{0}, ChunkId{known_chunks_ - 1}};
    return std::any_of(channels_.begin(), channels_.end(), [&](auto const& channel) {
        return channel->is_open() && !channel->has.has(all);
    });
}

void RecordingSwarm::fetch(TimePoint now)
{
    fetch_wanted_ = false;
    if (store_.is_whole() || failed_) {
        return;
    }
    bool const others_fetch = has_rivals();
    for (auto const& each : channels_) {
        auto& channel = static_cast<RecordingChannel&>(*each);
        if (!channel.is_open() || channel.chokes_us || channel.has.empty() ||
            now < channel.rest_until) {
            continue;
        }
        if (!slabs_.knows_size()) {
            ask_for_size(now, channel);
            continue;
        }
        std::uint64_t outstanding = channel.asked.chunk_count();
        while (outstanding < pipeline_chunks(now, channel)) {
            auto slab = slabs_.next(store_.have(), channel.has.chunks(),
                                    others_fetch ? std::nullopt : channel.last_slab);
            if (!end_asked_ && !store_.length() &&
                channel.has.has(slabs_.chunks(slabs_.slab_count() - 1))) {
                slab = slabs_.slab_count() - 1; // how long is the last chunk?
                end_asked_ = true;
            }
            if (!slab) {
                auto const which =
                    outstanding == 0 ? SlabTable::Share::any : SlabTable::Share::urgent;
                slab = slabs_.next_shared(store_.have(), channel.has.chunks(), key_of(channel),
                                          now - share_after, which);
            }
            if (!slab) {
                break;
            }
            ask_slab(now, channel, *slab);
            std::uint64_t const before = outstanding;
            outstanding = channel.asked.chunk_count();
            if (outstanding == before) {
                break; // all of it is under way already
            }
        }
    }
}

void RecordingSwarm::ask_for_size(TimePoint now, RecordingChannel& channel)
{
    if (channel.asked.empty()) {
        ChunkRange const held = channel.has.chunks().intervals().front();
        ask(now, channel, {held.first, std::min(held.last, held.first + (first_chunks - 1))});
    }
}

/// What the neighbour holds of the slab and we lack.
void RecordingSwarm::ask_slab(TimePoint now, RecordingChannel& channel, std::uint64_t slab)
{
    slabs_.on_asked(now, slab, key_of(channel));
    channel.last_slab = slab;
    for (ChunkRange const& gap : store_.have().missing(slabs_.chunks(slab))) {
        for (ChunkRange const& held : channel.has.chunks().common(gap)) {
            ask(now, channel, held);
        }
    }
}

void RecordingSwarm::ask(TimePoint now, RecordingChannel& channel, ChunkRange chunks)
{
    if (channel.asked.empty()) {
        channel.fed_at = now;
    }
    if (!channel.liveness.asked_since) {
        channel.liveness.asked_since = now;
    }
    channel.asked.add(chunks);
    auto& requests = channel.control.requests;
    if (!requests.empty() && requests.back().last + 1 == chunks.first) {
        requests.back().last = chunks.last;
    } else {
        requests.push_back(chunks);
    }
    touch(channel);
}

/// It let us wait: others are asked for all of it.
void RecordingSwarm::withdraw_all(RecordingChannel& channel)
{
    auto const asked = channel.asked.intervals();
    channel.control.cancels.insert(channel.control.cancels.end(), asked.begin(), asked.end());
    channel.asked.clear();
    channel.pending.clear();
    channel.liveness.asked_since.reset();
    slabs_.release_all(key_of(channel));
    fetch_wanted_ = true;
    touch(channel);
}

void RecordingSwarm::withdraw(RecordingChannel& channel, ChunkRange chunks)
{
    if (channel.asked.overlaps(chunks)) {
        channel.asked.remove(chunks);
        channel.control.cancels.push_back(chunks);
        touch(channel);
    }
}

} // namespace ppsp::peer
