#include "peer/storage/storage_health.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

/// Answers up to this size say how far the server is, longer ones also how fast.
constexpr std::size_t short_answer = 4096;
constexpr unsigned doublings_max = 6;
constexpr double rate_gain = 0.25;
/// Beyond 10 Gbit/s a transfer takes no time that matters.
constexpr double rate_max = 1.25e9;

} // namespace

void StorageHealth::on_answer(Duration took, std::size_t bytes)
{
    if (!measured_) {
        measured_ = true; // what was believed until then was a guess, or how long it was waited for
        latency_ = std::max(took, Duration{1});
        deviation_ = took / 4;
        return;
    }
    Duration const transfer = took - latency_;
    if (bytes > short_answer && transfer > Duration::zero()) {
        double const rate =
            static_cast<double>(bytes) * 1e6 / static_cast<double>(transfer.count());
        bytes_per_second_ += rate_gain * (std::min(rate, rate_max) - bytes_per_second_);
    }
    Duration const error = took - expected(bytes);
    latency_ = std::max(latency_ + error / 8, Duration{1});
    deviation_ += (std::chrono::abs(error) - deviation_) / 4;
}

void StorageHealth::on_failure(TimePoint now, TimePoint asked, bool others_work)
{
    if (asked < failed_at_) {
        return;
    }
    failed_at_ = now;
    on_probation_ = true;
    is_reliable_ = false;
    Duration const longest = others_work ? pause_max : pause_max_last;
    failed_until_ = std::max(failed_until_, now + std::min(longest, pause_min * (1 << failures_)));
    failures_ = std::min(failures_ + 1, doublings_max);
}

void StorageHealth::on_timeout(Duration waited)
{
    latency_ = std::max(latency_, waited);
    measured_ = false;
}

void StorageHealth::on_lie(TimePoint now, TimePoint asked)
{
    if (asked < lied_at_) {
        return;
    }
    lied_at_ = now;
    is_reliable_ = false;
    lied_until_ = std::max(lied_until_, now + std::min(lie_pause_max, lie_pause * (1 << lies_)));
    lies_ = std::min(lies_ + 1, doublings_max);
}

Duration StorageHealth::expected(std::size_t bytes) const
{
    auto const transfer = static_cast<double>(bytes) * 1e6 / bytes_per_second_;
    return latency_ + Duration{static_cast<Duration::rep>(transfer)};
}

} // namespace ppsp::peer
