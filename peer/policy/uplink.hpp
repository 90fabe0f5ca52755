#pragma once

#include "protocol/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ppsp::peer {

/// One pacer for everything a node sends (design decision 6), and what the node found out about its
/// uplink. A token bucket over UDP payload where the user set a limit; otherwise a little below the
/// measured capacity, so that what waits does so here, where it can still be put in order, and not
/// in the modem. Control messages always go, but count; DATA waits while the bucket is in debt.
class Uplink {
public:
    /// nullopt = unlimited. `turn_gap` as in NodeConfig.
    explicit Uplink(std::optional<std::uint64_t> limit_bps, Duration turn_gap = {});

    [[nodiscard]] bool may_send_data(TimePoint now);
    void on_sent(TimePoint now, std::size_t bytes);
    /// When DATA may go again; nullopt if it may go already.
    [[nodiscard]] std::optional<TimePoint> ready_at(TimePoint now);
    [[nodiscard]] std::optional<std::uint64_t> limit_bps() const { return limit_bps_; }
    /// Bits per second sent over the last second or so.
    [[nodiscard]] std::uint64_t measured_bps(TimePoint now) const;

    /// Everything sent so far, headers of IP and UDP included: places of datagrams in a train.
    [[nodiscard]] std::uint64_t position_bytes() const { return position_bytes_; }
    /// Two datagrams of one train lay `bytes` apart when they were sent and `spread` apart when
    /// they arrived: the narrowest place on the way, which is nearly always our own uplink, lets
    /// through bytes/spread (packet train dispersion).
    void on_spread(std::uint64_t bytes, Duration spread);
    /// The queues that the paths through this uplink showed lately, at least one, in any order;
    /// call four times a second. LEDBAT for all channels together: two segments in flight each, as
    /// RFC 6817 leaves them at least, are too many when there are fifty. Our own queue is what half
    /// of the paths show: some show more, of another narrow place, and those that were first
    /// measured while it stood take it for a part of the way and show nothing.
    void on_queues(std::span<Duration> queues, Duration target);
    /// What the uplink carries, bit/s of UDP payload and headers: by the last trains, cut to the
    /// user's limit and by the queue. nullopt while there were too few trains.
    [[nodiscard]] std::optional<double> capacity_bps() const;

private:
    void refill(TimePoint now);
    /// Bit/s at which the bucket fills; nullopt = not paced.
    [[nodiscard]] std::optional<double> rate_bps() const;
    /// What the rate lets through from one turn to the next.
    [[nodiscard]] double turn_bytes() const;

    /// Back-to-back bytes after a pause beside those of a turn, full datagrams: ten while the rate
    /// is the user's word or the uplink is to be measured, otherwise few, so that no queue forms in
    /// the modem.
    static constexpr double burst_bytes = 10.0 * 1472;
    static constexpr double small_burst_bytes = 2.0 * 1472;
    /// A longer train is let through that often to measure the uplink again: six datagrams, so that
    /// two acknowledgements of four tell of it.
    static constexpr double probe_bytes = 6.0 * 1200;
    static constexpr Duration probe_gap = std::chrono::seconds{1};
    /// IP and UDP headers, IPv4.
    static constexpr std::size_t header_bytes = 28;
    static constexpr std::size_t trains_min = 3;
    static constexpr std::size_t trains_max = 31;
    /// Of the trains this share measured less: other traffic on the way closes trains up as often
    /// as it tears them apart, and too little is the safer mistake.
    static constexpr double train_share = 0.5;
    static constexpr double pressure_min = 0.3;
    /// Just below the measured capacity nothing waits in the modem.
    static constexpr double pace_gain = 0.98;

    std::optional<std::uint64_t> limit_bps_;
    Duration turn_gap_;
    double tokens_ = burst_bytes;
    TimePoint refilled_{};
    TimePoint next_probe_{};
    std::uint64_t position_bytes_ = 0;
    std::vector<double> trains_; ///< bit/s, a ring
    std::size_t next_train_ = 0;
    std::optional<double> measured_capacity_bps_;
    double pressure_ = 1.0; ///< share of the measured capacity that is used
    // Two half-second buckets make the measured rate.
    std::uint64_t current_bytes_ = 0;
    std::uint64_t previous_bytes_ = 0;
    std::int64_t bucket_ = 0;
};

} // namespace ppsp::peer
