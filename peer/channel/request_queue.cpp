#include "peer/channel/request_queue.hpp"

#include <algorithm>
#include <iterator>

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
    for (auto& queue : ready_) {
        queue.clear();
    }
}

bool RequestQueue::has_ready() const
{
    return std::any_of(ready_.begin(), ready_.end(),
                       [](auto const& queue) { return !queue.empty(); });
}

std::deque<RequestQueue::Ready>& RequestQueue::queue(Urgency urgency)
{
    return ready_[static_cast<std::size_t>(urgency)];
}

void RequestQueue::make_ready(Ready const& ready, Urgency urgency)
{
    auto& waiting = queue(urgency);
    if (waiting.size() >= ready_max) {
        return;
    }
    auto place = waiting.end();
    while (place != waiting.begin() && std::prev(place)->since > ready.since) {
        --place;
    }
    waiting.insert(place, ready);
}

void RequestQueue::make_ready_again(TimePoint now, ChunkId chunk, Urgency urgency)
{
    wanted_.add(single(chunk));
    TimePoint const since = urgency == Urgency::pull ? now : TimePoint{};
    queue(urgency).push_front({chunk, since, 0, since});
}

std::optional<RequestQueue::Ready> RequestQueue::next(TimePoint now, Urgency urgency)
{
    auto& waiting = queue(urgency);
    while (!waiting.empty()) {
        Ready const& head = waiting.front();
        Duration const age_max = urgency == Urgency::pull ? pull_age_max : push_age_max;
        // What came late itself goes on at once: a whole branch waits for it.
        bool const stale = head.ready != TimePoint{} && now - head.ready > age_max;
        if (stale) {
            wanted_.remove(single(head.chunk));
        } else if (wanted_.contains(head.chunk)) {
            return head;
        }
        waiting.pop_front();
    }
    return std::nullopt;
}

void RequestQueue::sent(ChunkId chunk)
{
    wanted_.remove(single(chunk));
}

} // namespace ppsp::peer
