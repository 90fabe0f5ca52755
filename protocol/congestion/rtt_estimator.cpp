#include "protocol/congestion/rtt_estimator.hpp"

#include <algorithm>

namespace ppsp::congestion {
namespace {

constexpr Duration timeout_initial = std::chrono::seconds{1};
constexpr Duration timeout_min = std::chrono::milliseconds{200};
constexpr Duration timeout_max = std::chrono::seconds{60};
/// 200 ms doubled nine times exceeds the cap.
constexpr unsigned backoff_max = 9;

} // namespace

void RttEstimator::on_sample(Duration rtt)
{
    if (rtt < Duration::zero()) {
        return;
    }
    rtt = std::min(rtt, timeout_max);
    backoff_ = 0;
    if (!has_sample_) {
        has_sample_ = true;
        smoothed_ = rtt;
        variation_ = rtt / 2;
        minimum_ = rtt;
        return;
    }
    // RFC 6298 §2.3: the variation first, against the smoothed value from before this sample.
    Duration const error = std::chrono::abs(smoothed_ - rtt);
    variation_ = (3 * variation_ + error) / 4;
    smoothed_ = (7 * smoothed_ + rtt) / 8;
    minimum_ = std::min(minimum_, rtt);
}

void RttEstimator::on_timeout()
{
    backoff_ = std::min(backoff_ + 1, backoff_max);
}

Duration RttEstimator::timeout() const
{
    Duration const base =
        has_sample_ ? std::max(smoothed_ + 4 * variation_, timeout_min) : timeout_initial;
    return std::min(base * (1U << backoff_), timeout_max);
}

} // namespace ppsp::congestion
