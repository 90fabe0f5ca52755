#include "peer/shell/udp_socket.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <sched.h>
#include <thread>

/// A link that takes less than is sent: nothing is lost in the socket, and it is counted.
namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;

/// Runs `body` where the loopback carries 40 Mbit/s; false where this may not be made. Namespaces
/// belong to threads, and this one goes with its thread.
template <typename Body>
bool run_on_a_slow_link(Body body)
{
    bool made = false;
    std::thread([&] {
        made = ::unshare(CLONE_NEWNET) == 0 &&
               std::system("ip link set lo up && tc qdisc add dev lo root tbf rate 40mbit "
                           "burst 20kb limit 64mb") == 0;
        if (made) {
            body();
        }
    }).join();
    return made;
}

TEST(UdpSlowLink, what_the_system_does_not_take_waits_and_is_sent_when_it_does)
{
    static constexpr std::size_t limit = UdpSocket::send_queue_max;
    bool const made = run_on_a_slow_link([] {
        boost::asio::io_context context;
        auto sender = UdpSocket::open(context, *Endpoint::parse("127.0.0.1:0"));
        auto receiver = UdpSocket::open(context, *Endpoint::parse("127.0.0.1:0"));
        ASSERT_TRUE(sender && receiver);
        std::size_t got = 0;
        (*receiver)->start([&got](auto batch) { got += batch.size(); });
        Endpoint const to = (*receiver)->local_endpoint();
        std::size_t count = 0;
        // The send buffer holds some MB.
        while ((*sender)->waiting() == 0 && count < 10 * limit) {
            (*sender)->send(to, ByteVector(1400));
            ++count;
            (*sender)->flush();
        }
        EXPECT_GE((*sender)->statistics().send_would_block, 1U);
        EXPECT_GT((*sender)->waiting(), 0U);

        // More waits up to the limit; what comes on top is dropped, and counted.
        std::size_t const room = limit - (*sender)->waiting();
        for (std::size_t i = 0; i < room + 10; ++i) {
            (*sender)->send(to, ByteVector(1400));
        }
        EXPECT_EQ((*sender)->waiting(), limit);
        EXPECT_EQ((*sender)->statistics().send_dropped, 10U);

        auto const end = std::chrono::steady_clock::now() + 60s;
        while ((*sender)->statistics().sent < count + room &&
               std::chrono::steady_clock::now() < end) {
            context.run_one_for(10ms);
        }
        EXPECT_EQ((*sender)->waiting(), 0U);
        EXPECT_EQ((*sender)->statistics().sent, count + room);
        EXPECT_EQ((*sender)->statistics().send_failed, 0U);
        EXPECT_LE((*sender)->statistics().send_would_block, count + room) << "no busy loop";
        EXPECT_GT(got, limit) << "they come over";
    });
    if (!made) {
        GTEST_SKIP() << "no network namespace with a tbf queue can be made here";
    }
}

} // namespace
} // namespace ppsp::peer
