#pragma once

#include "protocol/base/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace ppsp::peer {

/// Tells once that a socket can be read or written, and stays silent until asked again. asio alone
/// wakes its thread for each datagram that arrives, also while nobody waits for one: for a node
/// that acts in turns more than half of all wake-ups. So the socket lies in an epoll(7) instance
/// of its own (EPOLLONESHOT), and that one in asio's.
///
/// Lives on the thread of its io_context.
class SocketReadiness {
public:
    using Handler = std::function<void()>;

    /// The socket is open and outlives this. The error is a sentence: no descriptor is left.
    [[nodiscard]] static Result<std::unique_ptr<SocketReadiness>, std::string>
    open(boost::asio::io_context& context, int socket);

    ~SocketReadiness();
    SocketReadiness(SocketReadiness const&) = delete;
    SocketReadiness& operator=(SocketReadiness const&) = delete;

    /// Calls the handler once when there is something to read, or an error to be read; soon when
    /// there is already. It may destroy this. One wait at a time.
    void when_readable(Handler handler);
    /// The same for room to write.
    void when_writable(Handler handler);

private:
    struct Parts;
    explicit SocketReadiness(std::shared_ptr<Parts> parts);
    std::shared_ptr<Parts> parts_;
};

} // namespace ppsp::peer
