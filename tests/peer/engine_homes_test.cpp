#include "protocol/wire/datagram.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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

/// A source and five viewers that know each other and it, with two homes each, after three seconds.
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
        EXPECT_EQ(told.size(), 2u) << "four places: two for each that the source pushes";
        for (auto const& [substream, times] : told) {
            EXPECT_GE(times, 4u) << "every two seconds";
            EXPECT_LE(times, 6u);
            all.insert(substream);
        }
    }
    EXPECT_GT(all.size(), 2u) << "each draws its own";
}

/// The substream of which nothing reaches the viewer is no home of it for long.
TEST(HomesTest, a_viewer_passes_on_what_comes_to_it)
{
    Homes of{32};
    of.swarm.run_for(5s);
    VirtualNode const& viewer = *of.viewers.front();
    Haves const before = of.said[{viewer.endpoint, of.source->endpoint}];
    ASSERT_FALSE(before.empty());
    std::uint32_t const home = before.begin()->first;
    of.swarm.meddle = [&](Endpoint from, Endpoint to, ByteVector& bytes) {
        read(bytes, of.said[{from, to}]);
        return to != viewer.endpoint || !has_data(bytes, home);
    };
    of.swarm.run_for(6s);
    of.said.clear();
    of.swarm.run_for(20s); // it shows little: its playout stands still most of the time
    Haves const after = of.said[{viewer.endpoint, of.source->endpoint}];
    EXPECT_TRUE(std::any_of(after.begin(), after.end(), [&](auto const& one) {
        return !before.contains(one.first);
    })) << "another one";
    EXPECT_FALSE(after.contains(home));
}

/// Share of the stream that a second viewer gets from a source of one copy a unit, six seconds
/// after it came; the first one, with so many places, was there for four.
double share_of_the_second(std::uint16_t places_of_the_first)
{
    VirtualSwarm swarm{35};
    VirtualSwarm::SourceOptions options;
    options.chunks_per_unit = chunks_per_unit;
    options.uplink_bps = chunks_per_unit * 1024 * 8 * 20 * 13 / 10;
    swarm.add_source(options);
    swarm.run_for(1s);
    auto const add = [&](std::uint16_t places) -> VirtualNode& {
        peer::NodeConfig config;
        config.places = places;
        VirtualNode& viewer = swarm.add_viewer(800ms, std::nullopt, config);
        swarm.introduce(viewer);
        return viewer;
    };
    add(places_of_the_first);
    swarm.run_for(4s);
    VirtualNode& second = add(16);
    swarm.run_for(6s);
    auto const before = swarm.figures(second).from_source_bytes;
    swarm.run_for(4s);
    auto const came = static_cast<double>(swarm.figures(second).from_source_bytes - before);
    return came / (4 * 20.0 * chunks_per_unit * 1024);
}

TEST(HomesTest, a_source_presumes_that_who_has_not_had_a_substream_passes_it_on)
{
    EXPECT_GT(share_of_the_second(16), 0.1) << "a substream of eight; the others it gets sooner";
}

TEST(HomesTest, and_gives_it_to_that_one_if_who_has_had_it_does_not)
{
    EXPECT_GT(share_of_the_second(0), 0.8);
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
