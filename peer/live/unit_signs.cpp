#include "peer/live/unit_signs.hpp"

#include <algorithm>

namespace ppsp::peer {

void UnitSigns::note(TimePoint now, UnitIndex unit)
{
    if (edge_ && unit + remembered <= *edge_) {
        return;
    }
    // A sign of one unit is a sign of those before it that nobody mentioned.
    UnitIndex first = unit;
    if (edge_ && unit > *edge_) {
        first = std::max(*edge_ + 1, unit >= remembered ? unit - remembered + 1 : 0);
    }
    for (UnitIndex at = first; at <= unit; ++at) {
        Sign& sign = signs_[at % remembered];
        if (!sign.set || sign.unit != at) {
            sign = {at, true, now};
        }
    }
    edge_ = std::max(edge_.value_or(unit), unit);
}

std::optional<TimePoint> UnitSigns::first(UnitIndex unit) const
{
    Sign const& sign = signs_[unit % remembered];
    return sign.set && sign.unit == unit ? std::optional{sign.at} : std::nullopt;
}

void UnitSigns::clear()
{
    signs_ = {};
    edge_.reset();
}

} // namespace ppsp::peer
