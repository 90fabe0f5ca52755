#include "tests/sim/sim_stream.hpp"

#include <algorithm>

namespace ppsp::sim {

SimStream::Cut SimStream::cut(TimePoint now, bool key_frame)
{
    Unit unit;
    unit.cut.unit = next_unit();
    unit.cut.at = now;
    unit.original = media_.next_unit(key_frame, unit.cut.random_access);
    unit.shared = std::make_shared<std::uint8_t[]>(unit_bytes_);
    std::copy(unit.original.begin(), unit.original.end(), unit.shared.get());
    units_.push_back(std::move(unit));
    if (units_.size() > units_kept_) {
        units_.pop_front();
        ++first_;
    }
    return units_.back().cut;
}

SimStream::Unit const* SimStream::find(peer::UnitIndex unit) const
{
    return unit >= first_ && unit < next_unit() ? &units_[unit - first_] : nullptr;
}

Bytes SimStream::payload(peer::UnitIndex unit) const
{
    Unit const* const found = find(unit);
    return found == nullptr ? Bytes{} : Bytes{found->original};
}

std::optional<TimePoint> SimStream::cut_at(peer::UnitIndex unit) const
{
    Unit const* const found = find(unit);
    return found == nullptr ? std::nullopt : std::optional{found->cut.at};
}

bool SimStream::matches(std::uint64_t position, Bytes bytes) const
{
    while (!bytes.empty()) {
        Unit const* const unit = find(position / unit_bytes_);
        if (unit == nullptr) {
            return false;
        }
        std::size_t const offset = position % unit_bytes_;
        std::size_t const count = std::min(bytes.size(), unit_bytes_ - offset);
        if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count),
                        unit->original.begin() + static_cast<std::ptrdiff_t>(offset))) {
            return false;
        }
        bytes = bytes.subspan(count);
        position += count;
    }
    return true;
}

std::shared_ptr<std::uint8_t[]> SimStream::room(peer::UnitIndex unit, std::size_t bytes)
{
    Unit const* const found = find(unit);
    return found != nullptr && bytes == unit_bytes_ ? found->shared
                                                    : std::make_shared<std::uint8_t[]>(bytes);
}

} // namespace ppsp::sim
