#include "protocol/integrity/private_key.hpp"
#include "tests/allocations/counting.hpp"
#include "tests/support/recording_world.hpp"
#include "tests/support/test_media.hpp"

#include <gtest/gtest.h>

#include <deque>

/// How often engines ask for memory when everything has found its size.
namespace ppsp::test {
namespace {

constexpr Duration link_delay = 5ms;

/// Engines in virtual time on links without faults. What they send comes back to them as spare
/// memory, as their shell does it; only what they do themselves is counted.
class CountedSwarm {
public:
    VirtualNode& add(std::optional<std::uint64_t> uplink_bps = {})
    {
        peer::NodeConfig config;
        config.utc_at_zero = 1'790'000'000'000'000;
        config.uplink_bps = uplink_bps;
        auto const number = static_cast<std::uint32_t>(nodes.size() + 1);
        nodes.push_back(std::make_unique<VirtualNode>(Endpoint::v4(0x0a000000 + number, 6778),
                                                      config, Rng{number}));
        return *nodes.back();
    }

    void handle(VirtualNode& node, peer::Input const& input)
    {
        counted([&] { node.engine.handle(now, input); });
        for (;;) {
            std::optional<peer::Output> output;
            counted([&] { output = node.engine.poll(now); });
            if (!output) {
                break;
            }
            if (auto* const datagram = std::get_if<peer::SendDatagram>(&*output)) {
                ++datagrams;
                flying.push_back({now + link_delay, datagram->to, node.endpoint, datagram->bytes});
                node.spare.give(std::move(datagram->bytes));
            }
        }
        node.log.events.clear();
    }

    void run_for(Duration time)
    {
        TimePoint const end = now + time;
        while (step(end)) {
        }
    }

    std::vector<std::unique_ptr<VirtualNode>> nodes;
    TimePoint now{1s};
    std::uint64_t datagrams = 0; ///< each is sent once and received once

private:
    struct Flying {
        TimePoint at;
        Endpoint to;
        Endpoint from;
        ByteVector bytes;
    };

    bool step(TimePoint end)
    {
        TimePoint next = flying.empty() ? end : std::min(end, flying.front().at);
        VirtualNode* woken = nullptr;
        for (auto const& node : nodes) {
            auto const deadline = node->engine.deadline();
            if (deadline && *deadline < next) {
                next = *deadline;
                woken = node.get();
            }
        }
        if (next >= end) {
            now = end;
            return false;
        }
        now = std::max(now, next);
        if (woken != nullptr) {
            handle(*woken, peer::TimerFired{});
            return true;
        }
        Flying const one = std::move(flying.front());
        flying.pop_front();
        for (auto const& node : nodes) {
            if (node->endpoint == one.to) {
                handle(*node, peer::DatagramReceived{one.from, one.bytes});
            }
        }
        return true;
    }

    std::deque<Flying> flying;
};

TEST(Allocations, datagrams_of_a_recording_need_none)
{
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    ByteVector const content = random_content(std::size_t{24} << 20);
    auto const tree = std::make_shared<integrity::MerkleTree const>(
        *integrity::MerkleTree::from_content(*hasher, 1024, content));
    peer::RecordingConfig config;
    integrity::Hash const root = tree->root();
    config.id.assign(root.bytes().begin(), root.bytes().end());
    config.length = content.size();
    CountedSwarm swarm;
    MemoryBytes held{content};
    MemoryBytes fetched{ByteVector(content.size())};
    VirtualNode& seed = swarm.add(80'000'000);
    VirtualNode& leecher = swarm.add();
    swarm.handle(seed, peer::JoinRecording{config, &held, hasher.get(), tree});
    swarm.handle(leecher, peer::JoinRecording{config, &fetched, hasher.get()});
    swarm.handle(leecher, peer::CandidatesFound{config.id, {seed.endpoint}});
    swarm.run_for(1s);
    std::uint64_t const before = allocations;
    std::uint64_t const datagrams = swarm.datagrams;
    swarm.run_for(1s);
    ASSERT_GT(swarm.datagrams - datagrams, 8000u);
    ASSERT_GT(before, 0u) << "they are counted";
    // A few for each slab of 64 chunks, of which it is noted who was asked.
    EXPECT_LT(allocations - before, (swarm.datagrams - datagrams) / 10);
}

struct PerUnit {
    double allocations;
    double datagrams;
};

/// Means of a unit and node, of a source and four viewers that pass on to one another.
PerUnit live_stream_with(std::uint32_t unit_chunks)
{
    auto const signer = integrity::make_signer(*integrity::PrivateKey::generate());
    CountedSwarm swarm;
    peer::LiveSwarmConfig config;
    config.id = signer->swarm_id();
    config.chunks_per_unit = unit_chunks;
    config.discard_window = 4s;
    config.role = peer::Role::source;
    VirtualNode& source = swarm.add(unit_chunks * 312'500);
    swarm.handle(source, peer::JoinSwarm{config, signer.get()});
    config.role = peer::Role::viewer;
    config.chunks_per_unit = 0;
    config.playout.latency = 500ms;
    std::vector<Endpoint> others{source.endpoint};
    for (int i = 0; i < 4; ++i) {
        VirtualNode& viewer = swarm.add(unit_chunks * 250'000);
        swarm.handle(viewer, peer::JoinSwarm{config});
        swarm.handle(viewer, peer::CandidatesFound{config.id, others});
        others.push_back(viewer.endpoint);
    }
    TestMedia media(unit_chunks, 1024);
    std::vector<ByteVector> units;
    std::vector<bool> random_access;
    for (std::size_t i = 0; i < 20; ++i) {
        bool is_random_access = false;
        units.push_back(media.next_unit(i == 0, is_random_access));
        random_access.push_back(is_random_access);
    }
    std::size_t cut = 0;
    auto const play = [&](std::size_t count) {
        for (std::size_t end = cut + count; cut < end; ++cut) {
            std::size_t const i = cut % units.size();
            swarm.handle(source, peer::UnitCut{config.id, units[i], random_access[i]});
            swarm.run_for(50ms);
        }
    };
    play(200);
    std::uint64_t const before = allocations;
    std::uint64_t const datagrams = swarm.datagrams;
    play(100);
    double const counted_units = 100 * static_cast<double>(swarm.nodes.size());
    return {static_cast<double>(allocations - before) / counted_units,
            static_cast<double>(swarm.datagrams - datagrams) / counted_units};
}

/// Some for each unit, whose tree, chunks and signature are kept for a while.
TEST(Allocations, datagrams_of_a_live_stream_need_none)
{
    PerUnit const few = live_stream_with(16);
    PerUnit const many = live_stream_with(64);
    RecordProperty("units_of_16", std::to_string(few.allocations));
    RecordProperty("units_of_64", std::to_string(many.allocations));
    ASSERT_GT(few.allocations, 0) << "they are counted";
    ASSERT_GT(many.datagrams, few.datagrams + 40);
    EXPECT_LT(many.allocations, 25);
    EXPECT_LT((many.allocations - few.allocations) / (many.datagrams - few.datagrams), 0.1);
}

} // namespace
} // namespace ppsp::test
