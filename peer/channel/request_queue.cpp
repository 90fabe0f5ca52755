#include "peer/channel/request_queue.hpp"

namespace ppsp::peer {

std::vector<ChunkRange> RequestQueue::want(ChunkRange chunks)
{
    if (wanted_.interval_count() >= intervals_max) {
        return {};
    }
    std::vector<ChunkRange> fresh = wanted_.missing(chunks);
    wanted_.add(chunks);
    return fresh;
}

void RequestQueue::clear()
{
    wanted_.clear();
    push_.clear();
    pull_.clear();
}

void RequestQueue::make_ready(TimePoint now, ChunkId chunk, Urgency urgency)
{
    auto& queue = urgency == Urgency::push ? push_ : pull_;
    if (queue.size() < ready_max) {
        queue.push_back({chunk, now});
    }
}

void RequestQueue::make_ready_again(TimePoint now, ChunkId chunk)
{
    wanted_.add(single(chunk));
    push_.push_front({chunk, now});
}

std::optional<ChunkId> RequestQueue::next(TimePoint now, Urgency urgency)
{
    auto& queue = urgency == Urgency::push ? push_ : pull_;
    while (!queue.empty()) {
        Ready const& head = queue.front();
        bool const stale = urgency == Urgency::pull && now - head.since > pull_age_max;
        if (stale) {
            wanted_.remove(single(head.chunk));
        } else if (wanted_.contains(head.chunk)) {
            return head.chunk;
        }
        queue.pop_front();
    }
    return std::nullopt;
}

void RequestQueue::sent(ChunkId chunk)
{
    wanted_.remove(single(chunk));
}

} // namespace ppsp::peer
