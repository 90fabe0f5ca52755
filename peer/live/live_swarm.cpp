#include "peer/live/live_swarm.hpp"

#include "peer/policy/substream_picker.hpp"
#include "protocol/base/assert.hpp"

/// Beginning of a live swarm, and what it answers to its conversations.
namespace ppsp::peer {
namespace {

/// Storage shows that the stream goes on; a neighbour that is silent that long meanwhile is gone.
constexpr Duration silence_beside_storage_max = 3s;

std::unique_ptr<Picker> make_picker(LiveSwarmConfig const& config, Rng rng)
{
    return config.picker ? config.picker(rng)
                         : std::make_unique<SubstreamPicker>(SubstreamPickerConfig{}, rng);
}

SwarmMetadata metadata_of(LiveSwarmConfig const& config, NodeConfig const& node)
{
    auto const algorithm = integrity::algorithm_of(config.id);
    PPSP_ASSERT(algorithm.has_value());
    SwarmMetadata metadata;
    metadata.id = config.id;
    metadata.algorithm = *algorithm;
    metadata.format = {.addressing = config.addressing,
                       .hash_size = wire::hash_size(wire::HashFunction::sha256),
                       .signature_size = wire::signature_size(*algorithm, config.id).value_or(64),
                       .chunk_size = config.chunk_size};
    metadata.accepts_content = config.role != Role::source;
    metadata.strict = node.strict;
    return metadata;
}

} // namespace

LiveSwarm::LiveSwarm(TimePoint now, JoinSwarm const& join, SwarmServices const& services, Rng rng)
    : Swarm(now, metadata_of(join.config, services.config),
            flow_config(services.config.ledbat_target, join.config.chunk_size, unit_chunks_max,
                        services.config.forgive_link_loss),
            services, rng),
      config_(join.config), signer_(join.signer), joined_(now), munros_(join.config.discard_window),
      next_own_unit_(join.config.first_unit), picker_(make_picker(join.config, rng.fork("picker"))),
      playout_(join.config.playout, now),
      slots_(join.config.role == Role::source ? UploadSlots::of_source()
                                              : UploadSlots{HomeSubstreams{rng.fork("homes")}})
{
    std::uint32_t const smallest_unit = 8;
    std::uint32_t const chunks =
        config_.chunks_per_unit != 0 ? config_.chunks_per_unit : smallest_unit;
    metadata_.discard_window_chunks = std::uint64_t{window_units()} * chunks;
    if (config_.chunks_per_unit != 0) {
        learn_units(now, config_.chunks_per_unit, is_source());
    }
    if (!config_.storage.empty() && !is_source()) {
        rescue_.emplace(RescueConfig{}, config_, now, rng.fork("rescue"));
    }
    update_deadline(now);
}

RangeSet const* LiveSwarm::held() const
{
    return store_ ? &store_->have() : nullptr;
}

void LiveSwarm::on_opened(TimePoint, Channel& channel)
{
    if (channel.requests.has_ready()) {
        note_sending(channel); // it asked in datagram 1
    }
    fetch_wanted_ = true;
}

void LiveSwarm::on_closed(TimePoint, Channel& channel)
{
    figures_.wasted_bytes += channel.scratch.take_dropped_bytes();
    picker_->on_parent_gone(key_of(channel));
    slots_.release(key_of(channel));
    waiting_.forget(key_of(channel));
    neighbour_homes_.forget(key_of(channel));
    first_copies_.forget(key_of(channel));
    unasked_.forget(key_of(channel));
    trials_.forget(key_of(channel));
    newcomers_.forget(key_of(channel));
    fetch_wanted_ = true;
}

void LiveSwarm::tend(TimePoint now, Channel& channel)
{
    channel.scratch.expire(now);
    figures_.wasted_bytes += channel.scratch.take_dropped_bytes();
    if (!channel.responds(now)) {
        slots_.release(key_of(channel)); // somebody else can use its places
    }
    if (store_) {
        ChunkId const oldest = store_->grid().first_chunk(store_->oldest_kept());
        channel.hashes.forget_below(oldest);
        channel.requests.forget_below(oldest);
        channel.pushing.trim_below(oldest);
        channel.asked.trim_below(oldest);
    }
}

/// After an outage of our own the others may have given us up, and drop what we send without a
/// word: the conversation looks open from here for three minutes (RFC 7574 §3.12). A stream that
/// pauses looks the same, so that it is tried less and less often.
void LiveSwarm::revive(TimePoint now)
{
    bool const starves = !is_source() && playout_.begun() && now - fed_at_ > revival_wait_min;
    if (!starves) {
        revival_wait_ = revival_wait_min;
        next_revival_ = now;
        return;
    }
    if (now < next_revival_) {
        return;
    }
    next_revival_ = now + revival_wait_;
    revival_wait_ = std::min(revival_wait_ * 2, revival_wait_max);
    for (std::size_t i = 0; i < channels_.size(); ++i) {
        Channel& channel = *channels_[i];
        if (channel.is_open() && now - channel.liveness.received > revival_wait_min) {
            close(now, channel, "silent", true);
        }
    }
}

void LiveSwarm::tend_all(TimePoint now)
{
    revive(now);
    relieve(now);
    if (!is_source()) {
        SubstreamSet const fed_now = fed(now);
        slots_.note_fed(now, fed_now, firsthand(fed_now));
    }
    update_budget(now);
    probe_jump(now);
    if (is_source()) {
        seek_able(now);
    } else {
        rewire(now);
    }
}

void LiveSwarm::build_control(Channel& channel, std::vector<ByteVector>& out)
{
    builder().control(channel, out);
}

/// Units kept: the discard window at the nominal duration, and room for the unit in progress.
std::uint32_t LiveSwarm::window_units() const
{
    return static_cast<std::uint32_t>(config_.discard_window / config_.unit_duration) + 2;
}

/// Storage shows that the stream goes on, and hides the neighbours' silence from what is asked.
bool LiveSwarm::is_passed_by(TimePoint now, Channel const& channel) const
{
    Liveness const& live = channel.liveness;
    auto const sign = signs_.edge() ? signs_.first(*signs_.edge()) : std::nullopt;
    return rescue_ && is_alone(now) && sign && now - *sign < silence_beside_storage_max &&
           now - live.received > silence_beside_storage_max && live.sent_since_received >= 3;
}

} // namespace ppsp::peer
