#pragma once

#include "protocol/base/time.hpp"

#include <cstdint>
#include <map>
#include <optional>

namespace ppsp::ingest {

/// MPEG-TS time: 90 kHz.
using Ticks = std::int64_t;

inline constexpr Ticks ticks_per_second = 90'000;

[[nodiscard]] constexpr Ticks to_ticks(Duration time) noexcept
{
    return time.count() * 9 / 100;
}

[[nodiscard]] constexpr Duration to_duration(Ticks ticks) noexcept
{
    return Duration{ticks * 100 / 9};
}

/// Puts the timestamps of one input after the other on one line that never goes back: loops of a
/// file, publishers that come again, senders that restart in the middle of a pipe.
class Timeline {
public:
    /// Room for timestamps a little before the first one (audio priming, late interleaving).
    static constexpr Ticks start = ticks_per_second;
    /// A larger step forward of one stream means that the sender started anew.
    static constexpr Ticks forward_jump = 3 * ticks_per_second;
    static constexpr Ticks backward_jump = ticks_per_second / 2;

    enum class Follow : std::uint8_t {
        at_once,    ///< the same input again, exactly where it ended: a loop
        after_pause ///< as much later as it came later, so that viewers' clocks stay right
    };

    struct Times {
        Ticks dts = 0;
        Ticks pts = 0;
        bool restarted = false; ///< the stream does not follow from its packet before
    };

    /// The packets that follow are of another input, the first of which came at `began`: by the
    /// time it is placed, probing may have read on for a second.
    void begin_session(Follow follow, TimePoint began);

    /// Places a packet of `stream`. A missing dts is taken from pts, or from the packet before.
    [[nodiscard]] Times place(TimePoint now, int stream, std::optional<Ticks> dts,
                              std::optional<Ticks> pts, Ticks duration);

    /// Where the newest packet ends.
    [[nodiscard]] Ticks end() const noexcept { return end_; }

private:
    struct Stream {
        Ticks offset = 0;
        Ticks last_in = 0;
        Ticks last_step = 0;
        Ticks first_in = 0; ///< of the session
        Ticks end_out = 0;
        bool seen_in_session = false;
        std::optional<Ticks> last_out;
    };

    [[nodiscard]] bool continues(Stream const& stream, Ticks dts) const noexcept;
    void restart(TimePoint now, Stream& stream, Ticks dts);
    [[nodiscard]] Ticks next_offset(TimePoint now, Ticks dts) const noexcept;
    void note_lead(TimePoint now, Ticks out) noexcept;

    std::map<int, Stream> streams_;
    Follow follow_ = Follow::at_once;
    bool session_open_ = false;
    Ticks offset_ = 0;
    Ticks end_ = start;
    Ticks newest_out_ = start;
    TimePoint began_{};
    /// Output time minus clock, of the packets that came earliest for their time: late ones (the
    /// rest that a demuxer gives away at the end) say nothing about when the sender stopped.
    std::optional<Ticks> lead_;
};

} // namespace ppsp::ingest
