#include "peer/channel/in_flight.hpp"

#include <algorithm>

namespace ppsp::peer {

void InFlight::on_sent(TimePoint now, ChunkId chunk, std::size_t bytes, std::uint64_t position)
{
    auto [at, inserted] = sent_.try_emplace(chunk);
    if (!inserted) {
        bytes_ -= at->second.bytes;
    }
    bool const again = !inserted || lost_before_.contains(chunk);
    at->second = Sent{now, bytes, next_number_++, position, again};
    bytes_ += bytes;
    last_sent_ = now;
}

InFlight::Acknowledged InFlight::acknowledge(TimePoint now, ChunkRange chunks, Duration rtt_floor)
{
    Acknowledged result{
        .bytes = 0, .flight_before = bytes_, .rtt = std::nullopt, .first = std::nullopt};
    std::optional<std::uint64_t> newest;
    auto at = sent_.lower_bound(chunks.first);
    while (at != sent_.end() && at->first <= chunks.last) {
        Sent const& sent = at->second;
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
        at = sent_.erase(at);
    }
    bytes_ -= result.bytes;
    lost_before_.erase(lost_before_.lower_bound(chunks.first),
                       lost_before_.upper_bound(chunks.last));
    return result;
}

std::vector<ChunkId> InFlight::take_lost(TimePoint now, Duration patience)
{
    std::vector<ChunkId> lost;
    if (!highest_acked_) {
        return lost;
    }
    for (auto at = sent_.begin(); at != sent_.end();) {
        Sent const& sent = at->second;
        if (sent.number >= *highest_acked_ || now - sent.at <= patience) {
            ++at;
            continue;
        }
        lost.push_back(at->first);
        bytes_ -= sent.bytes;
        remember_lost(at->first);
        at = sent_.erase(at);
    }
    return lost;
}

std::vector<ChunkId> InFlight::take_all()
{
    std::vector<ChunkId> all;
    all.reserve(sent_.size());
    for (auto const& [chunk, sent] : sent_) {
        all.push_back(chunk);
        remember_lost(chunk);
    }
    sent_.clear();
    bytes_ = 0;
    return all;
}

std::optional<ChunkId> InFlight::take_newest()
{
    auto const newest =
        std::max_element(sent_.begin(), sent_.end(), [](auto const& a, auto const& b) {
            return a.second.number < b.second.number;
        });
    if (newest == sent_.end()) {
        return std::nullopt;
    }
    ChunkId const chunk = newest->first;
    bytes_ -= newest->second.bytes;
    remember_lost(chunk);
    sent_.erase(newest);
    return chunk;
}

bool InFlight::take(TimePoint now, ChunkId chunk, Duration age_min)
{
    auto const at = sent_.find(chunk);
    if (at == sent_.end() || now - at->second.at < age_min) {
        return false;
    }
    bytes_ -= at->second.bytes;
    remember_lost(chunk);
    sent_.erase(at);
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
