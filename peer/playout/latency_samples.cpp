#include "peer/playout/latency_samples.hpp"

#include <algorithm>
#include <vector>

namespace ppsp::peer {

void LatencySamples::add(TimePoint now, Duration latency)
{
    samples_.push_back({now, latency});
    while (samples_.size() > samples_max || now - samples_.front().at > age_max) {
        samples_.pop_front();
    }
}

Duration LatencySamples::percentile(TimePoint now, double share) const
{
    std::vector<Duration> recent;
    for (Sample const& sample : samples_) {
        if (now - sample.at <= age_max) {
            recent.push_back(sample.latency);
        }
    }
    if (recent.empty()) {
        return Duration::zero();
    }
    auto const rank = std::min(
        recent.size() - 1, static_cast<std::size_t>(share * static_cast<double>(recent.size())));
    std::nth_element(recent.begin(), recent.begin() + static_cast<std::ptrdiff_t>(rank),
                     recent.end());
    return recent[rank];
}

} // namespace ppsp::peer
