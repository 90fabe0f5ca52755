#include "peer/content/live_clock.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>

namespace ppsp::peer {

void LiveClock::on_munro(TimePoint now, UnitIndex unit, UnixMicros signed_at)
{
    std::int64_t const now_us = now.time_since_epoch().count();
    std::int64_t const offset = now_us - signed_at;
    std::int64_t const minute = now_us / 60'000'000;
    if (minima_.empty() || minima_.back().minute != minute) {
        minima_.push_back({minute, offset});
        if (minima_.size() > minutes_max) {
            minima_.pop_front();
        }
    } else {
        minima_.back().offset_us = std::min(minima_.back().offset_us, offset);
    }
    if (newest_ && unit > *newest_ && signed_at > newest_signed_at_) {
        auto const mean =
            Duration{(signed_at - newest_signed_at_) / static_cast<std::int64_t>(unit - *newest_)};
        // A smooth mean: units of a variable bit rate last differently long. A pause of the source
        // is no long unit.
        unit_duration_ = unit_duration_
                             ? (*unit_duration_ * 15 + std::min(mean, *unit_duration_ * 4)) / 16
                             : mean;
    }
    if (!newest_ || unit > *newest_) {
        newest_ = unit;
        newest_signed_at_ = signed_at;
    }
}

TimePoint LiveClock::local_time(UnixMicros signed_at) const
{
    PPSP_ASSERT(known());
    auto const smallest =
        std::min_element(minima_.begin(), minima_.end(), [](Minute const& a, Minute const& b) {
            return a.offset_us < b.offset_us;
        });
    return TimePoint{Duration{signed_at + smallest->offset_us}};
}

std::optional<TimePoint> LiveClock::expected(UnitIndex unit, Duration nominal) const
{
    if (!newest_) {
        return std::nullopt;
    }
    auto const distance = static_cast<std::int64_t>(unit) - static_cast<std::int64_t>(*newest_);
    return local_time(newest_signed_at_) + unit_duration_.value_or(nominal) * distance;
}

} // namespace ppsp::peer
