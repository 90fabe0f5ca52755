#include "peer/playout/start_units.hpp"

#include "peer/playout/random_access_finder.hpp"

namespace ppsp::peer {
namespace {

/// From the unit before to the second one behind: a PAT at the end of the next unit is followed by
/// its key frame there.
constexpr UnitIndex behind = 1;
constexpr UnitIndex ahead = 2;

UnitIndex first_around(UnitIndex unit)
{
    return unit > behind ? unit - behind : 0;
}

std::uint32_t complete_around(LiveStore const& store, UnitIndex unit)
{
    std::uint32_t complete = 0;
    for (UnitIndex other = first_around(unit); other <= unit + ahead; ++other) {
        complete = complete << 1U | (store.complete(other) ? 1U : 0U);
    }
    return complete;
}

bool begins_around(LiveStore const& store, UnitIndex unit)
{
    RandomAccessFinder finder;
    std::uint64_t const unit_bytes =
        std::uint64_t{store.grid().chunks_per_unit()} * store.chunk_size();
    for (UnitIndex other = first_around(unit); other <= unit + ahead; ++other) {
        if (!store.complete(other)) {
            continue; // the finder sees the gap
        }
        auto const start = finder.feed(other * unit_bytes, store.find(other)->payload);
        UnitIndex const at = start ? *start / unit_bytes : unit + ahead;
        if (at <= unit + 1) {
            return true;
        }
    }
    return false;
}

} // namespace

bool StartUnits::contains(LiveStore const& store, UnitIndex unit)
{
    std::uint32_t const complete = complete_around(store, unit);
    Answer& answer = answers_[unit];
    if (!answer.begins && answer.complete != complete) {
        answer = {complete, begins_around(store, unit)};
    }
    bool const begins = answer.begins;
    if (answers_.size() > remembered_max) {
        answers_.erase(answers_.begin());
    }
    return begins;
}

} // namespace ppsp::peer
