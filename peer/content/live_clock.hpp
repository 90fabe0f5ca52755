#pragma once

#include "peer/content/unit_grid.hpp"
#include "protocol/base/time.hpp"

#include <deque>
#include <optional>

namespace ppsp::peer {

/// Relation of the source's clock to ours: the smallest (arrival - signing time) seen is taken as
/// the clock offset plus the shortest way, so a wrong wall clock does not matter to the playout.
class LiveClock {
public:
    /// A unit's munro was verified for the first time.
    void on_munro(TimePoint now, UnitIndex unit, UnixMicros signed_at);

    [[nodiscard]] bool known() const { return !minima_.empty(); }
    /// When a unit signed at that time could have been here at the earliest.
    [[nodiscard]] TimePoint local_time(UnixMicros signed_at) const;
    /// Newest unit whose munro was seen.
    [[nodiscard]] std::optional<UnitIndex> newest() const { return newest_; }
    /// The same for a unit whose signing time is not known, by the pace of the stream; nullopt
    /// before the first munro. `nominal` is a unit's duration while two munros were not seen.
    [[nodiscard]] std::optional<TimePoint> expected(UnitIndex unit, Duration nominal) const;
    /// Mean duration of a unit by the newest munro times; nullopt before two of them.
    [[nodiscard]] std::optional<Duration> unit_duration() const { return unit_duration_; }

private:
    /// The offset is a minimum over the last ten minutes, one value per minute: clocks drift.
    static constexpr std::size_t minutes_max = 10;
    struct Minute {
        std::int64_t minute;
        std::int64_t offset_us;
    };
    std::deque<Minute> minima_;
    std::optional<UnitIndex> newest_;
    UnixMicros newest_signed_at_ = 0;
    std::optional<Duration> unit_duration_;
};

} // namespace ppsp::peer
