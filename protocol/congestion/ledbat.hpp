#pragma once

#include "protocol/base/time.hpp"
#include "protocol/congestion/minute_minima.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace ppsp::congestion {

struct LedbatConfig {
    /// Queueing delay we aim at. RFC 6817 §2.5 caps it at 100 ms; we aim lower so that a live
    /// stream and a phone call share a home uplink.
    Duration target = std::chrono::milliseconds{25};
    double gain = 1.0;                 ///< RFC 6817 §2.5: at most 1
    double allowed_increase_mss = 1.0; ///< segments the window may exceed the flight size by
    std::uint32_t base_history_minutes = 10;
    std::uint32_t init_window_mss = 2;
    std::uint32_t min_window_mss = 2;
    std::uint32_t mss_bytes = 1372;
    /// Stands in for the round-trip time where that is not known yet.
    Duration cto_initial = std::chrono::seconds{1};
    /// Samples the current-delay filter keeps (minimum of them, none older than one RTT).
    std::uint32_t current_filter_max = 8;
    /// Start by doubling per RTT until delay reaches 3/4 target or a loss; off = RFC text.
    bool slow_start = false;
    /// The window does not grow while the round-trip time exceeds its own minimum by more than
    /// this many targets although the peer reports no queue: it may be reporting false delays
    /// (RFC 6817 §6). Zero is off, because a queue on the way back, which is no reason for us to
    /// slow down, looks the same; a lie gains the peer no more than the share of a TCP flow.
    double rtt_guard_targets = 0.0;
};

/// Congestion window of one channel, RFC 6817 §2.4.2. Delays are one-way and carry an unknown
/// clock offset; only differences are used. Any delay may come in, whatever a peer reports: the
/// window stays within its bounds.
class Ledbat {
public:
    /// The limits of RFC 6817 §2.5 on `target`, `gain` and `allowed_increase_mss` are asserted.
    explicit Ledbat(LedbatConfig const& config);

    /// One ACK event. `delays` in the order they were measured; `flight_bytes` counts what was in
    /// flight before this event; `rtt` bounds the age of filtered samples (zero = unknown). An
    /// event that leaves no sample young enough does not make the window grow.
    void on_ack(TimePoint now, std::span<Duration const> delays, std::size_t bytes_newly_acked,
                std::size_t flight_bytes, Duration rtt);
    /// A loss; halves at most once per `rtt`.
    void on_loss(TimePoint now, Duration rtt);
    /// No ACK for one congestion timeout: one segment, and the next ACK lifts it to the minimum.
    void on_timeout(TimePoint now);
    /// Forgets the delay history: the path or the local address changed. The window stays.
    void reset_path();

    /// Bytes that may be in flight; at least one segment.
    [[nodiscard]] double window_bytes() const { return window_; }
    /// Smallest delay of the history, zero before the first sample.
    [[nodiscard]] Duration base_delay() const;
    /// Smallest delay within the last round trip, zero when there is none.
    [[nodiscard]] Duration current_delay() const;
    /// current - base, never negative, zero before the first sample.
    [[nodiscard]] Duration queuing_delay() const;
    /// (target - queuing) / target: 1 with an empty queue, 0 at the target, negative above it.
    [[nodiscard]] double off_target() const;
    [[nodiscard]] bool in_slow_start() const { return slow_start_; }

private:
    struct Sample {
        TimePoint at;
        Duration delay;
    };

    void add_sample(TimePoint now, Duration delay);
    void drop_old_samples(TimePoint now, Duration rtt);
    [[nodiscard]] bool may_be_lied_to(Duration rtt) const;
    [[nodiscard]] double growth_bytes(double acked_bytes, Duration rtt) const;

    LedbatConfig config_;
    double window_;
    bool slow_start_;
    double slow_start_end_ = std::numeric_limits<double>::max(); ///< bytes
    MinuteMinima base_;
    MinuteMinima rtt_base_;       ///< only fed where the guard is on
    std::vector<Sample> current_; ///< newest last, never more than current_filter_max
    std::optional<TimePoint> last_loss_;
};

} // namespace ppsp::congestion
