#include "peer/live/live_swarm.hpp"

#include <algorithm>

/// How fast, and in which order: places by the uplink, the queue of datagrams, acknowledgements and
/// losses.
namespace ppsp::peer {
namespace {

/// While first copies leave later than this after they were cut, pulls from the source wait: what
/// is asked again because the first copies are late makes them later.
constexpr Duration push_late = 100ms;
constexpr int push_late_units = 3;
constexpr Duration pulls_pause = 200ms;
// What a place takes of an uplink (wire layout, RFC 7574 §8): channel, DATA header, IP and UDP;
// type and range of an INTEGRITY; the same and the time of a SIGNED_INTEGRITY.
constexpr std::size_t datagram_overhead_bytes = 4 + 17 + 28;
constexpr std::size_t node_overhead_bytes = 9;
constexpr std::size_t munro_overhead_bytes = 17;
/// Share of the uplink that is left to places, and what acknowledgements of the stream take.
constexpr double control_share = 0.94;
constexpr double control_bps = 20e3;
/// Rounding of places, and how far they may be short before one is taken away.
constexpr double place_round = 0.2;
constexpr double place_slack = 0.6;
/// The source keeps more: what nobody got a first copy of is fetched from it.
constexpr double source_share = 0.88;
/// New units that wait longer than this show that there are too many children.
constexpr Duration backlog_max = 150ms;
/// Or as long as so many units take on the uplink: a poor one gets them in bunches.
constexpr int backlog_units = 4;
constexpr Duration relax_gap = 1s;
/// A backlog that was there at every look for that long stands; bunches come and go.
constexpr Duration backlog_patience = 2s;
/// A path that was acknowledged that recently tells of the uplink's queue.
constexpr Duration queue_sample_age_max = 400ms;
/// Longer than from one pushed unit of a substream to the next, whose ACK tells what became of the
/// last chunk before: only where nothing follows it is sent again unasked.
constexpr Duration push_timeout_min = 500ms;

} // namespace

/// Places for children: what the uplink carries beside our own control messages.
void LiveSwarm::update_budget(TimePoint now)
{
    auto const capacity = services_.uplink.capacity_bps();
    if (!store_) {
        return;
    }
    if (services_.config.places) {
        slots_.set_budget(now, *services_.config.places, open_count());
        return;
    }
    if (!capacity) {
        slots_.set_budget(now, services_.config.unproven_places, open_count());
        return;
    }
    double const share = is_source() ? source_share : control_share;
    double const places = std::clamp((*capacity * share - control_bps) / place_bps(), 0.0, 1e6);
    // Places that come and go with every measurement would cost children their parents.
    double const now_held = slots_.budget();
    bool const keeps = places > now_held - place_slack && places < now_held + 1 - place_round;
    auto const wanted = keeps ? slots_.budget() : static_cast<std::uint32_t>(places + place_round);
    slots_.set_budget(now, std::min(places_limit_, wanted), open_count());
}

/// Substreams that a parent pushes to us.
SubstreamSet LiveSwarm::fed(TimePoint now) const
{
    SubstreamSet result;
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        result.set(substream, picker_->fed(now, substream));
    }
    return result;
}

/// Of those the ones that the source itself pushes.
SubstreamSet LiveSwarm::firsthand(SubstreamSet fed) const
{
    SubstreamSet result;
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        auto const parent = fed[substream] ? picker_->parent_of(substream) : std::nullopt;
        Channel const* const channel = parent ? channel_of(*parent) : nullptr;
        result.set(substream, channel != nullptr && channel->profile.is_source());
    }
    return result;
}

/// What a child in one substream takes on our uplink, on average. Only with a store.
double LiveSwarm::place_bps() const
{
    UnitGrid const& grid = store_->grid();
    Duration const unit = clock_.unit_duration().value_or(config_.unit_duration);
    std::size_t const auth = (format().hash_size + node_overhead_bytes) * grid.chunks_per_unit() +
                             format().signature_size + munro_overhead_bytes;
    double const unit_bytes = static_cast<double>(grid.chunks_per_unit()) *
                                  (config_.chunk_size + datagram_overhead_bytes) +
                              static_cast<double>(auth);
    return unit_bytes * 8e6 / static_cast<double>(unit.count()) / substreams;
}

/// What one copy of a unit takes on our uplink; zero while that is unknown.
Duration LiveSwarm::unit_time() const
{
    auto const capacity = services_.uplink.capacity_bps();
    if (!capacity || *capacity <= 0 || !store_) {
        return Duration::zero();
    }
    double const bits =
        8.0 * store_->grid().chunks_per_unit() * (config_.chunk_size + datagram_overhead_bytes);
    return Duration{static_cast<std::int64_t>(bits * 1e6 / *capacity)};
}

/// Whatever was measured: who cannot send new units at once has too many children. One place goes
/// at a time, and comes back slowly while nothing waits.
void LiveSwarm::relieve(TimePoint now)
{
    queues_.clear();
    for (auto const& channel : channels_) {
        if (channel->is_open() && now - channel->flow.acked_at() < queue_sample_age_max) {
            queues_.push_back(channel->flow.ledbat().queuing_delay());
        }
    }
    if (!queues_.empty()) {
        services_.uplink.on_queues(queues_, services_.config.ledbat_target);
    }
    Duration waited{};
    for (Channel* const channel : sending_) {
        if (!data_waits_ || !may_send_window(*channel)) {
            continue; // its own path is the narrow one
        }
        if (auto const ready = channel->requests.next(now, RequestQueue::Urgency::push);
            ready && ready->ready != TimePoint{}) {
            waited = std::max(waited, now - std::max(ready->ready, ready->since));
        }
    }
    if (is_source()) {
        return; // with fewer first copies more is asked of it, not less
    }
    if (waited <= std::max<Duration>(backlog_max, unit_time() * backlog_units)) {
        backlog_since_.reset();
    } else if (!backlog_since_) {
        backlog_since_ = now;
    }
    if (backlog_since_ && now - *backlog_since_ >= backlog_patience) {
        backlog_since_ = now;
        places_limit_ = std::max<std::uint32_t>(std::min(places_limit_, slots_.budget()), 2) - 1;
        next_relax_ = now + relax_gap;
    } else if (now >= next_relax_ && places_limit_ < UploadSlots::places_max) {
        places_limit_ += 1 + places_limit_ / 8;
        next_relax_ = now + relax_gap;
    }
}

DatagramBuilder LiveSwarm::builder() const
{
    return {format(), services_.config.datagram_size_max, store_ ? &*store_ : nullptr,
            services_.ports.buffers};
}

/// Units that are being pushed go first, the oldest before the others, as `waits_since` counts, and
/// one neighbour after the other: serial beats parallel for delay (design decision 6).
void LiveSwarm::send_data(TimePoint now)
{
    data_waits_ = false;
    using enum RequestQueue::Urgency;
    for (auto const urgency : {first_copy, push, pull}) {
        if (urgency == first_copy && !is_source()) {
            continue; // nobody else has any
        }
        if (urgency == pull && now < pulls_pause_until_) {
            return;
        }
        for (;;) {
            if (sending_.empty()) {
                return;
            }
            if (!services_.uplink.may_send_data(now)) {
                data_waits_ = true;
                return;
            }
            NextData const next = next_data(now, urgency);
            if (next.channel == nullptr) {
                break;
            }
            if (is_source() && next.ready != TimePoint{} && urgency != pull &&
                now - next.ready > std::max<Duration>(push_late, unit_time() * push_late_units)) {
                pulls_pause_until_ = now + pulls_pause;
                if (urgency == first_copy) {
                    first_copies_late_until_ = pulls_pause_until_;
                }
            }
            send_chunk(now, *next.channel, next.chunk);
        }
    }
}

/// Chunks of the last units that the neighbour is known to hold, as a time to compare by.
Duration LiveSwarm::held_lately(Channel const& channel) const
{
    constexpr UnitIndex units = 40;
    UnitIndex const newest = store_->newest().value_or(0);
    ChunkRange const lately = store_->grid().chunks(newest - std::min(newest, units), newest);
    std::int64_t held = 0;
    for (ChunkRange const& range : channel.has.chunks().common(lately)) {
        held += static_cast<std::int64_t>(range.count());
    }
    return Duration{held};
}

/// Whose turn it is; channels that have nothing left leave the list.
LiveSwarm::NextData LiveSwarm::next_data(TimePoint now, RequestQueue::Urgency urgency)
{
    NextData best;
    TimePoint best_since{};
    std::uint32_t best_order = 0;
    for (std::size_t i = 0; i < sending_.size();) {
        Channel& channel = *sending_[i];
        bool const idle =
            !channel.is_open() || channel.choked_by_us || !channel.requests.has_ready();
        if (idle) {
            channel.is_sending = false;
            sending_[i] = sending_.back();
            sending_.pop_back();
            continue;
        }
        ++i;
        if (!may_send_window(channel) || channel.flow.is_paced(now)) {
            touch(channel);
            continue;
        }
        auto ready = channel.requests.next(now, urgency);
        while (ready && !store_->has(ready->chunk)) {
            channel.requests.sent(ready->chunk); // fell out of the window meanwhile
            ready = channel.requests.next(now, urgency);
        }
        if (!ready) {
            continue;
        }
        bool const by_need = config_.deprived_first && urgency == RequestQueue::Urgency::pull;
        TimePoint const since = by_need ? TimePoint{held_lately(channel)} : ready->since;
        if (best.channel == nullptr ||
            std::pair{since, ready->order} < std::pair{best_since, best_order}) {
            best = {&channel, ready->chunk, ready->ready};
            best_since = since;
            best_order = ready->order;
        }
    }
    return best;
}

void LiveSwarm::send_chunk(TimePoint now, Channel& channel, ChunkId chunk)
{
    builder().data(channel, chunk, utc(now), datagrams_);
    channel.requests.sent(chunk);
    channel.hashes.on_sent(chunk);
    channel.flow.set_timeout_min(asks_itself(channel, chunk) ? push_timeout_min : Duration::zero());
    flush(now, channel, datagrams_);
    note_sent(now, channel, chunk, config_.chunk_size);
}

/// A lost chunk of a unit that is pushed goes first, one that was pulled before the other pulls.
void LiveSwarm::send_again(TimePoint now, Channel& channel, ChunkId chunk)
{
    bool const pushed = channel.pushing.contains(chunk);
    channel.requests.make_ready_again(now, chunk,
                                      pushed ? urgency_of(0) : RequestQueue::Urgency::pull);
}

void LiveSwarm::on_lost(TimePoint now, Channel& channel, ChunkId chunk)
{
    channel.hashes.doubt(store_->grid().chunks(store_->grid().unit_of(chunk)));
    send_again(now, channel, chunk);
    note_sending(channel);
}

/// Who gets a unit pushed sees by the chunks behind it what is missing, as soon as we do by their
/// ACKs. Of what it does not ask for only the ACK was lost, or is late.
bool LiveSwarm::asks_itself(Channel const& channel, ChunkId chunk) const
{
    return picker_->asks_for_gaps() && channel.pushing.contains(chunk);
}

void LiveSwarm::on_overtaken(TimePoint now, Channel& channel, ChunkId chunk)
{
    if (asks_itself(channel, chunk)) {
        channel.hashes.doubt(store_->grid().chunks(store_->grid().unit_of(chunk)));
    } else {
        on_lost(now, channel, chunk);
    }
}

void LiveSwarm::on_acknowledged(TimePoint, Channel& channel, wire::Ack const& ack)
{
    channel.has.add(ack.chunks);
    channel.tune_in.on_known(ack.chunks.last);
}

} // namespace ppsp::peer
