#include "protocol/congestion/slowdown.hpp"

#include <algorithm>

namespace ppsp::congestion {

void Slowdown::on_queue(TimePoint now, Duration queuing, Duration target)
{
    double const empty = empty_share * static_cast<double>(target.count());
    if (static_cast<double>(queuing.count()) <= empty) {
        since_.reset();
    } else if (!since_) {
        since_ = now;
    }
}

void Slowdown::begin(TimePoint now, double window_bytes)
{
    since_ = now;
    gap_ = std::min(gap_ * 2, gap_max);
    window_ = window_bytes;
}

void Slowdown::scale(double factor)
{
    if (window_) {
        *window_ *= factor;
    }
}

double Slowdown::end(TimePoint now)
{
    since_ = now;
    double const window = window_.value_or(0.0);
    window_.reset();
    return window;
}

} // namespace ppsp::congestion
