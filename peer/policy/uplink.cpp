#include "peer/policy/uplink.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

constexpr std::int64_t bucket_us = 500'000;

} // namespace

Uplink::Uplink(std::optional<std::uint64_t> limit_bps, Duration turn_gap)
    : limit_bps_(limit_bps), turn_gap_(turn_gap)
{}

bool Uplink::may_send_data(TimePoint now)
{
    auto const rate = rate_bps();
    if (!rate) {
        return true;
    }
    refill(now);
    return *rate > 0 && tokens_ >= 0;
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
    position_bytes_ += bytes + header_bytes;
    if (rate_bps()) {
        refill(now);
        tokens_ -= static_cast<double>(limit_bps_ ? bytes : bytes + header_bytes);
    }
}

std::optional<TimePoint> Uplink::ready_at(TimePoint now)
{
    auto const rate = rate_bps();
    if (!rate || *rate <= 0) {
        return std::nullopt;
    }
    refill(now);
    if (tokens_ >= 0) {
        return std::nullopt;
    }
    return now + Duration{static_cast<std::int64_t>(-tokens_ * 8e6 / *rate) + 1};
}

std::optional<double> Uplink::rate_bps() const
{
    if (limit_bps_) {
        return static_cast<double>(*limit_bps_);
    }
    if (measured_capacity_bps_) {
        return *measured_capacity_bps_ * pressure_ * pace_gain;
    }
    return std::nullopt;
}

void Uplink::on_spread(std::uint64_t bytes, Duration spread)
{
    double const us = static_cast<double>(std::max<std::int64_t>(spread.count(), 1));
    double const bps = static_cast<double>(bytes) * 8e6 / us;
    if (trains_.size() < trains_max) {
        trains_.push_back(bps);
    } else {
        trains_[next_train_] = bps;
        next_train_ = (next_train_ + 1) % trains_max;
    }
    if (trains_.size() < trains_min) {
        return;
    }
    std::vector<double> sorted = trains_;
    auto const place = sorted.begin() + static_cast<std::ptrdiff_t>(
                                            static_cast<double>(sorted.size()) * train_share);
    std::nth_element(sorted.begin(), place, sorted.end());
    measured_capacity_bps_ = *place;
}

void Uplink::on_queues(std::span<Duration> queues, Duration target)
{
    PPSP_ASSERT(!queues.empty());
    auto const middle = queues.begin() + static_cast<std::ptrdiff_t>((queues.size() - 1) / 2);
    std::nth_element(queues.begin(), middle, queues.end());
    double const excess =
        static_cast<double>((*middle - target).count()) / static_cast<double>(target.count());
    // Down by a few percent a second for each target too much, up by two.
    double const change = excess > 0 ? -0.01 * std::min(excess, 3.0) : excess < -0.5 ? 0.005 : 0.0;
    pressure_ = std::clamp(pressure_ + change, pressure_min, 1.0);
}

std::optional<double> Uplink::capacity_bps() const
{
    std::optional<double> measured;
    if (measured_capacity_bps_) {
        measured = *measured_capacity_bps_ * pressure_;
    }
    if (!limit_bps_) {
        return measured;
    }
    double const limit = static_cast<double>(*limit_bps_);
    return measured ? std::min(limit, *measured) : limit;
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
    tokens_ += seconds * *rate_bps() / 8.0;
    refilled_ = now;
    bool const long_train = limit_bps_ || now >= next_probe_;
    double const small = small_burst_bytes + turn_bytes();
    if (!long_train) {
        tokens_ = std::min(small, tokens_);
    } else if (!limit_bps_ && tokens_ > small) {
        next_probe_ = now + probe_gap;
        tokens_ = std::max(small, probe_bytes); // lent: it is paid back by a pause
    }
    tokens_ = std::min(burst_bytes + turn_bytes(), tokens_);
}

double Uplink::turn_bytes() const
{
    return *rate_bps() / 8e6 * static_cast<double>(turn_gap_.count());
}

} // namespace ppsp::peer
