#pragma once

#include "peer/content/unit_grid.hpp"
#include "protocol/base/time.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace ppsp::peer {

/// What a neighbour's word was worth so far. What it announced may not come when it is asked for:
/// that happens to the honest, too, when much is asked of them, so it only makes a neighbour
/// doubtful for a while. Chunks that no munro proves come from the honest only when a datagram got
/// lost; several in a row make a liar, and so do units announced before they were made.
class Trust {
public:
    /// Units asked for that are remembered; the oldest gives way.
    static constexpr std::size_t asked_max = 64;
    /// So long after the last chunk from it, beside two round trips, what it was asked for should
    /// have come: pulls wait for new units, and a poor uplink takes its time.
    static constexpr Duration patience = std::chrono::milliseconds{600};
    /// Who kept us waiting that long beside a round trip is to blame although we took the request
    /// back.
    static constexpr Duration release_patience = std::chrono::milliseconds{150};
    /// One word kept halves the count, so it takes three failures in four to get there.
    static constexpr std::uint32_t broken_max = 4;
    /// Doubtful for that long, twice as long if it goes on, and so on.
    static constexpr Duration doubt = std::chrono::seconds{2};
    static constexpr std::uint32_t doublings_max = 5;
    /// Units in a row without a munro that make a liar; a good munro halves their count.
    static constexpr std::uint32_t unproven_max = 6;
    /// A neighbour may be that much nearer to the source than the shortest way on which units came
    /// to us lately; what it announces earlier than this does not exist.
    static constexpr Duration early_max = std::chrono::seconds{1};
    /// Announcements of what did not exist that make a liar.
    static constexpr std::uint32_t invented_max = 3;

    /// A unit that it announced was asked of it.
    void asked(TimePoint now, UnitIndex unit);
    /// A chunk of the unit came from it and was proven.
    void kept(TimePoint now, UnitIndex unit);
    /// The unit need not come any more.
    void released(TimePoint now, UnitIndex unit, Duration round_trip);
    /// Looks for what did not come in time.
    void expire(TimePoint now, Duration round_trip);
    /// Units that are excused with one whose munro was not checked: a second of a stream.
    static constexpr UnitIndex excused_units = 20;

    /// A munro of the unit came, and there was no time to check it: that nothing proves its chunks
    /// is not the neighbour's fault.
    void not_checked(UnitIndex unit) { not_checked_ = std::max(not_checked_.value_or(0), unit); }
    /// Unproven units that are remembered: what a neighbour sends at the same time.
    static constexpr std::size_t unproven_units_max = 16;
    /// A chunk of the unit came, and no munro with it.
    void unproven(UnitIndex unit);
    /// The first good munro of a unit came from it.
    void proved()
    {
        unproven_ /= 2;
        has_proved_ = true;
    }
    [[nodiscard]] bool has_proved() const { return has_proved_; }
    /// It announced a unit that is early for the pace of the stream. A stream may become faster:
    /// only the signing times tell whether the unit existed.
    void announced_early(TimePoint now, UnitIndex unit);
    /// A munro of the unit came, which was made at `made` as we would see it on the shortest way.
    void settle(TimePoint now, UnitIndex unit, TimePoint made);

    /// Others are to be asked first.
    [[nodiscard]] bool is_doubtful(TimePoint now) const { return now < doubted_until_; }
    [[nodiscard]] bool is_liar() const
    {
        return unproven_ >= unproven_max || invented_ >= invented_max;
    }

private:
    struct Asked {
        UnitIndex unit = 0;
        TimePoint at{};
    };
    void note_broken(TimePoint now);

    std::vector<Asked> asked_;   ///< oldest first
    std::optional<Asked> early_; ///< announced early, and when; one at a time
    std::uint32_t invented_ = 0;
    TimePoint kept_at_{};
    std::uint32_t broken_ = 0;
    std::uint32_t unproven_ = 0;
    bool has_proved_ = false;
    /// The last ones, oldest first: chunks of several units come by turns.
    std::vector<UnitIndex> unproven_units_;
    std::optional<UnitIndex> not_checked_; ///< the newest one
    std::uint32_t doubts_ = 0;             ///< since it kept its word last
    TimePoint doubted_until_{};
};

} // namespace ppsp::peer
