#include "peer/ingest/timeline.hpp"

#include <algorithm>
#include <limits>

namespace ppsp::ingest {

namespace {

/// Lets the lead follow a sender whose clock is slow: at 75 packets a second by 0.08 %.
constexpr Ticks lead_decay = 1;

} // namespace

void Timeline::begin_session(Follow follow, TimePoint began)
{
    follow_ = follow;
    began_ = began;
    session_open_ = false;
    for (auto& [number, stream] : streams_) {
        stream.seen_in_session = false;
    }
}

Timeline::Times Timeline::place(TimePoint now, int number, std::optional<Ticks> dts,
                                std::optional<Ticks> pts, Ticks duration)
{
    Stream& stream = streams_[number];
    Ticks const in = dts ? *dts : pts.value_or(stream.last_in + stream.last_step);
    Times times;
    if (!session_open_ || !continues(stream, in)) {
        restart(now, stream, in);
        times.restarted = true;
    } else if (!stream.seen_in_session) {
        stream.offset = offset_;
        times.restarted = true;
    }
    Ticks const step = stream.seen_in_session ? std::max<Ticks>(in - stream.last_in, 0) : 0;
    stream.last_step = duration > 0 ? duration : step;
    stream.last_in = in;
    stream.first_in = stream.seen_in_session ? stream.first_in : in;
    stream.seen_in_session = true;

    times.dts = in + stream.offset;
    if (stream.last_out && times.dts <= *stream.last_out) {
        times.dts = *stream.last_out + 1;
    }
    times.pts = std::max(times.dts, pts.value_or(in) + stream.offset);
    stream.last_out = times.dts;
    stream.end_out = times.dts + stream.last_step;
    newest_out_ = times.dts;
    note_lead(now, times.dts);
    end_ = std::max(end_, stream.end_out);
    return times;
}

bool Timeline::continues(Stream const& stream, Ticks dts) const noexcept
{
    Ticks const step = stream.seen_in_session ? dts - stream.last_in : dts + offset_ - newest_out_;
    return step <= forward_jump && step >= -backward_jump;
}

/// The other streams of a sender that started anew follow the first one that shows it; packets of
/// theirs from before the jump may still come in between.
void Timeline::restart(TimePoint now, Stream& stream, Ticks dts)
{
    Ticks const distance = dts + offset_ - newest_out_;
    bool const follows_another =
        session_open_ && distance <= forward_jump && distance >= -backward_jump;
    if (!follows_another) {
        offset_ = next_offset(now, dts);
        follow_ = Follow::after_pause;
        session_open_ = true;
    }
    stream.offset = offset_;
}

Ticks Timeline::next_offset(TimePoint now, Ticks dts) const noexcept
{
    if (!lead_) {
        return end_ - dts;
    }
    if (follow_ == Follow::after_pause) {
        TimePoint const came = session_open_ ? now : began_;
        return std::max(end_, to_ticks(came.time_since_epoch()) + *lead_) - dts;
    }
    // Streams of a file do not begin and end at the same time: the smallest offset at which none of
    // them overlaps itself.
    Ticks offset = std::numeric_limits<Ticks>::min();
    for (auto const& [number, stream] : streams_) {
        offset = std::max(offset, stream.end_out - stream.first_in);
    }
    return offset;
}

void Timeline::note_lead(TimePoint now, Ticks out) noexcept
{
    Ticks const lead = out - to_ticks(now.time_since_epoch());
    lead_ = lead_ ? std::max(*lead_ - lead_decay, lead) : lead;
}

} // namespace ppsp::ingest
