#pragma once

#include "protocol/base/rng.hpp"
#include "protocol/base/time.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ppsp::sim {

/// IPv4 and UDP headers: what a datagram takes on a link beside its payload, bytes.
inline constexpr std::size_t ip_udp_bytes = 28;

/// One direction of an access link: a fixed rate behind a first-in-first-out queue that drops what
/// does not fit (tail drop).
class LinkQueue {
public:
    /// `rate_bps` 0 = no limit. `queue_max` is the longest wait in the queue.
    LinkQueue(std::uint64_t rate_bps, Duration queue_max)
        : rate_bps_(rate_bps), queue_max_(queue_max)
    {}

    /// When the last bit has left; nullopt = dropped.
    [[nodiscard]] std::optional<TimePoint> pass(TimePoint now, std::size_t bytes)
    {
        if (rate_bps_ == 0) {
            return now;
        }
        TimePoint const start = std::max(now, TimePoint{Duration{free_at_ns_ / 1000}});
        if (start - now > queue_max_) {
            return std::nullopt;
        }
        // Nanoseconds: at 20 Mbit/s a rounded microsecond would be a tenth of a percent.
        std::int64_t const now_ns = now.time_since_epoch().count() * 1000;
        auto const takes_ns = static_cast<std::int64_t>(bytes * 8'000'000'000ULL / rate_bps_);
        free_at_ns_ = std::max(now_ns, free_at_ns_) + takes_ns;
        busy_ns_ += takes_ns;
        return TimePoint{Duration{(free_at_ns_ + 999) / 1000}};
    }
    /// Time for which the link was busy so far.
    [[nodiscard]] Duration busy() const { return Duration{busy_ns_ / 1000}; }
    [[nodiscard]] std::uint64_t rate_bps() const { return rate_bps_; }

private:
    std::uint64_t rate_bps_;
    Duration queue_max_;
    std::int64_t free_at_ns_ = 0;
    std::int64_t busy_ns_ = 0;
};

/// Loss that comes in bursts (Gilbert-Elliott): in the bad state everything is lost.
class BurstLoss {
public:
    /// `share` of datagrams lost in bursts of `mean_length` on average; 0 = never.
    BurstLoss(double share, double mean_length)
        : leave_(1.0 / std::max(mean_length, 1.0)),
          enter_(share >= 1.0 ? 1.0 : leave_ * share / (1.0 - share))
    {}
    [[nodiscard]] bool lost(Rng& rng)
    {
        if (enter_ <= 0.0) {
            return false;
        }
        bad_ = bad_ ? !rng.chance(leave_) : rng.chance(enter_);
        return bad_;
    }

private:
    double leave_;
    double enter_;
    bool bad_ = false;
};

} // namespace ppsp::sim
