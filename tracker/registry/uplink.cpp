#include "tracker/registry/uplink.hpp"

#include <algorithm>

namespace ppsp::tracker {
namespace {

/// What a receipt covers at most: receivers report this often.
constexpr Duration report_interval = 10s;
/// One report interval and its jitter: every receiver has reported once.
constexpr Duration measure_span = 12s;
/// A viewer's first report comes about that long after it joined. What is sent in less time than
/// this is a burst and no rate.
constexpr Duration first_span_min = 3s;

double seconds(Duration duration)
{
    return std::chrono::duration<double>(duration).count();
}

} // namespace

std::uint64_t ReceiptBudget::take(TimePoint now, std::uint64_t bytes, double weight)
{
    auto const refill = seconds(now - filled_) / seconds(report_interval) * receipt_bytes_max;
    left_ = std::clamp(left_ + refill, 0.0, static_cast<double>(receipt_bytes_max));
    filled_ = now;
    auto const taken = std::min(bytes, static_cast<std::uint64_t>(left_ / weight));
    left_ -= static_cast<double>(taken) * weight;
    return taken;
}

void UplinkMeter::add_receipt(TimePoint now, ReceiptBudget& receiver, std::uint64_t bytes)
{
    bool const is_first = bytes_ == 0 && !is_measured_;
    if (is_first) {
        since_ = std::max(since_, now - report_interval);
    }
    auto const span = is_measured_ ? now - since_ : std::max(now - since_, first_span_min);
    // In a first, short span a byte makes a higher rate, so it costs the receiver more.
    bool const is_short = !is_measured_ && span < report_interval;
    bytes_ += receiver.take(now, bytes, is_short ? seconds(report_interval) / seconds(span) : 1.0);
    bool const is_complete = span >= measure_span;
    if (bytes_ == 0 || (is_measured_ && !is_complete)) {
        return;
    }
    // Of the first span receivers have yet to tell half an interval; later ones also begin in the
    // middle of their intervals.
    bool const is_end_untold = is_complete && !is_measured_;
    auto const told = is_end_untold ? span - report_interval / 2 : span;
    double const kbps = static_cast<double>(bytes_) * 8 / 1000 / seconds(told);
    double const smoothed = is_measured_ ? (proven_kbps_ + kbps) / 2 : kbps;
    proven_kbps_ = static_cast<std::uint32_t>(std::clamp(smoothed, 1.0, 4e9));
    if (is_complete) {
        is_measured_ = true;
        bytes_ = 0;
        since_ = now;
    }
}

} // namespace ppsp::tracker
