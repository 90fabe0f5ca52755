#include "peer/policy/upload_slots.hpp"
#include "protocol/wire/datagram.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

/// Places for children come free as soon as nobody wants them.
namespace ppsp::test {
namespace {

/// The datagram without its REQUESTs, so that no subscription is renewed.
void drop_requests(ByteVector& bytes)
{
    wire::DatagramReader reader(bytes, {});
    std::vector<wire::Message> kept;
    bool is_handshake = false;
    for (auto message = reader.next(); message && *message; message = reader.next()) {
        is_handshake = is_handshake || std::holds_alternative<wire::Handshake>(**message);
        if (!std::holds_alternative<wire::Request>(**message)) {
            kept.push_back(**message);
        }
    }
    if (is_handshake) {
        return;
    }
    wire::DatagramWriter writer(*reader.destination(), {}, 1472);
    for (wire::Message const& message : kept) {
        static_cast<void>(writer.add(message));
    }
    bytes = writer.take();
}

TEST(Places, ComeFreeWithTheLastUnitThatTheirChildWants)
{
    VirtualSwarm swarm{5};
    VirtualNode& source = swarm.add_source({});
    swarm.run_for(1s);
    VirtualNode& parent = swarm.add_viewer();
    VirtualNode& child = swarm.add_viewer();
    swarm.introduce(parent, {source.endpoint});
    swarm.introduce(child, {parent.endpoint});
    bool is_mute = false;
    TimePoint last_data{};
    swarm.meddle = [&](Endpoint from, Endpoint to, ByteVector& bytes) {
        if (from == parent.endpoint && to == child.endpoint && bytes.size() > 1000) {
            last_data = swarm.now();
        }
        if (is_mute && from == child.endpoint && to == parent.endpoint) {
            drop_requests(bytes);
        }
        return from == parent.endpoint || to == parent.endpoint || from == source.endpoint;
    };
    swarm.run_for(10s);
    auto const before = swarm.figures(parent);
    ASSERT_GE(before.slots, peer::substreams);
    ASSERT_EQ(before.slots - before.free_slots, peer::substreams);
    is_mute = true;
    auto const end = swarm.now() + 10s;
    while (swarm.figures(parent).free_slots < swarm.figures(parent).slots && swarm.now() < end) {
        swarm.run_for(20ms);
    }
    EXPECT_EQ(swarm.figures(parent).free_slots, swarm.figures(parent).slots);
    EXPECT_LE(swarm.now() - last_data, 300ms);
}

/// REQUESTs in the datagram for units up to `newest`: what is fetched instead of pushed.
int pulls_in(ByteVector const& bytes, std::uint64_t newest_chunk)
{
    wire::DatagramReader reader(bytes, {});
    int pulls = 0;
    for (auto message = reader.next(); message && *message; message = reader.next()) {
        auto const* request = std::get_if<wire::Request>(&**message);
        pulls += request != nullptr && to_number(request->chunks.first) <= newest_chunk ? 1 : 0;
    }
    return pulls;
}

TEST(Places, OfAChildThatVanishedGoToSomebodyElseWithinASecond)
{
    VirtualSwarm swarm{2};
    VirtualSwarm::SourceOptions options;
    options.uplink_bps = 16ULL * 1024 * 8 * 20 * 14 / 10; // 1.4 streams: few have a second copy
    VirtualNode& source = swarm.add_source(options);
    swarm.run_for(1s);
    VirtualNode& gone = swarm.add_viewer();
    VirtualNode& other = swarm.add_viewer();
    swarm.introduce(gone);
    swarm.introduce(other);
    bool counts = false;
    int pulls = 0;
    swarm.meddle = [&](Endpoint from, Endpoint to, ByteVector& bytes) {
        if (counts && from == other.endpoint && to == source.endpoint) {
            pulls += pulls_in(bytes, swarm.figures(source).newest_unit.value_or(0) * 16);
        }
        return true;
    };
    swarm.run_for(10s);
    auto const before = swarm.figures(other);
    swarm.kill(gone);
    swarm.run_for(1200ms);
    counts = true;
    swarm.run_for(2s);
    EXPECT_LE(pulls, 5);
    EXPECT_EQ(swarm.figures(other).stalls, before.stalls);
}

} // namespace
} // namespace ppsp::test
