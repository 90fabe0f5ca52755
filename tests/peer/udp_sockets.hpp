#pragma once

#include "peer/shell/udp_socket.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>

namespace ppsp::peer {

/// Sockets of one thread, which runs while a test waits for something.
class UdpSocketTest : public testing::Test {
protected:
    std::unique_ptr<UdpSocket> open(std::string const& listen, UdpOptions options = {})
    {
        auto socket = UdpSocket::open(context, *Endpoint::parse(listen), options);
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

} // namespace ppsp::peer
