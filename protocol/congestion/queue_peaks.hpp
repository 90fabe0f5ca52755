#pragma once

#include "protocol/congestion/running_peak.hpp"

namespace ppsp::congestion {

/// The longest queues of the last round trips and of the last seconds: where a loss happens, they
/// tell a full queue from a bad link.
class QueuePeaks {
public:
    /// How long a peak is remembered at least; at most twice that.
    static constexpr Duration memory = std::chrono::seconds{10};

    void add(TimePoint now, Duration queuing, Duration rtt);
    void clear() { *this = QueuePeaks{}; }
    /// Within the last one or two round trips.
    [[nodiscard]] Duration recent() const { return recent_.peak(); }
    [[nodiscard]] Duration of_seconds() const { return seconds_.peak(); }

private:
    RunningPeak<Duration> recent_;
    RunningPeak<Duration> seconds_;
};

} // namespace ppsp::congestion
