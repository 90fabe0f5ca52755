#include "peer/shell/udp_socket.hpp"

#include "peer/shell/socket_address.hpp"
#include "peer/shell/socket_readiness.hpp"
#include "peer/shell/udp_batch.hpp"
#include "protocol/base/assert.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ppsp::peer {
namespace {

/// Datagrams read before other work of the thread gets its turn.
constexpr std::size_t receive_turn_max = 8 * UdpSocket::batch_size;
/// Messages of one receiving call where each may hold many datagrams: 2 MB of address space, of
/// which only what was written to takes memory.
constexpr std::size_t coalesced_messages = 32;
constexpr std::size_t coalesced_bytes = 65536;

static_assert(UdpSocket::batch_size == SendBatch::datagrams_max);

/// Refusal is no reason to stop: each of them only makes things better.
bool set_option(int fd, int level, int name, int value)
{
    return ::setsockopt(fd, level, name, &value, sizeof(value)) == 0;
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

/// Asks for more than the system's limit first, which needs rights. What was granted, without the
/// half that the system adds for its own bookkeeping (socket(7)).
std::size_t set_buffer(int fd, int force_name, int name)
{
    if (::setsockopt(fd, SOL_SOCKET, force_name, &UdpSocket::buffer_bytes,
                     sizeof(UdpSocket::buffer_bytes)) != 0) {
        set_option(fd, SOL_SOCKET, name, UdpSocket::buffer_bytes);
    }
    int granted = 0;
    socklen_t size = sizeof(granted);
    static_cast<void>(::getsockopt(fd, SOL_SOCKET, name, &granted, &size));
    return static_cast<std::size_t>(granted) / 2;
}

void tune(int fd, UdpOptions const& options, UdpStatistics& statistics)
{
    statistics.receive_buffer_bytes = set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    statistics.send_buffer_bytes = set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    // 0 = no segments unless a message asks for them.
    statistics.segmentation = options.segmentation && set_option(fd, SOL_UDP, UDP_SEGMENT, 0);
    statistics.coalescing = options.coalescing && set_option(fd, SOL_UDP, UDP_GRO, 1);
    if (options.arrival_times) {
        set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    }
}

Duration waited_since(timespec const& arrived)
{
    auto const at =
        std::chrono::seconds{arrived.tv_sec} + std::chrono::nanoseconds{arrived.tv_nsec};
    auto const waited = std::chrono::system_clock::now().time_since_epoch() - at;
    bool const is_likely = waited >= waited.zero() && waited <= UdpSocket::waited_max;
    return is_likely ? std::chrono::duration_cast<Duration>(waited) : Duration::zero();
}

/// Errors of a device or a kernel that cannot cut messages up, or not into segments of this size.
bool refuses_segmentation(int error)
{
    return error == EIO || error == EINVAL || error == EMSGSIZE || error == ENOPROTOOPT ||
           error == EOPNOTSUPP;
}

} // namespace

struct UdpSocket::Parts {
    Parts(int descriptor, bool v6, UdpOptions const& options, UdpStatistics const& tuned)
        : socket(descriptor), is_v6(v6), ends_early(options.ends_early), spare(options.spare),
          receiving(tuned.coalescing ? coalesced_messages : batch_size,
                    tuned.coalescing ? coalesced_bytes : datagram_size_max),
          statistics(tuned)
    {}

    ~Parts() { close(); }
    Parts(Parts const&) = delete;
    Parts& operator=(Parts const&) = delete;

    [[nodiscard]] bool is_open() const { return socket >= 0; }
    void close();
    void wait_readable();
    void receive();
    [[nodiscard]] std::size_t receive_batch();
    void split(ReceiveBatch::Message const& message);
    void hand_out();
    void wait_writable();
    void send_waiting();
    [[nodiscard]] bool send_batch();
    [[nodiscard]] bool send_first_alone();

    int socket; ///< file descriptor, -1 when closed
    std::unique_ptr<SocketReadiness> readiness;
    bool is_v6;
    bool ends_early;
    SpareBuffers* spare;
    bool is_waiting_to_write = false;
    BatchHandler on_batch;
    DrainedHandler on_drained;
    ReceiveBatch receiving;
    std::vector<Datagram> batch;
    SendBatch sending;
    SendQueue waiting;
    std::uint32_t kernel_drops_seen = 0;
    UdpStatistics statistics;
};

Result<std::unique_ptr<UdpSocket>, std::string>
UdpSocket::open(boost::asio::io_context& context, Endpoint const& listen, UdpOptions options)
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
    UdpStatistics statistics;
    tune(fd, options, statistics);
    auto parts = std::make_unique<Parts>(fd, is_v6, options, statistics);
    SocketAddress const address = to_socket_address(listen, is_v6);
    if (::bind(fd, address.get(), address.size) != 0) {
        return failure(bind_sentence(listen, errno));
    }
    auto readiness = SocketReadiness::open(context, fd);
    if (!readiness) {
        return failure(std::move(readiness.error()));
    }
    parts->readiness = *std::move(readiness);
    return std::unique_ptr<UdpSocket>(new UdpSocket(std::move(parts)));
}

UdpSocket::UdpSocket(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

UdpSocket::~UdpSocket()
{
    close();
}

void UdpSocket::close()
{
    parts_->close();
}

void UdpSocket::Parts::close()
{
    readiness.reset();
    if (is_open()) {
        ::close(std::exchange(socket, -1));
    }
    on_batch = nullptr;
    on_drained = nullptr;
    waiting.clear();
}

Endpoint UdpSocket::local_endpoint() const
{
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (::getsockname(parts_->socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
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

void UdpSocket::start(BatchHandler on_batch, DrainedHandler on_drained)
{
    PPSP_ASSERT(!parts_->on_batch);
    parts_->on_batch = std::move(on_batch);
    parts_->on_drained = std::move(on_drained);
    parts_->wait_readable();
}

void UdpSocket::read()
{
    if (parts_->is_open()) {
        parts_->receive();
    }
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
    parts_->waiting.push({to, std::move(bytes)});
}

std::size_t UdpSocket::waiting() const
{
    return parts_->waiting.size();
}

void UdpSocket::flush()
{
    if (!parts_->is_waiting_to_write) {
        parts_->send_waiting();
    }
}

void UdpSocket::Parts::wait_readable()
{
    if (!is_open()) {
        return;
    }
    readiness->when_readable([this] { receive(); });
}

void UdpSocket::Parts::receive()
{
    std::size_t taken = 0;
    while (taken < receive_turn_max) {
        std::size_t const messages = receive_batch();
        taken += std::max(messages, batch.size()); // what is too large counts as well
        hand_out();
        if (!is_open()) {
            return;
        }
        // What came meanwhile is read at once: to wait for it costs four system calls.
        if (messages == 0 || (ends_early && messages < receiving.messages_max())) {
            break;
        }
    }
    if (!on_drained || on_drained()) {
        wait_readable();
    }
}

std::size_t UdpSocket::Parts::receive_batch()
{
    batch.clear();
    std::size_t const count = receiving.receive(socket);
    statistics.receive_calls += count > 0 ? 1 : 0;
    for (std::size_t i = 0; i < count; ++i) {
        ReceiveBatch::Message const message = receiving.message(i);
        if (message.drops) {
            statistics.dropped_by_kernel +=
                static_cast<std::uint32_t>(*message.drops - kernel_drops_seen);
            kernel_drops_seen = *message.drops;
        }
        split(message);
    }
    return count;
}

void UdpSocket::Parts::split(ReceiveBatch::Message const& message)
{
    Endpoint const from = to_endpoint(message.from);
    Duration const waited = message.arrived ? waited_since(*message.arrived) : Duration::zero();
    Bytes rest = message.bytes;
    do {
        Bytes const bytes = rest.first(std::min(rest.size(), message.segment_bytes));
        rest = rest.subspan(bytes.size());
        ++statistics.received;
        statistics.received_together += bytes.size() < message.bytes.size() ? 1 : 0;
        if (message.truncated || bytes.size() > datagram_size_max) {
            ++statistics.truncated;
        } else {
            batch.push_back({from, bytes, waited});
        }
    } while (!rest.empty());
}

void UdpSocket::Parts::hand_out()
{
    std::span<Datagram const> rest = batch;
    while (!rest.empty() && is_open()) {
        auto const part = rest.first(std::min(rest.size(), batch_size));
        on_batch(part);
        rest = rest.subspan(part.size());
    }
}

void UdpSocket::Parts::wait_writable()
{
    is_waiting_to_write = true;
    readiness->when_writable([this] {
        is_waiting_to_write = false;
        send_waiting();
    });
}

void UdpSocket::Parts::send_waiting()
{
    while (!waiting.empty() && is_open()) {
        if (send_batch()) {
            continue;
        }
        if (sending.datagrams(0) > 1 && refuses_segmentation(errno) && send_first_alone()) {
            // Not the address is refused but the way of sending.
            statistics.segmentation = false;
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            ++(errno == ENOBUFS ? statistics.send_no_buffers : statistics.send_would_block);
            wait_writable();
            return;
        }
        if (errno == EINTR) {
            continue;
        }
        // The first datagram is the one that was refused; the others may still go.
        ++statistics.send_failed;
        waiting.pop(1, spare);
    }
}

bool UdpSocket::Parts::send_batch()
{
    sending.fill(waiting.items(), statistics.segmentation, is_v6);
    auto const messages = sending.messages();
    ++statistics.send_calls;
    int const count = ::sendmmsg(socket, messages.data(), static_cast<unsigned>(messages.size()),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
    std::size_t sent = 0;
    for (int i = 0; i < count; ++i) {
        std::size_t const datagrams = sending.datagrams(static_cast<std::size_t>(i));
        statistics.sent_together += datagrams > 1 ? datagrams : 0;
        sent += datagrams;
    }
    if (sent == 0) {
        return false;
    }
    statistics.sent += sent;
    waiting.pop(sent, spare);
    return true;
}

bool UdpSocket::Parts::send_first_alone()
{
    msghdr const header = sending.first_alone();
    ++statistics.send_calls;
    if (::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        return false;
    }
    ++statistics.sent;
    waiting.pop(1, spare);
    return true;
}

} // namespace ppsp::peer
