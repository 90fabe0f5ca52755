#include "peer/channel/handshake.hpp"
#include "protocol/wire/datagram.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

/// Who begins a conversation, and what that costs before its address is proven.
namespace ppsp::test {
namespace {

ByteVector first_datagram(VirtualSwarm const& swarm, ChannelId source)
{
    wire::DatagramWriter writer(ChannelId{0}, {}, 1200);
    peer::SwarmMetadata metadata;
    metadata.id = swarm.id();
    metadata.discard_window_chunks = 1000;
    EXPECT_TRUE(writer.add(wire::Handshake{source, peer::handshake_options(metadata, true)}));
    return writer.take();
}

/// Made-up addresses, each with the first datagram of a conversation.
void flood(VirtualSwarm& swarm, VirtualNode& source, std::uint32_t addresses)
{
    for (std::uint32_t i = 0; i < addresses; ++i) {
        swarm.inject(Endpoint::v4(0x0b000000 + i, 1234), source,
                     first_datagram(swarm, ChannelId{i + 1}));
    }
    swarm.run_for(100ms);
}

TEST(Ppspp, S3_1_1_d_unknown_swarm_gets_no_answer)
{
    VirtualSwarm swarm{11};
    VirtualNode& source = swarm.add_source({});
    VirtualSwarm other{12};
    wire::DatagramWriter writer(ChannelId{0}, {}, 1200);
    peer::SwarmMetadata metadata;
    metadata.id = other.id();
    ASSERT_TRUE(writer.add(wire::Handshake{ChannelId{7}, peer::handshake_options(metadata, true)}));
    swarm.inject(Endpoint::v4(0x0a0000ff, 1234), source, writer.take());
    swarm.run_for(2s);
    EXPECT_EQ(source.datagrams_sent, 0u);
}

TEST(Ppspp, S3_1_1_answer_to_an_unproven_address_is_at_most_three_times_the_request)
{
    VirtualSwarm swarm{13};
    VirtualNode& source = swarm.add_source({});
    swarm.run_for(2s);
    ByteVector const request = first_datagram(swarm, ChannelId{7});
    std::size_t answered = 0;
    swarm.meddle = [&](Endpoint, Endpoint, ByteVector& bytes) {
        answered += bytes.size();
        return true;
    };
    for (int i = 0; i < 3; ++i) { // the same datagram again: the same answer, no second channel
        swarm.inject(Endpoint::v4(0x0a0000ff, 1234), source, request);
        swarm.run_for(100ms);
    }
    EXPECT_GT(answered, 0u);
    EXPECT_LE(answered, 3 * 3 * request.size());
    EXPECT_EQ(swarm.figures(source).neighbours, 0u);
}

TEST(Swarm, half_open_conversations_of_one_address_are_limited)
{
    VirtualSwarm swarm{14};
    VirtualNode& source = swarm.add_source({});
    for (std::uint32_t i = 1; i <= 50; ++i) {
        swarm.inject(Endpoint::v4(0x0a0000ff, static_cast<std::uint16_t>(1000 + i)), source,
                     first_datagram(swarm, ChannelId{i}));
    }
    swarm.run_for(1s);
    EXPECT_EQ(source.datagrams_sent, 8u);
}

/// Addresses that are made up never answer: they must not take the places of those that do.
TEST(Swarm, invented_addresses_do_not_keep_viewers_out)
{
    VirtualSwarm swarm{16};
    VirtualNode& source = swarm.add_source({});
    swarm.run_for(1s);
    flood(swarm, source, 500);
    VirtualNode& viewer = swarm.add_viewer();
    swarm.introduce(viewer);
    swarm.run_for(5s);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
}

TEST(Swarm, the_table_of_half_open_conversations_has_a_limit)
{
    VirtualSwarm swarm{17};
    VirtualNode& source = swarm.add_source({});
    flood(swarm, source, 1500);
    EXPECT_EQ(source.datagrams_sent, 1024u);
}

TEST(Ppspp, S12_6_1_a_strangers_do_not_take_the_places_for_own_conversations)
{
    VirtualSwarm swarm{18};
    VirtualNode& source = swarm.add_source({});
    swarm.run_for(1s);
    peer::NodeConfig config;
    config.neighbours_target = 2;
    config.neighbours_max = 5;
    VirtualNode& victim = swarm.add_viewer(800ms, std::nullopt, config);
    std::vector<VirtualNode*> strangers;
    for (int i = 0; i < 8; ++i) {
        strangers.push_back(&swarm.add_viewer());
        swarm.introduce(*strangers.back(), {victim.endpoint});
    }
    swarm.run_for(2s);
    EXPECT_EQ(swarm.figures(victim).neighbours, 3u) << "5 - 2 are for strangers";
    swarm.introduce(victim, {source.endpoint});
    swarm.run_for(5s);
    EXPECT_EQ(swarm.figures(victim).neighbours, 4u);
    EXPECT_TRUE(swarm.output_is_exact(victim));
}

} // namespace
} // namespace ppsp::test
