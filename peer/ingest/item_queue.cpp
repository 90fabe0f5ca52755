#include "peer/ingest/item_queue.hpp"

namespace ppsp::ingest {
namespace {

std::size_t size_of(SourceItem const& item)
{
    auto const* const media = std::get_if<TsBytes>(&item);
    return media != nullptr ? media->bytes.size() : 0;
}

} // namespace

bool ItemQueue::push(SourceItem item)
{
    std::size_t const size = size_of(item);
    bool was_empty = false;
    {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return closed_ || has_room(size); });
        if (closed_) {
            return false;
        }
        was_empty = items_.empty();
        bytes_ += size;
        items_.push_back(std::move(item));
    }
    changed_.notify_all();
    if (was_empty && on_ready_) {
        on_ready_();
    }
    return true;
}

bool ItemQueue::has_room(std::size_t size) const
{
    return items_.empty() || (items_.size() < items_max_ && bytes_ + size <= bytes_max_);
}

std::optional<SourceItem> ItemQueue::take()
{
    if (items_.empty()) {
        return std::nullopt;
    }
    SourceItem item = std::move(items_.front());
    items_.pop_front();
    bytes_ -= size_of(item);
    changed_.notify_all();
    return item;
}

std::optional<SourceItem> ItemQueue::pop()
{
    std::lock_guard const lock{mutex_};
    return take();
}

std::optional<SourceItem> ItemQueue::pop_within(std::chrono::milliseconds time)
{
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, time, [this] { return closed_ || !items_.empty(); });
    return take();
}

void ItemQueue::close()
{
    {
        std::lock_guard const lock{mutex_};
        closed_ = true;
        items_.clear();
        bytes_ = 0;
    }
    changed_.notify_all();
}

} // namespace ppsp::ingest
