#include "protocol/wire/datagram.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

/// To whom a node offers its free places.
namespace ppsp::test {
namespace {

constexpr std::uint32_t chunks_per_unit = 16;

/// Units in HAVEs behind an UNCHOKE, which offers a place.
std::set<std::uint64_t> offered_units(Bytes datagram)
{
    std::set<std::uint64_t> units;
    wire::DatagramReader reader(datagram, wire::SwarmFormat{});
    bool offers = false;
    for (auto message = reader.next(); message && *message; message = reader.next()) {
        offers = offers || std::holds_alternative<wire::Unchoke>(**message);
        auto const* const have = std::get_if<wire::Have>(&**message);
        if (have != nullptr && offers) {
            units.insert(to_number(have->chunks.last) / chunks_per_unit);
        }
    }
    return units;
}

/// A viewer with two places and many neighbours, six others that know nobody else.
struct Offers {
    Offers()
    {
        VirtualSwarm::SourceOptions options;
        options.chunks_per_unit = chunks_per_unit;
        swarm.add_source(options);
        swarm.run_for(1s);
        peer::NodeConfig config;
        config.places = 2;
        config.neighbours_target = 3; // it has more, and need not tell all of them everything
        parent = &swarm.add_viewer(800ms, std::nullopt, config);
        swarm.introduce(*parent);
        swarm.run_for(2s);
        for (int i = 0; i < 6; ++i) {
            children.push_back(&swarm.add_viewer(800ms));
            swarm.introduce(*children.back(), {parent->endpoint});
        }
        swarm.meddle = [this](Endpoint from, Endpoint to, ByteVector& bytes) {
            if (from == parent->endpoint) {
                for (std::uint64_t const unit : offered_units(bytes)) {
                    offered[unit].insert(to);
                }
            }
            return true;
        };
    }

    VirtualSwarm swarm{41};
    VirtualNode* parent = nullptr;
    std::vector<VirtualNode*> children;
    std::map<std::uint64_t, std::set<Endpoint>> offered; ///< by unit, to whom
};

/// Six ask for two places in each of eight substreams, so somebody waits.
TEST(OffersTest, a_free_place_is_offered_to_as_many_of_those_who_wait_as_there_are_places)
{
    Offers of;
    of.swarm.run_for(2s);
    of.offered.clear();
    for (std::size_t i = 0; i < 3; ++i) {
        of.swarm.kill(*of.children[i]);
        of.swarm.run_for(2s);
    }
    ASSERT_FALSE(of.offered.empty()) << "somebody who had a place is gone";
    for (auto const& [unit, viewers] : of.offered) {
        EXPECT_LE(viewers.size(), 2u) << "unit " << unit;
    }
}

} // namespace
} // namespace ppsp::test
