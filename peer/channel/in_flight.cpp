#include "peer/channel/in_flight.hpp"

#include <algorithm>

namespace ppsp::peer {
InFlight::Place InFlight::lower_bound(ChunkId chunk)
{
    return std::lower_bound(sent_.begin(), sent_.end(), chunk,
                            [](Sent const& sent, ChunkId id) { return sent.chunk < id; });
}

InFlight::Place InFlight::find(ChunkId chunk)
{
    auto const at = lower_bound(chunk);
    return at != sent_.end() && at->chunk == chunk && at->bytes > 0 ? at : sent_.end();
}

bool InFlight::contains(ChunkId chunk) const
{
    if (sent_.empty() || sent_.back().chunk < chunk) {
        return false; // what is sent for the first time, mostly
    }
    auto const at = std::lower_bound(sent_.begin(), sent_.end(), chunk,
                                     [](Sent const& sent, ChunkId id) { return sent.chunk < id; });
    return at != sent_.end() && at->chunk == chunk && at->bytes > 0;
}

void InFlight::on_sent(TimePoint now, ChunkId chunk, std::size_t bytes, std::uint64_t position)
{
    Sent const sent{chunk, now, bytes, next_number_++, position, lost_before_.contains(chunk)};
    order_.push_back({sent.number, chunk});
    last_sent_ = now;
    bytes_ += bytes;
    count_ += 1;
    if (sent_.empty() || sent_.back().chunk < chunk) {
        sent_.push_back(sent);
        return;
    }
    auto const at = lower_bound(chunk);
    if (at->chunk == chunk) {
        leave(at);
        *at = sent;
    } else {
        sent_.insert(at, sent);
    }
}

/// Marks an entry; of no effect on one that was marked before.
void InFlight::leave(Place at)
{
    if (at->bytes > 0) {
        bytes_ -= at->bytes;
        count_ -= 1;
        at->bytes = 0;
    }
}

void InFlight::tidy()
{
    while (!sent_.empty() && sent_.front().bytes == 0) {
        sent_.pop_front();
    }
    while (!sent_.empty() && sent_.back().bytes == 0) {
        sent_.pop_back();
    }
    if (sent_.size() > 2 * count_ + 16) {
        sent_.erase_if([](Sent const& sent) { return sent.bytes == 0; });
    }
    if (count_ == 0) {
        order_.clear();
    } else if (order_.size() > 4 * count_ + 16) {
        order_.erase_if([this](Order const& order) {
            auto const at = find(order.chunk);
            return at == sent_.end() || at->number != order.number;
        });
    }
}

InFlight::Acknowledged InFlight::acknowledge(TimePoint now, ChunkRange chunks, Duration rtt_floor)
{
    Acknowledged result{
        .bytes = 0, .flight_before = bytes_, .rtt = std::nullopt, .first = std::nullopt};
    std::optional<std::uint64_t> newest;
    for (auto at = lower_bound(chunks.first); at != sent_.end() && at->chunk <= chunks.last; ++at) {
        if (at->bytes == 0) {
            continue;
        }
        Sent const& sent = *at;
        result.bytes += sent.bytes;
        bool const is_ours = !sent.again && now - sent.at >= rtt_floor;
        if (is_ours && (!result.first || sent.position < result.first->position)) {
            result.first = Mark{sent.at, sent.position};
        }
        if (is_ours && (!newest || sent.number > *newest)) {
            newest = sent.number;
            result.rtt = now - sent.at;
        }
        if (now - sent.at >= rtt_floor) {
            highest_acked_ = std::max(highest_acked_.value_or(0), sent.number);
        }
        leave(at);
    }
    tidy();
    if (!lost_before_.empty()) {
        lost_before_.erase(lost_before_.lower_bound(chunks.first),
                           lost_before_.upper_bound(chunks.last));
    }
    return result;
}

std::vector<ChunkId> InFlight::take_lost(TimePoint now, Duration patience)
{
    std::vector<ChunkId> lost;
    // In the order of sending: behind the first that is too young all others are.
    while (highest_acked_ && !order_.empty() && order_.front().number < *highest_acked_) {
        auto const at = find(order_.front().chunk);
        bool const is_there = at != sent_.end() && at->number == order_.front().number;
        if (is_there && now - at->at <= patience) {
            break;
        }
        if (is_there) {
            lost.push_back(at->chunk);
            lost_sent_ = std::max(lost_sent_, at->at);
            remember_lost(at->chunk);
            leave(at);
        }
        order_.pop_front();
    }
    std::sort(lost.begin(), lost.end());
    tidy();
    return lost;
}

std::vector<ChunkId> InFlight::take_all()
{
    std::vector<ChunkId> all;
    all.reserve(count_);
    for (auto at = sent_.begin(); at != sent_.end(); ++at) {
        if (at->bytes > 0) {
            all.push_back(at->chunk);
            remember_lost(at->chunk);
            leave(at);
        }
    }
    tidy();
    return all;
}

std::optional<ChunkId> InFlight::take_newest()
{
    while (!order_.empty()) {
        Order const newest = order_.back();
        order_.pop_back();
        auto const at = find(newest.chunk);
        if (at != sent_.end() && at->number == newest.number) {
            remember_lost(newest.chunk);
            leave(at);
            tidy();
            return newest.chunk;
        }
    }
    return std::nullopt;
}

bool InFlight::take(TimePoint now, ChunkId chunk, Duration age_min)
{
    auto const at = find(chunk);
    if (at == sent_.end() || now - at->at < age_min) {
        return false;
    }
    remember_lost(chunk);
    leave(at);
    tidy();
    return true;
}

void InFlight::remember_lost(ChunkId chunk)
{
    if (lost_before_.size() >= lost_before_max) {
        lost_before_.erase(lost_before_.begin());
    }
    lost_before_.insert(chunk);
}

} // namespace ppsp::peer
