#pragma once

#include "protocol/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ppsp::congestion {

struct LedbatConfig {
    /// Queueing delay we aim at. RFC 6817 §2.5 caps it at 100 ms; we aim lower so that a live
    /// stream and a phone call share a home uplink.
    Duration target = std::chrono::milliseconds{25};
    double gain = 1.0;                      ///< RFC 6817 §2.5: at most 1
    double allowed_increase_mss = 1.0;      ///< segments the window may exceed the flight size by
    std::uint32_t base_history_minutes = 10;
    std::uint32_t init_window_mss = 2;
    std::uint32_t min_window_mss = 2;
    std::uint32_t mss_bytes = 1372;
    Duration cto_initial = std::chrono::seconds{1};
    /// Samples the current-delay filter keeps (minimum of them, none older than one RTT).
    std::uint32_t current_filter_max = 8;
    /// Start by doubling per RTT until delay reaches 3/4 target or a loss; off = RFC text.
    bool slow_start = false;
};

/// Congestion window of one channel, RFC 6817 §2.4.2. Delays are one-way and carry an unknown
/// clock offset; only differences are used.
class Ledbat {
public:
    explicit Ledbat(LedbatConfig const& config);

    /// One ACK event. `delays` in the order they were measured; `flight_bytes` counts what was in
    /// flight before this event; `rtt` bounds the age of filtered samples (zero = unknown).
    void on_ack(TimePoint now, std::span<Duration const> delays, std::size_t bytes_newly_acked,
                std::size_t flight_bytes, Duration rtt);
    /// A loss; halves at most once per `rtt`.
    void on_loss(TimePoint now, Duration rtt);
    /// No ACK for one congestion timeout: one segment (trap L4).
    void on_timeout(TimePoint now);
    /// Forgets the delay history: the path or the local address changed (trap L9).
    void reset_path();

    [[nodiscard]] double window_bytes() const { return window_; }
    [[nodiscard]] Duration base_delay() const;
    [[nodiscard]] Duration current_delay() const;
    /// current - base, zero before the first sample.
    [[nodiscard]] Duration queuing_delay() const;
    [[nodiscard]] double off_target() const;
    [[nodiscard]] bool in_slow_start() const { return slow_start_; }

private:
    struct Sample {
        TimePoint at;
        Duration delay;
    };

    void update_base(TimePoint now, Duration delay);

    LedbatConfig config_;
    double window_;
    bool slow_start_;
    std::vector<Duration> base_;        ///< one minimum per minute, newest last
    std::int64_t base_minute_ = -1;
    std::vector<Sample> current_;
    TimePoint last_loss_{};
    bool had_loss_ = false;
};

/// Round-trip time and retransmission timeout (RFC 6298; RFC 6817 §2.4.2 CTO).
class RttEstimator {
public:
    void on_sample(Duration rtt);
    /// Doubles the timeout until the next sample.
    void on_timeout();
    [[nodiscard]] bool has_sample() const { return has_sample_; }
    [[nodiscard]] Duration smoothed() const { return smoothed_; }
    [[nodiscard]] Duration variation() const { return variation_; }
    [[nodiscard]] Duration minimum() const { return minimum_; }
    /// srtt + 4 rttvar, at least 200 ms, 1 s before the first sample, never above 60 s.
    [[nodiscard]] Duration timeout() const;

private:
    bool has_sample_ = false;
    Duration smoothed_{};
    Duration variation_{};
    Duration minimum_{};
    unsigned backoff_ = 0;
};

} // namespace ppsp::congestion
