#pragma once

#include "protocol/base/time.hpp"
#include "protocol/congestion/minute_minima.hpp"
#include "protocol/congestion/queue_peaks.hpp"
#include "protocol/congestion/running_peak.hpp"
#include "protocol/congestion/slowdown.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace ppsp::congestion {

enum class Algorithm : std::uint8_t {
    rfc6817, ///< RFC 6817 §2.4.2 to the letter
    /// For flows that fill their window; others go by the RFC. Those that share a queue come to
    /// equal windows, whoever was there first: a delay above the target shrinks a window by a share
    /// of it and a queue that never empties is emptied now and then (both as LEDBAT++,
    /// draft-irtf-iccrg-ledbat-plus-plus §4.2, §4.4), and small windows aim at a little more delay
    /// than large ones (as Swift does, Kumar et al., SIGCOMM 2020, §3.2). No window grows faster
    /// than RFC 6817 allows.
    ///
    /// Windows keep within the most that was in flight during the last round trip or two (RFC 6817
    /// §2.5: "based on flightsize in the previous RTT"). The RFC's outline takes what is in flight
    /// before each ACK, which costs a paced sender window whenever ACKs come in a heap, as after
    /// every gap of its process. And what was sent before the window shrank does not shrink it
    /// again when it turns out to be lost (RFC 6582 §3.2), however late that is.
    fair,
};

struct LedbatConfig {
    Algorithm algorithm = Algorithm::rfc6817;
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
    /// How long a receiver may hold an acknowledgement back: so much longer than the path is the
    /// shortest round trip that was measured, perhaps.
    Duration ack_delay_max = std::chrono::milliseconds{15};
    /// Samples the current-delay filter keeps (minimum of them, none older than one RTT).
    std::uint32_t current_filter_max = 8;
    /// Start by doubling per RTT until a loss, or until delay stays above 3/4 target for a quarter
    /// of a round trip: one gap of a receiver's process is no queue. Off = RFC text.
    bool slow_start = false;
    /// The window does not grow while the round-trip time exceeds its own minimum by more than
    /// this many targets although the peer reports no queue: it may be reporting false delays
    /// (RFC 6817 §6). Zero is off, because a queue on the way back, which is no reason for us to
    /// slow down, looks the same; a lie gains the peer no more than the share of a TCP flow.
    double rtt_guard_targets = 0.0;
    /// A loss while the queue is short, compared with the queues of the last seconds, shrinks the
    /// window by a tenth instead of a half: it is the link's and no sign of congestion. Deviates
    /// from RFC 6817 §2.4.2, which reads every loss as congestion.
    bool forgive_link_loss = false;
    /// Who had half of its window in flight at every acknowledgement of that long fills it, and the
    /// fair algorithm applies. A live stream's backlog is shorter: what is later than that is lost.
    Duration fills_after = std::chrono::seconds{12};
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
    /// A round trip as it was measured, before `on_ack`. Where the fair algorithm applies no queue
    /// of ours is longer than what the round trip takes beyond its own minimum and `ack_delay_max`,
    /// however the clocks drift apart. Otherwise a minute with a round trip as short as any had an
    /// empty queue: its one-way delays are the base, older ones are those of clocks that have
    /// drifted since (RFC 6817 §A.2; 50 ppm are 30 ms in the ten minutes of the history).
    void on_round_trip(TimePoint now, Duration rtt);
    /// A loss of what was `sent` then; halves at most once per `rtt`.
    void on_loss(TimePoint now, Duration rtt, TimePoint sent = TimePoint::max());
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
    /// current - base, where the fair algorithm applies no more than the round trip allows; never
    /// negative, zero before the first sample.
    [[nodiscard]] Duration queuing_delay() const;
    /// Queueing delay that this window aims at.
    [[nodiscard]] Duration target_delay(TimePoint now) const;
    /// (target - queuing) / target: 1 with an empty queue, 0 at the target, negative above it.
    [[nodiscard]] double off_target() const;
    [[nodiscard]] bool in_slow_start() const { return slow_start_; }

private:
    struct Sample {
        TimePoint at;
        Duration delay;
    };

    /// Samples of one kind: their minimum over minutes and over the last round trip.
    struct Delays {
        explicit Delays(std::uint32_t minutes) : base(minutes) {}
        void add(TimePoint now, Duration delay, std::size_t current_max);
        [[nodiscard]] Duration current_minimum() const;
        [[nodiscard]] Duration queuing() const;
        [[nodiscard]] Duration mean_queuing() const;
        MinuteMinima base;
        std::vector<Sample> current; ///< newest last, never more than current_filter_max
    };

    void note_use(TimePoint now, std::size_t flight_bytes);
    void end_minute(TimePoint now);
    void drop_old_samples(TimePoint now, Duration rtt);
    void slow_down(TimePoint now, std::size_t flight_bytes, std::size_t acked_bytes, Duration rtt);
    void end_slow_start(TimePoint now, Duration rtt);
    [[nodiscard]] bool overflowed_lately(TimePoint now) const;
    [[nodiscard]] bool is_link_loss() const;
    [[nodiscard]] bool is_overflow() const;
    [[nodiscard]] bool is_fair() const { return config_.algorithm == Algorithm::fair; }
    [[nodiscard]] Duration mean_queuing_delay() const;
    [[nodiscard]] double fair_growth_bytes(TimePoint now, double acked_bytes, Duration rtt) const;
    [[nodiscard]] double window_max(TimePoint now, double acked_bytes, double flight_bytes) const;
    [[nodiscard]] bool may_be_lied_to(Duration rtt) const;
    [[nodiscard]] double growth_bytes(TimePoint now, double acked_bytes, Duration rtt) const;

    LedbatConfig config_;
    double window_;
    bool slow_start_;
    bool is_bulk_ = false; ///< the fair algorithm applies
    std::optional<TimePoint> filled_since_;
    double slow_start_end_ = std::numeric_limits<double>::max(); ///< bytes
    /// The delay says that slow start should end, since then without a break.
    std::optional<TimePoint> long_queue_since_;
    RunningPeak<double> flight_; ///< bytes
    Delays one_way_;
    Delays round_trip_;                         ///< as measured
    std::int64_t minute_ = 0;                   ///< the running one
    std::optional<Duration> minute_round_trip_; ///< the shortest of it
    MinuteMinima rtt_base_; ///< of the smoothed one; only fed where the guard is on
    std::optional<TimePoint> last_loss_;
    QueuePeaks peaks_;
    Slowdown slowdown_;
    /// After a slowdown the window is what it was, not what little is in flight.
    struct Refill {
        double bytes = 0; ///< before the slowdown
        TimePoint whole_at = TimePoint::max();
        TimePoint until{};
        Duration base{}; ///< delay that was known before
    };
    Refill refill_;
    /// The queue overflowed at less than the target: we aim lower for a while.
    Duration overflow_target_ = Duration::max();
    TimePoint overflow_at_{};
};

} // namespace ppsp::congestion
