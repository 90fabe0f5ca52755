#pragma once

#include "peer/ingest/stop_signal.hpp"

#include <chrono>

namespace ppsp::ingest {

/// Decides when a call into FFmpeg that waits for input must come back: when the source is
/// stopped, or when no packet came for `idle_max`. FFmpeg asks about every 100 ms.
class Interrupt {
public:
    using Time = std::chrono::steady_clock;

    explicit Interrupt(StopSignal const& stop) : stop_(&stop) {}

    /// From here on, silence longer than this interrupts.
    void watch(Time::duration idle_max)
    {
        idle_max_ = idle_max;
        touch();
    }
    void touch() { last_ = Time::now(); }
    [[nodiscard]] bool stopped() const { return stop_->requested(); }
    [[nodiscard]] bool is_idle() const
    {
        return idle_max_ != Time::duration::max() && Time::now() - last_ > idle_max_;
    }
    [[nodiscard]] bool must_return() const { return stopped() || is_idle(); }

    /// For AVIOInterruptCB.
    static int ask(void* self) { return static_cast<Interrupt*>(self)->must_return() ? 1 : 0; }

private:
    StopSignal const* stop_;
    Time::time_point last_{};
    Time::duration idle_max_ = Time::duration::max();
};

} // namespace ppsp::ingest
