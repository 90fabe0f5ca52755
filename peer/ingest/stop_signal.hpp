#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace ppsp::ingest {

/// Tells the source thread to end, and wakes it wherever it waits.
class StopSignal {
public:
    void request()
    {
        {
            std::lock_guard const lock{mutex_};
            requested_ = true;
        }
        changed_.notify_all();
    }

    [[nodiscard]] bool requested() const
    {
        std::lock_guard const lock{mutex_};
        return requested_;
    }

    /// Sleeps until `when`; returns true at once when the end is asked for.
    bool wait_until(std::chrono::steady_clock::time_point when)
    {
        std::unique_lock lock{mutex_};
        return changed_.wait_until(lock, when, [this] { return requested_; });
    }

    bool wait_for(std::chrono::steady_clock::duration time)
    {
        return wait_until(std::chrono::steady_clock::now() + time);
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool requested_ = false;
};

} // namespace ppsp::ingest
