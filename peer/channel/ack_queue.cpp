#include "peer/channel/ack_queue.hpp"

#include <algorithm>

namespace ppsp::peer {

void AckQueue::add(TimePoint now, ChunkId chunk, Duration one_way_delay)
{
    if (waiting_.empty()) {
        oldest_ = now;
    }
    waiting_.push_back({chunk, one_way_delay});
}

bool AckQueue::due(TimePoint now) const
{
    return waiting_.size() >= batch_ || (!waiting_.empty() && now >= oldest_ + delay_max);
}

void AckQueue::set_pace(double chunks_per_round_trip)
{
    double const wanted = std::clamp(chunks_per_round_trip / 8, 0.0, double{chunks_max});
    batch_ = std::max(static_cast<std::size_t>(wanted), chunks_min);
}

std::optional<TimePoint> AckQueue::deadline() const
{
    if (waiting_.empty()) {
        return std::nullopt;
    }
    return oldest_ + delay_max;
}

std::vector<wire::Ack> AckQueue::take(RangeSet const& have)
{
    std::vector<wire::Ack> acks;
    for (Waiting const& waiting : waiting_) {
        auto const known = std::find_if(acks.begin(), acks.end(), [&](wire::Ack const& ack) {
            return ack.chunks.contains(waiting.chunk);
        });
        if (known != acks.end()) {
            known->one_way_delay = std::min(known->one_way_delay, waiting.delay);
            continue;
        }
        auto const interval = have.interval_around(waiting.chunk).value_or(single(waiting.chunk));
        acks.push_back({interval, waiting.delay});
    }
    waiting_.clear();
    return acks;
}

} // namespace ppsp::peer
