#pragma once

#include "protocol/base/time.hpp"

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
    /// The maximum of a running interval and of the one before it.
    struct Pair {
        TimePoint since{};
        Duration running{};
        Duration before{};
        void add(TimePoint now, Duration value, Duration length);
        [[nodiscard]] Duration peak() const { return running > before ? running : before; }
    };
    Pair recent_;
    Pair seconds_;
};

} // namespace ppsp::congestion
