#include "tracker/registry/uplink.hpp"

#include <algorithm>

namespace ppsp::tracker {
namespace {

/// One report interval and its jitter: every receiver has reported once.
constexpr Duration measure_span = 12s;

} // namespace

void UplinkMeter::add_receipt(TimePoint now, std::uint64_t bytes)
{
    if (!is_started_) {
        is_started_ = true;
        since_ = now - 10s; // the first receipt covers the interval before it
    }
    bytes_ += std::min(bytes, receipt_bytes_max);
    auto const span = now - since_;
    if (span < measure_span) {
        return;
    }
    double const kbps =
        static_cast<double>(bytes_) * 8 / 1000 / std::chrono::duration<double>(span).count();
    double const smoothed = proven_kbps_ == 0 ? kbps : (proven_kbps_ + kbps) / 2;
    proven_kbps_ = static_cast<std::uint32_t>(std::clamp(smoothed, 1.0, 4e9));
    bytes_ = 0;
    since_ = now;
}

} // namespace ppsp::tracker
