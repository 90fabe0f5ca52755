#pragma once

#include "protocol/base/rng.hpp"
#include "protocol/base/time.hpp"

#include <algorithm>

namespace ppsp::peer {

/// How long to wait before trying again: a random part of 1, 2, 4, ... times the first limit. Full
/// jitter spreads the clients of a restarted tracker over the whole interval.
class Backoff {
public:
    explicit Backoff(Rng rng, Duration first = std::chrono::seconds{1}) : rng_(rng), first_(first)
    {}

    /// Between 0 and the limit of this failure, which never exceeds `cap`.
    [[nodiscard]] Duration next(Duration cap)
    {
        Duration const limit = std::min(cap, first_ * (std::int64_t{1} << failures_));
        failures_ = std::min(failures_ + 1, failures_counted_max);
        return Duration{rng_.between(0, limit.count())};
    }
    void reset() { failures_ = 0; }

private:
    /// 2^10 s is above every cap.
    static constexpr int failures_counted_max = 10;

    Rng rng_;
    Duration first_;
    int failures_ = 0;
};

/// `interval` within `share` either way: 10 s and 0.2 give 8..12 s.
[[nodiscard]] inline Duration jittered(Rng& rng, Duration interval, double share)
{
    auto const spread = static_cast<std::int64_t>(static_cast<double>(interval.count()) * share);
    return interval + Duration{rng.between(-spread, spread)};
}

} // namespace ppsp::peer
