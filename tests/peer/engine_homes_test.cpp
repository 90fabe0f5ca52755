#include "protocol/wire/datagram.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

/// What a node says of what it passes on.
namespace ppsp::test {
namespace {

constexpr std::uint32_t chunks_per_unit = 16;
/// What two children take that get all eight substreams.
constexpr std::uint16_t places_of_two = 16;

std::uint32_t substream_of(ChunkId chunk)
{
    return static_cast<std::uint32_t>(to_number(chunk) / chunks_per_unit % 8);
}

/// HAVEs from one node to another, by substream.
using Haves = std::map<std::uint32_t, std::uint32_t>;

void read(Bytes datagram, Haves& haves)
{
    wire::DatagramReader reader(datagram, wire::SwarmFormat{});
    for (auto message = reader.next(); message && *message; message = reader.next()) {
        if (auto const* const have = std::get_if<wire::Have>(&**message)) {
            haves[substream_of(have->chunks.last)] += 1;
        }
    }
}

/// Whether it carries something of the substream.
bool has_data(Bytes datagram, std::uint32_t substream)
{
    wire::DatagramReader reader(datagram, wire::SwarmFormat{});
    for (auto message = reader.next(); message && *message; message = reader.next()) {
        auto const* const data = std::get_if<wire::Data>(&**message);
        if (data != nullptr && substream_of(data->chunks.first) == substream) {
            return true;
        }
    }
    return false;
}

/// A source and five viewers that know each other and it, with one home each, after three seconds.
struct Homes {
    explicit Homes(std::uint64_t seed) : swarm(seed)
    {
        VirtualSwarm::SourceOptions options;
        options.chunks_per_unit = chunks_per_unit;
        source = &swarm.add_source(options);
        swarm.run_for(1s);
        add_viewers(5, 4);
        swarm.run_for(3s);
        swarm.meddle = [this](Endpoint from, Endpoint to, ByteVector& bytes) {
            read(bytes, said[{from, to}]);
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
    VirtualNode* source = nullptr;
    std::map<std::pair<Endpoint, Endpoint>, Haves> said;
    std::vector<VirtualNode*> viewers;
};

TEST(HomesTest, a_source_hears_what_its_neighbours_pass_on)
{
    Homes of{31};
    of.swarm.run_for(10s);
    std::set<std::uint32_t> all;
    for (VirtualNode* const viewer : of.viewers) {
        Haves const& told = of.said[{viewer->endpoint, of.source->endpoint}];
        ASSERT_EQ(told.size(), 1u);
        EXPECT_GE(told.begin()->second, 4u) << "every two seconds";
        EXPECT_LE(told.begin()->second, 6u);
        all.insert(told.begin()->first);
    }
    EXPECT_GT(all.size(), 1u) << "each draws its own";
}

/// The substream of which nothing reaches the viewer is no home of it for long.
TEST(HomesTest, a_viewer_passes_on_what_comes_to_it)
{
    Homes of{32};
    of.swarm.run_for(5s);
    VirtualNode const& viewer = *of.viewers.front();
    Haves const before = of.said[{viewer.endpoint, of.source->endpoint}];
    ASSERT_EQ(before.size(), 1u);
    std::uint32_t const home = before.begin()->first;
    of.swarm.meddle = [&](Endpoint from, Endpoint to, ByteVector& bytes) {
        read(bytes, of.said[{from, to}]);
        return to != viewer.endpoint || !has_data(bytes, home);
    };
    of.swarm.run_for(6s);
    of.said.clear();
    of.swarm.run_for(20s); // it shows little: its playout stands still most of the time
    Haves const after = of.said[{viewer.endpoint, of.source->endpoint}];
    EXPECT_FALSE(after.empty());
    EXPECT_FALSE(after.contains(home));
}

/// How long after its unit was cut a parent's DATA leaves, on average, and a constant.
struct Age {
    Duration sum{};
    std::int64_t count = 0;
    [[nodiscard]] Duration mean() const { return sum / std::max<std::int64_t>(count, 1); }
};

/// A parent that has promised more than its uplink carries, with two children of which one passes
/// all substreams on.
TEST(HomesTest, copies_for_those_who_pass_them_on_do_not_wait_behind_others)
{
    VirtualSwarm swarm{33};
    VirtualSwarm::SourceOptions options;
    options.chunks_per_unit = chunks_per_unit;
    VirtualNode& source = swarm.add_source(options);
    swarm.run_for(1s);
    constexpr std::uint64_t stream_bps = chunks_per_unit * 1024 * 8 * 20;
    auto const add = [&](std::uint16_t places, std::optional<std::uint64_t> uplink_bps) {
        peer::NodeConfig config;
        config.places = places;
        return &swarm.add_viewer(800ms, uplink_bps, config);
    };
    VirtualNode& parent = *add(places_of_two, stream_bps * 2);
    VirtualNode& leaf = *add(0, std::nullopt);
    VirtualNode& branch = *add(places_of_two, std::nullopt);
    swarm.introduce(parent, {source.endpoint});
    swarm.introduce(leaf, {parent.endpoint});
    swarm.introduce(branch, {parent.endpoint});
    std::map<Endpoint, Age> ages;
    swarm.meddle = [&](Endpoint from, Endpoint to, ByteVector& bytes) {
        wire::DatagramReader reader(bytes, wire::SwarmFormat{});
        for (auto message = reader.next(); message && *message; message = reader.next()) {
            auto const* const data = std::get_if<wire::Data>(&**message);
            if (data != nullptr && from == parent.endpoint) {
                std::uint64_t const unit = to_number(data->chunks.first) / chunks_per_unit;
                ages[to].sum += swarm.now().time_since_epoch() - unit * 50ms;
                ages[to].count += 1;
            }
        }
        return from == parent.endpoint || to == parent.endpoint;
    };
    swarm.run_for(10s); // what newcomers say of single units is forgotten
    ages.clear();
    swarm.run_for(3s);
    EXPECT_GT(ages[branch.endpoint].count, 0);
    EXPECT_GT(ages[leaf.endpoint].mean(), ages[branch.endpoint].mean() + 100ms);
}

} // namespace
} // namespace ppsp::test
