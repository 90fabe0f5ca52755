#include "tests/bottleneck/chunk_sender.hpp"

#include <algorithm>

namespace ppsp::bottleneck {

std::uint64_t Supply::chunks_by(Duration age) const
{
    if (age < Duration::zero()) {
        return 0;
    }
    auto const units = static_cast<std::uint64_t>(age / unit_gap) + 1;
    std::uint64_t const keys = key_every > 0 ? (units + key_every - 1) / key_every : 0;
    return (units - keys) * unit_chunks + keys * key_chunks;
}

ChunkSender::ChunkSender(congestion::LedbatConfig const& config, Supply const& supply)
    : flow_(config), supply_(supply)
{}

void ChunkSender::start(TimePoint now)
{
    started_ = now;
    flow_.start(now);
}

std::optional<ChunkId> ChunkSender::next(TimePoint now)
{
    again(flow_.take_timed_out(now));
    if (flow_.is_paced(now) || !flow_.has_room(data_bytes)) {
        return std::nullopt;
    }
    ChunkId chunk{next_chunk_};
    if (!again_.empty()) {
        chunk = *again_.begin();
        again_.erase(again_.begin());
    } else if (has_supply(now)) {
        ++next_chunk_;
    } else {
        return std::nullopt;
    }
    flow_.on_sent(now, chunk, data_bytes);
    return chunk;
}

void ChunkSender::on_ack(TimePoint now, wire::Ack const& ack)
{
    again_.erase(again_.lower_bound(ack.chunks.first), again_.upper_bound(ack.chunks.last));
    if (flow_.on_ack(now, ack.chunks, ack.one_way_delay).bytes > 0) {
        again(flow_.take_lost(now));
    }
}

TimePoint ChunkSender::wake(TimePoint now) const
{
    TimePoint next = flow_.timeout_at();
    if (!flow_.has_room(data_bytes)) {
        return next;
    }
    TimePoint const ready = again_.empty() ? supply_at(now) : now;
    return std::min(next, std::max(ready, flow_.ready_at()));
}

bool ChunkSender::has_supply(TimePoint now) const
{
    return supply_at(now) <= now;
}

/// When the next chunk that was never sent exists.
TimePoint ChunkSender::supply_at(TimePoint now) const
{
    Duration const age = now - started_;
    if (age >= supply_.silent_from && age < supply_.silent_until) {
        return started_ + supply_.silent_until;
    }
    if (!supply_.is_live() || supply_.chunks_by(age) > next_chunk_) {
        return now;
    }
    return started_ + (age / supply_.unit_gap + 1) * supply_.unit_gap;
}

void ChunkSender::again(std::vector<ChunkId> const& chunks)
{
    again_.insert(chunks.begin(), chunks.end());
    chunks_lost_ += chunks.size();
}

void ChunkReceiver::on_chunk(TimePoint now, ChunkId chunk, Duration one_way_delay)
{
    if (!have_.contains(chunk)) {
        have_.add(single(chunk));
        ++chunks_;
    }
    std::uint64_t const newest = to_number(have_.last());
    if (newest > remembered_max) {
        have_.trim_below(ChunkId{newest - remembered_max});
    }
    acks_.add(now, chunk, one_way_delay);
}

std::vector<wire::Ack> ChunkReceiver::take_due(TimePoint now)
{
    if (!acks_.due(now)) {
        return {};
    }
    auto const acks = acks_.take(have_);
    return {acks.begin(), acks.end()};
}

TimePoint ChunkReceiver::wake() const
{
    return acks_.deadline().value_or(TimePoint::max());
}

} // namespace ppsp::bottleneck
