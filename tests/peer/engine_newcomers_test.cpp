#include "protocol/wire/datagram.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

/// What nodes say to one another of their places, and to those that have just come.
namespace ppsp::test {
namespace {

/// What one node says about units to another.
struct Announcements {
    std::uint32_t haves = 0;
    std::uint32_t offers = 0; ///< HAVEs behind an UNCHOKE

    void read(Bytes datagram)
    {
        wire::DatagramReader reader(datagram, wire::SwarmFormat{});
        if (to_number(reader.destination().value_or(ChannelId{})) == 0) {
            return;
        }
        bool offered = false;
        for (auto message = reader.next(); message && *message; message = reader.next()) {
            offered = offered || std::holds_alternative<wire::Unchoke>(**message);
            if (std::holds_alternative<wire::Have>(**message)) {
                (offered ? offers : haves) += 1;
            }
        }
    }
};

TEST(Offers, only_who_has_places_free_offers_them)
{
    VirtualSwarm swarm{20};
    std::map<Endpoint, Announcements> said;
    swarm.meddle = [&](Endpoint from, Endpoint, ByteVector& bytes) {
        said[from].read(bytes);
        return true;
    };
    swarm.add_source({});
    swarm.run_for(1s);
    VirtualNode& able = swarm.add_viewer();
    VirtualNode& poor = swarm.add_viewer(800ms, 200'000); // less than a substream takes
    swarm.introduce(able);
    swarm.introduce(poor);
    swarm.run_for(10s);
    EXPECT_GT(said[able.endpoint].offers, 50u);
    EXPECT_GT(said[poor.endpoint].haves, 50u);
    EXPECT_EQ(said[poor.endpoint].offers, 0u);
}

/// What one that has no place for it says to a newcomer in its first three seconds, and in the six
/// after them.
std::pair<std::uint32_t, std::uint32_t> haves_to_a_newcomer(bool newcomer_calls)
{
    VirtualSwarm swarm{21};
    peer::NodeConfig config;
    config.neighbours_target = 2; // what is said to a handful does not count here
    swarm.add_source({});
    swarm.run_for(1s);
    VirtualNode& full = swarm.add_viewer(800ms, 200'000, config);
    swarm.introduce(full);
    swarm.run_for(5s);
    VirtualNode& newcomer = swarm.add_viewer();
    Announcements said;
    swarm.meddle = [&](Endpoint from, Endpoint to, ByteVector& bytes) {
        if (from == full.endpoint && to == newcomer.endpoint) {
            said.read(bytes);
        }
        return true;
    };
    if (newcomer_calls) {
        swarm.introduce(newcomer);
    } else {
        swarm.introduce(full, {newcomer.endpoint});
    }
    swarm.introduce(swarm.add_viewer(), {full.endpoint});
    swarm.introduce(swarm.add_viewer(), {full.endpoint});
    swarm.run_for(3s);
    std::uint32_t const at_first = said.haves;
    swarm.run_for(6s);
    return {at_first, said.haves - at_first};
}

TEST(Newcomers, a_newcomer_hears_of_every_unit_at_first)
{
    auto const [at_first, later] = haves_to_a_newcomer(true);
    EXPECT_GT(at_first, 25u);
    EXPECT_LT(later, at_first / 2);
}

TEST(Newcomers, one_that_is_called_hears_as_much)
{
    auto const [at_first, later] = haves_to_a_newcomer(false);
    EXPECT_GT(at_first, 25u);
    EXPECT_LT(later, at_first / 2);
}

/// One who serves a child with nearly all that it has is asked for the last second of the stream.
TEST(Newcomers, what_a_picture_begins_with_comes_first)
{
    constexpr std::uint64_t stream_bps = 16ULL * 1024 * 8 * 20;
    VirtualSwarm swarm{24};
    swarm.add_source({});
    swarm.run_for(1s);
    peer::NodeConfig config;
    config.places = 8;
    VirtualNode& server = swarm.add_viewer(800ms, stream_bps * 13 / 10, config);
    swarm.introduce(server);
    swarm.run_for(3s);
    swarm.introduce(swarm.add_viewer(), {server.endpoint});
    swarm.run_for(6500ms);
    while (*swarm.figures(server).newest_unit % 20 != 15) { // the key frame is not the oldest unit
        swarm.run_for(10ms);
    }
    VirtualNode& newcomer = swarm.add_viewer();
    peer::UnitIndex const newest = *swarm.figures(server).newest_unit;
    swarm.introduce(newcomer, {server.endpoint});
    swarm.run_for(700ms);
    std::vector<peer::UnitIndex> pulled;
    for (auto const& event : newcomer.log.events) {
        auto const* const whole = std::get_if<peer::UnitCompleted>(&event);
        if (whole != nullptr && whole->unit <= newest) {
            pulled.push_back(whole->unit);
        }
    }
    ASSERT_GE(pulled.size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_LE((pulled[i] + 2) % 20, 2u) << pulled[i] << ": the PAT ends unit 199";
    }
}

/// Units whose HAVE came more than once, while this was asked of `from`.
struct Refusals {
    void read(Bytes bytes, std::uint32_t chunks_per_unit)
    {
        wire::DatagramReader reader(bytes, {});
        for (auto message = reader.next(); message && *message; message = reader.next()) {
            if (auto const* have = std::get_if<wire::Have>(&**message)) {
                auto const unit = to_number(have->chunks.last) / chunks_per_unit;
                again += named.insert(unit).second ? 0 : 1;
            }
        }
    }
    std::set<std::uint64_t> named;
    std::uint32_t again = 0;
};

/// A viewer joins a server that has so many places; `meddle` sees what they say to each other.
class NoRoomSwarm {
public:
    explicit NoRoomSwarm(std::uint32_t places)
    {
        peer::NodeConfig config;
        config.places = places;
        swarm_.add_source({});
        swarm_.run_for(1s);
        server = &swarm_.add_viewer(800ms, 20'000'000, config);
        swarm_.introduce(*server);
        swarm_.run_for(10s);
        newcomer = &swarm_.add_viewer();
    }
    template <typename Meddle>
    void join(Meddle meddle)
    {
        swarm_.meddle = std::move(meddle);
        swarm_.introduce(*newcomer);
        swarm_.run_for(600ms);
    }
    VirtualNode* server = nullptr;
    VirtualNode* newcomer = nullptr;

private:
    VirtualSwarm swarm_{23};
};

/// How often one without a picture is told that there is no room for its pulls.
std::uint32_t refusals_to_a_newcomer(std::uint32_t places)
{
    NoRoomSwarm swarm{places};
    Refusals said;
    swarm.join([&](Endpoint from, Endpoint to, ByteVector& bytes) {
        if (from == swarm.server->endpoint && to == swarm.newcomer->endpoint) {
            said.read(bytes, 16);
        }
        return true;
    });
    return said.again;
}

TEST(Newcomers, a_newcomer_hears_at_once_that_there_is_no_room_for_its_pulls)
{
    EXPECT_GT(refusals_to_a_newcomer(0), 0u);
    EXPECT_EQ(refusals_to_a_newcomer(64), 0u);
}

TEST(Newcomers, a_newcomer_that_asks_for_everything_is_answered_in_a_few_words)
{
    NoRoomSwarm swarm{0};
    std::size_t most = 0;
    swarm.join([&](Endpoint from, Endpoint to, ByteVector& bytes) {
        wire::DatagramReader reader(bytes, {});
        bool asks = false;
        std::size_t haves = 0;
        for (auto message = reader.next(); message && *message; message = reader.next()) {
            asks = asks || std::holds_alternative<wire::Request>(**message);
            haves += std::holds_alternative<wire::Have>(**message) ? 1 : 0;
        }
        if (from == swarm.newcomer->endpoint && to == swarm.server->endpoint && asks) {
            wire::DatagramWriter writer(*reader.destination(), {}, 1472);
            static_cast<void>(writer.add(wire::Request{{ChunkId{0}, ChunkId{3000}}}));
            bytes = writer.take();
        }
        if (from == swarm.server->endpoint && to == swarm.newcomer->endpoint) {
            most = std::max(most, haves);
        }
        return true;
    });
    EXPECT_GT(most, 4u) << "it is told";
    EXPECT_LE(most, 20u) << "sixteen refusals and what is announced";
}

} // namespace
} // namespace ppsp::test
