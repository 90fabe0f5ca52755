#include "peer/recording/recording_swarm.hpp"

#include "protocol/base/assert.hpp"
#include "protocol/base/overloaded.hpp"

#include <algorithm>

/// Beginning of a recording's swarm, and what it answers to its conversations.
namespace ppsp::peer {
namespace {

/// Asked and not brought by then: others are asked (at least this, and some round trips).
constexpr Duration unfed_max = 2s;
constexpr int unfed_round_trips = 4;
/// Who let us wait is asked again after that.
constexpr Duration rest = 5s;
/// A stranger who asks for nothing may stay that long.
constexpr Duration idle_max = 10s;
/// So many chunks may be tried at every hash that comes, more of them only this often.
constexpr std::size_t pending_few = 4;
constexpr Duration retry_gap = 5ms;
/// Intervals of what is held that a new neighbour is told of; it hears of the others when they
/// grow.
constexpr std::size_t haves_max = 128;

SwarmMetadata metadata_of(RecordingConfig const& config, NodeConfig const& node)
{
    SwarmMetadata metadata;
    metadata.id = config.id;
    metadata.integrity_method = wire::IntegrityMethod::merkle_tree;
    metadata.hash_function = config.hash_function;
    metadata.format = {.addressing = config.addressing,
                       .hash_size = wire::hash_size(config.hash_function),
                       .signature_size = 0,
                       .chunk_size = config.chunk_size};
    metadata.strict = node.strict;
    return metadata;
}

/// A recording has no backlog that comes and goes, as a live stream has: late-comers get their
/// share sooner.
constexpr Duration fills_after = 4s;

congestion::LedbatConfig ledbat_of(RecordingConfig const& config, NodeConfig const& node)
{
    // A datagram acknowledges up to so many chunks one by one, and each lessens the flight that the
    // next one finds.
    auto ledbat = flow_config(node.ledbat_target, config.chunk_size, AckQueue::chunks_max,
                              node.forgive_link_loss);
    ledbat.fills_after = fills_after;
    return ledbat;
}

RecordingStore store_of(JoinRecording const& join)
{
    RecordingConfig const& config = join.config;
    PPSP_ASSERT(join.bytes != nullptr && join.hasher != nullptr &&
                join.hasher->size() == config.id.size());
    if (join.tree) {
        PPSP_ASSERT(config.length.has_value());
        return {join.tree, config.chunk_size, *config.length, *join.bytes};
    }
    return {*join.hasher, integrity::Hash{config.id}, config.chunk_size, config.length,
            *join.bytes};
}

RecordingChannel& as_recording(Channel& channel)
{
    return static_cast<RecordingChannel&>(channel);
}

} // namespace

RecordingSwarm::RecordingSwarm(TimePoint now, JoinRecording const& join,
                               SwarmServices const& services, Rng const& rng)
    : Swarm(now, metadata_of(join.config, services.config), ledbat_of(join.config, services.config),
            services, rng),
      config_(join.config), hasher_(join.hasher), store_(store_of(join)), slabs_(rng.fork("slabs"))
{
    learn_size();
    set_deadline(now, neighbours_deadline(now));
}

std::unique_ptr<Channel> RecordingSwarm::make_channel(ChannelId own, Endpoint const& to,
                                                      congestion::LedbatConfig const& ledbat) const
{
    return std::make_unique<RecordingChannel>(own, to, ledbat);
}

void RecordingSwarm::play_from(std::optional<std::uint64_t> position)
{
    slabs_.play_from(position ? std::optional{ChunkId{*position / config_.chunk_size}}
                              : std::nullopt);
    fetch_wanted_ = true;
}

std::uint64_t RecordingSwarm::held_from(std::uint64_t position) const
{
    ChunkId const chunk{position / config_.chunk_size};
    auto const interval = store_.have().interval_around(chunk);
    if (!interval) {
        return 0;
    }
    std::uint64_t const whole = (to_number(interval->last) + 1) * config_.chunk_size;
    std::uint64_t const end = std::min(whole, store_.length().value_or(whole));
    return end > position ? end - position : 0;
}

/// Until an acknowledgement is due.
bool RecordingSwarm::may_wait(TimePoint now, Channel const& channel) const
{
    return channel.is_open() && !channel.acks.due(now);
}

void RecordingSwarm::advance(TimePoint now)
{
    advance_neighbours(now);
    if (fetch_wanted_) {
        fetch(now);
    }
    send_data(now);
    settle(now);
    set_deadline(now, neighbours_deadline(now));
}

SwarmStatistics RecordingSwarm::statistics(TimePoint now) const
{
    SwarmStatistics figures = figures_;
    figures.neighbours = static_cast<std::uint32_t>(open_count());
    figures.uplink_bps = services_.uplink.measured_bps(now);
    figures.uplink_capacity_bps =
        static_cast<std::uint64_t>(services_.uplink.capacity_bps().value_or(0));
    figures.content_length = store_.length();
    figures.content_bytes = store_.bytes_held();
    return figures;
}

void RecordingSwarm::on_begin(Channel&)
{
    request_budget_ = requested_intervals_per_datagram_max;
}

void RecordingSwarm::on_end(TimePoint now, Channel& channel)
{
    RecordingChannel& conversation = as_recording(channel);
    // Each try costs a hash for each of them.
    bool const few = conversation.pending.size() <= pending_few;
    if (conversation.has_news && (few || now - conversation.retried_at >= retry_gap)) {
        conversation.has_news = false;
        conversation.retried_at = now;
        retry_pending(now, conversation);
    }
}

void RecordingSwarm::on_content(TimePoint now, Channel& channel, wire::Message const& message)
{
    RecordingChannel& conversation = as_recording(channel);
    std::visit(
        Overloaded{
            [&](wire::Data const& data) { on_data(now, conversation, data); },
            [&](wire::Have const& have) { on_have(now, conversation, have.chunks); },
            [&](wire::Integrity const& integrity) {
                auto& offered = conversation.offered;
                if (offered.size() >= offered_max) {
                    offered.erase(offered.begin());
                }
                offered.push_back({integrity.chunks, integrity::Hash{integrity.hash}});
                conversation.has_news = true;
            },
            [&](wire::Request const& request) { on_request(now, conversation, request.chunks); },
            [&](wire::Cancel const& cancel) { conversation.wants.cancel(cancel.chunks); },
            [&](wire::Choke const&) {
                conversation.chokes_us = true;
                conversation.asked.clear();
                slabs_.release_all(key_of(conversation));
                fetch_wanted_ = true;
            },
            [&](wire::Unchoke const&) {
                conversation.chokes_us = false;
                fetch_wanted_ = true;
            },
            [](auto const&) {}, // the swarm's own, or of live streams
        },
        message);
}

void RecordingSwarm::on_have(TimePoint, RecordingChannel& channel, ChunkRange chunks)
{
    channel.wants.cancel(chunks);
    note_held(channel, chunks);
    fetch_wanted_ = true;
}

/// What the neighbour holds; the slabs of it are counted once.
void RecordingSwarm::note_held(RecordingChannel& channel, ChunkRange chunks)
{
    fresh_.clear();
    channel.has.chunks().visit_missing(chunks, [&](ChunkRange gap) { fresh_.push_back(gap); });
    if (!fresh_.empty() && channel.has.add(chunks)) {
        for (ChunkRange const& range : fresh_) {
            slabs_.on_have(range);
        }
    }
}

void RecordingSwarm::on_opened(TimePoint, Channel& channel)
{
    if (!as_recording(channel).wants.empty()) {
        note_sending(channel); // it asked in datagram 1
    }
    auto const intervals = store_.have().intervals();
    std::size_t const count = std::min(intervals.size(), haves_max);
    for (ChunkRange const& range : intervals.first(count)) {
        channel.control.haves.push_back(range);
    }
    fetch_wanted_ = true;
}

void RecordingSwarm::on_closed(TimePoint, Channel& channel)
{
    for (ChunkRange const& range : channel.has.chunks().intervals()) {
        slabs_.on_gone(range);
    }
    slabs_.release_all(key_of(channel));
    fetch_wanted_ = true;
}

void RecordingSwarm::tend(TimePoint now, Channel& channel)
{
    RecordingChannel& conversation = as_recording(channel);
    Duration const patience =
        std::max<Duration>(unfed_max, conversation.flow.rtt().smoothed() * unfed_round_trips);
    if (!conversation.asked.empty() && now - conversation.fed_at > patience) {
        withdraw_all(conversation);
        conversation.rest_until = has_other_holder(conversation) ? now + rest : now;
        return;
    }
    // A REQUEST may be lost while others are served.
    for (std::uint64_t const slab : slabs_.stalled(key_of(channel), now - 2 * patience)) {
        slabs_.release(slab, key_of(channel));
        withdraw(conversation, slabs_.chunks(slab));
        fetch_wanted_ = true;
    }
}

bool RecordingSwarm::has_other_holder(RecordingChannel const& than) const
{
    return std::any_of(channels_.begin(), channels_.end(), [&](auto const& channel) {
        return channel.get() != &than && channel->is_open() && !channel->chokes_us &&
               !channel->has.empty();
    });
}

void RecordingSwarm::tend_all(TimePoint)
{
    fetch_wanted_ = true; // rates and patience have changed
}

bool RecordingSwarm::is_idle(TimePoint now, Channel const& channel) const
{
    auto const& conversation = static_cast<RecordingChannel const&>(channel);
    bool const gives = !store_.is_whole() && !conversation.has.empty();
    return !gives && conversation.wants.empty() && conversation.flow.in_flight().empty() &&
           now - conversation.opened_at > idle_max;
}

} // namespace ppsp::peer
