#include "player/bridge/delay_tracker.hpp"

#include <algorithm>

namespace ppsp::player {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

/// Beyond the year 2255 a timestamp is a mistake, and sums with it stay exact below.
constexpr std::int64_t utc_us_max = std::int64_t{1} << 53;

} // namespace

void DelayTracker::note(Clock::time_point now, std::int64_t signed_at_us, Milliseconds target)
{
    if (!first_target_) {
        first_target_ = target;
    }
    announced_ = std::max(Milliseconds{0}, target - *first_target_);
    if (signed_at_us <= 0 || signed_at_us > utc_us_max) {
        return;
    }
    // Two clocks: only the change of the difference means anything.
    auto const age =
        duration_cast<microseconds>(now.time_since_epoch()) - microseconds{signed_at_us};
    if (!first_age_) {
        first_age_ = age;
    }
    auto const lateness = duration_cast<Milliseconds>(age - *first_age_) - extra();
    if (lateness < -change_max || lateness > change_max) {
        first_age_ = age - extra();
        recent_.clear();
        return;
    }
    note_lateness(now, lateness);
}

void DelayTracker::note_lateness(Clock::time_point now, Milliseconds lateness)
{
    if (lateness <= tolerance) {
        recent_.clear(); // in time: whatever came before was a hiccup
        return;
    }
    recent_.emplace_back(now, lateness);
    if (recent_.size() > lateness_max) {
        recent_.pop_front();
    }
    if (now - recent_.front().first < settle_time) {
        return;
    }
    auto const smallest =
        std::ranges::min_element(recent_, {}, [](auto const& piece) { return piece.second; });
    unannounced_ += smallest->second;
    recent_.clear();
}

} // namespace ppsp::player
