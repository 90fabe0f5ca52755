#include "tests/support/virtual_swarm.hpp"

#include "protocol/integrity/private_key.hpp"

#include <algorithm>

namespace ppsp::test {
namespace {

constexpr UnixMicros utc_at_zero = 1'790'000'000'000'000;
constexpr std::uint32_t chunk_size = 1024;

} // namespace

VirtualNode::VirtualNode(Endpoint at, peer::NodeConfig const& config, Rng rng)
    : endpoint(at), hasher(integrity::make_hasher(wire::HashFunction::sha256)),
      checker(std::make_unique<integrity::OpensslChecker>()), random(rng.fork("secrets")),
      engine(config, rng.fork("engine"),
             peer::Ports{*hasher, *checker, random, log, nullptr, &memberships, &spare})
{}

VirtualSwarm::VirtualSwarm(std::uint64_t seed) : rng_(seed), link_rng_(rng_.fork("links"))
{
    auto key = integrity::PrivateKey::generate(wire::SignatureAlgorithm::ecdsa_p256_sha256);
    signer_ = integrity::make_signer(std::move(*key));
    id_ = signer_->swarm_id();
}

VirtualNode& VirtualSwarm::add_node(peer::NodeConfig config)
{
    config.utc_at_zero = utc_at_zero;
    auto const number = static_cast<std::uint32_t>(nodes_.size() + 1);
    nodes_.push_back(std::make_unique<VirtualNode>(Endpoint::v4(0x0a000000 + number, 6778), config,
                                                   rng_.fork("node", number)));
    return *nodes_.back();
}

VirtualNode& VirtualSwarm::add_source(SourceOptions const& options)
{
    source_options_ = options;
    media_ = std::make_unique<TestMedia>(options.chunks_per_unit, chunk_size);
    peer::NodeConfig config;
    config.uplink_bps = options.uplink_bps;
    config.neighbours_max = options.neighbours_max;
    source_ = &add_node(config);
    peer::LiveSwarmConfig swarm;
    swarm.id = id_;
    swarm.role = peer::Role::source;
    swarm.chunks_per_unit = options.chunks_per_unit;
    swarm.unit_duration = options.unit_duration;
    swarm.first_unit = options.first_unit;
    stream_start_ = options.first_unit * options.chunks_per_unit * chunk_size;
    peer::ObjectCollector objects{
        {.chunk_size = chunk_size, .chunks_per_unit = options.chunks_per_unit},
        id_,
        options.unit_duration,
        *source_->hasher};
    storage.begin(*signer_, std::move(objects));
    source_->engine.handle(now_, peer::JoinSwarm{swarm, &storage.recorder()});
    drain(*source_);
    next_unit_ = now_ + options.unit_duration;
    next_key_ = now_;
    return *source_;
}

VirtualNode& VirtualSwarm::add_viewer(std::optional<Duration> latency,
                                      std::optional<std::uint64_t> uplink_bps,
                                      peer::NodeConfig config)
{
    config.uplink_bps = uplink_bps;
    VirtualNode& node = add_node(config);
    peer::LiveSwarmConfig swarm;
    swarm.id = id_;
    swarm.playout.latency = latency;
    for (auto const& server : storage.servers) {
        swarm.storage.push_back(server.about);
    }
    node.engine.handle(now_, peer::JoinSwarm{swarm});
    drain(node);
    return node;
}

void VirtualSwarm::introduce(VirtualNode& node, std::vector<Endpoint> const& only)
{
    peer::CandidatesFound found{id_, only};
    if (only.empty()) {
        for (auto const& other : nodes_) {
            if (other.get() != &node && other->alive) {
                found.endpoints.push_back(other->endpoint);
            }
        }
    }
    node.engine.handle(now_, found);
    drain(node);
}

void VirtualSwarm::inject(Endpoint from, VirtualNode& to, ByteVector bytes)
{
    flying_.push({now_, next_number_++, from, to.endpoint, std::move(bytes)});
}

void VirtualSwarm::run_for(Duration time)
{
    TimePoint const end = now_ + time;
    for (;;) {
        TimePoint next = end;
        if (source_ != nullptr && !source_paused_ && source_->alive) {
            next = std::min(next, next_unit_);
        }
        if (!flying_.empty()) {
            next = std::min(next, flying_.top().at);
        }
        if (!fetched_.empty()) {
            next = std::min(next, fetched_.top().at);
        }
        for (auto const& node : nodes_) {
            if (auto const deadline = node->engine.deadline(); node->alive && deadline) {
                next = std::min(next, *deadline);
            }
        }
        now_ = std::max(now_, next);
        if (now_ >= end) {
            now_ = end;
            return;
        }
        if (!source_paused_ && source_ != nullptr && source_->alive && next_unit_ <= now_) {
            cut_unit();
        }
        while (!flying_.empty() && flying_.top().at <= now_) {
            Flying const flying = flying_.top();
            flying_.pop();
            deliver(flying);
        }
        while (!fetched_.empty() && fetched_.top().at <= now_) {
            Fetched const fetched = fetched_.top();
            fetched_.pop();
            deliver(fetched);
        }
        for (auto const& node : nodes_) {
            auto const deadline = node->engine.deadline();
            if (node->alive && deadline && *deadline <= now_) {
                node->engine.handle(now_, peer::TimerFired{});
                drain(*node);
            }
        }
    }
}

void VirtualSwarm::resume_source()
{
    source_paused_ = false;
    next_unit_ = now_ + source_options_.unit_duration;
    next_key_ = next_unit_;
}

peer::SwarmStatistics VirtualSwarm::figures(VirtualNode& node) const
{
    return *node.engine.statistics(now_, id_);
}

bool VirtualSwarm::is_cut(peer::MediaReady const& media) const
{
    if (media.stream_position < stream_start_) {
        return false;
    }
    std::uint64_t const offset = media.stream_position - stream_start_;
    return offset + media.bytes.size() <= stream_.size() &&
           std::equal(media.bytes.begin(), media.bytes.end(),
                      stream_.begin() + static_cast<std::ptrdiff_t>(offset));
}

bool VirtualSwarm::output_is_exact(VirtualNode const& node) const
{
    if (!node.output_position || !node.positions_continuous || node.output.empty()) {
        return false;
    }
    std::uint64_t const offset = *node.output_position - stream_start_;
    return offset + node.output.size() <= stream_.size() &&
           std::equal(node.output.begin(), node.output.end(),
                      stream_.begin() + static_cast<std::ptrdiff_t>(offset));
}

void VirtualSwarm::drain(VirtualNode& node)
{
    while (auto output = node.engine.poll(now_)) {
        if (auto* datagram = std::get_if<peer::SendDatagram>(&*output)) {
            send(node, std::move(*datagram));
        } else if (auto const* wanted = std::get_if<peer::FetchWanted>(&*output)) {
            fetch(node, *wanted);
        } else if (auto* media = std::get_if<peer::MediaReady>(&*output)) {
            if (!node.output_position) {
                node.output_position = media->stream_position;
                node.next_position = media->stream_position;
            }
            node.discontinuities += media->discontinuity ? 1 : 0;
            node.positions_continuous =
                node.positions_continuous && media->stream_position == node.next_position;
            node.next_position = media->stream_position + media->bytes.size();
            node.bytes_are_exact = node.bytes_are_exact && is_cut(*media);
            node.output.insert(node.output.end(), media->bytes.begin(), media->bytes.end());
        }
    }
}

void VirtualSwarm::send(VirtualNode& from, peer::SendDatagram datagram)
{
    from.datagrams_sent += 1;
    if (link_rng_.chance(faults.loss)) {
        return;
    }
    if (meddle && !meddle(from.endpoint, datagram.to, datagram.bytes)) {
        return;
    }
    Duration delay = faults.delay;
    if (faults.jitter > Duration::zero()) {
        delay += Duration{link_rng_.between(0, faults.jitter.count())};
    }
    if (link_rng_.chance(faults.reordering)) {
        delay += faults.reorder_by;
    }
    if (link_rng_.chance(faults.duplication)) {
        flying_.push(
            {now_ + delay + 1ms, next_number_++, from.endpoint, datagram.to, datagram.bytes});
    }
    flying_.push(
        {now_ + delay, next_number_++, from.endpoint, datagram.to, std::move(datagram.bytes)});
}

void VirtualSwarm::deliver(Flying const& flying)
{
    VirtualNode* const node = find(flying.to);
    if (node == nullptr || !node->alive) {
        return;
    }
    node->engine.handle(now_, peer::DatagramReceived{flying.from, flying.bytes});
    drain(*node);
}

void VirtualSwarm::fetch(VirtualNode& from, peer::FetchWanted const& wanted)
{
    auto [answer, took] = storage.answer(now_, wanted);
    fetched_.push({now_ + took, next_number_++, from.endpoint, wanted.fetch, std::move(answer)});
}

void VirtualSwarm::deliver(Fetched const& fetched)
{
    VirtualNode* const node = find(fetched.to);
    if (node != nullptr && node->alive) {
        node->engine.handle(now_, peer::FetchFinished{id_, fetched.fetch, fetched.answer.status,
                                                      fetched.answer.body});
        drain(*node);
    }
}

void VirtualSwarm::cut_unit()
{
    bool const key = next_unit_ >= next_key_;
    if (key) {
        next_key_ += source_options_.key_frame_interval;
    }
    bool random_access = false;
    ByteVector const unit = media_->next_unit(key, random_access);
    stream_.insert(stream_.end(), unit.begin(), unit.end());
    source_->engine.handle(now_, peer::UnitCut{id_, unit, random_access});
    drain(*source_);
    storage.on_unit(now_, utc_at_zero + now_.time_since_epoch().count(), unit, random_access);
    next_unit_ += std::chrono::duration_cast<Duration>(source_options_.unit_duration / pace);
}

VirtualNode* VirtualSwarm::find(Endpoint const& endpoint)
{
    auto const at = std::find_if(nodes_.begin(), nodes_.end(),
                                 [&](auto const& node) { return node->endpoint == endpoint; });
    return at == nodes_.end() ? nullptr : at->get();
}

} // namespace ppsp::test
