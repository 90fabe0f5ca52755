#include "protocol/congestion/queue_peaks.hpp"

#include <algorithm>

namespace ppsp::congestion {

void QueuePeaks::add(TimePoint now, Duration queuing, Duration rtt)
{
    recent_.add(now, queuing, rtt);
    seconds_.add(now, queuing, memory);
}

void QueuePeaks::Pair::add(TimePoint now, Duration value, Duration length)
{
    Duration const passed = now - since;
    if (passed >= length) {
        before = passed < 2 * length ? running : Duration::zero();
        running = Duration::zero();
        since = now;
    }
    running = std::max(running, value);
}

} // namespace ppsp::congestion
