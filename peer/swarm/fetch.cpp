#include "peer/swarm/swarm.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

/// Two plans are at least that far apart; what happens in between is planned together.
constexpr Duration fetch_gap = 2ms;
/// While something is missing the plan is looked at that often: patience is counted in tens of ms.
constexpr Duration fetch_period = 10ms;
/// Without a better hint a joiner begins this far back: a key frame interval of one second, and
/// a little for its transport.
constexpr Duration tune_in_back = 1200ms;
/// A tracker's word about the newest key frame is used if the frame is not older than that.
constexpr Duration hint_age_max = 4s;
/// A source that came back continues far ahead; it is followed when nothing else came meanwhile.
constexpr Duration jump_patience = 500ms;
/// Chunks asked of one neighbour at a time, so that a slow one cannot hold a whole window.
constexpr std::uint64_t outstanding_chunks_max = 2048;

} // namespace

/// The first proven unit says where the stream is; fetching begins at the newest place where a
/// picture may start.
void Swarm::tune_in(TimePoint now)
{
    UnitGrid const& grid = store_->grid();
    UnitIndex const newest = *store_->newest();
    Duration const unit_duration = clock_.unit_duration().value_or(config_.unit_duration);
    Duration back = tune_in_back;
    if (config_.playout.latency) {
        back = std::min(back, *config_.playout.latency + unit_duration);
    }
    auto const back_units = static_cast<UnitIndex>(back / unit_duration) + 1;
    UnitIndex first = newest > back_units ? newest - back_units : 0;
    if (random_access_hint_ && !config_.playout.latency) {
        UnitIndex const random_access = grid.unit_of(*random_access_hint_);
        auto const reach = static_cast<UnitIndex>(hint_age_max / unit_duration);
        if (random_access <= newest && random_access + reach >= newest) {
            first = random_access > 0 ? random_access - 1 : 0; // the PAT may lie in the unit before
        }
    }
    first = std::max(first, store_->oldest_kept());
    playout_.begin(first);
    signs_.note(now, newest);
}

void Swarm::on_edge(TimePoint now, LiveEdgeFound const& found)
{
    random_access_hint_ = found.random_access;
    if (!store_ && !is_source()) {
        learn_units(now, found.chunks_per_unit, false);
    }
    fetch_wanted_ = true;
}

void Swarm::refresh_parents()
{
    parents_.clear();
    ChunkId const end = store_->grid().first_chunk(edge() + 1);
    for (auto const& channel : channels_) {
        if (!channel->is_open()) {
            continue;
        }
        std::uint64_t outstanding = 0;
        for (ChunkRange const& range : channel->asked.intervals()) {
            if (range.first < end) {
                outstanding += ChunkRange{range.first, std::min(range.last, end - 1)}.count();
            }
        }
        parents_.push_back({.key = key_of(*channel),
                            .is_source = channel->profile.is_source(),
                            .usable = !channel->chokes_us && outstanding < outstanding_chunks_max,
                            .rtt = channel->rtt.smoothed(),
                            .outstanding_chunks = static_cast<std::uint32_t>(outstanding),
                            .bytes_per_second = channel->bytes_per_second});
    }
}

void Swarm::fetch(TimePoint now)
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
    refresh_parents();
    Plan plan;
    picker_->plan(now, *this, plan);
    for (Withdrawal const& withdrawal : plan.withdrawals) {
        withdraw(withdrawal);
    }
    for (Ask const& wanted : plan.asks) {
        ask(now, wanted);
    }
}

/// What is asked on the wire: not the chunks that came from this neighbour already and only wait
/// for a hash that is among the missing ones.
std::vector<ChunkRange> Swarm::requests_of(TimePoint now, Channel& channel, Ask const& wanted)
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

void Swarm::ask(TimePoint now, Ask const& wanted)
{
    Channel* const channel = channel_of(wanted.parent);
    if (channel == nullptr) {
        return;
    }
    for (ChunkRange const& range : requests_of(now, *channel, wanted)) {
        channel->asked.add(range);
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

void Swarm::withdraw(Withdrawal const& withdrawal)
{
    Channel* const channel = channel_of(withdrawal.parent);
    if (channel == nullptr) {
        return;
    }
    ChunkRange const chunks = store_->grid().chunks(withdrawal.unit);
    if (channel->asked.overlaps(chunks)) {
        channel->asked.remove(chunks);
        channel->control.cancels.push_back(chunks);
    }
}

/// A unit is whole: whoever was asked for parts of it need not send them.
void Swarm::withdraw_rest(UnitIndex unit)
{
    for (auto const& channel : channels_) {
        if (channel->is_open()) {
            withdraw(Withdrawal{key_of(*channel), unit});
        }
    }
}

/// A neighbour speaks of units far ahead of everything proven: the source may have come back with
/// a gap, or the neighbour lies. One chunk with its munro tells.
void Swarm::probe_jump(TimePoint now)
{
    if (!jump_ || !store_ || now - newest_changed_ < jump_patience) {
        return;
    }
    Jump const jump = *std::exchange(jump_, std::nullopt);
    auto const newest = store_->newest();
    if (!newest || jump.unit > *newest) {
        // Not remembered as asked: whoever lies about new units could fill that table.
        if (Channel* const channel = channel_of(jump.peer)) {
            channel->control.requests.push_back(single(store_->grid().first_chunk(jump.unit)));
        }
    }
}

void Swarm::play(TimePoint now)
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
    if (news.skipped) {
        emit(now, PlayoutSkipped{news.skipped->first, news.skipped->second});
    }
}

std::string Swarm::stall_cause(UnitIndex unit) const
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

ChunkMask Swarm::held_by(PeerKey parent, UnitIndex unit) const
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
    for (ChunkRange const& range : channel->has.chunks().common(whole)) {
        auto const first = to_number(range.first) - to_number(whole.first);
        held |=
            range.count() == 64 ? ~ChunkMask{0} : ((ChunkMask{1} << range.count()) - 1) << first;
    }
    return held;
}

ChunkMask Swarm::missing(UnitIndex unit) const
{
    return store_->missing(unit);
}

UnitIndex Swarm::first_wanted() const
{
    return std::max(playout_.first_wanted(), store_->oldest_kept());
}

std::optional<TimePoint> Swarm::first_sign(UnitIndex unit) const
{
    return signs_.first(unit);
}

std::optional<TimePoint> Swarm::due(UnitIndex unit) const
{
    return playout_.due(unit, *store_, clock_, services_.config.utc_at_zero, signs_.first(unit));
}

void Swarm::advance(TimePoint now)
{
    if (now >= next_housekeeping_) {
        housekeeping(now);
    }
    if (now >= next_dial_) {
        dial(now);
    }
    for (auto const& channel : channels_) {
        if (channel->is_open()) {
            check_timeout(now, *channel);
        }
    }
    bool const periodic = now - last_fetch_ >= fetch_period;
    if (periodic || (fetch_wanted_ && now - last_fetch_ >= fetch_gap)) {
        fetch(now);
    }
    play(now);
    send_control(now);
    send_data(now);
    remove_closed();
    update_deadline(now);
}

void Swarm::update_deadline(TimePoint now)
{
    TimePoint next = std::min(next_housekeeping_, is_source() ? next_housekeeping_ : next_dial_);
    auto const consider = [&next](std::optional<TimePoint> at) {
        if (at) {
            next = std::min(next, *at);
        }
    };
    if (!is_source() && units_proven_) {
        next = std::min(next, last_fetch_ + (fetch_wanted_ ? fetch_gap : fetch_period));
    }
    consider(playout_.deadline());
    bool data_waits = false;
    for (auto const& channel : channels_) {
        if (!channel->is_open()) {
            continue;
        }
        consider(channel->acks.deadline());
        if (!channel->in_flight.empty()) {
            consider(channel->progress + channel->rtt.timeout());
        }
        if (channel->requests.has_ready() && may_send_window(*channel)) {
            data_waits = true;
            if (!channel->pacer.ready(now)) {
                consider(channel->pacer.ready_at());
            }
        }
    }
    if (data_waits) {
        consider(services_.uplink.ready_at(now));
    }
    deadline_ = std::max(next, now + Duration{1});
}

} // namespace ppsp::peer
