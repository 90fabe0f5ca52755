#include "tests/peer/udp_sockets.hpp"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <sys/resource.h>
#include <thread>

/// A socket that is not read all the time.
namespace ppsp::peer {
namespace {

using UdpReadingTest = UdpSocketTest;

void send_one(UdpSocket& from, UdpSocket const& to)
{
    from.send(to.local_endpoint(), ByteVector(10, 7));
    from.flush();
}

TEST_F(UdpReadingTest, who_is_not_to_read_on_finds_everything_at_the_next_read)
{
    auto const left = open("127.0.0.1:0");
    auto const right = open("127.0.0.1:0");
    std::size_t got = 0;
    int drained = 0;
    bool reads_on = false;
    right->start([&](auto batch) { got += batch.size(); },
                 [&] {
                     ++drained;
                     return reads_on;
                 });
    send_one(*left, *right);
    run_until([&] { return drained == 1; });
    send_one(*left, *right);
    send_one(*left, *right);
    context.restart();
    context.poll();
    EXPECT_EQ(got, 1u) << "nobody asked for more";
    right->read();
    EXPECT_EQ(got, 3u);
    EXPECT_EQ(drained, 2);
    reads_on = true;
    right->read();
    EXPECT_EQ(got, 3u) << "there was nothing";
    send_one(*left, *right);
    run_until([&] { return got == 4; });
}

TEST_F(UdpReadingTest, what_comes_while_it_is_read_belongs_to_the_same_turn)
{
    auto const left = open("127.0.0.1:0");
    auto const right = open("127.0.0.1:0");
    std::size_t got = 0;
    std::vector<std::size_t> drained_at;
    right->start(
        [&](auto batch) {
            got += batch.size();
            if (got < 3) {
                send_one(*left, *right);
            }
        },
        [&] {
            drained_at.push_back(got);
            return true;
        });
    send_one(*left, *right);
    run_until([&] { return got == 3; });
    EXPECT_EQ(drained_at, std::vector<std::size_t>{3});
}

TEST_F(UdpReadingTest, who_rests_between_reads_does_not_look_whether_more_came)
{
    auto const left = open("127.0.0.1:0");
    auto const right = open("127.0.0.1:0", {.ends_early = true});
    std::size_t got = 0;
    std::vector<std::size_t> drained_at;
    right->start(
        [&](auto batch) {
            got += batch.size();
            if (got == 1) {
                send_one(*left, *right);
            }
        },
        [&] {
            drained_at.push_back(got);
            return false;
        });
    send_one(*left, *right);
    run_until([&] { return !drained_at.empty(); });
    right->read();
    EXPECT_EQ(drained_at, (std::vector<std::size_t>{1, 2}));
}

TEST_F(UdpReadingTest, a_flood_of_what_is_too_large_ends_a_turn_as_well)
{
    constexpr std::uint64_t sent = 900;
    auto const left = open("127.0.0.1:0", {.segmentation = false});
    auto const right = open("127.0.0.1:0");
    for (std::uint64_t i = 0; i < sent; ++i) {
        left->send(right->local_endpoint(), ByteVector(UdpSocket::datagram_size_max + 1));
    }
    left->flush();
    std::uint64_t in_first_turn = 0;
    right->start([](auto) {},
                 [&] {
                     auto const read = right->statistics().truncated;
                     in_first_turn = in_first_turn == 0 ? read : in_first_turn;
                     return true;
                 });
    run_until([&] { return right->statistics().truncated == sent; });
    EXPECT_LT(in_first_turn, sent);
}

TEST_F(UdpReadingTest, what_comes_while_nobody_reads_wakes_nobody)
{
    constexpr int datagrams = 50;
    auto const right = open("127.0.0.1:0");
    int got = 0;
    right->start([&](auto batch) { got += static_cast<int>(batch.size()); }, [] { return false; });
    std::atomic<bool> has_sent = false;
    std::jthread const sender([&, to = right->local_endpoint()] {
        boost::asio::io_context own;
        auto const left = *UdpSocket::open(own, *Endpoint::parse("127.0.0.1:0"));
        for (int i = 0; i < datagrams; ++i) {
            left->send(to, ByteVector(10, 7));
            left->flush();
            std::this_thread::sleep_for(std::chrono::milliseconds{2});
        }
        has_sent = true;
    });
    run_until([&] { return got > 0; });
    // How often this thread went to sleep: one more than it was woken.
    auto const sleeps = [] {
        rusage usage{};
        ::getrusage(RUSAGE_THREAD, &usage);
        return usage.ru_nvcsw;
    };
    auto const before = sleeps();
    auto const guard = boost::asio::make_work_guard(context);
    run_until([&] { return has_sent.load(); });
    EXPECT_LE(sleeps() - before, datagrams / 2);
    right->read();
    EXPECT_EQ(got, datagrams);
}

TEST_F(UdpReadingTest, tells_how_long_a_datagram_lay_unread)
{
    auto const left = open("127.0.0.1:0");
    auto const right = open("127.0.0.1:0", {.arrival_times = true});
    Duration waited{};
    std::size_t got = 0;
    right->start(
        [&](auto batch) {
            got += batch.size();
            waited = batch.front().waited;
        },
        [] { return false; });
    // A machine that stands still for longer than `waited_max` knows nothing that time.
    bool told = false;
    for (std::size_t i = 1; i <= 20 && !told; ++i) {
        left->send(right->local_endpoint(), ByteVector(10, 7));
        left->flush();
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
        if (i == 1) {
            run_until([&] { return got == 1; });
        } else {
            right->read();
        }
        ASSERT_EQ(got, i);
        EXPECT_LE(waited, UdpSocket::waited_max);
        told = waited >= std::chrono::milliseconds{9};
    }
    EXPECT_TRUE(told);
}

} // namespace
} // namespace ppsp::peer
