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

void RequestQueue::make_ready(Ready const& ready, Urgency urgency)
{
    auto& queue = urgency == Urgency::push ? push_ : pull_;
    if (queue.size() < ready_max) {
        queue.push_back(ready);
    }
}

void RequestQueue::make_ready_again(TimePoint now, ChunkId chunk, Urgency urgency)
{
    wanted_.add(single(chunk));
    if (urgency == Urgency::push) {
        push_.push_front({chunk, TimePoint{}, 0});
    } else {
        pull_.push_front({chunk, now, 0});
    }
}

std::optional<RequestQueue::Ready> RequestQueue::next(TimePoint now, Urgency urgency)
{
    auto& queue = urgency == Urgency::push ? push_ : pull_;
    while (!queue.empty()) {
        Ready const& head = queue.front();
        Duration const age_max = urgency == Urgency::pull ? pull_age_max : push_age_max;
        bool const stale = head.since != TimePoint{} && now - head.since > age_max;
        if (stale) {
            wanted_.remove(single(head.chunk));
        } else if (wanted_.contains(head.chunk)) {
            return head;
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
