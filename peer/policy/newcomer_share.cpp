#include "peer/policy/newcomer_share.hpp"

#include <algorithm>

namespace ppsp::peer {

bool NewcomerShare::helps(TimePoint now, Asker const& asker, UnitIndex unit, Stream const& stream)
{
    auto const known = helped_.find(asker.peer);
    if (known != helped_.end() && known->second.unit == unit && known->second.chunks_left > 0) {
        known->second.chunks_left -= 1;
        return true;
    }
    std::uint32_t const units = known == helped_.end() ? 0 : known->second.units;
    if (!is_new(asker.known_for) || asker.holds > held_max || units >= units_max) {
        return false;
    }
    double const elapsed =
        static_cast<double>((now - refilled_).count()) /
        static_cast<double>(std::max<Duration>(stream.unit_duration, 1us).count());
    saved_ = std::min(saved_ + elapsed * share * stream.copies, double{units_max});
    refilled_ = now;
    if (saved_ < 1) {
        return false;
    }
    saved_ -= 1;
    helped_[asker.peer] = {units + 1, unit, stream.chunks_per_unit - 1};
    return true;
}

} // namespace ppsp::peer
