#include "protocol/integrity/private_key.hpp"
#include "tests/support/test_media.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

/// A source looks for those who pass most on.
namespace ppsp::test {
namespace {

/// The stream of these tests takes 2.6 Mbit/s, and what goes with it.
constexpr std::uint32_t kbps_below_two_streams = 5'200;
constexpr std::uint32_t kbps_of_two_streams = 6'500;

void prove(VirtualSwarm& swarm, VirtualNode& source, VirtualNode const& viewer, std::uint32_t kbps)
{
    source.engine.handle(swarm.now(), peer::CandidatesFound{swarm.id(), {viewer.endpoint}});
    source.engine.handle(swarm.now(), peer::UplinksProven{swarm.id(), {{viewer.endpoint, kbps}}});
}

TEST(SourceCallsTest, those_who_were_proven_to_pass_much_on_and_they_get_the_stream)
{
    VirtualSwarm swarm{41};
    VirtualNode& source = swarm.add_source({});
    swarm.run_for(1s);
    VirtualNode& strong = swarm.add_viewer();
    VirtualNode& weak = swarm.add_viewer();
    VirtualNode& unknown = swarm.add_viewer();
    prove(swarm, source, strong, kbps_of_two_streams);
    prove(swarm, source, weak, kbps_below_two_streams);
    source.engine.handle(swarm.now(), peer::CandidatesFound{swarm.id(), {unknown.endpoint}});
    swarm.run_for(6s);
    EXPECT_EQ(swarm.figures(strong).neighbours, 1u);
    EXPECT_TRUE(swarm.output_is_exact(strong));
    EXPECT_GT(strong.output.size(), 100'000u);
    EXPECT_EQ(swarm.figures(weak).neighbours, 0u);
    EXPECT_EQ(swarm.figures(unknown).neighbours, 0u);
}

TEST(SourceCallsTest, strangers_leave_a_third_of_the_conversations_to_them)
{
    VirtualSwarm swarm{42};
    VirtualSwarm::SourceOptions options;
    options.neighbours_max = 9;
    VirtualNode& source = swarm.add_source(options);
    swarm.run_for(1s);
    for (int i = 0; i < 12; ++i) {
        swarm.introduce(swarm.add_viewer(), {source.endpoint});
    }
    swarm.run_for(2s);
    EXPECT_EQ(swarm.figures(source).neighbours, 6u);
    VirtualNode& strong = swarm.add_viewer();
    prove(swarm, source, strong, kbps_of_two_streams);
    swarm.run_for(1s);
    EXPECT_EQ(swarm.figures(source).neighbours, 7u);
}

TEST(SourceCallsTest, who_says_goodbye_is_not_called_again_at_once)
{
    VirtualSwarm swarm{43};
    VirtualNode& source = swarm.add_source({});
    swarm.run_for(1s);
    VirtualNode& strong = swarm.add_viewer();
    prove(swarm, source, strong, kbps_of_two_streams);
    swarm.run_for(1s);
    ASSERT_EQ(swarm.figures(strong).neighbours, 1u);
    std::size_t calls = 0;
    swarm.meddle = [&](Endpoint from, Endpoint, ByteVector& bytes) {
        bool const is_call =
            std::all_of(bytes.begin(), bytes.begin() + 4, [](auto byte) { return byte == 0; });
        calls += from == source.endpoint && is_call ? 1 : 0; // channel 0
        return true;
    };
    strong.engine.handle(swarm.now(), peer::LeaveSwarm{swarm.id()});
    swarm.run_for(15s);
    EXPECT_EQ(calls, 0u);
    swarm.run_for(10s);
    EXPECT_GT(calls, 0u);
}

peer::NodeConfig limited_to(std::uint16_t neighbours_max)
{
    peer::NodeConfig config;
    config.neighbours_max = neighbours_max;
    return config;
}

/// A source in virtual time, which knows its neighbours as a tracker names them.
struct CallingSource {
    explicit CallingSource(std::uint16_t neighbours_max = 100)
        : node{Endpoint::v4(0x0a000001, 6778), limited_to(neighbours_max), Rng{1}}
    {
        config.id = signer->swarm_id();
        config.chunks_per_unit = 16;
        config.role = peer::Role::source;
        node.engine.handle(now, peer::JoinSwarm{config, signer.get()});
        run_for(1s);
    }
    void name(Endpoint const& able)
    {
        node.engine.handle(now, peer::CandidatesFound{config.id, {able}});
        node.engine.handle(now, peer::UplinksProven{config.id, {{able, kbps_of_two_streams}}});
    }
    /// Answers, and never asks for anything: another source of the same key.
    VirtualNode& add_mute(Endpoint const& at)
    {
        mute = std::make_unique<VirtualNode>(at, peer::NodeConfig{}, Rng{2});
        mute->engine.handle(now, peer::JoinSwarm{config, signer.get()});
        name(at);
        return *mute;
    }
    void run_for(Duration time)
    {
        for (TimePoint const end = now + time; now < end; now += 50ms) {
            bool is_random_access = false;
            ByteVector const unit = media.next_unit(true, is_random_access);
            node.engine.handle(now, peer::UnitCut{config.id, unit, is_random_access});
            act(node, mute.get());
            if (mute) {
                act(*mute, &node);
            }
        }
    }

    std::unique_ptr<integrity::Signer> signer =
        integrity::make_signer(*integrity::PrivateKey::generate());
    peer::LiveSwarmConfig config;
    VirtualNode node;
    std::unique_ptr<VirtualNode> mute;
    TestMedia media{16, 1024};
    TimePoint now{1s};
    std::size_t questions = 0;
    std::set<Endpoint> called;

private:
    void act(VirtualNode& who, VirtualNode* other)
    {
        who.engine.handle(now, peer::TimerFired{});
        while (auto const output = who.engine.poll(now)) {
            auto const* const datagram = std::get_if<peer::SendDatagram>(&*output);
            questions += std::holds_alternative<peer::CandidatesWanted>(*output) ? 1 : 0;
            if (&who == &node && datagram != nullptr) {
                called.insert(datagram->to);
            }
            if (datagram != nullptr && other != nullptr && datagram->to == other->endpoint) {
                other->engine.handle(now, peer::DatagramReceived{who.endpoint, datagram->bytes});
            }
        }
    }
};

TEST(SourceCallsTest, it_asks_who_they_are_every_five_seconds)
{
    CallingSource source;
    source.run_for(15s);
    EXPECT_EQ(source.questions, 4u);
}

TEST(SourceCallsTest, it_calls_thirty_at_most_and_a_third_of_its_conversations)
{
    for (std::uint16_t const neighbours_max : {std::uint16_t{100}, std::uint16_t{10}}) {
        CallingSource source{neighbours_max};
        for (std::uint32_t i = 0; i < 60; ++i) {
            source.name(Endpoint::v4(0x0a000100 + i, 6778));
        }
        source.run_for(1s);
        EXPECT_EQ(source.called.size(), neighbours_max == 100 ? 30u : 3u);
    }
}

TEST(SourceCallsTest, who_takes_nothing_gives_way_after_ten_seconds)
{
    CallingSource source{3};
    Endpoint const first = Endpoint::v4(0x0a000002, 6778);
    Endpoint const second = Endpoint::v4(0x0a000003, 6778);
    source.add_mute(first);
    source.run_for(2s);
    EXPECT_EQ(source.node.log.count<peer::NeighbourOpened>(), 1u);
    source.name(second);
    source.run_for(6s);
    EXPECT_FALSE(source.called.contains(second));
    source.run_for(9s);
    EXPECT_TRUE(source.called.contains(second));
}

} // namespace
} // namespace ppsp::test
