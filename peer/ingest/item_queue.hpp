#pragma once

#include "peer/ingest/media_source.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>

namespace ppsp::ingest {

/// From the source's thread to the reader's, in order, with a limit in bytes and in items.
class ItemQueue {
public:
    ItemQueue(std::size_t bytes_max, std::size_t items_max, std::function<void()> on_ready)
        : bytes_max_(bytes_max), items_max_(items_max), on_ready_(std::move(on_ready))
    {}

    /// Waits for room; false when the queue is closed. One item larger than the limit passes.
    bool push(SourceItem item);
    [[nodiscard]] std::optional<SourceItem> pop();
    [[nodiscard]] std::optional<SourceItem> pop_within(std::chrono::milliseconds time);
    /// Wakes both sides; what is inside is forgotten.
    void close();

private:
    [[nodiscard]] bool has_room(std::size_t size) const;
    [[nodiscard]] std::optional<SourceItem> take();

    std::size_t bytes_max_;
    std::size_t items_max_;
    std::function<void()> on_ready_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<SourceItem> items_;
    std::size_t bytes_ = 0;
    bool closed_ = false;
};

} // namespace ppsp::ingest
