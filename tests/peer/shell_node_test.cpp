#include "peer/shell/ahead_hasher.hpp"
#include "peer/shell/node.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "tests/support/recording_world.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>

namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;

/// A node, and a stranger whose datagrams mean nothing to it.
class NodeTest : public ::testing::Test {
protected:
    void open(Duration turn_gap)
    {
        NodeOptions options;
        options.listen = *Endpoint::parse("127.0.0.1:0");
        options.turn_gap = turn_gap;
        auto node = Node::open(options, {});
        ASSERT_TRUE(node) << node.error();
        node_ = *std::move(node);
        auto socket = UdpSocket::open(context_, *Endpoint::parse("127.0.0.1:0"));
        ASSERT_TRUE(socket) << socket.error();
        stranger_ = *std::move(socket);
    }

    void send(int datagrams, std::chrono::microseconds apart)
    {
        for (int i = 0; i < datagrams; ++i) {
            stranger_->send(node_->local_endpoint(), ByteVector(20, 1));
            stranger_->flush();
            std::this_thread::sleep_for(apart);
        }
    }

    UdpStatistics figures()
    {
        return node_->ask([this] { return node_->socket().statistics(); });
    }

    UdpStatistics figures_after(std::uint64_t received)
    {
        auto const limit = std::chrono::steady_clock::now() + 10s;
        while (figures().received < received && std::chrono::steady_clock::now() < limit) {
            std::this_thread::sleep_for(1ms);
        }
        return figures();
    }

    std::unique_ptr<Node> node_;
    boost::asio::io_context context_;
    std::unique_ptr<UdpSocket> stranger_;
};

TEST_F(NodeTest, what_comes_between_two_turns_is_read_together)
{
    open(20ms);
    auto const began = std::chrono::steady_clock::now();
    send(100, 1ms);
    auto const then = figures_after(100);
    auto const took = std::chrono::steady_clock::now() - began;
    EXPECT_EQ(then.received, 100u);
    // At most one in each gap, and some that found so many that it did not rest.
    EXPECT_LE(then.receive_calls, static_cast<std::uint64_t>(took / 20ms) + 10);
}

TEST_F(NodeTest, without_a_gap_it_reads_what_comes_at_once)
{
    open({});
    for (int i = 1; i <= 20; ++i) {
        send(1, 1us);
        EXPECT_EQ(figures_after(static_cast<std::uint64_t>(i)).receive_calls,
                  static_cast<std::uint64_t>(i));
    }
}

TEST_F(NodeTest, after_a_rest_it_hears_of_the_first_datagram_again)
{
    open(5ms);
    for (int i = 1; i <= 5; ++i) {
        send(1, 30ms);
        EXPECT_EQ(figures_after(static_cast<std::uint64_t>(i)).received,
                  static_cast<std::uint64_t>(i));
    }
}

TEST_F(NodeTest, who_has_plenty_to_read_does_not_rest)
{
    open(1h); // a rest would never end
    for (std::uint64_t round = 1; round <= 3; ++round) {
        std::promise<void> all_sent;
        node_->post([&all_sent] { all_sent.get_future().wait(); });
        send(100, 0us);
        all_sent.set_value();
        EXPECT_EQ(figures_after(round * 100).received, round * 100);
    }
}

TEST_F(NodeTest, it_stops_while_it_rests)
{
    open(1h);
    send(1, 1us);
    EXPECT_EQ(figures_after(1).received, 1u);
    node_->stop();
    node_.reset();
}

/// A recording from one node to another over loopback.
class NodeTransfer : public ::testing::Test {
protected:
    static constexpr std::size_t size = 8'000'000;

    NodeTransfer()
    {
        auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
        auto tree = integrity::MerkleTree::from_content(*hasher, config_.chunk_size, from_.bytes);
        tree_ = std::make_shared<integrity::MerkleTree const>(*std::move(tree));
        integrity::Hash const root = tree_->root();
        config_.id.assign(root.bytes().begin(), root.bytes().end());
        config_.length = size;
    }

    std::unique_ptr<Node> join(test::MemoryBytes& bytes, integrity::Hasher& hasher, bool is_seed)
    {
        NodeOptions options;
        options.listen = *Endpoint::parse("127.0.0.1:0");
        auto node = Node::open(options, {});
        EXPECT_TRUE(node);
        (*node)->ask([&] {
            (*node)->handle(JoinRecording{config_, &bytes, &hasher, is_seed ? tree_ : nullptr});
        });
        return *std::move(node);
    }

    /// Whether all of it came within a minute.
    bool transfer(Node& seed, Node& leecher)
    {
        leecher.ask([&] { leecher.handle(CandidatesFound{config_.id, {seed.local_endpoint()}}); });
        auto const end = std::chrono::steady_clock::now() + 60s;
        while (std::chrono::steady_clock::now() < end) {
            auto const held = leecher.ask([&] {
                return leecher.engine().statistics(leecher.now(), config_.id)->content_bytes;
            });
            if (held == size) {
                return true;
            }
            std::this_thread::sleep_for(5ms);
        }
        return false;
    }

    test::MemoryBytes from_{test::random_content(size)};
    test::MemoryBytes to_;
    RecordingConfig config_;
    std::shared_ptr<integrity::MerkleTree const> tree_;
    std::unique_ptr<integrity::Hasher> seeding_ =
        integrity::make_hasher(wire::HashFunction::sha256);
    AheadHasher fetching_{wire::HashFunction::sha256};
};

TEST_F(NodeTransfer, a_timer_is_set_for_many_datagrams_together)
{
    auto const seed = join(from_, *seeding_, true);
    auto const leecher = join(to_, fetching_, false);
    auto const began = std::chrono::steady_clock::now();
    ASSERT_TRUE(transfer(*seed, *leecher));
    EXPECT_TRUE(to_.bytes == from_.bytes);
    // A machine that is busy with something else waits for timers, too.
    auto const milliseconds =
        static_cast<std::uint64_t>((std::chrono::steady_clock::now() - began) / 1ms);
    for (Node* const node : {seed.get(), leecher.get()}) {
        auto const [moved, timers] = node->ask([node] {
            auto const& figures = node->socket().statistics();
            return std::pair{figures.sent + figures.received, node->timers_set()};
        });
        EXPECT_GE(moved, size / 1024);
        EXPECT_LE(timers, moved / 8 + milliseconds);
    }
}

TEST_F(NodeTransfer, whole_batches_of_chunks_are_handed_to_the_helper)
{
    auto const seed = join(from_, *seeding_, true);
    auto const leecher = join(to_, fetching_, false);
    ASSERT_TRUE(transfer(*seed, *leecher));
    EXPECT_TRUE(to_.bytes == from_.bytes);
    auto const figures = leecher->ask([this] { return fetching_.figures(); });
    EXPECT_GE(figures.batches, 1u);
    EXPECT_GE(figures.expected, AheadHasher::chunks_min * figures.batches);
}

} // namespace
} // namespace ppsp::peer
