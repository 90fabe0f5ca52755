#include "peer/playout/playout.hpp"

#include "peer/chunker/ts_packet.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace ppsp::peer {

Playout::Playout(PlayoutConfig const& config, TimePoint joined)
    : automatic_(!config.latency), latency_(config.latency.value_or(latency_default)),
      joined_(joined)
{}

void Playout::set_latency_floor(Duration floor)
{
    latency_floor_ = std::clamp(floor, latency_min, latency_max);
    if (automatic_ && state_ == State::searching) {
        latency_ = std::max(latency_, latency_floor_);
    }
}

void Playout::wait_longer(TimePoint now)
{
    constexpr Duration gap = 1s;
    constexpr Duration step = 100ms;
    constexpr Duration hold = 5s; // beside the quiet that a lower latency waits for anyway
    if (automatic_ && state_ == State::playing && now - raised_ >= gap &&
        latency_ < latency_patient_max) {
        raised_ = now;
        quiet_since_ = now + hold;
        latency_ += step;
    }
}

void Playout::begin(UnitIndex first)
{
    begun_ = true;
    next_scan_ = first;
    next_out_ = first;
}

void Playout::skip_to(UnitIndex first)
{
    if (state_ != State::searching || first <= first_wanted()) {
        return;
    }
    next_out_ = std::max(next_out_, first);
    next_scan_ = std::max(next_scan_, first);
    std::erase_if(starts_, [&](Start const& start) { return start.unit < first; });
}

void Playout::advance(Inputs const& in, std::vector<PlayoutPiece>& pieces, PlayoutNews& news)
{
    deadline_.reset();
    if (!begun_ || !in.clock.known()) {
        return;
    }
    follow_clock(in);
    scan(in);
    if (state_ == State::searching) {
        try_start(in, news);
    }
    if (state_ == State::playing) {
        note_ready(in);
        play(in, pieces, news);
    }
}

/// A shorter way to the source was found, or the shortest one forgotten: what was the latency above
/// the old one is another above the new one, for the same schedule, in the first seconds. A joiner
/// that began with old units would stall otherwise, as soon as it sees the first new one.
void Playout::follow_clock(Inputs const& in)
{
    TimePoint const base = in.clock.local_time(in.utc_at_zero);
    constexpr Duration just_started = 30s;
    constexpr Duration shift_max = 1s; // beyond that it is another clock
    bool const follows =
        automatic_ && state_ == State::playing && in.now - started_at_ < just_started;
    if (follows && clock_base_) {
        Duration const shift = *clock_base_ - base;
        latency_ += std::chrono::abs(shift) <= shift_max ? shift : Duration::zero();
        latency_ = std::clamp(latency_, latency_min, latency_max);
    }
    clock_base_ = base;
}

UnitIndex Playout::first_wanted() const
{
    return state_ == State::playing || starts_.empty() ? next_out_ : starts_.front().unit;
}

std::optional<TimePoint> Playout::due(UnitIndex unit, LiveStore const& store,
                                      LiveClock const& clock, UnixMicros utc_at_zero,
                                      std::optional<TimePoint> sign) const
{
    if (StoredUnit const* stored = store.find(unit); stored != nullptr && clock.known()) {
        // Any time of this decade serves to pick the NTP era.
        return clock.local_time(from_ntp(stored->signed_at, utc_at_zero)) + latency_;
    }
    if (sign) {
        return *sign + latency_;
    }
    // Later units are here: this one is due although nobody brought it or spoke of it.
    if (clock.newest() && unit < *clock.newest()) {
        return *clock.expected(unit, unit_duration_guess) + latency_;
    }
    return std::nullopt;
}

std::optional<TimePoint> Playout::due_of(Inputs const& in, UnitIndex unit) const
{
    auto const result = due(unit, in.store, in.clock, in.utc_at_zero,
                            unit == next_out_ ? in.next_sign : std::nullopt);
    bool const guessed = result && in.store.find(unit) == nullptr;
    if (!guessed || unit != next_out_ || last_signed_at_ == 0) {
        return result;
    }
    // The pace tells little while two or three munros were seen: a unit comes after the one before.
    TimePoint const after = in.clock.local_time(last_signed_at_) + latency_;
    return std::max(*result, after + in.clock.unit_duration().value_or(unit_duration_guess));
}

/// Looks for starts in complete units, in order. Before the first output a unit that stays away too
/// long is stepped over, and so is one behind which a start is whole already; afterwards the
/// playout decides what is given up.
void Playout::scan(Inputs const& in)
{
    auto const newest = in.store.newest_complete();
    Duration const patience = automatic_ && !played_before_ ? first_overdue_max : start_overdue_max;
    next_scan_ = std::max(next_scan_, in.store.oldest_kept());
    while (newest && next_scan_ <= *newest) {
        if (!in.store.complete(next_scan_)) {
            if (state_ == State::playing) {
                return;
            }
            auto const due = due_of(in, next_scan_);
            bool const late = !due || in.now > *due + patience;
            if (!late && (!starts_.empty() || !look_ahead(in))) {
                return;
            }
            next_scan_ += late ? 1 : 0;
            continue;
        }
        StoredUnit const* unit = in.store.find(next_scan_);
        std::uint64_t const position =
            to_number(in.store.grid().first_chunk(next_scan_)) * in.store.chunk_size();
        if (auto const start = finder_.feed(position, unit->payload)) {
            note_start(in, *start);
        }
        ++next_scan_;
    }
}

/// Whether a later start is whole although earlier units are missing; the scan goes on behind it.
bool Playout::look_ahead(Inputs const& in)
{
    RandomAccessFinder finder;
    UnitIndex const newest = *in.store.newest_complete();
    for (UnitIndex unit = next_scan_ + 1; unit <= newest; ++unit) {
        if (!in.store.complete(unit)) {
            continue; // the finder sees the gap
        }
        std::uint64_t const position =
            to_number(in.store.grid().first_chunk(unit)) * in.store.chunk_size();
        if (auto const start = finder.feed(position, in.store.find(unit)->payload)) {
            finder_ = finder;
            next_scan_ = unit + 1;
            note_start(in, *start);
            return true;
        }
    }
    return false;
}

void Playout::note_start(Inputs const& in, std::uint64_t position)
{
    // The PAT may lie at the end of the unit before.
    UnitIndex const at = position / in.store.chunk_size() / in.store.grid().chunks_per_unit();
    newest_start_ = at;
    if (state_ == State::searching) {
        starts_.push_back({at, position, in.now});
    }
}

void Playout::try_start(Inputs const& in, PlayoutNews& news)
{
    if (starts_.empty()) {
        return;
    }
    if (!search_since_) {
        search_since_ = in.now;
    }
    auto const overdue = [&](Start const& start) {
        auto const due = due_of(in, start.unit);
        return due ? in.now - *due : latency_max;
    };
    while (starts_.size() > 1 && overdue(starts_.front()) > start_overdue_max) {
        starts_.erase(starts_.begin());
    }
    Start const start = starts_.front();
    Duration const late = overdue(start);
    if (late < Duration::zero()) {
        deadline_ = in.now - late;
        return;
    }
    if (automatic_ && late + latency_ <= latency_max) {
        // A picture at once, as far behind as the key frame is; latency comes down later.
        latency_ = std::max(latency_, latency_ + late);
        start_at(in, start, news);
        return;
    }
    if (late <= start_overdue_max || in.now - *search_since_ > start_patience) {
        start_at(in, start, news);
        return;
    }
    deadline_ = *search_since_ + start_patience + 1ms;
}

void Playout::start_at(Inputs const& in, Start const& start, PlayoutNews& news)
{
    state_ = State::playing;
    started_at_ = in.now;
    next_out_ = start.unit;
    start_position_ = start.position;
    first_piece_ = true;
    starts_.clear();
    search_since_.reset();
    quiet_since_ = in.now;
    next_ready_ = start.unit;
    last_signed_at_ = 0;
    if (!played_before_) {
        counters_.startup = in.now - joined_;
        news.started = start.unit;
    }
    if (gave_up_from_) {
        news.skipped.emplace_back(*gave_up_from_, start.unit);
        counters_.skipped_units += start.unit > *gave_up_from_ ? start.unit - *gave_up_from_ : 0;
        gave_up_from_.reset();
        count_left_out(in, start.unit);
    }
}

/// What is left out before `next` was due, and did not come.
void Playout::count_left_out(Inputs const& in, UnitIndex next)
{
    UnitIndex const uncounted = counted_.value_or(next) + 1;
    counters_.chunks_due +=
        next > uncounted ? (next - uncounted) * in.store.grid().chunks_per_unit() : 0;
}

void Playout::play(Inputs const& in, std::vector<PlayoutPiece>& pieces, PlayoutNews& news)
{
    Inputs inputs = in;
    for (;;) {
        auto const due = due_of(inputs, next_out_);
        if (!due) {
            is_blind_ = true;
            return;
        }
        if (in.now < *due) {
            is_blind_ = is_blind_ && in.store.find(next_out_) == nullptr;
            deadline_ = *due;
            return;
        }
        note_unseen_gap(inputs, *due, news);
        count_due(in, next_out_, *due);
        if (!in.store.complete(next_out_)) {
            auto const next = in.now < *due + leave_out_after ? std::nullopt : next_whole(in);
            // What is missing while the playout catches up belongs to the stall before.
            if (!next || pieces.empty()) {
                wait_for(in, *due, news);
            }
            if (!next || state_ != State::playing) {
                return;
            }
            leave_out(in, *next, news);
            inputs.next_sign.reset();
            continue;
        }
        note_lateness(in.now - *due);
        if (stalled_since_) {
            Duration const stalled = in.now - *stalled_since_;
            counters_.stall_time += stalled;
            news.resumed_after = stalled;
            stalled_since_.reset();
        }
        hand_out(in, *in.store.find(next_out_), pieces);
        ++next_out_;
        inputs.next_sign.reset(); // was about the unit just handed out
        consider_lower_latency(in.now);
    }
}

void Playout::hand_out(Inputs const& in, StoredUnit const& unit, std::vector<PlayoutPiece>& pieces)
{
    std::uint64_t const unit_position =
        to_number(in.store.grid().first_chunk(unit.index)) * in.store.chunk_size();
    std::size_t const skip =
        first_piece_ ? static_cast<std::size_t>(start_position_ - unit_position) : 0;
    UnixMicros const utc_now = in.utc_at_zero + in.now.time_since_epoch().count();
    UnixMicros const signed_at = from_ntp(unit.signed_at, utc_now);
    pieces.push_back({.unit = unit.index,
                      .position = unit_position + skip,
                      .bytes = Bytes{unit.payload}.subspan(skip),
                      .signed_at = signed_at,
                      .discontinuity = first_piece_ && played_before_});
    counters_.media_bytes += pieces.back().bytes.size();
    latencies_.add(in.now, Duration{utc_now - signed_at});
    last_signed_at_ = signed_at;
    first_piece_ = false;
    played_before_ = true;
}

/// Who hears nothing of the stream cannot know that its next unit is overdue: the source may have
/// paused. The unit's time tells when it comes.
void Playout::note_unseen_gap(Inputs const& in, TimePoint due, PlayoutNews& news)
{
    bool const late = in.now - due > stall_threshold;
    was_blind_ = late && (was_blind_ || is_blind_);
    if (std::exchange(is_blind_, false) && late && !stalled_since_) {
        begin_stall(due + stall_threshold, news);
    }
}

void Playout::begin_stall(TimePoint since, PlayoutNews& news)
{
    stalled_since_ = since;
    counters_.stalls += 1;
    news.stalled = next_out_;
}

void Playout::count_due(Inputs const& in, UnitIndex unit, TimePoint due)
{
    if (counted_ && unit <= *counted_) {
        return;
    }
    counted_ = unit;
    std::uint32_t const chunks = in.store.grid().chunks_per_unit();
    bool const came_late = was_blind_ && in.now - due > stall_threshold;
    auto const missing =
        came_late ? chunks : static_cast<std::uint32_t>(std::popcount(in.store.missing(unit)));
    counters_.chunks_due += chunks;
    counters_.chunks_in_time += chunks - missing;
    if (missing > 0) {
        quiet_since_ = in.now;
    }
}

/// Latency goes up at once when a unit came too late.
void Playout::note_lateness(Duration late)
{
    // Timers fire a few milliseconds late on a busy machine; that is not the network's doing.
    constexpr Duration tolerance = 20ms;
    if (automatic_ && late > tolerance && stalled_since_) {
        latency_ = std::min(latency_ + late + 50ms, latency_max);
    }
}

void Playout::note_ready(Inputs const& in)
{
    next_ready_ = std::max(next_ready_, next_out_);
    for (; in.store.complete(next_ready_); ++next_ready_) {
        if (auto const due = due_of(in, next_ready_)) {
            ready_lags_.add(in.now, in.now - (*due - latency_));
        }
    }
}

/// And comes down slowly, to what the worst unit of the last seconds needed and some more: a player
/// that goes 5 % faster is not heard.
void Playout::consider_lower_latency(TimePoint now)
{
    constexpr Duration quiet = 5s;
    constexpr Duration gap = 1s;
    constexpr Duration step = 50ms;
    constexpr Duration reserve_min = 200ms;
    if (!automatic_ || now - quiet_since_ < quiet || now - lowered_ < gap) {
        return;
    }
    lowered_ = now;
    Duration const needed = ready_lags_.largest(now);
    Duration const target = std::max(latency_floor_, needed + std::max(reserve_min, needed / 4));
    latency_ = std::max(latency_ - step, std::min(latency_, target));
}

void Playout::wait_for(Inputs const& in, TimePoint due, PlayoutNews& news)
{
    if (in.now < due + stall_threshold) {
        deadline_ = due + stall_threshold;
        return;
    }
    if (!stalled_since_) {
        begin_stall(in.now, news);
    }
    if (in.now < due + give_up) {
        deadline_ = in.now < due + leave_out_after ? due + leave_out_after : due + give_up;
        return;
    }
    if (next_whole(in)) {
        return; // it goes on there
    }
    state_ = State::searching;
    gave_up_from_ = gave_up_from_.value_or(next_out_);
    next_scan_ = std::max(next_scan_, next_out_ + 1);
    next_out_ = next_out_ + 1;
    deadline_ = in.now + 1ms;
}

/// The first unit behind the missing ones that is here, if they are few.
std::optional<UnitIndex> Playout::next_whole(Inputs const& in) const
{
    for (UnitIndex unit = next_out_ + 1; unit <= next_out_ + leave_out_max; ++unit) {
        if (in.store.complete(unit)) {
            return unit;
        }
    }
    return std::nullopt;
}

/// Goes on behind the missing units, with the first packet that begins there.
void Playout::leave_out(Inputs const& in, UnitIndex next, PlayoutNews& news)
{
    news.skipped.emplace_back(next_out_, next);
    counters_.skipped_units += next - next_out_;
    count_left_out(in, next);
    counted_ = next - 1;
    next_out_ = next;
    next_scan_ = std::max(next_scan_, next);
    std::uint64_t const position =
        to_number(in.store.grid().first_chunk(next)) * in.store.chunk_size();
    start_position_ = (position + ts::packet_size - 1) / ts::packet_size * ts::packet_size;
    first_piece_ = true;
}

} // namespace ppsp::peer
