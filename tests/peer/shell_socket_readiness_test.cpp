#include "peer/shell/socket_readiness.hpp"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ppsp::peer {
namespace {

/// A pair of sockets, one of which is waited for.
class SocketReadinessTest : public testing::Test {
protected:
    explicit SocketReadinessTest(int type = SOCK_DGRAM)
    {
        EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, sockets.data()), 0);
        readiness = *SocketReadiness::open(context, sockets[0]);
    }
    ~SocketReadinessTest() override
    {
        readiness.reset();
        ::close(sockets[0]);
        close_other();
    }
    void close_other()
    {
        if (sockets[1] >= 0) {
            ::close(std::exchange(sockets[1], -1));
        }
    }
    void other_sends() { ASSERT_EQ(::send(sockets[1], "x", 1, 0), 1); }
    /// Sends until the system takes no more.
    void fill()
    {
        while (::send(sockets[0], "x", 1, 0) == 1) {
        }
        ASSERT_EQ(errno, EAGAIN);
    }
    void other_reads_all()
    {
        char byte = 0;
        while (::recv(sockets[1], &byte, 1, 0) == 1) {
        }
    }
    /// How much asio had to do.
    std::size_t run()
    {
        context.restart();
        return context.poll();
    }

    boost::asio::io_context context;
    std::array<int, 2> sockets{-1, -1};
    std::unique_ptr<SocketReadiness> readiness;
    int readable = 0;
    int writable = 0;
};

class SocketReadinessOfStreamsTest : public SocketReadinessTest {
protected:
    SocketReadinessOfStreamsTest() : SocketReadinessTest(SOCK_STREAM) {}
};

TEST_F(SocketReadinessTest, tells_once_and_is_silent_until_asked_again)
{
    readiness->when_readable([&] { ++readable; });
    EXPECT_EQ(run(), 0u);
    other_sends();
    run();
    EXPECT_EQ(readable, 1);
    other_sends();
    EXPECT_EQ(run(), 0u) << "nobody waits";
    readiness->when_readable([&] { ++readable; });
    run();
    EXPECT_EQ(readable, 2) << "what is there already is told as well";
}

TEST_F(SocketReadinessTest, what_came_before_the_first_question_is_told)
{
    other_sends();
    EXPECT_EQ(run(), 0u);
    readiness->when_readable([&] { ++readable; });
    run();
    EXPECT_EQ(readable, 1);
}

TEST_F(SocketReadinessTest, room_to_write_is_waited_for_beside_something_to_read)
{
    fill();
    readiness->when_readable([&] { ++readable; });
    readiness->when_writable([&] { ++writable; });
    EXPECT_EQ(run(), 0u);
    other_reads_all();
    run();
    EXPECT_EQ(writable, 1);
    EXPECT_EQ(readable, 0);
    other_sends();
    run();
    EXPECT_EQ(readable, 1) << "one answer does not end the other wait";
    EXPECT_EQ(writable, 1);
}

TEST_F(SocketReadinessTest, something_to_read_does_not_end_the_wait_for_room)
{
    fill();
    readiness->when_writable([&] { ++writable; });
    readiness->when_readable([&] { ++readable; });
    other_sends();
    run();
    EXPECT_EQ(readable, 1);
    EXPECT_EQ(writable, 0);
    other_reads_all();
    run();
    EXPECT_EQ(writable, 1);
}

TEST_F(SocketReadinessTest, both_at_once)
{
    other_sends();
    readiness->when_readable([&] { ++readable; });
    readiness->when_writable([&] { ++writable; });
    run();
    EXPECT_EQ(readable, 1);
    EXPECT_EQ(writable, 1);
}

TEST_F(SocketReadinessTest, the_handler_may_ask_again)
{
    other_sends();
    readiness->when_readable([&] {
        ++readable;
        readiness->when_readable([&] { ++readable; });
    });
    run();
    EXPECT_EQ(readable, 2) << "nobody read what was there";
}

TEST_F(SocketReadinessTest, the_handler_may_destroy_it_and_nothing_else_is_called)
{
    other_sends();
    readiness->when_readable([&] {
        ++readable;
        readiness.reset();
    });
    readiness->when_writable([&] { ++writable; });
    run();
    EXPECT_EQ(readable, 1);
    EXPECT_EQ(writable, 0);
}

TEST_F(SocketReadinessTest, who_is_destroyed_calls_nobody)
{
    readiness->when_readable([&] { ++readable; });
    run();
    other_sends();
    readiness.reset();
    run();
    EXPECT_EQ(readable, 0);
}

TEST_F(SocketReadinessTest, who_is_destroyed_after_the_system_told_calls_nobody)
{
    readiness->when_readable([&] { ++readable; });
    other_sends();
    // Runs between what the system tells and what is made of it.
    boost::asio::post(context, [&] { readiness.reset(); });
    run();
    EXPECT_EQ(readable, 0);
}

TEST_F(SocketReadinessTest, an_error_without_anything_to_read_is_told)
{
    int const udp = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_in nobody{};
    nobody.sin_family = AF_INET;
    nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    nobody.sin_port = htons(1);
    ASSERT_EQ(::connect(udp, reinterpret_cast<sockaddr*>(&nobody), sizeof(nobody)), 0);
    readiness = *SocketReadiness::open(context, udp);
    readiness->when_readable([&] { ++readable; });
    ASSERT_EQ(::send(udp, "x", 1, 0), 1); // is refused, which comes back as an error
    run();
    EXPECT_EQ(readable, 1);
    readiness.reset();
    ::close(udp);
}

TEST_F(SocketReadinessOfStreamsTest, a_broken_socket_is_told_to_who_waits_and_to_nobody_else)
{
    close_other();
    EXPECT_EQ(run(), 0u);
    readiness->when_readable([&] { ++readable; });
    run();
    EXPECT_EQ(readable, 1);
    EXPECT_EQ(run(), 0u);
}

TEST_F(SocketReadinessOfStreamsTest, a_broken_socket_ends_both_waits)
{
    fill();
    readiness->when_writable([&] { ++writable; });
    readiness->when_readable([&] { ++readable; });
    run();
    EXPECT_EQ(writable, 0);
    close_other();
    run();
    EXPECT_EQ(readable, 1);
    EXPECT_EQ(writable, 1);
}

TEST_F(SocketReadinessTest, a_socket_that_is_none_gives_a_sentence)
{
    auto const none = SocketReadiness::open(context, -1);
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().find("cannot wait for a socket"), std::string::npos) << none.error();
}

} // namespace
} // namespace ppsp::peer
