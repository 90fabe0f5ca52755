#include "peer/recording/range_queue.hpp"

#include <algorithm>

namespace ppsp::peer {

bool RangeQueue::want(ChunkRange chunks)
{
    if (cancelled_.overlaps(chunks)) {
        cancelled_.remove(chunks);
    }
    for (ChunkRange const& fresh : queued_.missing(chunks)) {
        if (queue_.size() >= intervals_max) {
            return false;
        }
        bool const continues = !queue_.empty() && queue_.back().last + 1 == fresh.first;
        if (continues) {
            queue_.back().last = fresh.last;
        } else {
            queue_.push_back(fresh);
        }
        queued_.add(fresh);
    }
    return true;
}

void RangeQueue::cancel(ChunkRange chunks)
{
    std::erase_if(lost_, [&](ChunkId chunk) { return chunks.contains(chunk); });
    if (cancelled_.interval_count() < intervals_max) {
        cancelled_.add(chunks);
    }
    if (!queued_.overlaps(chunks)) {
        return;
    }
    queued_.remove(chunks);
    std::deque<ChunkRange> rest;
    for (ChunkRange const& range : queue_) {
        if (range.first < chunks.first) {
            rest.push_back({range.first, std::min(range.last, chunks.first - 1)});
        }
        if (range.last > chunks.last) {
            rest.push_back({std::max(range.first, chunks.last + 1), range.last});
        }
    }
    // What was cut into too many pieces is dropped at the end: whoever needs it asks again.
    while (rest.size() > intervals_max) {
        queued_.remove(rest.back());
        rest.pop_back();
    }
    queue_ = std::move(rest);
}

bool RangeQueue::want_again(ChunkId chunk)
{
    if (cancelled_.contains(chunk) || queued_.contains(chunk) || lost_.size() >= lost_max) {
        return false;
    }
    lost_.push_back(chunk);
    return true;
}

std::optional<ChunkId> RangeQueue::pop()
{
    if (!lost_.empty()) {
        ChunkId const chunk = lost_.front();
        lost_.pop_front();
        return chunk;
    }
    if (queue_.empty()) {
        return std::nullopt;
    }
    ChunkRange& front = queue_.front();
    ChunkId const chunk = front.first;
    queued_.remove(single(chunk));
    if (front.first == front.last) {
        queue_.pop_front();
    } else {
        front.first = chunk + 1;
    }
    return chunk;
}

void RangeQueue::clear()
{
    queue_.clear();
    lost_.clear();
    queued_.clear();
    cancelled_.clear();
}

} // namespace ppsp::peer
