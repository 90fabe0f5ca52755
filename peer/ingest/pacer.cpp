#include "peer/ingest/pacer.hpp"

#include "peer/ingest/steady.hpp"

namespace ppsp::ingest {

bool Pacer::wait(Ticks dts)
{
    TimePoint const now = steady_now();
    TimePoint const when = due(now, dts);
    if (when <= now) {
        return !stop_->requested();
    }
    return !stop_->wait_until(to_steady(when));
}

TimePoint Pacer::due(TimePoint now, Ticks dts)
{
    if (!anchor_) {
        anchor_ = Anchor{.time = now, .dts = dts};
    }
    TimePoint const own_time = anchor_->time + to_duration(dts - anchor_->dts);
    if (now - own_time > late_max) {
        anchor_ = Anchor{.time = now, .dts = dts};
        return now;
    }
    return own_time - lead_;
}

} // namespace ppsp::ingest
