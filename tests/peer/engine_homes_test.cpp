#include "protocol/wire/datagram.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

/// What a node passes on, what it says of that, and what its place with others is worth for it.
namespace ppsp::test {
namespace {

constexpr std::uint32_t chunks_per_unit = 16;

std::uint32_t substream_of(ChunkId chunk)
{
    return static_cast<std::uint32_t>(to_number(chunk) / chunks_per_unit % 8);
}

/// HAVEs and DATA from one node to another, by substream.
struct Said {
    std::map<std::uint32_t, std::uint32_t> haves;
    std::map<std::uint32_t, std::uint32_t> data;

    void read(Bytes datagram)
    {
        wire::DatagramReader reader(datagram, wire::SwarmFormat{});
        for (auto message = reader.next(); message && *message; message = reader.next()) {
            if (auto const* const have = std::get_if<wire::Have>(&**message)) {
                haves[substream_of(have->chunks.last)] += 1;
            } else if (auto const* const sent = std::get_if<wire::Data>(&**message)) {
                data[substream_of(sent->chunks.first)] += 1;
            }
        }
    }
    [[nodiscard]] std::set<std::uint32_t> announced() const
    {
        std::set<std::uint32_t> substreams;
        for (auto const& [substream, count] : haves) {
            substreams.insert(substream);
        }
        return substreams;
    }
};

VirtualSwarm::SourceOptions source_of(std::optional<std::uint64_t> uplink_bps)
{
    VirtualSwarm::SourceOptions options;
    options.chunks_per_unit = chunks_per_unit;
    options.uplink_bps = uplink_bps;
    return options;
}

struct HomesTest : ::testing::Test {
    explicit HomesTest(std::uint64_t seed = 31) : swarm(seed)
    {
        swarm.meddle = [this](Endpoint from, Endpoint to, ByteVector& bytes) {
            said[{from, to}].read(bytes);
            return true;
        };
    }
    /// Viewers that know each other and the source, with so many places each.
    void add_viewers(std::uint32_t count, std::uint32_t places)
    {
        peer::NodeConfig config;
        config.places = static_cast<std::uint16_t>(places);
        for (std::uint32_t i = 0; i < count; ++i) {
            viewers.push_back(&swarm.add_viewer(800ms, std::nullopt, config));
        }
        for (VirtualNode* const viewer : viewers) {
            swarm.introduce(*viewer);
        }
    }

    VirtualSwarm swarm;
    std::map<std::pair<Endpoint, Endpoint>, Said> said;
    std::vector<VirtualNode*> viewers;
};

TEST_F(HomesTest, a_source_hears_what_its_neighbours_pass_on)
{
    VirtualNode& source = swarm.add_source(source_of(std::nullopt));
    swarm.run_for(1s);
    add_viewers(5, 4); // one home each
    swarm.run_for(3s);
    said.clear();
    swarm.run_for(10s);
    for (VirtualNode* const viewer : viewers) {
        Said const& told = said[{viewer->endpoint, source.endpoint}];
        EXPECT_EQ(told.announced().size(), 1u);
        std::uint32_t haves = 0;
        for (auto const& [substream, count] : told.haves) {
            haves += count;
        }
        EXPECT_GE(haves, 4u) << "every two seconds";
        EXPECT_LE(haves, 6u);
    }
}

TEST_F(HomesTest, places_go_to_who_passes_their_substream_on)
{
    VirtualNode& source = swarm.add_source(source_of(3'500'000)); // a place a substream
    swarm.run_for(1s);
    add_viewers(2, 8); // four homes each
    swarm.run_for(20s);
    said.clear();
    swarm.run_for(10s);
    auto const homes = [&](std::uint32_t viewer) {
        return said[{viewers[viewer]->endpoint, source.endpoint}].announced();
    };
    std::uint32_t compared = 0;
    for (std::uint32_t substream = 0; substream < 8; ++substream) {
        bool const first = homes(0).contains(substream);
        if (first == homes(1).contains(substream)) {
            continue;
        }
        ++compared;
        auto const to = [&](std::uint32_t viewer) {
            return said[{source.endpoint, viewers[viewer]->endpoint}].data[substream];
        };
        EXPECT_GT(to(first ? 0 : 1), 3 * to(first ? 1 : 0)) << substream;
    }
    EXPECT_GT(compared, 0u);
}

} // namespace
} // namespace ppsp::test
