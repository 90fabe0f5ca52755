#pragma once

#include "protocol/base/time.hpp"

#include <algorithm>
#include <cstddef>

namespace ppsp::peer {

/// Spreads a congestion window over the round trip: 1.25 windows per round trip, at most ten
/// datagrams back to back (protocols.md §3.2), or a millisecond's worth where that is more: at such
/// rates timers are coarser than datagrams.
class Pacer {
public:
    static constexpr double burst_datagrams = 10;
    static constexpr double burst_us = 1000;

    /// What the pace lets through meanwhile goes at once (NodeConfig::turn_gap).
    void set_turn_gap(Duration gap)
    {
        burst_us_ = std::max(burst_us, static_cast<double>(gap.count()));
    }

    /// `window_bytes` and `rtt` give the rate; zero rtt = not paced yet.
    [[nodiscard]] bool ready(TimePoint now) const { return now >= next_; }
    [[nodiscard]] TimePoint ready_at() const { return next_; }

    void on_sent(TimePoint now, std::size_t bytes, double window_bytes, Duration rtt)
    {
        if (rtt <= Duration::zero()) {
            return;
        }
        double const us_per_byte =
            static_cast<double>(rtt.count()) / (1.25 * std::max(window_bytes, 1.0));
        double const allowance =
            std::max(us_per_byte * burst_datagrams * static_cast<double>(bytes), burst_us_);
        // virtual_ runs ahead of the clock by what was sent; the allowance is how far it may.
        virtual_us_ = std::max(virtual_us_, static_cast<double>(now.time_since_epoch().count()));
        virtual_us_ += us_per_byte * static_cast<double>(bytes);
        next_ = TimePoint{Duration{static_cast<std::int64_t>(virtual_us_ - allowance)}};
    }

private:
    double burst_us_ = burst_us;
    double virtual_us_ = 0;
    TimePoint next_{};
};

} // namespace ppsp::peer
