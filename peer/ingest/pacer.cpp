#include "peer/ingest/pacer.hpp"

namespace ppsp::ingest {

bool Pacer::wait(Ticks dts)
{
    using Steady = std::chrono::steady_clock;
    auto const since_boot = Steady::now().time_since_epoch();
    TimePoint const now{std::chrono::duration_cast<Duration>(since_boot)};
    TimePoint const when = due(now, dts);
    if (when <= now) {
        return !stop_->requested();
    }
    return !stop_->wait_until(Steady::time_point{when.time_since_epoch()});
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
