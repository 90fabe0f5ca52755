#include "peer/channel/trust.hpp"

#include <algorithm>

namespace ppsp::peer {

void Trust::asked(TimePoint now, UnitIndex unit)
{
    bool const known = std::any_of(asked_.begin(), asked_.end(),
                                   [unit](Asked const& one) { return one.unit == unit; });
    if (known) {
        return;
    }
    if (asked_.size() >= asked_max) {
        asked_.erase(asked_.begin());
    }
    asked_.push_back({unit, now});
}

void Trust::kept(TimePoint now, UnitIndex unit)
{
    kept_at_ = now;
    broken_ /= 2;
    doubts_ = 0;
    std::erase_if(asked_, [unit](Asked const& one) { return one.unit == unit; });
}

void Trust::released(TimePoint now, UnitIndex unit, Duration round_trip)
{
    auto const at = std::find_if(asked_.begin(), asked_.end(),
                                 [unit](Asked const& one) { return one.unit == unit; });
    if (at == asked_.end()) {
        return;
    }
    bool const late = now - std::max(at->at, kept_at_) >= round_trip + release_patience;
    asked_.erase(at);
    if (late) {
        note_broken(now);
    }
}

/// What was asked together and did not come is one failure: a burst of losses is no lie.
void Trust::expire(TimePoint now, Duration round_trip)
{
    auto const gone = std::erase_if(asked_, [&](Asked const& one) {
        return now - std::max(one.at, kept_at_) >= round_trip * 2 + patience;
    });
    if (gone > 0) {
        note_broken(now);
    }
}

void Trust::unproven(UnitIndex unit)
{
    if (not_checked_ && unit <= *not_checked_ && *not_checked_ - unit < excused_units) {
        return;
    }
    auto& units = unproven_units_;
    if (std::find(units.begin(), units.end(), unit) != units.end()) {
        return;
    }
    if (units.size() >= unproven_units_max) {
        units.erase(units.begin());
    }
    units.push_back(unit);
    unproven_ += 1;
}

void Trust::announced_early(TimePoint now, UnitIndex unit)
{
    if (!early_) {
        early_ = Asked{unit, now};
    }
}

/// Units are made one after the other: one before it that was made too late for it is proof. That
/// the munro itself came late is wanted as well, for a source's clock may have been set forward.
void Trust::settle(TimePoint now, UnitIndex unit, TimePoint made)
{
    if (!early_) {
        return;
    }
    if (unit <= early_->unit && std::min(now, made) > early_->at + early_max) {
        invented_ += 1;
        early_.reset();
    } else if (unit >= early_->unit) {
        early_.reset();
    }
}

/// After a doubtful time one more failure is enough for the next.
void Trust::note_broken(TimePoint now)
{
    broken_ += 1;
    if (broken_ < broken_max || is_doubtful(now)) {
        return;
    }
    broken_ = broken_max - 1;
    doubted_until_ = now + doubt * (1 << doubts_);
    doubts_ = std::min(doubts_ + 1, doublings_max);
}

} // namespace ppsp::peer
