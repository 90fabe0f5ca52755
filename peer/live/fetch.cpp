#include "peer/live/live_swarm.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

/// Two plans are at least that far apart; what happens in between is planned together.
constexpr Duration fetch_gap = 4ms;
/// Without a better hint a joiner begins this far back: a key frame interval of one second, and
/// a little for its transport.
constexpr Duration tune_in_back = 1200ms;
/// A tracker's word about the newest key frame is used if the frame is not older than that.
constexpr Duration hint_age_max = 4s;
/// A source that came back continues far ahead; it is followed when nothing else came meanwhile.
constexpr Duration jump_patience = 500ms;
/// Nobody gets the first sign of a unit later than that.
constexpr Duration lag_plausible = 2s;
/// Intervals asked of one neighbour at a time, subscriptions included.
constexpr std::size_t asked_intervals_max = 512;

} // namespace

/// Where fetching begins for who is behind or has just come: the newest place where a picture may
/// start.
UnitIndex LiveSwarm::live_start(UnitIndex newest) const
{
    Duration const unit_duration = clock_.unit_duration().value_or(config_.unit_duration);
    Duration back = tune_in_back;
    if (config_.playout.latency) {
        back = std::min(back, *config_.playout.latency + unit_duration);
    }
    auto const back_units = static_cast<UnitIndex>(back / unit_duration) + 1;
    UnitIndex first = newest > back_units ? newest - back_units : 0;
    if (random_access_hint_ && !config_.playout.latency) {
        UnitIndex const random_access = store_->grid().unit_of(*random_access_hint_);
        auto const reach = static_cast<UnitIndex>(hint_age_max / unit_duration);
        if (random_access <= newest && random_access + reach >= newest) {
            first = random_access > 0 ? random_access - 1 : 0; // the PAT may lie in the unit before
        }
    }
    return first;
}

/// The first proven unit says where the stream is.
void LiveSwarm::tune_in(TimePoint now)
{
    UnitIndex const newest = *store_->newest();
    playout_.begin(std::max(live_start(newest), store_->oldest_kept()));
    signs_.note(now, newest);
}

/// Who gave up what it waited for, and is further behind than viewers should be, goes on where the
/// stream is: what lies between would be played late for ever.
void LiveSwarm::catch_up()
{
    UnitIndex const stored = rescue_ ? rescue_->newest().value_or(0) : 0;
    UnitIndex const newest = std::max(edge(), stored);
    UnitIndex const wanted = playout_.first_wanted();
    Duration const unit_duration = clock_.unit_duration().value_or(config_.unit_duration);
    if (newest <= wanted + static_cast<UnitIndex>(playout_.behind_max() / unit_duration)) {
        return;
    }
    if (rescue_ && stored == newest) {
        random_access_hint_ = rescue_->random_access();
    }
    playout_.skip_to(live_start(newest));
    fetch_wanted_ = true;
}

void LiveSwarm::on_edge(TimePoint now, LiveEdgeFound const& found)
{
    random_access_hint_ = found.random_access;
    if (!store_ && !is_source()) {
        learn_units(now, found.chunks_per_unit, false);
    }
    fetch_wanted_ = true;
}

void LiveSwarm::refresh_parents(TimePoint now)
{
    parents_.clear();
    for (auto const& channel : channels_) {
        if (!channel->is_open()) {
            continue;
        }
        bool const full = channel->asked.interval_count() >= asked_intervals_max;
        parents_.push_back({.key = key_of(*channel),
                            .is_source = channel->profile.is_source(),
                            .usable = !channel->chokes_us && !full,
                            .doubtful = channel->trust.is_doubtful(now),
                            .rtt = channel->flow.rtt().smoothed(),
                            .outstanding_chunks = channel->pulled_chunks,
                            .bytes_per_second = channel->bytes_per_second,
                            .heard = channel->liveness.received});
    }
}

void LiveSwarm::fetch(TimePoint now)
{
    if (is_source() || !store_) {
        return;
    }
    bool const known = units_proven_ && store_->newest().has_value();
    if (!known) {
        return;
    }
    if (!playout_.begun()) {
        tune_in(now);
    }
    last_fetch_ = now;
    fetch_wanted_ = false;
    play_wanted_ = play_wanted_ || !playout_.deadline();
    refresh_parents(now);
    Plan plan;
    picker_->plan(now, *this, plan);
    for (Withdrawal const& withdrawal : plan.withdrawals) {
        if (Channel* const channel = channel_of(withdrawal.parent)) {
            channel->trust.released(now, withdrawal.unit, channel->flow.rtt().smoothed());
        }
        withdraw(withdrawal);
    }
    for (Ask const& wanted : plan.asks) {
        ask(now, wanted);
    }
}

/// What is asked on the wire: not the chunks that came from this neighbour already and only wait
/// for a hash that is among the missing ones.
std::vector<ChunkRange> LiveSwarm::requests_of(TimePoint now, Channel& channel, Ask const& wanted)
{
    ChunkMask chunks = wanted.chunks;
    if (Scratch::Entry const* entry = channel.scratch.find(wanted.unit)) {
        ChunkMask pending = 0;
        for (PendingChunk const& chunk : entry->chunks) {
            pending |= store_->grid().bit(chunk.chunk);
        }
        if ((chunks & ~pending) != 0) {
            chunks &= ~pending;
        }
    }
    std::vector<ChunkRange> ranges;
    store_->grid().for_each_run(wanted.unit, chunks,
                                [&](ChunkRange range) { ranges.push_back(range); });
    if (!channel.liveness.asked_since && wanted.unit <= edge()) {
        channel.liveness.asked_since = now;
    }
    return ranges;
}

void LiveSwarm::ask(TimePoint now, Ask const& wanted)
{
    Channel* const channel = channel_of(wanted.parent);
    if (channel == nullptr) {
        return;
    }
    touch(*channel);
    if (!channel->profile.is_source() && wanted.unit <= edge() &&
        (held_by(wanted.parent, wanted.unit) & wanted.chunks) != 0) {
        channel->trust.asked(now, wanted.unit);
    }
    for (ChunkRange const& range : requests_of(now, *channel, wanted)) {
        channel->asked.add(range);
        if (wanted.unit <= edge()) {
            channel->pulled_chunks += static_cast<std::uint32_t>(range.count());
        }
        auto& requests = channel->control.requests;
        bool const continues =
            !requests.empty() && to_number(requests.back().last) + 1 == to_number(range.first);
        if (continues) {
            requests.back().last = range.last;
        } else {
            requests.push_back(range);
        }
    }
}

void LiveSwarm::withdraw(Withdrawal const& withdrawal)
{
    Channel* const channel = channel_of(withdrawal.parent);
    if (channel == nullptr) {
        return;
    }
    ChunkRange const chunks = store_->grid().chunks(withdrawal.unit);
    if (withdrawal.unit > edge() && !channel->asked.overlaps(chunks)) {
        channel->control.cancels.push_back(chunks); // gives a place back, if there was one
        touch(*channel);
        return;
    }
    withdraw(*channel, chunks);
}

void LiveSwarm::withdraw(Channel& channel, ChunkRange chunks)
{
    if (channel.asked.overlaps(chunks)) {
        channel.asked.remove(chunks);
        channel.pulled_chunks = 0; // an estimate; what is still to come counts down from there
        channel.control.cancels.push_back(chunks);
        touch(channel);
    }
}

/// A unit is whole: whoever was asked for parts of it need not send them.
void LiveSwarm::withdraw_rest(TimePoint now, UnitIndex unit)
{
    ChunkRange const chunks = store_->grid().chunks(unit);
    for (auto const& channel : channels_) {
        if (channel->is_open()) {
            channel->trust.released(now, unit, channel->flow.rtt().smoothed());
            withdraw(*channel, chunks);
        }
    }
}

/// A neighbour speaks of units far ahead of everything proven: the source may have come back with
/// a gap, or the neighbour lies. One chunk with its munro tells.
void LiveSwarm::probe_jump(TimePoint now)
{
    if (!jump_ || !store_ || now - newest_changed_ < jump_patience) {
        return;
    }
    Jump const jump = *std::exchange(jump_, std::nullopt);
    auto const newest = store_->newest();
    if (!newest || jump.unit > *newest) {
        // Not remembered as asked: whoever lies about new units could fill that table.
        Channel* const channel = channel_of(jump.peer);
        if (channel != nullptr && !channel->chokes_us) { // PP-3.9-a
            channel->control.requests.push_back(single(store_->grid().first_chunk(jump.unit)));
            touch(*channel);
        }
    }
}

void LiveSwarm::play(TimePoint now)
{
    if (is_source() || !store_ || !playout_.begun()) {
        return;
    }
    std::vector<PlayoutPiece> pieces;
    PlayoutNews news;
    UnitIndex const next = playout_.first_wanted();
    playout_.advance({.now = now,
                      .store = *store_,
                      .clock = clock_,
                      .utc_at_zero = services_.config.utc_at_zero,
                      .next_sign = signs_.first(next)},
                     pieces, news);
    for (PlayoutPiece const& piece : pieces) {
        if (config_.playout.enabled) {
            services_.outbox.push(
                MediaReady{.swarm = id(),
                           .stream_position = piece.position,
                           .bytes = ByteVector(piece.bytes.begin(), piece.bytes.end()),
                           .signed_at = piece.signed_at,
                           .discontinuity = piece.discontinuity});
        }
    }
    if (!playout_.playing()) {
        catch_up();
    }
    if (news.started) {
        emit(now, PlayoutStarted{*news.started, *playout_.counters().startup});
    }
    if (news.stalled) {
        figures_.last_stall_cause = stall_cause(*news.stalled);
        emit(now, PlayoutStalled{*news.stalled, figures_.last_stall_cause});
    }
    if (news.resumed_after) {
        emit(now, PlayoutResumed{*news.resumed_after});
    }
    for (auto const& [first, resumed] : news.skipped) {
        emit(now, PlayoutSkipped{first, resumed});
    }
}

std::string LiveSwarm::stall_cause(UnitIndex unit) const
{
    auto const number = std::to_string(unit);
    bool const alone = std::none_of(channels_.begin(), channels_.end(),
                                    [](auto const& channel) { return channel->is_open(); });
    if (alone) {
        return "no neighbour is connected";
    }
    bool const held = std::any_of(channels_.begin(), channels_.end(), [&](auto const& channel) {
        return channel->is_open() && channel->has.has_any(store_->grid().chunks(unit));
    });
    if (!held) {
        return "no peer holds unit " + number;
    }
    auto const asked = picker_->asked(unit);
    Channel const* const parent = asked ? channel_of(*asked) : nullptr;
    if (parent == nullptr) {
        return "nobody was free to send unit " + number;
    }
    return "unit " + number + " is late from " + parent->endpoint.text();
}

ChunkMask LiveSwarm::held_by(PeerKey parent, UnitIndex unit) const
{
    Channel const* const channel = channel_of(parent);
    if (channel == nullptr) {
        return 0;
    }
    if (channel->profile.is_source() && unit <= edge()) {
        return store_->grid().full(); // it made them
    }
    ChunkRange const whole = store_->grid().chunks(unit);
    ChunkMask held = 0;
    for (ChunkRange const& range : channel->has.chunks().touching(whole)) {
        auto const first = to_number(std::max(range.first, whole.first)) - to_number(whole.first);
        auto const end = to_number(std::min(range.last, whole.last)) - to_number(whole.first) + 1;
        ChunkMask const below_end = end == 64 ? ~ChunkMask{0} : (ChunkMask{1} << end) - 1;
        held |= below_end & ~((ChunkMask{1} << first) - 1);
    }
    return held;
}

bool LiveSwarm::awaits_hashes(PeerKey parent, UnitIndex unit) const
{
    Channel const* const channel = channel_of(parent);
    return channel != nullptr && channel->scratch.has_chunks(unit);
}

ChunkMask LiveSwarm::missing(UnitIndex unit) const
{
    return store_->missing(unit);
}

UnitIndex LiveSwarm::first_wanted() const
{
    return std::max(playout_.first_wanted(), store_->oldest_kept());
}

TimePoint LiveSwarm::expected(UnitIndex unit) const
{
    StoredUnit const* const stored = store_->find(unit);
    if (stored != nullptr && clock_.known()) {
        return clock_.local_time(from_ntp(stored->signed_at, services_.config.utc_at_zero));
    }
    auto const sign = signs_.first(unit);
    auto const guess = clock_.expected(unit, config_.unit_duration);
    if (!guess) {
        return sign.value_or(joined_);
    }
    // After a pause of the source its pace says nothing.
    return sign ? std::max(*guess, *sign - lag_plausible) : *guess;
}

std::optional<TimePoint> LiveSwarm::first_sign(UnitIndex unit) const
{
    return signs_.first(unit);
}

std::optional<TimePoint> LiveSwarm::due(UnitIndex unit) const
{
    return playout_.due(unit, *store_, clock_, services_.config.utc_at_zero, signs_.first(unit));
}

void LiveSwarm::advance(TimePoint now)
{
    advance_neighbours(now);
    bool const planned = fetch_wanted_ || now >= picker_->deadline();
    if (planned && now - last_fetch_ >= fetch_gap) {
        fetch(now);
    }
    if (rescue_ && now >= rescue_->deadline()) {
        rescue(now);
    }
    auto const play_at = playout_.deadline();
    if (play_wanted_ || (play_at && now >= *play_at)) {
        play_wanted_ = false;
        play(now);
    }
    tell_leavers(now);
    send_data(now);
    settle(now);
    update_deadline(now);
}

void LiveSwarm::update_deadline(TimePoint now)
{
    TimePoint next = neighbours_deadline(now);
    if (!is_source() && units_proven_) {
        TimePoint const planned = fetch_wanted_ ? now : picker_->deadline();
        next = std::min(next, std::max(planned, last_fetch_ + fetch_gap));
    }
    if (rescue_) {
        next = std::min(next, rescue_->deadline());
    }
    if (auto const at = playout_.deadline()) {
        next = std::min(next, *at);
    }
    if (!sending_.empty() && pulls_pause_until_ > now) {
        next = std::min(next, pulls_pause_until_);
    }
    set_deadline(now, next);
}

} // namespace ppsp::peer
