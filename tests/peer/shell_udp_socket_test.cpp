#include "peer/shell/udp_socket.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

class UdpSocketTest : public testing::Test {
protected:
    std::unique_ptr<UdpSocket> open(std::string const& listen)
    {
        auto socket = UdpSocket::open(context, *Endpoint::parse(listen));
        EXPECT_TRUE(socket) << socket.error();
        return socket ? *std::move(socket) : nullptr;
    }

    template <typename Condition>
    void run_until(Condition condition)
    {
        auto const limit = std::chrono::steady_clock::now() + std::chrono::seconds{10};
        while (!condition() && std::chrono::steady_clock::now() < limit) {
            context.restart();
            context.run_one_for(std::chrono::milliseconds{100});
        }
        ASSERT_TRUE(condition());
    }

    boost::asio::io_context context;
};

TEST_F(UdpSocketTest, datagrams_arrive_whole_and_with_their_sender)
{
    auto const left = open("127.0.0.1:0");
    auto const right = open("127.0.0.1:0");
    std::vector<std::pair<Endpoint, ByteVector>> got;
    right->start([&got](auto batch) {
        for (auto const& datagram : batch) {
            got.emplace_back(datagram.from,
                             ByteVector(datagram.bytes.begin(), datagram.bytes.end()));
        }
    });
    // More than a batch each way, and sizes at both ends of the range.
    constexpr std::size_t count = UdpSocket::batch_size * 2 + 3;
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t const size = i == 0 ? 0 : (i == 1 ? UdpSocket::datagram_size_max - 1 : i);
        left->send(right->local_endpoint(), ByteVector(size, static_cast<std::uint8_t>(i)));
    }
    left->flush();
    run_until([&got] { return got.size() == count; });
    for (std::size_t i = 2; i < count; ++i) {
        EXPECT_EQ(got[i].second, ByteVector(i, static_cast<std::uint8_t>(i)));
        EXPECT_EQ(got[i].first, left->local_endpoint());
    }
    EXPECT_EQ(left->statistics().sent, count);
    EXPECT_EQ(right->statistics().received, count);
}

TEST_F(UdpSocketTest, oversized_datagrams_are_dropped_and_counted)
{
    auto const left = open("127.0.0.1:0");
    auto const right = open("127.0.0.1:0");
    std::size_t got = 0;
    right->start([&got](auto batch) { got += batch.size(); });
    left->send(right->local_endpoint(), ByteVector(UdpSocket::datagram_size_max + 1));
    left->send(right->local_endpoint(), ByteVector(10));
    left->flush();
    run_until([&got] { return got == 1; });
    EXPECT_EQ(right->statistics().truncated, 1U);
}

TEST_F(UdpSocketTest, a_dual_stack_socket_talks_to_both_families)
{
    auto const both = open("[::]:0");
    auto const v4 = open("127.0.0.1:0");
    auto const v6 = open("[::1]:0");
    std::vector<Endpoint> from;
    both->start([&](auto batch) {
        for (auto const& datagram : batch) {
            from.push_back(datagram.from);
            both->send(datagram.from, ByteVector(1));
        }
        both->flush();
    });
    int answers = 0;
    v4->start([&answers](auto batch) { answers += static_cast<int>(batch.size()); });
    v6->start([&answers](auto batch) { answers += static_cast<int>(batch.size()); });
    auto const port = both->local_endpoint().port();
    v4->send(*Endpoint::parse_address("127.0.0.1", port), ByteVector(1));
    v6->send(*Endpoint::parse_address("::1", port), ByteVector(1));
    v4->flush();
    v6->flush();
    run_until([&] { return answers == 2; });
    EXPECT_TRUE(both->can_reach(v4->local_endpoint()));
    EXPECT_TRUE(from[0].is_v4() != from[1].is_v4());
}

TEST_F(UdpSocketTest, an_address_of_the_wrong_family_is_refused_and_counted)
{
    auto const v4 = open("127.0.0.1:0");
    Endpoint const v6 = *Endpoint::parse("[::1]:9");
    EXPECT_FALSE(v4->can_reach(v6));
    EXPECT_FALSE(v4->can_reach(*Endpoint::parse("127.0.0.1:0")));
    v4->send(v6, ByteVector(1));
    v4->flush();
    EXPECT_EQ(v4->statistics().send_failed, 1U);
}

TEST_F(UdpSocketTest, one_refused_datagram_does_not_stop_the_others)
{
    auto const left = open("127.0.0.1:0");
    auto const right = open("127.0.0.1:0");
    std::size_t got = 0;
    right->start([&got](auto batch) { got += batch.size(); });
    left->send(*Endpoint::parse("255.255.255.255:9"), ByteVector(1)); // needs SO_BROADCAST
    left->send(right->local_endpoint(), ByteVector(1));
    left->flush();
    run_until([&got] { return got == 1; });
    EXPECT_EQ(left->statistics().send_failed, 1U);
}

TEST_F(UdpSocketTest, the_send_queue_has_a_limit)
{
    auto const left = open("127.0.0.1:0");
    for (std::size_t i = 0; i < UdpSocket::send_queue_max + 5; ++i) {
        left->send(left->local_endpoint(), ByteVector(1));
    }
    EXPECT_EQ(left->statistics().send_dropped, 5U);
}

TEST_F(UdpSocketTest, what_the_kernel_dropped_is_counted)
{
    auto const left = open("127.0.0.1:0");
    auto const right = open("127.0.0.1:0");
    // 16 MB into a buffer of 8 MB at most, while nobody reads.
    for (int i = 0; i < 4; ++i) {
        for (std::size_t k = 0; k < UdpSocket::send_queue_max; ++k) {
            left->send(right->local_endpoint(), ByteVector(1024));
        }
        left->flush();
        run_until([&] { return left->statistics().sent == (i + 1) * UdpSocket::send_queue_max; });
    }
    std::size_t got = 0;
    right->start([&got](auto batch) { got += batch.size(); });
    // The counter comes with a datagram that follows the loss.
    run_until([&] {
        left->send(right->local_endpoint(), ByteVector(1));
        left->flush();
        return right->statistics().dropped_by_kernel > 0;
    });
    EXPECT_GE(right->statistics().dropped_by_kernel + got, 4 * UdpSocket::send_queue_max);
}

TEST_F(UdpSocketTest, a_taken_port_gives_a_sentence)
{
    auto const first = open("127.0.0.1:0");
    auto const second = UdpSocket::open(context, first->local_endpoint());
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().find("port " + std::to_string(first->local_endpoint().port()) +
                                  " is in use"),
              std::string::npos)
        << second.error();
    auto const foreign = UdpSocket::open(context, *Endpoint::parse("192.0.2.1:0"));
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().find("no address 192.0.2.1"), std::string::npos) << foreign.error();
}

} // namespace
} // namespace ppsp::peer
