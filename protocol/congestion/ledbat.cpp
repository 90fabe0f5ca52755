#include "protocol/congestion/ledbat.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>
#include <cmath>

namespace ppsp::congestion {
namespace {

/// Slow start ends here: the queue is about to reach the target one round trip later.
constexpr double slow_start_exit_share = 0.75;
/// ... if it was so at every acknowledgement of that share of a round trip, during which the window
/// does not grow. Packets that a sleeping process left in its socket come all at once.
constexpr int slow_start_exit_round_trips = 4;                  // to one
constexpr Duration target_max = std::chrono::milliseconds{100}; // RFC 6817 §2.5
/// A window of so many segments aims at the target itself; one e times as large at
/// 1/target_scale_slope of it less. The slope is a bargain: steep, and the queue of a link depends
/// on how many share it; flat, and a millisecond's error in the base delay decides who gets what.
constexpr double target_scale_window_mss = 100;
constexpr double target_scale_slope = 8;
constexpr double target_scale_min = 0.5;
constexpr double target_scale_max = 1.5;
/// Share of the window that one target too much takes per round trip, for a round trip of one
/// target; less for longer ones, where the same share of the window is more of a queue.
constexpr double fair_gain = 0.5;
constexpr double decrease_max = 0.5; ///< per round trip
constexpr double loss_factor = 0.5;
constexpr double link_loss_factor = 0.9;
/// A round trip that little longer than the shortest had no queue on its way.
constexpr Duration drift_noise = std::chrono::milliseconds{1};
/// Shorter queues are noise.
constexpr Duration queue_noise = std::chrono::milliseconds{2};
/// Where the queue overflows we aim at this share of what it holds, and after this time at the
/// target again.
constexpr double overflow_share = 0.5;
constexpr Duration overflow_memory = std::chrono::seconds{120};
constexpr double overflow_peak_share = 0.9;
constexpr double overflow_target_min = 0.25;
/// Who had so much of its window in flight at every acknowledgement of `fills_after` has more to
/// send than the path takes. A live stream, whose units come and go, has not.
constexpr double filled_share = 0.5;
/// A slowdown ends when no more than this is in flight: one acknowledgement's worth.
constexpr double drained_mss = 4;
/// What comes back of the window at once: at a pace of a quarter more than one window per round
/// trip it fills the path at its rate. The rest follows one round trip later.
constexpr double refill_share = 0.8;

/// More than a day is a lie, and no sum of such fits a Duration.
constexpr double delay_us_max = 86'400e6;

/// later - earlier for later >= earlier. A peer may report any 64-bit number as a delay, and the
/// distance of two such numbers need not fit a Duration.
Duration saturating_difference(Duration later, Duration earlier)
{
    auto const difference =
        static_cast<std::uint64_t>(later.count()) - static_cast<std::uint64_t>(earlier.count());
    auto const largest = static_cast<std::uint64_t>(Duration::max().count());
    return Duration{static_cast<std::int64_t>(std::min(difference, largest))};
}

Duration scaled(Duration duration, double factor)
{
    return Duration{static_cast<std::int64_t>(static_cast<double>(duration.count()) * factor)};
}

} // namespace

Ledbat::Ledbat(LedbatConfig const& config)
    : config_(config), window_(static_cast<double>(config.init_window_mss) * config.mss_bytes),
      slow_start_(config.slow_start), one_way_(config.base_history_minutes),
      round_trip_(config.base_history_minutes), rtt_base_(config.base_history_minutes)
{
    PPSP_ASSERT(config.target > Duration::zero() && config.target <= target_max);
    PPSP_ASSERT(config.gain > 0.0 && config.gain <= 1.0);
    PPSP_ASSERT(config.allowed_increase_mss > 0.0);
    PPSP_ASSERT(config.mss_bytes >= 1 && config.current_filter_max >= 1);
    PPSP_ASSERT(config.min_window_mss >= 1 && config.init_window_mss >= config.min_window_mss);
    PPSP_ASSERT(config.cto_initial > Duration::zero());
    one_way_.current.reserve(config.current_filter_max);
}

void Ledbat::on_round_trip(TimePoint now, Duration rtt)
{
    if (rtt >= Duration::zero()) {
        end_minute(now);
        round_trip_.add(now, rtt, config_.current_filter_max);
        minute_round_trip_ = std::min(minute_round_trip_.value_or(rtt), rtt);
    }
}

/// Clocks drift apart; what the base delay was minutes ago may be a queue by now.
void Ledbat::end_minute(TimePoint now)
{
    std::int64_t const minute =
        std::chrono::floor<std::chrono::minutes>(now).time_since_epoch().count();
    if (minute == minute_) {
        return;
    }
    auto const shortest = round_trip_.base.minimum();
    // Where the fair algorithm applies, each round trip bounds the queue instead.
    if (!is_bulk_ && minute_round_trip_ && shortest &&
        *minute_round_trip_ <= *shortest + drift_noise) {
        one_way_.base.keep_newest();
    }
    minute_ = minute;
    minute_round_trip_.reset();
}

void Ledbat::on_ack(TimePoint now, std::span<Duration const> delays, std::size_t bytes_newly_acked,
                    std::size_t flight_bytes, Duration rtt)
{
    end_minute(now);
    for (Duration const delay : delays) {
        one_way_.add(now, delay, config_.current_filter_max);
    }
    drop_old_samples(now, rtt);
    if (config_.rtt_guard_targets > 0.0 && rtt > Duration::zero()) {
        rtt_base_.add(now, rtt);
    }
    flight_.add(now, static_cast<double>(flight_bytes), rtt);
    note_use(now, flight_bytes);
    Duration const queuing = queuing_delay();
    peaks_.add(now, queuing, rtt);
    end_slow_start(now, rtt);
    if (is_bulk_) {
        slowdown_.on_queue(now, queuing, config_.target);
        slow_down(now, flight_bytes, bytes_newly_acked, rtt);
        if (slowdown_.is_on()) {
            return;
        }
    }
    auto const acked = static_cast<double>(bytes_newly_acked);
    window_ += growth_bytes(now, acked, rtt);
    window_ = std::min(window_, window_max(now, acked, static_cast<double>(flight_bytes)));
    window_ = std::max(window_, static_cast<double>(config_.min_window_mss) * config_.mss_bytes);
}

void Ledbat::end_slow_start(TimePoint now, Duration rtt)
{
    if (off_target() > 1.0 - slow_start_exit_share) {
        long_queue_since_.reset();
    } else if (!long_queue_since_) {
        long_queue_since_ = now;
    }
    bool const confirmed = long_queue_since_ && *long_queue_since_ < now &&
                           now - *long_queue_since_ >= rtt / slow_start_exit_round_trips;
    if (confirmed || window_ >= slow_start_end_) {
        slow_start_ = false;
    }
}

void Ledbat::on_loss(TimePoint now, Duration rtt, TimePoint sent)
{
    if (last_loss_ && (now - *last_loss_ < rtt || (is_fair() && sent < *last_loss_))) {
        return;
    }
    last_loss_ = now;
    slow_start_ = false;
    bool const link_loss = config_.forgive_link_loss && is_link_loss();
    double const factor = link_loss ? link_loss_factor : loss_factor;
    double const window_min = static_cast<double>(config_.min_window_mss) * config_.mss_bytes;
    window_ = std::min(window_, std::max(window_ * factor, window_min));
    slowdown_.scale(factor);
    refill_ = {.base = refill_.base};
    Duration const overflow = scaled(peaks_.recent(), overflow_share);
    if (is_overflow()) {
        overflow_target_ = std::max(overflow, scaled(config_.target, overflow_target_min));
        overflow_at_ = now;
    }
}

void Ledbat::on_timeout(TimePoint now)
{
    if (slowdown_.is_on()) {
        window_ = std::max(window_, slowdown_.end(now));
    }
    refill_ = {};
    // What the outage lost is noticed later and is no second sign of congestion.
    last_loss_ = now;
    // Half of what the path carried is found again by doubling, as TCP does (RFC 5681 §3.1): a
    // timeout is often the loss of a burst's tail, and a live stream cannot wait for seconds.
    slow_start_ = config_.slow_start;
    long_queue_since_.reset();
    flight_.clear();
    slow_start_end_ = window_ / 2.0;
    window_ = config_.mss_bytes;
}

void Ledbat::reset_path()
{
    if (slowdown_.is_on()) {
        window_ = std::max(window_, slowdown_.end(TimePoint{}));
    }
    one_way_.base.clear();
    one_way_.current.clear();
    round_trip_.base.clear();
    round_trip_.current.clear();
    rtt_base_.clear();
    peaks_.clear();
    slowdown_.clear();
    long_queue_since_.reset();
    refill_ = {};
    overflow_target_ = Duration::max();
    last_loss_.reset();
}

Duration Ledbat::base_delay() const
{
    return one_way_.base.minimum().value_or(Duration::zero());
}

Duration Ledbat::current_delay() const
{
    return one_way_.current_minimum();
}

Duration Ledbat::queuing_delay() const
{
    Duration const queuing = one_way_.queuing();
    return round_trip_.current.empty() || !is_bulk_
               ? queuing
               : std::min(queuing, round_trip_.queuing() + config_.ack_delay_max);
}

/// The mean of what the minimum is taken of elsewhere: where packets come in bursts the minimum of
/// many samples is below that of few, and large flows would see a shorter queue than small ones.
Duration Ledbat::mean_queuing_delay() const
{
    Duration const queuing = one_way_.mean_queuing();
    return round_trip_.current.empty() || !is_bulk_
               ? queuing
               : std::min(queuing, round_trip_.mean_queuing() + config_.ack_delay_max);
}

Duration Ledbat::target_delay(TimePoint now) const
{
    if (!is_bulk_) {
        return config_.target;
    }
    double const mss = window_ / config_.mss_bytes / target_scale_window_mss;
    double const scale =
        std::clamp(1 - std::log(mss) / target_scale_slope, target_scale_min, target_scale_max);
    Duration const most = std::min(scaled(config_.target, scale), target_max);
    if (overflow_target_ >= most || !overflowed_lately(now)) {
        return most;
    }
    double const forgotten = static_cast<double>((now - overflow_at_).count()) /
                             static_cast<double>(overflow_memory.count());
    return overflow_target_ + scaled(most - overflow_target_, forgotten);
}

double Ledbat::off_target() const
{
    auto const target = static_cast<double>(config_.target.count());
    return (target - static_cast<double>(queuing_delay().count())) / target;
}

void Ledbat::Delays::add(TimePoint now, Duration delay, std::size_t current_max)
{
    base.add(now, delay);
    if (current.size() == current_max) {
        current.erase(current.begin());
    }
    current.push_back({now, delay});
}

Duration Ledbat::Delays::current_minimum() const
{
    if (current.empty()) {
        return Duration::zero();
    }
    return std::ranges::min_element(current, {}, &Sample::delay)->delay;
}

Duration Ledbat::Delays::queuing() const
{
    Duration const now = current_minimum();
    Duration const least = base.minimum().value_or(Duration::zero());
    // A sample can outlive the minute that holds its minimum when the round trip is very long.
    if (current.empty() || now <= least) {
        return Duration::zero();
    }
    return saturating_difference(now, least);
}

Duration Ledbat::Delays::mean_queuing() const
{
    Duration const least = base.minimum().value_or(Duration::zero());
    double sum_us = 0;
    for (Sample const& sample : current) {
        if (sample.delay > least) {
            sum_us += static_cast<double>(saturating_difference(sample.delay, least).count());
        }
    }
    double const mean_us = sum_us / std::max(static_cast<double>(current.size()), 1.0);
    return Duration{static_cast<std::int64_t>(std::min(mean_us, delay_us_max))};
}

void Ledbat::drop_old_samples(TimePoint now, Duration rtt)
{
    Duration const age_max = rtt > Duration::zero() ? rtt : config_.cto_initial;
    auto const is_old = [&](Sample const& sample) { return now - sample.at > age_max; };
    std::erase_if(one_way_.current, is_old);
    std::erase_if(round_trip_.current, is_old);
}

/// A slowdown and what follows it is no lack of chunks.
void Ledbat::note_use(TimePoint now, std::size_t flight_bytes)
{
    bool const fills = static_cast<double>(flight_bytes) >= window_ * filled_share;
    if (!fills && !slowdown_.is_on() && now >= refill_.until) {
        filled_since_.reset();
    } else if (!filled_since_) {
        filled_since_ = now;
    }
    is_bulk_ = is_fair() && filled_since_ && now - *filled_since_ >= config_.fills_after;
}

/// Begins or ends a slowdown.
void Ledbat::slow_down(TimePoint now, std::size_t flight_bytes, std::size_t acked_bytes,
                       Duration rtt)
{
    double const mss = config_.mss_bytes;
    double const flight = static_cast<double>(flight_bytes);
    double const window_min = config_.min_window_mss * mss;
    if (refill_.bytes > 0 && now >= refill_.whole_at) {
        // What others kept waiting is no part of the path.
        bool const same_path = refill_.base - base_delay() <= config_.target / 8;
        if (same_path && !overflowed_lately(now)) {
            window_ = std::max(window_, refill_.bytes);
        }
        refill_.whole_at = TimePoint::max();
    }
    if (slowdown_.is_on()) {
        if (flight - static_cast<double>(acked_bytes) <= drained_mss * mss) {
            refill_ = {slowdown_.end(now), now + rtt, now + 3 * rtt, refill_.base};
            window_ = std::max(refill_.bytes * refill_share, window_min);
        }
    } else if (slowdown_.is_due(now) && !slow_start_ && window_ > 2 * drained_mss * mss) {
        slowdown_.begin(now, window_);
        refill_.base = base_delay();
        window_ = window_min;
    }
}

bool Ledbat::overflowed_lately(TimePoint now) const
{
    return overflow_target_ < Duration::max() && now - overflow_at_ < overflow_memory;
}

/// A full queue is as long as any was, and longer than what one calls empty.
bool Ledbat::is_overflow() const
{
    return peaks_.recent() > queue_noise &&
           peaks_.recent() >= scaled(peaks_.of_seconds(), overflow_peak_share);
}

bool Ledbat::is_link_loss() const
{
    Duration const recent = peaks_.recent();
    return recent <= queue_noise || recent <= peaks_.of_seconds() / 2;
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

double Ledbat::growth_bytes(TimePoint now, double acked_bytes, Duration rtt) const
{
    double growth = long_queue_since_ ? 0.0 : acked_bytes;
    if (!slow_start_) {
        growth = is_bulk_ ? fair_growth_bytes(now, acked_bytes, rtt)
                          : config_.gain * off_target() * acked_bytes * config_.mss_bytes / window_;
    }
    if (growth > 0.0 && (one_way_.current.empty() || may_be_lied_to(rtt))) {
        growth = 0.0;
    }
    return growth;
}

double Ledbat::fair_growth_bytes(TimePoint now, double acked_bytes, Duration rtt) const
{
    double const mss = config_.mss_bytes;
    auto const target = static_cast<double>(config_.target.count());
    double const off =
        static_cast<double>((target_delay(now) - mean_queuing_delay()).count()) / target;
    double const rtt_targets = std::max(static_cast<double>(rtt.count()) / target, 1.0);
    double const share = fair_gain / rtt_targets * off;
    double per_round_trip = window_ * std::max(share, -decrease_max);
    if (off > 0) {
        per_round_trip = std::min(std::max(per_round_trip, off * mss), mss) * config_.gain;
    }
    return per_round_trip * acked_bytes / window_;
}

/// RFC 6817 §2.4.2: what is in flight and the allowed increase.
double Ledbat::window_max(TimePoint now, double acked_bytes, double flight_bytes) const
{
    double const allowed_increase = config_.allowed_increase_mss * config_.mss_bytes;
    // One ACK may cover several segments, and in slow start each of them earns one.
    double const headroom =
        slow_start_ ? std::max(allowed_increase, acked_bytes) : allowed_increase;
    double const flight = is_fair() ? flight_.peak() : flight_bytes;
    return (now < refill_.until ? std::max(flight, refill_.bytes) : flight) + headroom;
}

} // namespace ppsp::congestion
