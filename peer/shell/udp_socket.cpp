#include "peer/shell/udp_socket.hpp"

#include "peer/shell/socket_address.hpp"
#include "protocol/base/assert.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ppsp::peer {
namespace {

namespace asio = boost::asio;

/// Batches read before other work of the thread gets its turn.
constexpr int receive_rounds_max = 8;
/// Control data of one datagram: the drop counter of SO_RXQ_OVFL.
constexpr std::size_t control_size = CMSG_SPACE(sizeof(std::uint32_t));

void set_option(int fd, int level, int name, int value)
{
    // Refusal is no reason to stop: each of them only makes things better.
    static_cast<void>(::setsockopt(fd, level, name, &value, sizeof(value)));
}

std::string bind_sentence(Endpoint const& listen, int error)
{
    switch (error) {
    case EADDRINUSE:
        return "port " + std::to_string(listen.port()) + " is in use; choose another with --listen";
    case EADDRNOTAVAIL:
        return "this machine has no address " + listen.address_text();
    case EACCES:
        return "port " + std::to_string(listen.port()) +
               " needs more rights; choose one above 1023";
    default:
        return "cannot listen on " + listen.text() + ": " + std::strerror(error);
    }
}

/// Room for one batch, allocated once.
struct ReceiveBuffers {
    ReceiveBuffers()
    {
        for (std::size_t i = 0; i < UdpSocket::batch_size; ++i) {
            parts[i] = {data[i].data(), data[i].size()};
            headers[i].msg_hdr.msg_iov = &parts[i];
            headers[i].msg_hdr.msg_iovlen = 1;
        }
    }

    /// The system writes lengths into what it fills, so they are set before every call.
    void prepare()
    {
        for (std::size_t i = 0; i < UdpSocket::batch_size; ++i) {
            headers[i].msg_hdr.msg_name = &from[i];
            headers[i].msg_hdr.msg_namelen = sizeof(from[i]);
            headers[i].msg_hdr.msg_control = control[i].data();
            headers[i].msg_hdr.msg_controllen = control_size;
        }
    }

    std::array<std::array<std::uint8_t, UdpSocket::datagram_size_max>, UdpSocket::batch_size> data;
    std::array<sockaddr_storage, UdpSocket::batch_size> from{};
    alignas(cmsghdr) std::array<std::array<char, control_size>, UdpSocket::batch_size> control{};
    std::array<iovec, UdpSocket::batch_size> parts{};
    std::array<mmsghdr, UdpSocket::batch_size> headers{};
};

std::optional<std::uint32_t> drop_counter(msghdr const& header)
{
    for (cmsghdr const* control = CMSG_FIRSTHDR(&header); control != nullptr;
         control = CMSG_NXTHDR(const_cast<msghdr*>(&header), const_cast<cmsghdr*>(control))) {
        if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL) {
            std::uint32_t count = 0;
            std::memcpy(&count, CMSG_DATA(control), sizeof(count));
            return count;
        }
    }
    return std::nullopt;
}

struct Waiting {
    Endpoint to;
    ByteVector bytes;
};

} // namespace

struct UdpSocket::Parts : std::enable_shared_from_this<UdpSocket::Parts> {
    explicit Parts(asio::io_context& context) : socket(context) {}

    void wait_readable();
    void receive();
    [[nodiscard]] std::size_t receive_batch();
    void wait_writable();
    void send_waiting();
    [[nodiscard]] int send_batch();

    asio::ip::udp::socket socket;
    bool is_v6 = false;
    bool is_waiting_to_write = false;
    BatchHandler on_batch;
    std::unique_ptr<ReceiveBuffers> buffers = std::make_unique<ReceiveBuffers>();
    std::vector<Datagram> batch;
    std::deque<Waiting> waiting;
    std::uint32_t kernel_drops_seen = 0;
    UdpStatistics statistics;
};

Result<std::unique_ptr<UdpSocket>, std::string> UdpSocket::open(asio::io_context& context,
                                                                Endpoint const& listen)
{
    bool const is_v6 = !listen.is_v4();
    int const fd =
        ::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return failure(bind_sentence(listen, errno));
    }
    if (is_v6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    }
    set_option(fd, SOL_SOCKET, SO_RCVBUF, buffer_bytes);
    set_option(fd, SOL_SOCKET, SO_SNDBUF, buffer_bytes);
    set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    SocketAddress const address = to_socket_address(listen, is_v6);
    if (::bind(fd, address.get(), address.size) != 0) {
        int const error = errno;
        ::close(fd);
        return failure(bind_sentence(listen, error));
    }
    auto parts = std::make_shared<Parts>(context);
    parts->is_v6 = is_v6;
    parts->socket.assign(is_v6 ? asio::ip::udp::v6() : asio::ip::udp::v4(), fd);
    return std::unique_ptr<UdpSocket>(new UdpSocket(std::move(parts)));
}

UdpSocket::UdpSocket(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}

UdpSocket::~UdpSocket()
{
    close();
}

void UdpSocket::close()
{
    boost::system::error_code ignored;
    parts_->socket.close(ignored);
    parts_->on_batch = nullptr;
    parts_->waiting.clear();
}

Endpoint UdpSocket::local_endpoint() const
{
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    int const fd = parts_->socket.native_handle();
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return {};
    }
    return to_endpoint(address);
}

bool UdpSocket::can_reach(Endpoint const& to) const
{
    return to.port() != 0 && (to.is_v4() || parts_->is_v6);
}

UdpStatistics const& UdpSocket::statistics() const
{
    return parts_->statistics;
}

void UdpSocket::start(BatchHandler on_batch)
{
    PPSP_ASSERT(!parts_->on_batch);
    parts_->on_batch = std::move(on_batch);
    parts_->wait_readable();
}

void UdpSocket::send(Endpoint const& to, ByteVector bytes)
{
    if (!can_reach(to)) {
        ++parts_->statistics.send_failed;
        return;
    }
    if (parts_->waiting.size() >= send_queue_max) {
        ++parts_->statistics.send_dropped;
        return;
    }
    parts_->waiting.push_back({to, std::move(bytes)});
}

void UdpSocket::flush()
{
    if (!parts_->is_waiting_to_write) {
        parts_->send_waiting();
    }
}

void UdpSocket::Parts::wait_readable()
{
    socket.async_wait(asio::ip::udp::socket::wait_read,
                      [self = shared_from_this()](boost::system::error_code const& error) {
                          if (!error && self->on_batch) {
                              self->receive();
                          }
                      });
}

void UdpSocket::Parts::receive()
{
    for (int round = 0; round < receive_rounds_max; ++round) {
        std::size_t const count = receive_batch();
        if (!batch.empty()) {
            on_batch(batch);
        }
        if (!socket.is_open()) {
            return;
        }
        if (count < batch_size) {
            break;
        }
    }
    wait_readable();
}

std::size_t UdpSocket::Parts::receive_batch()
{
    batch.clear();
    buffers->prepare();
    int const count = ::recvmmsg(socket.native_handle(), buffers->headers.data(), batch_size,
                                 MSG_DONTWAIT, nullptr);
    if (count <= 0) {
        // Nothing there, or an ICMP error of an earlier send: neither concerns the reader.
        return 0;
    }
    auto const received = static_cast<std::size_t>(count);
    statistics.received += received;
    for (std::size_t i = 0; i < received; ++i) {
        mmsghdr const& header = buffers->headers[i];
        if (auto const drops = drop_counter(header.msg_hdr)) {
            statistics.dropped_by_kernel += static_cast<std::uint32_t>(*drops - kernel_drops_seen);
            kernel_drops_seen = *drops;
        }
        if ((header.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
            ++statistics.truncated;
            continue;
        }
        batch.push_back(
            {to_endpoint(buffers->from[i]), Bytes{buffers->data[i].data(), header.msg_len}});
    }
    return received;
}

void UdpSocket::Parts::wait_writable()
{
    is_waiting_to_write = true;
    socket.async_wait(asio::ip::udp::socket::wait_write,
                      [self = shared_from_this()](boost::system::error_code const& error) {
                          self->is_waiting_to_write = false;
                          if (!error) {
                              self->send_waiting();
                          }
                      });
}

void UdpSocket::Parts::send_waiting()
{
    while (!waiting.empty() && socket.is_open()) {
        int const count = send_batch();
        if (count > 0) {
            statistics.sent += static_cast<std::uint64_t>(count);
            waiting.erase(waiting.begin(), waiting.begin() + count);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            wait_writable();
            return;
        }
        if (errno == EINTR) {
            continue;
        }
        // The first datagram is the one that was refused; the others may still go.
        ++statistics.send_failed;
        waiting.pop_front();
    }
}

int UdpSocket::Parts::send_batch()
{
    std::array<SocketAddress, batch_size> addresses;
    std::array<iovec, batch_size> parts{};
    std::array<mmsghdr, batch_size> headers{};
    std::size_t const count = std::min(waiting.size(), batch_size);
    for (std::size_t i = 0; i < count; ++i) {
        Waiting& datagram = waiting[i];
        addresses[i] = to_socket_address(datagram.to, is_v6);
        parts[i] = {datagram.bytes.data(), datagram.bytes.size()};
        headers[i].msg_hdr.msg_name = &addresses[i].storage;
        headers[i].msg_hdr.msg_namelen = addresses[i].size;
        headers[i].msg_hdr.msg_iov = &parts[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    return ::sendmmsg(socket.native_handle(), headers.data(), static_cast<unsigned>(count),
                      MSG_DONTWAIT | MSG_NOSIGNAL);
}

} // namespace ppsp::peer
