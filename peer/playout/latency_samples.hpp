#pragma once

#include "protocol/base/time.hpp"

#include <deque>

namespace ppsp::peer {

/// Live latency (source signing to output) of the last ten seconds.
class LatencySamples {
public:
    static constexpr Duration age_max = std::chrono::seconds{10};
    /// 20 units per second make 200; a burst may make more, which then count for less time.
    static constexpr std::size_t samples_max = 1024;

    void add(TimePoint now, Duration latency);
    /// `share` of the samples are not above the result: 0.5 = median. Zero without samples.
    [[nodiscard]] Duration percentile(TimePoint now, double share) const;

private:
    struct Sample {
        TimePoint at;
        Duration latency;
    };
    std::deque<Sample> samples_;
};

} // namespace ppsp::peer
