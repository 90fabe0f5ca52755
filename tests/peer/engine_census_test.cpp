#include "peer/swarm/census.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

Endpoint endpoint(std::uint32_t address, std::uint16_t port = 6778)
{
    return Endpoint::v4(0x0a000000 + address, port);
}

struct CensusTest : testing::Test {
    Channel& add(Endpoint const& to, bool initiator = false)
    {
        channels.push_back(std::make_unique<Channel>(
            ChannelId{static_cast<std::uint32_t>(channels.size() + 1)}, to, flow));
        channels.back()->initiator = initiator;
        census.add(*channels.back());
        return *channels.back();
    }
    [[nodiscard]] std::vector<Channel*> of(Endpoint const& to) const
    {
        std::vector<Channel*> found;
        auto const [first, last] = census.of(to);
        for (auto at = first; at != last; ++at) {
            found.push_back(at->second);
        }
        return found;
    }
    congestion::LedbatConfig flow = flow_config(25ms, 1024, 64);
    std::vector<std::unique_ptr<Channel>> channels;
    Census census;
};

TEST_F(CensusTest, counts_by_state)
{
    Channel& ours = add(endpoint(1), true);
    Channel& theirs = add(endpoint(2));
    EXPECT_EQ(census.open() + census.half_open() + census.strangers(), 0U);
    census.move(theirs, ChannelState::half_open);
    EXPECT_EQ(census.half_open(), 1U);
    census.move(theirs, ChannelState::open);
    census.move(ours, ChannelState::open);
    EXPECT_EQ(ours.state, ChannelState::open);
    EXPECT_EQ(census.half_open(), 0U);
    EXPECT_EQ(census.open(), 2U);
    EXPECT_EQ(census.strangers(), 1U);
    census.move(theirs, ChannelState::closed);
    EXPECT_EQ(census.open(), 1U);
    EXPECT_EQ(census.strangers(), 0U);
}

TEST_F(CensusTest, half_open_ones_count_for_their_address_whatever_the_port)
{
    for (std::uint16_t const port : std::initializer_list<std::uint16_t>{1, 6778, 65'535}) {
        census.move(add(endpoint(7, port)), ChannelState::half_open);
    }
    census.move(add(endpoint(7, 5)), ChannelState::open);
    census.move(add(endpoint(6)), ChannelState::half_open);
    census.move(add(endpoint(8)), ChannelState::half_open);
    EXPECT_EQ(census.half_open(endpoint(7, 99)), 3U);
    EXPECT_EQ(census.half_open(endpoint(9)), 0U);
    EXPECT_EQ(census.half_open(), 5U);
}

TEST_F(CensusTest, finds_the_channels_of_an_endpoint_in_their_order)
{
    Channel& first = add(endpoint(1));
    add(endpoint(1, 9));
    Channel& second = add(endpoint(1));
    Channel& third = add(endpoint(1));
    EXPECT_EQ(of(endpoint(1)), (std::vector{&first, &second, &third}));
    census.remove(second);
    EXPECT_EQ(of(endpoint(1)), (std::vector{&first, &third}));
    EXPECT_TRUE(of(endpoint(2)).empty());
}

TEST_F(CensusTest, what_is_removed_no_longer_counts)
{
    Channel& channel = add(endpoint(1));
    census.move(channel, ChannelState::open);
    census.remove(channel);
    EXPECT_EQ(census.open(), 0U);
    EXPECT_EQ(census.strangers(), 0U);
    EXPECT_EQ(census.half_open(endpoint(1)), 0U);
}

} // namespace
} // namespace ppsp::peer
