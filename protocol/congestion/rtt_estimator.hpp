#pragma once

#include "protocol/base/time.hpp"

namespace ppsp::congestion {

/// Round-trip time and congestion timeout of one channel (RFC 6298 §2; RFC 6817 §2.4.2
/// update_CTO). Samples come from DATA that was sent once: for a chunk sent again nobody knows
/// which copy the ACK answers.
class RttEstimator {
public:
    /// Negative samples are ignored, those above one minute count as one minute. A sample ends the
    /// backoff.
    void on_sample(Duration rtt);
    /// Doubles the timeout until the next sample.
    void on_timeout();

    [[nodiscard]] bool has_sample() const { return has_sample_; }
    /// Smoothed round-trip time, zero before the first sample.
    [[nodiscard]] Duration smoothed() const { return smoothed_; }
    [[nodiscard]] Duration variation() const { return variation_; }
    /// Smallest sample so far, zero before the first one.
    [[nodiscard]] Duration minimum() const { return minimum_; }
    /// srtt + 4 rttvar, at least 200 ms; 1 s before the first sample; doubled by every timeout;
    /// never above 60 s, the smallest cap that RFC 6817 §2.4.2 permits.
    [[nodiscard]] Duration timeout() const;

private:
    bool has_sample_ = false;
    Duration smoothed_{};
    Duration variation_{};
    Duration minimum_{};
    unsigned backoff_ = 0;
};

} // namespace ppsp::congestion
