#pragma once

#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

/// A source and storage servers in virtual time, for tests of viewers that need them.
namespace ppsp::peer::rescue_test {

using test::VirtualNode;
using test::VirtualStorage;
using test::VirtualSwarm;
using namespace std::chrono_literals;

inline VirtualStorage::Server server(StorageTier tier, std::uint32_t cost = 0)
{
    VirtualStorage::Server made;
    made.about = {tier, cost};
    return made;
}

inline NodeConfig without_peers()
{
    NodeConfig config;
    config.neighbours_target = 0;
    config.neighbours_max = 0;
    return config;
}

/// A source that runs for five seconds, its servers, and who joins then.
struct RescueTest : testing::Test {
    VirtualNode& start_source(VirtualSwarm::SourceOptions options = {})
    {
        VirtualNode& source = swarm.add_source(options);
        swarm.run_for(5s);
        return source;
    }
    /// A viewer whose only neighbour is a source that carries 2.4 Mbit/s of a stream that takes 2.9
    /// with its headers.
    VirtualNode& join_poor_source()
    {
        VirtualSwarm::SourceOptions options;
        options.uplink_bps = 2'400'000;
        VirtualNode& source = start_source(options);
        VirtualNode& viewer = swarm.add_viewer(std::nullopt);
        swarm.introduce(viewer, {source.endpoint});
        return viewer;
    }
    VirtualStorage::Server& add_server(StorageTier tier, std::uint32_t cost = 0)
    {
        // References stay good: there are few.
        swarm.storage.servers.reserve(8);
        swarm.storage.servers.push_back(server(tier, cost));
        return swarm.storage.servers.back();
    }
    /// From now on no datagram reaches the node, nor leaves it.
    void cut_off(VirtualNode& node)
    {
        swarm.meddle = [at = node.endpoint](Endpoint from, Endpoint to, ByteVector&) {
            return from != at && to != at;
        };
    }
    void expect_good(VirtualNode& node)
    {
        auto const figures = swarm.figures(node);
        EXPECT_TRUE(swarm.output_is_exact(node));
        EXPECT_EQ(figures.stalls, 0U) << figures.last_stall_cause;
        EXPECT_GE(figures.continuity(), 0.999);
        EXPECT_EQ(node.discontinuities, 0U);
    }

    VirtualSwarm swarm{1};
};

} // namespace ppsp::peer::rescue_test
