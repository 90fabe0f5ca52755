#include "tests/support/recording_world.hpp"

#include <algorithm>

namespace ppsp::test {
namespace {

constexpr UnixMicros utc_at_zero = 1'790'000'000'000'000;

} // namespace

ByteVector random_content(std::size_t size, std::uint64_t seed)
{
    Rng rng{seed};
    ByteVector content(size);
    for (std::uint8_t& byte : content) {
        byte = static_cast<std::uint8_t>(rng.next());
    }
    return content;
}

RecordingWorld::RecordingWorld(ByteVector content, Options const& given, std::uint64_t seed)
    : options(given), content_(std::move(content)), rng_(seed), link_rng_(rng_.fork("links"))
{
    auto const hasher = integrity::make_hasher(options.hash_function);
    auto tree = integrity::MerkleTree::from_content(*hasher, options.chunk_size, content_);
    tree_ = std::make_shared<integrity::MerkleTree const>(*std::move(tree));
    integrity::Hash const root = tree_->root();
    config_.id.assign(root.bytes().begin(), root.bytes().end());
    config_.hash_function = options.hash_function;
    config_.addressing = options.addressing;
    config_.chunk_size = options.chunk_size;
}

RecordingNode& RecordingWorld::add(peer::NodeConfig config)
{
    config.utc_at_zero = utc_at_zero;
    auto const number = static_cast<std::uint32_t>(nodes.size() + 1);
    nodes.push_back(std::make_unique<RecordingNode>(Endpoint::v4(0x0a000000 + number, 6778), config,
                                                    rng_.fork("node", number),
                                                    options.make_hasher(options.hash_function)));
    return *nodes.back();
}

RecordingNode& RecordingWorld::add_seed(peer::NodeConfig config)
{
    RecordingNode& node = add(config);
    node.content.bytes = content_;
    peer::RecordingConfig with_length = config_;
    with_length.length = content_.size();
    handle(node, peer::JoinRecording{with_length, &node.content, node.hasher.get(), tree_});
    return node;
}

RecordingNode& RecordingWorld::add_leecher(peer::NodeConfig config)
{
    RecordingNode& node = add(config);
    peer::RecordingConfig recording = config_;
    if (options.tell_length) {
        recording.length = content_.size();
    }
    handle(node, peer::JoinRecording{recording, &node.content, node.hasher.get()});
    return node;
}

void RecordingWorld::introduce(RecordingNode& who)
{
    std::vector<Endpoint> others;
    for (auto const& other : nodes) {
        if (other.get() == &who) {
            break;
        }
        others.push_back(other->node.endpoint);
    }
    handle(who, peer::CandidatesFound{id(), std::move(others)});
}

void RecordingWorld::introduce(RecordingNode& who, RecordingNode& to)
{
    handle(who, peer::CandidatesFound{id(), {to.node.endpoint}});
}

void RecordingWorld::inject(Endpoint from, RecordingNode& to, ByteVector bytes)
{
    send(from, to.node.endpoint, std::move(bytes));
}

peer::SwarmStatistics RecordingWorld::figures(RecordingNode const& node) const
{
    return *node.node.engine.statistics(now_, id());
}

RecordingNode* RecordingWorld::find(Endpoint at)
{
    auto const found = std::find_if(nodes.begin(), nodes.end(), [&](auto const& node) {
        return node->node.endpoint == at && node->node.alive;
    });
    return found == nodes.end() ? nullptr : found->get();
}

void RecordingWorld::handle(RecordingNode& node, peer::Input const& input)
{
    node.node.engine.handle(now_, input);
    drain(node);
}

void RecordingWorld::drain(RecordingNode& node)
{
    while (auto output = node.node.engine.poll(now_)) {
        if (auto* const datagram = std::get_if<peer::SendDatagram>(&*output)) {
            flown_bytes += datagram->bytes.size();
            flown_datagrams += 1;
            send(node.node.endpoint, datagram->to, std::move(datagram->bytes));
        }
    }
}

void RecordingWorld::send(Endpoint from, Endpoint to, ByteVector bytes)
{
    if (link_rng_.chance(options.faults.loss) || (meddle && !meddle(from, to, bytes))) {
        return;
    }
    Duration delay = options.faults.delay;
    if (link_rng_.chance(options.faults.reordering)) {
        delay += options.faults.reorder_by;
    }
    if (link_rng_.chance(options.faults.duplication)) {
        flying_.push({now_ + delay, next_number_++, from, to, bytes});
    }
    flying_.push({now_ + delay, next_number_++, from, to, std::move(bytes)});
}

bool RecordingWorld::step(TimePoint end)
{
    TimePoint next = flying_.empty() ? end : flying_.top().at;
    RecordingNode* woken = nullptr;
    for (auto const& node : nodes) {
        auto const deadline = node->node.engine.deadline();
        if (node->node.alive && deadline && *deadline < next) {
            next = *deadline;
            woken = node.get();
        }
    }
    if (next >= end) {
        now_ = end;
        return false;
    }
    now_ = std::max(now_, next);
    if (woken != nullptr) {
        handle(*woken, peer::TimerFired{});
        return true;
    }
    Flying const flying = flying_.top();
    flying_.pop();
    if (RecordingNode* const to = find(flying.to)) {
        bool const more = options.together && !flying_.empty() && flying_.top().at <= now_ &&
                          flying_.top().to == flying.to;
        peer::DatagramReceived const datagram{flying.from, flying.bytes, more};
        to->node.engine.foresee({&datagram, 1});
        handle(*to, datagram);
    } else if (stranger) {
        stranger(flying.from, flying.to, flying.bytes);
    }
    return true;
}

void RecordingWorld::run_for(Duration time)
{
    TimePoint const end = now_ + time;
    while (step(end)) {
    }
}

bool RecordingWorld::run_until_whole(Duration longest)
{
    TimePoint const end = now_ + longest;
    auto const all_whole = [&] {
        return std::all_of(nodes.begin(), nodes.end(), [&](auto const& node) {
            return !node->node.alive || figures(*node).content_bytes == content_.size();
        });
    };
    for (int steps = 0;; ++steps) {
        if (steps % 64 == 0 && all_whole()) {
            return true;
        }
        if (!step(end)) {
            return all_whole();
        }
    }
}

} // namespace ppsp::test
