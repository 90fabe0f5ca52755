#include "protocol/integrity/private_key.hpp"
#include "tests/support/test_media.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

#include <set>

/// A source looks for those who pass most on.
namespace ppsp::test {
namespace {

constexpr std::uint32_t kbps_of_many_streams = 100'000;

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
    prove(swarm, source, strong, kbps_of_many_streams);
    prove(swarm, source, weak, 500);
    source.engine.handle(swarm.now(), peer::CandidatesFound{swarm.id(), {unknown.endpoint}});
    swarm.run_for(6s);
    EXPECT_EQ(swarm.figures(strong).neighbours, 1u);
    EXPECT_TRUE(swarm.output_is_exact(strong));
    EXPECT_GT(strong.output.size(), 100'000u);
    EXPECT_EQ(swarm.figures(weak).neighbours, 0u);
    EXPECT_EQ(swarm.figures(unknown).neighbours, 0u);
}

/// A source alone, in virtual time.
struct LonelySource {
    LonelySource()
    {
        config.id = signer->swarm_id();
        config.chunks_per_unit = 16;
        config.role = peer::Role::source;
        node.engine.handle(now, peer::JoinSwarm{config, signer.get()});
    }
    void run_for(Duration time)
    {
        for (TimePoint const end = now + time; now < end; now += 50ms) {
            bool is_random_access = false;
            ByteVector const unit = media.next_unit(true, is_random_access);
            node.engine.handle(now, peer::UnitCut{config.id, unit, is_random_access});
            node.engine.handle(now, peer::TimerFired{});
            while (auto const output = node.engine.poll(now)) {
                questions += std::holds_alternative<peer::CandidatesWanted>(*output) ? 1 : 0;
                if (auto const* const datagram = std::get_if<peer::SendDatagram>(&*output)) {
                    called.insert(datagram->to);
                }
            }
        }
    }

    std::unique_ptr<integrity::Signer> signer =
        integrity::make_signer(*integrity::PrivateKey::generate());
    peer::LiveSwarmConfig config;
    VirtualNode node{Endpoint::v4(0x0a000001, 6778), {}, Rng{1}};
    TestMedia media{16, 1024};
    TimePoint now{1s};
    std::size_t questions = 0;
    std::set<Endpoint> called;
};

TEST(SourceCallsTest, it_asks_who_they_are_every_five_seconds)
{
    LonelySource source;
    source.run_for(16s);
    EXPECT_EQ(source.questions, 4u);
    EXPECT_TRUE(source.called.empty());
}

TEST(SourceCallsTest, it_calls_thirty_at_most)
{
    LonelySource source;
    source.run_for(1s);
    for (std::uint32_t i = 0; i < 60; ++i) {
        Endpoint const peer = Endpoint::v4(0x0a000100 + i, 6778);
        source.node.engine.handle(source.now, peer::CandidatesFound{source.config.id, {peer}});
        source.node.engine.handle(
            source.now, peer::UplinksProven{source.config.id, {{peer, kbps_of_many_streams}}});
    }
    source.run_for(1s);
    EXPECT_EQ(source.called.size(), 30u);
}

} // namespace
} // namespace ppsp::test
