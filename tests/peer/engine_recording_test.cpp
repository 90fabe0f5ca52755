#include "protocol/wire/datagram.hpp"
#include "tests/support/recording_world.hpp"

#include <gtest/gtest.h>

/// Recordings from peer to peer (RFC 7574 §5): whatever the links do, every leecher gets every
/// byte.
namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;
using test::random_content;
using test::RecordingNode;
using test::RecordingWorld;

TEST(Recording, PP_5_a_goes_from_a_seed_to_a_leecher)
{
    RecordingWorld world(random_content(1'000'000), {});
    RecordingNode& seed = world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    world.introduce(leecher);
    ASSERT_TRUE(world.run_until_whole(20s));
    EXPECT_TRUE(world.is_whole(leecher));
    EXPECT_EQ(world.figures(leecher).content_length, 1'000'000U);
    EXPECT_EQ(world.figures(leecher).duplicate_bytes, 0U);
    EXPECT_EQ(leecher.node.log.count<RecordingCompleted>(), 1U);
    EXPECT_EQ(world.figures(seed).upload_media_bytes, 1'000'000U);
}

TEST(Recording, sizes_at_the_edges_of_chunks_and_trees_arrive)
{
    for (std::size_t const size :
         {1U, 63U, 64U, 1023U, 1024U, 1025U, 2048U, 3072U, 131'072U, 131'073U, 262'143U}) {
        for (bool const tell_length : {true, false}) {
            if (!tell_length && size == 64) {
                continue; // one chunk as long as two hashes: only metadata tells it from a node
            }
            RecordingWorld world(random_content(size), {.tell_length = tell_length});
            world.add_seed();
            RecordingNode& leecher = world.add_leecher();
            world.introduce(leecher);
            EXPECT_TRUE(world.run_until_whole(20s))
                << size << " bytes, length told: " << tell_length;
            EXPECT_TRUE(world.is_whole(leecher)) << size;
            EXPECT_EQ(world.figures(leecher).content_length, size);
        }
    }
}

TEST(Recording, PP_5_6_2_b_the_size_comes_from_peaks_and_the_last_chunk)
{
    RecordingWorld world(random_content(777'777), {.tell_length = false});
    world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    EXPECT_EQ(world.figures(leecher).content_length, std::nullopt);
    world.introduce(leecher);
    ASSERT_TRUE(world.run_until_whole(20s));
    EXPECT_TRUE(world.is_whole(leecher));
    EXPECT_EQ(world.figures(leecher).content_length, 777'777U);
}

TEST(Recording, every_hash_function_and_addressing_mode_works)
{
    for (auto const function :
         {wire::HashFunction::sha1, wire::HashFunction::sha224, wire::HashFunction::sha256,
          wire::HashFunction::sha384, wire::HashFunction::sha512}) {
        for (auto const addressing :
             {wire::AddressingMode::chunk32, wire::AddressingMode::chunk64}) {
            RecordingWorld world(random_content(300'000),
                                 {.hash_function = function, .addressing = addressing});
            world.add_seed();
            RecordingNode& leecher = world.add_leecher();
            world.introduce(leecher);
            EXPECT_TRUE(world.run_until_whole(20s)) << static_cast<int>(function);
            EXPECT_TRUE(world.is_whole(leecher));
        }
    }
}

TEST(Recording, arrives_over_bad_links)
{
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        RecordingWorld world(random_content(2'000'000, seed),
                             {.faults = {.loss = 0.03, .duplication = 0.02, .reordering = 0.05}},
                             seed);
        world.add_seed();
        RecordingNode& leecher = world.add_leecher();
        world.introduce(leecher);
        ASSERT_TRUE(world.run_until_whole(120s));
        EXPECT_TRUE(world.is_whole(leecher));
        EXPECT_EQ(world.figures(leecher).bad_chunks, 0U);
    }
}

/// Media of a seed over a link that loses a fiftieth of everything, bytes in ten seconds.
std::uint64_t over_a_radio_link(bool forgive_link_loss)
{
    RecordingWorld world(random_content(30'000'000), {.faults = {.loss = 0.02}});
    NodeConfig config;
    config.forgive_link_loss = forgive_link_loss;
    world.add_seed(config);
    RecordingNode& leecher = world.add_leecher();
    world.introduce(leecher);
    world.run_for(10s);
    return world.figures(leecher).content_bytes;
}

TEST(Recording, losses_of_the_link_can_be_forgiven)
{
    EXPECT_GT(over_a_radio_link(true), over_a_radio_link(false) * 3 / 2);
}

TEST(Recording, leechers_give_one_another_what_they_have)
{
    RecordingWorld world(random_content(8'000'000), {});
    NodeConfig slow;
    slow.uplink_bps = 8'000'000;
    RecordingNode& seed = world.add_seed(slow);
    std::vector<RecordingNode*> leechers;
    for (int i = 0; i < 4; ++i) {
        leechers.push_back(&world.add_leecher());
        world.introduce(*leechers.back());
    }
    ASSERT_TRUE(world.run_until_whole(60s));
    for (RecordingNode* const leecher : leechers) {
        EXPECT_TRUE(world.is_whole(*leecher));
    }
    // libswift's seed sends nearly every leecher its own copy.
    double const copies = static_cast<double>(world.figures(seed).upload_media_bytes) / 8e6;
    EXPECT_LT(copies, 1.6);
}

TEST(Recording, a_leecher_goes_on_with_others_when_its_seed_is_gone)
{
    RecordingWorld world(random_content(4'000'000), {});
    NodeConfig slow;
    slow.uplink_bps = 8'000'000;
    RecordingNode& first = world.add_seed(slow);
    RecordingNode& second = world.add_seed(slow);
    RecordingNode& leecher = world.add_leecher();
    world.introduce(leecher, first);
    world.run_for(1s);
    ASSERT_GT(world.figures(leecher).content_bytes, 100'000U);
    first.node.alive = false;
    world.introduce(leecher, second);
    ASSERT_TRUE(world.run_until_whole(30s));
    EXPECT_TRUE(world.is_whole(leecher));
}

TEST(Recording, who_sends_wrong_bytes_is_banned_and_none_of_them_is_kept)
{
    RecordingWorld world(random_content(4'000'000), {});
    RecordingNode& liar = world.add_seed();
    RecordingNode& seed = world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    world.meddle = [&](Endpoint from, Endpoint, ByteVector& bytes) {
        if (from == liar.node.endpoint && bytes.size() > 1024) {
            bytes.back() ^= 1; // no chunk of it is right
        }
        return true;
    };
    world.introduce(leecher, liar);
    world.run_for(10s);
    EXPECT_EQ(world.figures(leecher).content_bytes, 0U);
    world.introduce(leecher, seed);
    ASSERT_TRUE(world.run_until_whole(30s));
    EXPECT_TRUE(world.is_whole(leecher));
    EXPECT_EQ(world.figures(leecher).banned_peers, 1U);
    EXPECT_EQ(world.figures(leecher).bad_chunks, 3U);
    EXPECT_GE(world.figures(seed).upload_media_bytes, 4'000'000U);
}

TEST(Recording, a_full_disk_ends_it_with_one_event)
{
    RecordingWorld world(random_content(1'000'000), {});
    world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    leecher.content.limit = 500'000;
    world.introduce(leecher);
    EXPECT_FALSE(world.run_until_whole(10s));
    EXPECT_EQ(leecher.node.log.count<RecordingFailed>(), 1U);
}

TEST(Recording, what_a_player_waits_for_comes_first)
{
    RecordingWorld world(random_content(8'000'000), {});
    NodeConfig slow;
    slow.uplink_bps = 8'000'000;
    world.add_seed(slow);
    RecordingNode& leecher = world.add_leecher();
    world.handle(leecher, PlayFrom{world.id(), 5'000'000});
    world.introduce(leecher);
    world.run_for(1500ms);
    EXPECT_GT(leecher.node.engine.held_from(world.id(), 5'000'000), 800'000U);
    EXPECT_EQ(leecher.node.engine.held_from(world.id(), 0), 0U);
    world.handle(leecher, PlayFrom{world.id(), 1'000'000}); // somebody seeks
    world.run_for(1500ms);
    EXPECT_GT(leecher.node.engine.held_from(world.id(), 1'000'000), 600'000U);
}

TEST(Recording, media_takes_nine_tenths_of_the_link)
{
    RecordingWorld world(random_content(10'000'000), {});
    world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    world.introduce(leecher);
    ASSERT_TRUE(world.run_until_whole(30s));
    ASSERT_TRUE(world.is_whole(leecher));
    // IP and UDP headers are 28 bytes; both directions count.
    double const link =
        static_cast<double>(world.flown_bytes) + 28.0 * static_cast<double>(world.flown_datagrams);
    EXPECT_GT(10e6 / link, 0.90);
    RecordProperty("media_per_link_byte", std::to_string(10e6 / link));
}

/// Messages of a datagram that is no handshake.
std::vector<wire::Message> messages_of(Bytes datagram, RecordingConfig const& config)
{
    wire::SwarmFormat const format{.addressing = config.addressing,
                                   .hash_size = wire::hash_size(config.hash_function),
                                   .signature_size = 0,
                                   .chunk_size = config.chunk_size};
    wire::DatagramReader reader(datagram, format);
    std::vector<wire::Message> messages;
    for (auto message = reader.next(); message && *message; message = reader.next()) {
        messages.push_back(**message);
    }
    return messages;
}

TEST(Recording, PP_5_6_2_a_all_peaks_go_before_the_first_chunk_and_before_the_uncles)
{
    RecordingWorld world(random_content(1'000'000), {.tell_length = false}); // 977 chunks
    RecordingNode& seed = world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    std::vector<integrity::NodeHash> hashes;
    bool has_data = false;
    world.meddle = [&](Endpoint from, Endpoint, ByteVector& bytes) {
        if (from == seed.node.endpoint && !has_data) {
            for (wire::Message const& message : messages_of(bytes, world.config())) {
                has_data = has_data || std::holds_alternative<wire::Data>(message);
                if (auto const* node = std::get_if<wire::Integrity>(&message); node && !has_data) {
                    hashes.push_back({node->chunks, integrity::Hash{node->hash}});
                }
            }
        }
        return true;
    };
    world.introduce(leecher);
    ASSERT_TRUE(world.run_until_whole(20s));
    auto const peaks = world.tree().peaks();
    ASSERT_EQ(peaks.size(), 6U);
    ASSERT_GT(hashes.size(), peaks.size());
    EXPECT_TRUE(std::equal(peaks.begin(), peaks.end(), hashes.begin()));
    // PP-5.4-a: the uncles that follow, from the top.
    for (std::size_t i = peaks.size() + 1; i < hashes.size(); ++i) {
        EXPECT_LT(hashes[i].chunks.count(), hashes[i - 1].chunks.count());
    }
}

TEST(Recording, answers_wait_for_the_datagrams_that_came_together)
{
    RecordingWorld world(random_content(1'000'000), {});
    RecordingNode& seed = world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    std::optional<ByteVector> request;
    world.meddle = [&](Endpoint from, Endpoint, ByteVector& bytes) {
        if (from != leecher.node.endpoint || request) {
            return !request;
        }
        for (wire::Message const& message : messages_of(bytes, world.config())) {
            if (std::holds_alternative<wire::Request>(message)) {
                request = bytes;
            }
        }
        return !request;
    };
    world.introduce(leecher);
    world.run_for(100ms);
    ASSERT_TRUE(request);
    auto const before = world.flown_datagrams;
    world.handle(seed, peer::DatagramReceived{leecher.node.endpoint, *request, true});
    EXPECT_EQ(world.flown_datagrams, before);
    // The last one of a batch may be anything.
    world.handle(seed, peer::DatagramReceived{leecher.node.endpoint, {}});
    EXPECT_GT(world.flown_datagrams, before);
}

TEST(Recording, is_fetched_from_batches_on_a_bad_link)
{
    RecordingWorld world(
        random_content(1'000'000),
        {.faults = {.loss = 0.02, .reordering = 0.02, .delay = 20ms}, .together = true});
    world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    world.introduce(leecher);
    EXPECT_TRUE(world.run_until_whole(60s));
    EXPECT_TRUE(world.is_whole(leecher));
}

TEST(Recording, no_more_is_asked_of_a_fast_neighbour_than_a_socket_holds)
{
    RecordingWorld world(random_content(40'000'000), {.faults = {.delay = 100us}});
    RecordingNode& seed = world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    std::uint64_t asked = 0;
    std::uint64_t came = 0;
    std::uint64_t most = 0;
    world.meddle = [&](Endpoint from, Endpoint, ByteVector& bytes) {
        for (wire::Message const& message : messages_of(bytes, world.config())) {
            if (auto const* request = std::get_if<wire::Request>(&message)) {
                asked += request->chunks.count();
            }
            came += std::holds_alternative<wire::Data>(message) ? 1 : 0;
        }
        most = std::max(most, asked - std::min(asked, came));
        return from == seed.node.endpoint || from == leecher.node.endpoint;
    };
    world.introduce(leecher);
    ASSERT_TRUE(world.run_until_whole(20s));
    EXPECT_GT(most, 512u);
    EXPECT_LT(most, 1024u + 256u); // and what is on its way
}

TEST(Recording, is_sent_in_the_memory_of_what_was_sent)
{
    RecordingWorld world(random_content(1'000'000), {});
    RecordingNode& seed = world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    world.introduce(leecher);
    world.run_for(15ms);
    std::set<std::uint8_t const*> places;
    for (std::size_t i = 0; i < SpareBuffers::count_max; ++i) {
        ByteVector buffer;
        buffer.reserve(2000);
        places.insert(buffer.data());
        seed.node.spare.give(std::move(buffer));
    }
    world.meddle = [&](Endpoint from, Endpoint, ByteVector& bytes) {
        if (from == seed.node.endpoint) {
            places.erase(bytes.data());
        }
        return true;
    };
    ASSERT_TRUE(world.run_until_whole(20s));
    EXPECT_TRUE(places.empty());
    EXPECT_EQ(seed.node.spare.size(), 0u);
}

TEST(Recording, a_have_names_the_largest_interval_around_what_is_new)
{
    RecordingWorld world(random_content(1'000'000), {});
    RecordingNode& seed = world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    RecordingNode& other = world.add_leecher();
    seed.node.alive = true;
    std::vector<ChunkRange> haves;
    world.meddle = [&](Endpoint from, Endpoint to, ByteVector& bytes) {
        if (from == leecher.node.endpoint && to == other.node.endpoint) {
            for (wire::Message const& message : messages_of(bytes, world.config())) {
                if (auto const* have = std::get_if<wire::Have>(&message)) {
                    haves.push_back(have->chunks);
                }
            }
        }
        return true;
    };
    world.introduce(other, leecher); // it knows nobody else
    world.run_for(1s);
    world.introduce(leecher, seed);
    ASSERT_TRUE(world.run_until_whole(30s));
    ASSERT_FALSE(haves.empty());
    EXPECT_EQ(haves.back(), world.tree().shape().chunks());
    for (std::size_t i = 1; i < haves.size(); ++i) {
        bool const grows = haves[i].contains(haves[i - 1]) || !haves[i].overlaps(haves[i - 1]);
        EXPECT_TRUE(grows);
    }
}

/// As a peer of the drafts: what it does not know it drops without a word.
bool a_draft_peer_reads(Bytes datagram)
{
    wire::DatagramReader reader(datagram, wire::SwarmFormat{});
    auto const message = reader.next();
    auto const* handshake =
        message && *message ? std::get_if<wire::Handshake>(&**message) : nullptr;
    return handshake == nullptr ||
           (!handshake->options.chunk_size && !handshake->options.supported_messages);
}

TEST(Recording, is_exchanged_both_ways_with_peers_that_speak_the_draft)
{
    for (bool const seed_is_old : {true, false}) {
        RecordingWorld world(random_content(500'000),
                             {.hash_function = wire::HashFunction::sha1, .tell_length = false});
        RecordingNode& seed = world.add_seed();
        RecordingNode& leecher = world.add_leecher();
        Endpoint const old = seed_is_old ? seed.node.endpoint : leecher.node.endpoint;
        world.meddle = [&](Endpoint from, Endpoint to, ByteVector& bytes) {
            // It says nothing that it does not know, either.
            return (to != old && from != old) || a_draft_peer_reads(bytes);
        };
        world.introduce(leecher);
        ASSERT_TRUE(world.run_until_whole(20s)) << seed_is_old;
        EXPECT_TRUE(world.is_whole(leecher));
    }
}

TEST(Recording, strict_nodes_do_not_speak_the_draft)
{
    RecordingWorld world(random_content(500'000), {.hash_function = wire::HashFunction::sha1});
    world.add_seed();
    NodeConfig strict;
    strict.strict = true;
    RecordingNode& leecher = world.add_leecher(strict);
    world.meddle = [&](Endpoint, Endpoint, ByteVector& bytes) { return a_draft_peer_reads(bytes); };
    world.introduce(leecher);
    EXPECT_FALSE(world.run_until_whole(10s));
    EXPECT_EQ(world.figures(leecher).neighbours, 0U);
}

TEST(Recording, who_claims_too_large_a_size_is_not_believed_for_long)
{
    // The first seed's peaks are those of the content and a lie: they do not lead to the root.
    RecordingWorld world(random_content(700'000), {.tell_length = false});
    RecordingNode& liar = world.add_seed();
    RecordingNode& seed = world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    world.meddle = [&](Endpoint from, Endpoint, ByteVector& bytes) {
        constexpr std::size_t first_message = 4;
        bool const starts_with_hash =
            bytes.size() > 64 &&
            bytes[first_message] == static_cast<std::uint8_t>(wire::MessageType::integrity);
        if (from == liar.node.endpoint && starts_with_hash) {
            bytes[first_message + 12] ^= 1;
        }
        return true;
    };
    world.introduce(leecher, liar);
    world.run_for(5s);
    EXPECT_EQ(world.figures(leecher).content_bytes, 0U);
    world.introduce(leecher, seed);
    ASSERT_TRUE(world.run_until_whole(60s));
    EXPECT_TRUE(world.is_whole(leecher));
}

TEST(Recording, a_seed_whose_file_was_cut_says_so_once_and_stops)
{
    RecordingWorld world(random_content(4'000'000), {});
    RecordingNode& seed = world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    seed.content.bytes.resize(1'000'000);
    world.introduce(leecher);
    EXPECT_FALSE(world.run_until_whole(10s));
    EXPECT_EQ(seed.node.log.count<RecordingFailed>(), 1U);
    EXPECT_EQ(world.figures(leecher).bad_chunks, 0U);
}

TEST(Recording, a_lost_request_is_asked_again_while_others_are_served)
{
    RecordingWorld world(random_content(6'000'000), {});
    NodeConfig slow;
    slow.uplink_bps = 4'000'000;
    RecordingNode& seed = world.add_seed(slow);
    RecordingNode& leecher = world.add_leecher();
    int lost = 0;
    world.meddle = [&](Endpoint from, Endpoint, ByteVector& bytes) {
        if (from != leecher.node.endpoint || lost > 0) {
            return true;
        }
        auto const messages = messages_of(bytes, world.config());
        bool const asks = std::any_of(messages.begin(), messages.end(), [](auto const& message) {
            return std::holds_alternative<wire::Request>(message);
        });
        lost += asks && world.now() > TimePoint{3s} ? 1 : 0;
        return lost == 0;
    };
    world.handle(leecher, PlayFrom{world.id(), 0}); // who waits for it
    world.introduce(leecher, seed);
    world.run_for(10s);
    ASSERT_EQ(lost, 1);
    EXPECT_LT(world.figures(leecher).content_bytes, 5'500'000U) << "others are still served";
    EXPECT_GT(leecher.node.engine.held_from(world.id(), 0), 3'000'000U) << "a hole stayed";
    ASSERT_TRUE(world.run_until_whole(60s));
}

TEST(Recording, many_leechers_of_a_poor_seed_keep_their_conversations)
{
    RecordingWorld world(random_content(1'500'000), {});
    NodeConfig poor;
    poor.uplink_bps = 1'000'000;
    RecordingNode& seed = world.add_seed(poor);
    NodeConfig silent; // gives nothing itself: all depend on the seed
    silent.uplink_bps = 0;
    silent.pex = false;
    for (int i = 0; i < 20; ++i) {
        world.introduce(world.add_leecher(silent), seed);
    }
    world.run_for(60s);
    EXPECT_EQ(seed.node.log.count<NeighbourClosed>(), 0U);
    for (std::size_t i = 1; i < world.nodes.size(); ++i) {
        EXPECT_GT(world.figures(*world.nodes[i]).content_bytes, 150'000U) << i;
    }
}

} // namespace
} // namespace ppsp::peer
