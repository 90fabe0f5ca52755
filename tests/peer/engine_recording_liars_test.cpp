#include "peer/recording/recording_swarm.hpp"
#include "protocol/wire/datagram.hpp"
#include "tests/support/recording_world.hpp"
#include "tests/support/wire.hpp"

#include <gtest/gtest.h>

/// Recordings beside neighbours that do not keep their word, or send what nobody asked for.
namespace ppsp::test {
namespace {

wire::SwarmFormat const format{};

template <typename M>
std::vector<M> messages_of(Bytes datagram)
{
    std::vector<M> found;
    wire::DatagramReader reader(datagram, format);
    for (auto message = reader.next(); message && *message; message = reader.next()) {
        if (auto const* one = std::get_if<M>(&**message)) {
            found.push_back(*one);
        }
    }
    return found;
}

class RecordingLiarsTest : public ::testing::Test {
protected:
    RecordingLiarsTest()
    {
        NodeUplink slow{8'000'000};
        seed = &world.add_seed(slow.config);
    }
    struct NodeUplink {
        explicit NodeUplink(std::uint64_t bps) { config.uplink_bps = bps; }
        peer::NodeConfig config;
    };

    /// The channel by which the leecher knows the seed, and what it asked of it.
    void listen(RecordingNode const& leecher)
    {
        world.meddle = [this, &leecher](Endpoint from, Endpoint to, ByteVector& bytes) {
            if (from == seed->node.endpoint && to == leecher.node.endpoint) {
                channel = wire::DatagramReader(bytes, format).destination();
            }
            if (from == leecher.node.endpoint && to == seed->node.endpoint) {
                for (auto const& request : messages_of<wire::Request>(bytes)) {
                    asked.add(request.chunks);
                }
            }
            return true;
        };
    }

    /// A chunk without any hash, as if the seed had sent it.
    void send_alone(RecordingNode& leecher, ChunkId chunk)
    {
        world.inject(
            seed->node.endpoint, leecher,
            write_all(*channel, format, {wire::Data{single(chunk), 0, content_of(chunk)}}));
    }
    [[nodiscard]] Bytes content_of(ChunkId chunk) const
    {
        return Bytes{world.content()}.subspan(to_number(chunk) * world.options.chunk_size,
                                              world.options.chunk_size);
    }

    RecordingWorld world{random_content(3'000'000), {}};
    RecordingNode* seed = nullptr;
    std::optional<ChannelId> channel;
    RangeSet asked;
};

TEST_F(RecordingLiarsTest, who_announces_all_and_sends_nothing_is_done_without)
{
    RecordingNode& mute = world.add_seed();
    RecordingNode& alone = world.add_leecher();
    world.introduce(alone, *seed);
    TimePoint const began = world.now();
    ASSERT_TRUE(world.run_until_whole(30s));
    Duration const without = world.now() - began;

    RecordingNode& beside = world.add_leecher();
    std::size_t held_back = 0;
    world.meddle = [&](Endpoint from, Endpoint to, ByteVector& bytes) {
        if (to != beside.node.endpoint || from == seed->node.endpoint) {
            return true;
        }
        bool const has_data = !messages_of<wire::Data>(bytes).empty();
        held_back += has_data ? 1 : 0;
        return !has_data;
    };
    world.introduce(beside, mute);
    world.introduce(beside, *seed);
    TimePoint const begins = world.now();
    ASSERT_TRUE(world.run_until_whole(60s));
    EXPECT_GT(held_back, 0u) << "it was asked";
    EXPECT_LT(world.now() - begins, without + 5s);
}

TEST_F(RecordingLiarsTest, what_nobody_asked_for_is_not_kept_without_its_proof)
{
    RecordingNode& leecher = world.add_leecher();
    listen(leecher);
    world.introduce(leecher);
    world.run_for(500ms);
    ASSERT_TRUE(channel);
    ChunkId const far{to_number(asked.last()) + 300};
    ASSERT_LT(to_number(far) + 1, world.content().size() / world.options.chunk_size);
    std::uint64_t const before = world.figures(leecher).wasted_bytes;
    for (int i = 0; i < 10'000; ++i) {
        send_alone(leecher, far);
    }
    world.run_for(20ms);
    EXPECT_EQ(world.figures(leecher).wasted_bytes - before, 10'000u * world.options.chunk_size);
    ASSERT_TRUE(world.run_until_whole(30s));
    EXPECT_EQ(world.figures(leecher).bad_chunks, 0u) << "nobody is to blame";
}

TEST_F(RecordingLiarsTest, what_was_asked_for_waits_for_its_proof_within_limits)
{
    RecordingNode& leecher = world.add_leecher();
    listen(leecher);
    world.introduce(leecher);
    world.run_for(500ms);
    ASSERT_TRUE(channel);
    std::uint64_t const before = world.figures(leecher).wasted_bytes;
    // Those asked last, of which nothing is known yet.
    std::uint64_t const last = to_number(asked.last());
    std::uint64_t const sent = 3 * peer::RecordingSwarm::pending_max / 2;
    ASSERT_GT(asked.chunk_count(), sent);
    for (std::uint64_t i = 0; i < sent; ++i) {
        send_alone(leecher, ChunkId{last - i});
    }
    world.run_for(20ms);
    EXPECT_EQ(world.figures(leecher).wasted_bytes - before,
              (sent - peer::RecordingSwarm::pending_max) * world.options.chunk_size);
    ASSERT_TRUE(world.run_until_whole(30s));
    EXPECT_EQ(world.figures(leecher).bad_chunks, 0u);
}

class OfferedHashesTest : public RecordingLiarsTest {
protected:
    /// One datagram from the seed: so many hashes, the first of them the proof of a chunk that
    /// nobody asked for, and the chunk. Whether it was kept.
    bool keeps_after(std::size_t hashes)
    {
        RecordingNode& leecher = world.add_leecher();
        listen(leecher);
        world.introduce(leecher, *seed);
        world.run_for(500ms);
        ChunkId far{world.content().size() / world.options.chunk_size - 1};
        while (asked.overlaps({ChunkId{to_number(far) - 63}, far})) {
            far = ChunkId{to_number(far) - 64};
        }
        auto const proof =
            world.tree().uncles(far, integrity::Top::root, [](ChunkRange) { return false; });
        std::vector<wire::Message> messages;
        // The lowest first: the leecher knows the highest already.
        for (auto node = proof.rbegin(); node != proof.rend(); ++node) {
            messages.emplace_back(wire::Integrity{node->chunks, node->hash.bytes()});
        }
        messages.insert(messages.end(), hashes - proof.size(),
                        wire::Integrity{single(ChunkId{0}), proof.front().hash.bytes()});
        messages.emplace_back(wire::Data{single(far), 0, content_of(far)});
        world.inject(seed->node.endpoint, leecher, write_all(*channel, format, messages));
        world.run_for(20ms);
        Bytes const kept = leecher.content.read(to_number(far) * world.options.chunk_size,
                                                world.options.chunk_size);
        return std::ranges::equal(kept, content_of(far));
    }
};

TEST_F(OfferedHashesTest, a_chunk_that_nobody_asked_for_is_kept_with_its_proof)
{
    EXPECT_TRUE(keeps_after(peer::RecordingSwarm::offered_max));
}

TEST_F(OfferedHashesTest, the_oldest_gives_way_when_too_many_wait_for_their_chunk)
{
    EXPECT_FALSE(keeps_after(peer::RecordingSwarm::offered_max + 1));
}

} // namespace
} // namespace ppsp::test
