#pragma once

#include "protocol/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace ppsp::peer {

/// One pacer for everything a node sends (design decision 6): a token bucket over UDP payload.
/// Control messages always go, but count; DATA waits while the bucket is in debt.
class Uplink {
public:
    /// nullopt = unlimited.
    explicit Uplink(std::optional<std::uint64_t> limit_bps);

    [[nodiscard]] bool may_send_data(TimePoint now);
    void on_sent(TimePoint now, std::size_t bytes);
    /// When DATA may go again; nullopt if it may go already.
    [[nodiscard]] std::optional<TimePoint> ready_at(TimePoint now);
    [[nodiscard]] std::optional<std::uint64_t> limit_bps() const { return limit_bps_; }
    /// Bits per second sent over the last second or so.
    [[nodiscard]] std::uint64_t measured_bps(TimePoint now) const;

private:
    void refill(TimePoint now);

    /// Back-to-back bytes after a pause: ten full datagrams.
    static constexpr double burst_bytes = 10.0 * 1472;

    std::optional<std::uint64_t> limit_bps_;
    double tokens_ = burst_bytes;
    TimePoint refilled_{};
    // Two half-second buckets make the measured rate.
    std::uint64_t current_bytes_ = 0;
    std::uint64_t previous_bytes_ = 0;
    std::int64_t bucket_ = 0;
};

} // namespace ppsp::peer
