#pragma once

#include "protocol/base/time.hpp"

namespace ppsp::peer {

/// RFC 7846 gives no values; these are protocols.md §4.3 and design.md §7 for live swarms.
struct TrackerTimers {
    Duration report_interval = std::chrono::seconds{10}; ///< +- 20 %
    /// A viewer's first report after joining, +- 20 %: its neighbours' uplinks count, and its own
    /// are told, as soon as there is something to tell.
    Duration report_first = std::chrono::seconds{3};
    Duration content_interval = std::chrono::seconds{1}; ///< source: where the stream is
    Duration find_interval_min = std::chrono::seconds{5};
    /// Between questions while nobody is there: grows by half up to the maximum.
    Duration find_interval_waiting = std::chrono::seconds{1};
    Duration find_interval_waiting_max = std::chrono::seconds{5};
    Duration retry_first = std::chrono::seconds{1};
    /// No longer than a report interval, so that a tracker that came back is full again within one;
    /// full jitter makes it the load of ordinary reports.
    Duration retry_max = std::chrono::seconds{10};
    Duration retry_max_joining = std::chrono::seconds{10};
    Duration request_timeout = std::chrono::seconds{5};
    Duration leave_timeout = std::chrono::seconds{1};
};

} // namespace ppsp::peer
