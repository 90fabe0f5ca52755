#pragma once

#include "protocol/base/time.hpp"

#include <optional>

namespace ppsp::congestion {

/// When a flow that never saw an empty queue empties it for a moment, so that the base delay is
/// what the path takes and not what others, who were there first, keep waiting in it
/// (LEDBAT++, draft-irtf-iccrg-ledbat-plus-plus §4.4; here the pause ends with the last
/// acknowledgement of what was in flight, and most of the window comes back).
class Slowdown {
public:
    /// The first one comes so long after the queue appeared, later ones after twice the time ...
    static constexpr Duration gap_first = std::chrono::seconds{1};
    /// ... up to this: a round trip in twenty seconds is a quarter percent of a link of 50 ms.
    static constexpr Duration gap_max = std::chrono::seconds{20};
    /// A queue below this share of the target counts as empty: the base was seen.
    static constexpr double empty_share = 0.25;

    /// Every measured queueing delay.
    void on_queue(TimePoint now, Duration queuing, Duration target);
    [[nodiscard]] bool is_due(TimePoint now) const { return since_ && now - *since_ >= gap_; }
    /// `window_bytes` comes back at the end.
    void begin(TimePoint now, double window_bytes);
    [[nodiscard]] bool is_on() const { return window_.has_value(); }
    /// A loss meanwhile; the window that comes back is scaled.
    void scale(double factor);
    /// The flight is over, or something worse happened: bytes that come back.
    double end(TimePoint now);
    /// Forgets everything: another path.
    void clear() { *this = Slowdown{}; }

private:
    std::optional<TimePoint> since_; ///< the queue was not empty since
    Duration gap_ = gap_first;
    std::optional<double> window_; ///< bytes to come back
};

} // namespace ppsp::congestion
