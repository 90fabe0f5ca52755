#include "protocol/congestion/queue_peaks.hpp"

namespace ppsp::congestion {

void QueuePeaks::add(TimePoint now, Duration queuing, Duration rtt)
{
    recent_.add(now, queuing, rtt);
    seconds_.add(now, queuing, memory);
}

} // namespace ppsp::congestion
