#include "peer/shell/socket_readiness.hpp"

#include "protocol/base/assert.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>

namespace ppsp::peer {
namespace {

namespace asio = boost::asio;

bool control(int epoll, int operation, int socket, std::uint32_t events)
{
    epoll_event event{};
    event.events = events | EPOLLONESHOT;
    return ::epoll_ctl(epoll, operation, socket, &event) == 0;
}

} // namespace

struct SocketReadiness::Parts : std::enable_shared_from_this<SocketReadiness::Parts> {
    Parts(asio::io_context& context, int socket_fd) : descriptor(context), socket(socket_fd) {}

    void arm();
    void look();

    asio::posix::stream_descriptor descriptor; ///< the epoll instance
    int socket;
    bool is_waiting = false;
    Handler on_readable;
    Handler on_writable;
};

Result<std::unique_ptr<SocketReadiness>, std::string>
SocketReadiness::open(asio::io_context& context, int socket)
{
    int const epoll = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) {
        return failure(std::string{"cannot wait for a socket: "} + std::strerror(errno));
    }
    auto parts = std::make_shared<Parts>(context, socket);
    boost::system::error_code error;
    parts->descriptor.assign(epoll, error);
    if (error) {
        ::close(epoll);
        return failure("cannot wait for a socket: " + error.message());
    }
    if (!control(epoll, EPOLL_CTL_ADD, socket, 0)) {
        return failure(std::string{"cannot wait for a socket: "} + std::strerror(errno));
    }
    return std::unique_ptr<SocketReadiness>(new SocketReadiness(std::move(parts)));
}

SocketReadiness::SocketReadiness(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}

SocketReadiness::~SocketReadiness()
{
    boost::system::error_code ignored;
    parts_->descriptor.close(ignored); // ends the wait, if there is one, with an error
}

void SocketReadiness::when_readable(Handler handler)
{
    PPSP_ASSERT(!parts_->on_readable);
    parts_->on_readable = std::move(handler);
    parts_->arm();
}

void SocketReadiness::when_writable(Handler handler)
{
    PPSP_ASSERT(!parts_->on_writable);
    parts_->on_writable = std::move(handler);
    parts_->arm();
}

void SocketReadiness::Parts::arm()
{
    std::uint32_t const events =
        (on_readable ? std::uint32_t{EPOLLIN} : 0U) | (on_writable ? std::uint32_t{EPOLLOUT} : 0U);
    PPSP_ASSERT(control(descriptor.native_handle(), EPOLL_CTL_MOD, socket, events));
    if (std::exchange(is_waiting, true)) {
        return;
    }
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this()](boost::system::error_code const& error) {
                              self->is_waiting = false;
                              if (!error) {
                                  self->look();
                              }
                          });
}

void SocketReadiness::Parts::look()
{
    epoll_event event{};
    std::uint32_t const ready =
        ::epoll_wait(descriptor.native_handle(), &event, 1, 0) > 0 ? event.events : 0U;
    bool const has_failed = (ready & (EPOLLERR | EPOLLHUP)) != 0;
    // Both are taken before either is called: it may ask again, or destroy this.
    Handler const readable =
        has_failed || (ready & EPOLLIN) != 0 ? std::exchange(on_readable, {}) : Handler{};
    Handler const writable =
        has_failed || (ready & EPOLLOUT) != 0 ? std::exchange(on_writable, {}) : Handler{};
    if (on_readable || on_writable) {
        arm();
    }
    if (readable) {
        readable();
    }
    if (writable && descriptor.is_open()) {
        writable();
    }
}

} // namespace ppsp::peer
