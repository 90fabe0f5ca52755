#include "protocol/wire/datagram.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

#include <algorithm>

/// Whole engines next to one that does not keep its word.
namespace ppsp::test {
namespace {

constexpr std::uint32_t chunks_per_unit = 16; ///< as SourceOptions say

/// Swarm of a source, a liar and viewers that know both and each other.
class LiarsTest : public ::testing::Test {
protected:
    LiarsTest()
    {
        VirtualSwarm::SourceOptions options;
        options.uplink_bps = 2 * 20 * chunks_per_unit * 1100 * 8; // of two streams
        swarm_.add_source(options);
        swarm_.run_for(1s);
        liar_ = &swarm_.add_viewer();
        swarm_.introduce(*liar_);
        swarm_.run_for(3s);
        swarm_.meddle = [this](Endpoint from, Endpoint, ByteVector& bytes) {
            if (from == liar_->endpoint) {
                tamper(bytes);
            }
            return true;
        };
        for (int i = 0; i < 5; ++i) {
            victims_.push_back(&swarm_.add_viewer());
            swarm_.introduce(*victims_.back());
            swarm_.run_for(100ms);
        }
    }

    using Messages = std::vector<wire::Message>;

    /// Rebuilds what the liar sends after `change`; handshakes stay.
    void tamper(ByteVector& bytes)
    {
        wire::DatagramReader reader(bytes, {});
        Messages messages;
        for (auto message = reader.next(); message && *message; message = reader.next()) {
            messages.push_back(**message);
        }
        if (messages.empty() || std::holds_alternative<wire::Handshake>(messages.front())) {
            return;
        }
        change(messages);
        wire::DatagramWriter writer(*reader.destination(), {}, 1472);
        for (wire::Message const& message : messages) {
            static_cast<void>(writer.add(message));
        }
        bytes = writer.take();
    }

    [[nodiscard]] std::size_t bans(peer::BanReason reason) const
    {
        std::size_t count = 0;
        for (VirtualNode const* victim : victims_) {
            for (peer::Event const& event : victim->log.events) {
                auto const* banned = std::get_if<peer::NeighbourBanned>(&event);
                EXPECT_TRUE(banned == nullptr || banned->endpoint == liar_->endpoint);
                count += banned != nullptr && banned->reason == reason ? 1 : 0;
            }
        }
        return count;
    }

    void expect_all_play()
    {
        for (VirtualNode* victim : victims_) {
            EXPECT_TRUE(swarm_.output_is_exact(*victim));
            EXPECT_GT(swarm_.figures(*victim).continuity(), 0.99);
        }
    }

    [[nodiscard]] ChunkRange newest_units(std::uint64_t ahead) const
    {
        std::uint64_t const chunks = swarm_.stream().size() / 1024;
        return {ChunkId{chunks - chunks_per_unit}, ChunkId{chunks + ahead * chunks_per_unit - 1}};
    }

    VirtualSwarm swarm_{78};
    VirtualNode* liar_ = nullptr;
    std::vector<VirtualNode*> victims_;
    std::function<void(Messages&)> change = [](Messages&) {};
};

TEST_F(LiarsTest, who_announces_units_that_cannot_exist_moves_nobody_s_edge_and_is_banned)
{
    std::uint64_t ahead = 60;
    change = [&](Messages& messages) {
        std::erase_if(messages, [](wire::Message const& message) {
            return std::holds_alternative<wire::Data>(message);
        });
        messages.emplace_back(wire::Have{newest_units(ahead)});
    };
    swarm_.run_for(20s);
    expect_all_play();
    EXPECT_EQ(bans(peer::BanReason::broken_word), victims_.size());
}

TEST_F(LiarsTest, who_takes_first_copies_and_passes_nothing_on_stops_no_substream)
{
    // It says that it has the units, so the source sends it little and nobody else much.
    change = [&](Messages& messages) {
        std::erase_if(messages, [](wire::Message const& message) {
            return std::holds_alternative<wire::Data>(message);
        });
        messages.emplace_back(wire::Have{newest_units(0)});
    };
    swarm_.run_for(30s);
    expect_all_play();
}

TEST_F(LiarsTest, who_sends_chunks_without_their_munro_is_banned)
{
    change = [](Messages& messages) {
        std::erase_if(messages, [](wire::Message const& message) {
            return std::holds_alternative<wire::SignedIntegrity>(message);
        });
    };
    swarm_.run_for(20s);
    expect_all_play();
    EXPECT_GT(bans(peer::BanReason::broken_word), 0u);
    for (VirtualNode* victim : victims_) {
        EXPECT_LE(swarm_.figures(*victim).wasted_bytes, 20u * chunks_per_unit * 1024);
    }
}

TEST_F(LiarsTest, who_announces_everything_and_sends_nothing_is_done_without)
{
    change = [&](Messages& messages) {
        std::erase_if(messages, [](wire::Message const& message) {
            return std::holds_alternative<wire::Data>(message);
        });
        messages.emplace_back(wire::Have{newest_units(0)});
    };
    swarm_.run_for(20s);
    expect_all_play();
}

TEST_F(LiarsTest, the_third_wrong_chunk_is_the_last_one)
{
    ByteVector wrong(1024, 0xee);
    change = [&](Messages& messages) {
        for (wire::Message& message : messages) {
            if (auto* const data = std::get_if<wire::Data>(&message)) {
                data->payload = wrong;
            }
        }
    };
    // All of them lose the neighbour that fed most at once, and it keeps its places at the source
    // for a while: what that costs is luck. Afterwards nothing is missing.
    swarm_.run_for(8s);
    EXPECT_EQ(bans(peer::BanReason::bad_chunks), victims_.size());
    std::vector<peer::SwarmStatistics> before;
    for (VirtualNode* victim : victims_) {
        before.push_back(swarm_.figures(*victim));
        EXPECT_GT(before.back().continuity(), 0.8);
    }
    swarm_.run_for(12s);
    for (std::size_t i = 0; i < victims_.size(); ++i) {
        EXPECT_TRUE(victims_[i]->bytes_are_exact);
        peer::SwarmStatistics const after = swarm_.figures(*victims_[i]);
        auto const due = static_cast<double>(after.chunks_due - before[i].chunks_due);
        auto const in_time = static_cast<double>(after.chunks_in_time - before[i].chunks_in_time);
        EXPECT_GT(due, 10 * 20 * chunks_per_unit);
        EXPECT_GT(in_time / due, 0.99);
    }
    for (VirtualNode* victim : victims_) {
        EXPECT_LE(swarm_.figures(*victim).bad_chunks, 3u);
        EXPECT_GE(swarm_.figures(*victim).wasted_bytes, swarm_.figures(*victim).bad_chunks * 1024);
    }
}

} // namespace
} // namespace ppsp::test
