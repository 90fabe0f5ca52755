#pragma once

#include "peer/content/live_clock.hpp"
#include "peer/content/live_store.hpp"
#include "peer/playout/latency_samples.hpp"
#include "peer/playout/random_access_finder.hpp"
#include "peer/playout/ready_lags.hpp"
#include "protocol/base/time.hpp"

#include <optional>
#include <vector>

namespace ppsp::peer {

/// A stretch of media that leaves the engine; `bytes` points into the store.
struct PlayoutPiece {
    UnitIndex unit = 0;
    std::uint64_t position = 0;
    Bytes bytes;
    UnixMicros signed_at = 0;
    bool discontinuity = false;
};

/// What happened to the schedule since the last look.
struct PlayoutNews {
    std::optional<UnitIndex> started;
    std::optional<UnitIndex> stalled;
    std::optional<Duration> resumed_after;
    std::vector<std::pair<UnitIndex, UnitIndex>> skipped; ///< given up: first, next played
};

/// Hands the stream out in order and on time: a unit is due `latency` after it could have been here
/// at the earliest (munro time + smallest transit seen). Starts at a random access point, waits for
/// a missing unit, and gives it up when nothing comes for too long and a later start is at hand.
class Playout {
public:
    static constexpr Duration latency_default = std::chrono::milliseconds{800};
    static constexpr Duration latency_min = std::chrono::milliseconds{300};
    static constexpr Duration latency_max = std::chrono::seconds{5};
    /// For what storage would bring otherwise; half a second below what a viewer may be behind.
    static constexpr Duration latency_patient_max = std::chrono::milliseconds{2500};
    /// A start that is overdue by more than that makes a player run late; a later one is better.
    static constexpr Duration start_overdue_max = std::chrono::milliseconds{200};
    /// A joiner whose latency is automatic waits for the first start until it is that much overdue:
    /// a picture soon is worth being further behind for a while.
    static constexpr Duration first_overdue_max = std::chrono::milliseconds{1500};
    /// Long enough to see the next key frame of a well-made stream; then any start will do.
    static constexpr Duration start_patience = std::chrono::milliseconds{2500};
    /// Behind schedule by this much is a stall (design §7).
    static constexpr Duration stall_threshold = std::chrono::milliseconds{100};
    /// A missing unit is waited for that long past its time before it is left out alone, if what
    /// comes behind it is here: sound goes on, and the picture has flaws until the next key frame.
    static constexpr Duration leave_out_after = std::chrono::milliseconds{1000};
    /// Units in a row that are left out that way: what is longer needs a new start anyway.
    static constexpr UnitIndex leave_out_max = 10;
    /// Without anything behind it, it is waited for that long before the playout jumps.
    static constexpr Duration give_up = std::chrono::milliseconds{2000};
    /// While the pace of the stream is not known.
    static constexpr Duration unit_duration_guess = std::chrono::milliseconds{50};

    Playout(PlayoutConfig const& config, TimePoint joined);

    struct Inputs {
        TimePoint now;
        LiveStore const& store;
        LiveClock const& clock;
        UnixMicros utc_at_zero;
        /// First sign of the unit that is waited for.
        std::optional<TimePoint> next_sign;
    };
    /// Fetching begins with this unit.
    void begin(UnitIndex first);
    [[nodiscard]] bool begun() const { return begun_; }
    /// Nothing before this unit is wanted any more; while a start is searched for.
    void skip_to(UnitIndex first);
    /// Moves on; pieces stay valid until the store changes.
    void advance(Inputs const& in, std::vector<PlayoutPiece>& pieces, PlayoutNews& news);
    /// When `advance` has something to do by time alone.
    [[nodiscard]] std::optional<TimePoint> deadline() const { return deadline_; }

    /// First unit that is still needed.
    [[nodiscard]] UnitIndex first_wanted() const;
    [[nodiscard]] std::optional<TimePoint> due(UnitIndex unit, LiveStore const& store,
                                               LiveClock const& clock, UnixMicros utc_at_zero,
                                               std::optional<TimePoint> sign) const;
    [[nodiscard]] Duration latency() const { return latency_; }
    /// A start further behind the newest unit than that is not worth searching for.
    [[nodiscard]] Duration behind_max() const
    {
        return automatic_ ? latency_max : latency_ + give_up;
    }
    /// Peers could bring more in time if there were more of it: an automatic latency gets longer,
    /// by a tenth of the playing time, up to `latency_patient_max`, and stays so for ten seconds.
    void wait_longer(TimePoint now);
    /// An automatic latency does not come down below this, nor begin there; `latency_min` anyway.
    void set_latency_floor(Duration floor);
    [[nodiscard]] std::optional<UnitIndex> newest_random_access() const { return newest_start_; }
    [[nodiscard]] bool playing() const { return state_ == State::playing; }

    struct Counters {
        std::optional<Duration> startup;
        std::uint64_t chunks_due = 0;
        std::uint64_t chunks_in_time = 0;
        std::uint64_t stalls = 0;
        Duration stall_time{};
        std::uint64_t media_bytes = 0;
        std::uint64_t skipped_units = 0;
    };
    [[nodiscard]] Counters const& counters() const { return counters_; }
    [[nodiscard]] LatencySamples const& latencies() const { return latencies_; }

private:
    enum class State : std::uint8_t { searching, playing };
    struct Start {
        UnitIndex unit;
        std::uint64_t position;
        TimePoint found;
    };

    void follow_clock(Inputs const& in);
    void scan(Inputs const& in);
    bool look_ahead(Inputs const& in);
    void note_start(Inputs const& in, std::uint64_t position);
    void try_start(Inputs const& in, PlayoutNews& news);
    void start_at(Inputs const& in, Start const& start, PlayoutNews& news);
    void play(Inputs const& in, std::vector<PlayoutPiece>& pieces, PlayoutNews& news);
    void hand_out(Inputs const& in, StoredUnit const& unit, std::vector<PlayoutPiece>& pieces);
    void count_due(Inputs const& in, UnitIndex unit, TimePoint due);
    void note_unseen_gap(Inputs const& in, TimePoint due, PlayoutNews& news);
    void begin_stall(TimePoint since, PlayoutNews& news);
    void note_lateness(Duration late);
    void note_ready(Inputs const& in);
    void consider_lower_latency(TimePoint now);
    void wait_for(Inputs const& in, TimePoint due, PlayoutNews& news);
    [[nodiscard]] std::optional<UnitIndex> next_whole(Inputs const& in) const;
    void leave_out(Inputs const& in, UnitIndex next, PlayoutNews& news);
    void count_left_out(Inputs const& in, UnitIndex next);
    [[nodiscard]] std::optional<TimePoint> due_of(Inputs const& in, UnitIndex unit) const;

    bool automatic_;
    Duration latency_;
    Duration latency_floor_ = latency_min;
    TimePoint joined_;
    bool begun_ = false;
    State state_ = State::searching;
    bool played_before_ = false;
    std::optional<TimePoint> search_since_;

    RandomAccessFinder finder_;
    UnitIndex next_scan_ = 0;
    std::vector<Start> starts_;
    std::optional<UnitIndex> newest_start_;

    UnitIndex next_out_ = 0;
    std::uint64_t start_position_ = 0; ///< of the first piece after a start
    bool first_piece_ = false;
    std::optional<UnitIndex> gave_up_from_;
    std::optional<UnitIndex> counted_; ///< newest unit counted as due
    std::optional<TimePoint> stalled_since_;
    bool is_blind_ = false;  ///< nothing of the next unit was here when the one before was played
    bool was_blind_ = false; ///< units come that were overdue before anything of them was here
    std::optional<TimePoint> deadline_;

    std::optional<TimePoint> clock_base_; ///< what the clock made of a fixed time at last
    UnixMicros last_signed_at_ = 0;       ///< of the unit handed out last
    UnitIndex next_ready_ = 0;            ///< first unit from `next_out_` on that is not whole
    ReadyLags ready_lags_;
    TimePoint quiet_since_{}; ///< nothing was late since then
    TimePoint lowered_{};
    TimePoint raised_{};
    TimePoint started_at_{};

    Counters counters_;
    LatencySamples latencies_;
};

} // namespace ppsp::peer
