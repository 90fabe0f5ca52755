#include "peer/policy/uplink.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

constexpr std::int64_t bucket_us = 500'000;

} // namespace

Uplink::Uplink(std::optional<std::uint64_t> limit_bps) : limit_bps_(limit_bps) {}

bool Uplink::may_send_data(TimePoint now)
{
    if (!limit_bps_) {
        return true;
    }
    refill(now);
    return *limit_bps_ > 0 && tokens_ >= 0;
}

void Uplink::on_sent(TimePoint now, std::size_t bytes)
{
    std::int64_t const bucket = now.time_since_epoch().count() / bucket_us;
    if (bucket != bucket_) {
        previous_bytes_ = bucket == bucket_ + 1 ? current_bytes_ : 0;
        current_bytes_ = 0;
        bucket_ = bucket;
    }
    current_bytes_ += bytes;
    if (limit_bps_) {
        refill(now);
        tokens_ -= static_cast<double>(bytes);
    }
}

std::optional<TimePoint> Uplink::ready_at(TimePoint now)
{
    if (!limit_bps_ || *limit_bps_ == 0) {
        return std::nullopt;
    }
    refill(now);
    if (tokens_ >= 0) {
        return std::nullopt;
    }
    double const wait_us = -tokens_ * 8e6 / static_cast<double>(*limit_bps_);
    return now + Duration{static_cast<std::int64_t>(wait_us) + 1};
}

std::uint64_t Uplink::measured_bps(TimePoint now) const
{
    std::int64_t const bucket = now.time_since_epoch().count() / bucket_us;
    if (bucket > bucket_ + 1) {
        return 0;
    }
    return (bucket == bucket_ ? previous_bytes_ : current_bytes_) * 8 * 2;
}

void Uplink::refill(TimePoint now)
{
    if (now <= refilled_) {
        return;
    }
    double const seconds = static_cast<double>((now - refilled_).count()) / 1e6;
    tokens_ = std::min(burst_bytes, tokens_ + seconds * static_cast<double>(*limit_bps_) / 8.0);
    refilled_ = now;
}

} // namespace ppsp::peer
