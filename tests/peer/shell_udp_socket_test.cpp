#include "peer/shell/udp_batch.hpp"
#include "tests/peer/udp_sockets.hpp"

#include <map>
#include <netinet/in.h>
#include <sys/socket.h>

namespace ppsp::peer {
namespace {

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

TEST_F(UdpSocketTest, what_waits_is_counted_until_it_is_sent)
{
    auto const socket = open("127.0.0.1:0");
    for (std::size_t i = 0; i < 3; ++i) {
        socket->send(socket->local_endpoint(), ByteVector(1));
    }
    EXPECT_EQ(socket->waiting(), 3U);
    socket->flush();
    EXPECT_EQ(socket->waiting(), 0U);
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
    // One by one, because what comes together is dropped and counted together.
    auto const left = open("127.0.0.1:0", {.segmentation = false});
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

/// Datagrams of given sizes to given receivers, each with its own contents.
struct Sent {
    std::size_t to;
    std::size_t bytes;
};

struct Way {
    char const* name;
    UdpOptions sender;
    UdpOptions receiver;
};

class UdpSocketWays : public UdpSocketTest, public testing::WithParamInterface<Way> {
protected:
    void SetUp() override
    {
        sender = open(listen, GetParam().sender);
        for (std::size_t i = 0; i < got.size(); ++i) {
            receivers.push_back(open(listen, GetParam().receiver));
            receivers.back()->start([this, i](auto batch) {
                EXPECT_LE(batch.size(), UdpSocket::batch_size);
                for (auto const& datagram : batch) {
                    EXPECT_EQ(datagram.from, sender->local_endpoint());
                    got[i].emplace_back(datagram.bytes.begin(), datagram.bytes.end());
                }
            });
        }
    }

    /// Everything arrives whole, once, and in order at each receiver.
    void expect_delivery(std::vector<Sent> const& list)
    {
        std::array<std::vector<ByteVector>, 3> want;
        for (std::size_t i = 0; i < list.size(); ++i) {
            ByteVector bytes(list[i].bytes);
            for (std::size_t k = 0; k < bytes.size(); ++k) {
                bytes[k] = static_cast<std::uint8_t>(i * 31 + k * 7);
            }
            want[list[i].to].push_back(bytes);
            sender->send(receivers[list[i].to]->local_endpoint(), std::move(bytes));
        }
        sender->flush();
        run_until([&] { return got[0].size() + got[1].size() + got[2].size() >= list.size(); });
        context.restart();
        context.run_for(std::chrono::milliseconds{1}); // what comes twice
        EXPECT_EQ(got, want);
        EXPECT_EQ(sender->statistics().sent, list.size());
        EXPECT_EQ(sender->statistics().send_failed, 0U);
        std::uint64_t received = 0;
        for (auto const& receiver : receivers) {
            received += receiver->statistics().received;
        }
        EXPECT_EQ(received, list.size());
    }

    std::string listen = "127.0.0.1:0";
    std::unique_ptr<UdpSocket> sender;
    std::vector<std::unique_ptr<UdpSocket>> receivers;
    std::array<std::vector<ByteVector>, 3> got;
};

TEST_P(UdpSocketWays, equal_sizes_with_a_shorter_last_one)
{
    std::vector<Sent> list(20, {0, 1045});
    list.push_back({0, 333});
    expect_delivery(list);
    auto const& statistics = sender->statistics();
    EXPECT_EQ(statistics.sent_together, statistics.segmentation ? 21U : 0U);
    EXPECT_EQ(receivers[0]->statistics().received_together,
              statistics.segmentation && receivers[0]->statistics().coalescing ? 21U : 0U);
    EXPECT_EQ(receivers[0]->statistics().receive_calls, 1U);
}

TEST_P(UdpSocketWays, mixed_sizes)
{
    std::vector<Sent> list;
    for (std::size_t const bytes : {1045U, 1045U, 1209U, 1045U, 0U,    0U, 40U, 40U,   40U,   39U,
                                    39U,   40U,   0U,    1472U, 1472U, 1U, 1U,  2000U, 2000U, 5U}) {
        list.push_back({0, bytes});
    }
    expect_delivery(list);
}

TEST_P(UdpSocketWays, mixed_addresses)
{
    std::vector<Sent> list;
    for (std::size_t i = 0; i < 90; ++i) {
        list.push_back({i % 7 == 0 ? 1 : (i % 11 == 0 ? 2U : 0U), i % 5 == 0 ? 700U : 1045U});
    }
    expect_delivery(list);
}

TEST_P(UdpSocketWays, more_than_one_message_holds)
{
    // 64 segments are the limit with 500 bytes, 64 KiB with 1472.
    std::vector<Sent> list(150, {0, 500});
    list.insert(list.end(), 150, {1, 1472});
    list.insert(list.end(), 150, {2, 1});
    expect_delivery(list);
}

TEST_P(UdpSocketWays, many_flushes)
{
    for (std::size_t i = 1; i <= 20; ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            sender->send(receivers[0]->local_endpoint(), ByteVector(100, std::uint8_t(i)));
        }
        sender->flush();
    }
    run_until([&] { return got[0].size() >= 210; });
    std::size_t next = 0;
    for (std::size_t i = 1; i <= 20; ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            EXPECT_EQ(got[0][next++], ByteVector(100, std::uint8_t(i)));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    , UdpSocketWays,
    testing::Values(Way{"as_the_system_can", {}, {}},
                    Way{"one_by_one", {.segmentation = false}, {.coalescing = false}},
                    Way{"segmentation_only", {}, {.coalescing = false}},
                    Way{"coalescing_only", {.segmentation = false}, {}}),
    [](auto const& info) { return std::string{info.param.name}; });

class UdpSocketWaysV6 : public UdpSocketWays {
protected:
    UdpSocketWaysV6() { listen = "[::1]:0"; }
};

TEST_P(UdpSocketWaysV6, equal_sizes_with_a_shorter_last_one)
{
    std::vector<Sent> list(100, {0, 1045});
    list.push_back({0, 333});
    expect_delivery(list);
}

INSTANTIATE_TEST_SUITE_P(
    , UdpSocketWaysV6,
    testing::Values(Way{"as_the_system_can", {}, {}},
                    Way{"one_by_one", {.segmentation = false}, {.coalescing = false}}),
    [](auto const& info) { return std::string{info.param.name}; });

/// Makes the system refuse segments: they need checksums (udp(7), SO_NO_CHECK).
void switch_checksums_off(UdpSocket const& socket)
{
    for (int fd = 0; fd < 1024; ++fd) {
        sockaddr_in address{};
        socklen_t size = sizeof(address);
        if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
            address.sin_family == AF_INET &&
            ntohs(address.sin_port) == socket.local_endpoint().port()) {
            int const on = 1;
            ASSERT_EQ(::setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
            return;
        }
    }
    FAIL() << "the socket was not found";
}

TEST_P(UdpSocketWays, refused_segments_go_one_by_one_and_nothing_is_lost)
{
    switch_checksums_off(*sender);
    std::vector<Sent> list{{1, 10}};
    list.insert(list.end(), 100, {0, 1045});
    list.insert(list.end(), 100, {1, 500});
    expect_delivery(list);
    EXPECT_FALSE(sender->statistics().segmentation);
    EXPECT_EQ(sender->statistics().sent_together, 0U);
}

TEST_F(UdpSocketTest, a_bad_address_does_not_switch_segments_off)
{
    auto const left = open("127.0.0.1:0");
    auto const right = open("127.0.0.1:0");
    bool const before = left->statistics().segmentation;
    std::size_t got = 0;
    right->start([&got](auto batch) { got += batch.size(); });
    Endpoint const bad = *Endpoint::parse("240.0.0.1:9");
    left->send(bad, ByteVector(100));
    left->send(bad, ByteVector(100));
    left->send(right->local_endpoint(), ByteVector(100));
    left->send(right->local_endpoint(), ByteVector(100));
    left->flush();
    run_until([&got] { return got == 2; });
    EXPECT_EQ(left->statistics().send_failed, 2U);
    EXPECT_EQ(left->statistics().segmentation, before);
}

TEST_F(UdpSocketTest, a_dual_stack_socket_sends_and_reads_ipv4_together)
{
    auto const left = open("[::]:0");
    auto const right = open("[::]:0");
    std::vector<ByteVector> got;
    right->start([&got](auto batch) {
        for (auto const& datagram : batch) {
            EXPECT_TRUE(datagram.from.is_v4());
            got.emplace_back(datagram.bytes.begin(), datagram.bytes.end());
        }
    });
    auto const to = *Endpoint::parse_address("127.0.0.1", right->local_endpoint().port());
    for (std::uint8_t i = 0; i < 10; ++i) {
        left->send(to, ByteVector(1045, i));
    }
    left->flush();
    run_until([&got] { return got.size() == 10; });
    for (std::uint8_t i = 0; i < 10; ++i) {
        EXPECT_EQ(got[i], ByteVector(1045, i));
    }
    EXPECT_EQ(left->statistics().sent_together, left->statistics().segmentation ? 10U : 0U);
}

TEST_F(UdpSocketTest, oversized_datagrams_are_dropped_without_coalescing_too)
{
    auto const left = open("127.0.0.1:0");
    auto const right = open("127.0.0.1:0", {.coalescing = false});
    std::size_t got = 0;
    right->start([&got](auto batch) { got += batch.size(); });
    left->send(right->local_endpoint(), ByteVector(UdpSocket::datagram_size_max + 1));
    left->send(right->local_endpoint(), ByteVector(10));
    left->flush();
    run_until([&got] { return got == 1; });
    EXPECT_EQ(right->statistics().truncated, 1U);
}

TEST_F(UdpSocketTest, buffers_granted_are_told)
{
    auto const socket = open("127.0.0.1:0");
    EXPECT_GT(socket->statistics().receive_buffer_bytes, 0U);
    EXPECT_LE(socket->statistics().receive_buffer_bytes,
              static_cast<std::size_t>(UdpSocket::buffer_bytes));
    EXPECT_GT(socket->statistics().send_buffer_bytes, 0U);
}

TEST(UdpSendQueue, gives_memory_of_what_went)
{
    SendQueue queue;
    SpareBuffers spare;
    queue.push({{}, ByteVector(10)});
    queue.push({{}, ByteVector(20)});
    auto const* const place = queue.items()[0].bytes.data();
    queue.pop(1, &spare);
    EXPECT_EQ(spare.size(), 1U);
    EXPECT_EQ(spare.take().data(), place);
    EXPECT_EQ(queue.items()[0].bytes.size(), 20U);
}

TEST(UdpSendQueue, is_first_in_first_out_and_forgets_what_went)
{
    SendQueue queue;
    std::size_t in = 0;
    std::size_t out = 0;
    for (std::size_t round = 0; round < 200; ++round) {
        for (std::size_t i = 0; i < 50; ++i) {
            queue.push({{}, ByteVector{static_cast<std::uint8_t>(in++)}});
        }
        std::size_t const count = std::min<std::size_t>(queue.size(), 40 + round % 25);
        for (WaitingDatagram const& datagram : queue.items().first(count)) {
            EXPECT_EQ(datagram.bytes, ByteVector{static_cast<std::uint8_t>(out++)});
        }
        queue.pop(count, nullptr);
        EXPECT_EQ(queue.size(), in - out);
        EXPECT_EQ(queue.empty(), in == out);
    }
}

} // namespace
} // namespace ppsp::peer
