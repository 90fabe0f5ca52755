#include "protocol/congestion/ledbat.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>
#include <cmath>

namespace ppsp::congestion {
namespace {

/// Slow start ends here: the queue is about to reach the target one round trip later.
constexpr double slow_start_exit_share = 0.75;
constexpr Duration target_max = std::chrono::milliseconds{100}; // RFC 6817 §2.5

/// later - earlier for later >= earlier. A peer may report any 64-bit number as a delay, and the
/// distance of two such numbers need not fit a Duration.
Duration saturating_difference(Duration later, Duration earlier)
{
    auto const difference =
        static_cast<std::uint64_t>(later.count()) - static_cast<std::uint64_t>(earlier.count());
    auto const largest = static_cast<std::uint64_t>(Duration::max().count());
    return Duration{static_cast<std::int64_t>(std::min(difference, largest))};
}

} // namespace

Ledbat::Ledbat(LedbatConfig const& config)
    : config_(config), window_(static_cast<double>(config.init_window_mss) * config.mss_bytes),
      slow_start_(config.slow_start), base_(config.base_history_minutes),
      rtt_base_(config.base_history_minutes)
{
    PPSP_ASSERT(config.target > Duration::zero() && config.target <= target_max);
    PPSP_ASSERT(config.gain > 0.0 && config.gain <= 1.0);
    PPSP_ASSERT(config.allowed_increase_mss > 0.0);
    PPSP_ASSERT(config.mss_bytes >= 1 && config.current_filter_max >= 1);
    PPSP_ASSERT(config.min_window_mss >= 1 && config.init_window_mss >= config.min_window_mss);
    PPSP_ASSERT(config.cto_initial > Duration::zero());
    current_.reserve(config.current_filter_max);
}

void Ledbat::on_ack(TimePoint now, std::span<Duration const> delays, std::size_t bytes_newly_acked,
                    std::size_t flight_bytes, Duration rtt)
{
    for (Duration const delay : delays) {
        add_sample(now, delay);
    }
    drop_old_samples(now, rtt);
    if (config_.rtt_guard_targets > 0.0 && rtt > Duration::zero()) {
        rtt_base_.add(now, rtt);
    }
    if (off_target() <= 1.0 - slow_start_exit_share || window_ >= slow_start_end_) {
        slow_start_ = false;
    }

    double const mss = config_.mss_bytes;
    auto const acked = static_cast<double>(bytes_newly_acked);
    window_ += growth_bytes(acked, rtt);
    // One ACK may cover several segments, and in slow start each of them earns one.
    double const allowed_increase = config_.allowed_increase_mss * mss;
    double const headroom = slow_start_ ? std::max(allowed_increase, acked) : allowed_increase;
    window_ = std::min(window_, static_cast<double>(flight_bytes) + headroom);
    window_ = std::max(window_, config_.min_window_mss * mss);
}

void Ledbat::on_loss(TimePoint now, Duration rtt)
{
    if (last_loss_ && now - *last_loss_ < rtt) {
        return;
    }
    last_loss_ = now;
    slow_start_ = false;
    double const window_min = static_cast<double>(config_.min_window_mss) * config_.mss_bytes;
    window_ = std::min(window_, std::max(window_ / 2.0, window_min));
}

void Ledbat::on_timeout(TimePoint now)
{
    // What the outage lost is noticed later and is no second sign of congestion.
    last_loss_ = now;
    // Half of what the path carried is found again by doubling, as TCP does (RFC 5681 §3.1): a
    // timeout is often the loss of a burst's tail, and a live stream cannot wait for seconds.
    slow_start_ = config_.slow_start;
    slow_start_end_ = window_ / 2.0;
    window_ = config_.mss_bytes;
}

void Ledbat::reset_path()
{
    base_.clear();
    rtt_base_.clear();
    current_.clear();
    last_loss_.reset();
}

Duration Ledbat::base_delay() const
{
    return base_.minimum().value_or(Duration::zero());
}

Duration Ledbat::current_delay() const
{
    if (current_.empty()) {
        return Duration::zero();
    }
    return std::ranges::min_element(current_, {}, &Sample::delay)->delay;
}

Duration Ledbat::queuing_delay() const
{
    Duration const current = current_delay();
    Duration const base = base_delay();
    // A sample can outlive the minute that holds its minimum when the round trip is very long.
    if (current_.empty() || current <= base) {
        return Duration::zero();
    }
    return saturating_difference(current, base);
}

double Ledbat::off_target() const
{
    auto const target = static_cast<double>(config_.target.count());
    return (target - static_cast<double>(queuing_delay().count())) / target;
}

void Ledbat::add_sample(TimePoint now, Duration delay)
{
    base_.add(now, delay);
    if (current_.size() == config_.current_filter_max) {
        current_.erase(current_.begin());
    }
    current_.push_back({now, delay});
}

void Ledbat::drop_old_samples(TimePoint now, Duration rtt)
{
    Duration const age_max = rtt > Duration::zero() ? rtt : config_.cto_initial;
    std::erase_if(current_, [&](Sample const& sample) { return now - sample.at > age_max; });
}

bool Ledbat::may_be_lied_to(Duration rtt) const
{
    auto const rtt_min = rtt_base_.minimum();
    if (config_.rtt_guard_targets <= 0.0 || !rtt_min) {
        return false;
    }
    double const excess = static_cast<double>((rtt - *rtt_min).count());
    return excess > config_.rtt_guard_targets * static_cast<double>(config_.target.count());
}

double Ledbat::growth_bytes(double acked_bytes, Duration rtt) const
{
    double growth = slow_start_
                        ? acked_bytes
                        : config_.gain * off_target() * acked_bytes * config_.mss_bytes / window_;
    if (growth > 0.0 && (current_.empty() || may_be_lied_to(rtt))) {
        growth = 0.0;
    }
    return growth;
}

} // namespace ppsp::congestion
