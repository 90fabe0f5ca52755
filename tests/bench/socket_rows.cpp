#include "peer/shell/udp_socket.hpp"
#include "protocol/base/assert.hpp"
#include "tests/bench/bench.hpp"

#include <boost/asio/io_context.hpp>

#include <array>
#include <bit>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ppsp::bench {
namespace {

constexpr std::size_t batch = 64;

/// Payload sizes of a batch of datagrams.
using Sizes = std::array<std::size_t, batch>;

Sizes equal_sizes()
{
    Sizes sizes{};
    sizes.fill(data_datagram_size);
    return sizes;
}

/// Two units of 32 chunks in order: the hashes that come with each chunk make it longer (RFC 7574
/// §5.4), the first also brings the signed munro.
Sizes live_sizes()
{
    constexpr std::size_t integrity_size = 1 + 8 + 32;
    constexpr std::size_t munro_size = 1 + 8 + 8 + 64;
    Sizes sizes{};
    for (std::size_t i = 0; i < batch; ++i) {
        std::size_t const chunk = i % chunks_per_unit;
        sizes[i] =
            data_datagram_size +
            (chunk == 0 ? 5 * integrity_size + munro_size
                        : static_cast<std::size_t>(std::countr_zero(chunk)) * integrity_size);
    }
    return sizes;
}

int bare_socket(sockaddr_in& address)
{
    int const fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    PPSP_ASSERT(fd >= 0);
    int const bytes = peer::UdpSocket::buffer_bytes;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    bool const bound = ::bind(fd, raw, size) == 0 && ::getsockname(fd, raw, &size) == 0;
    PPSP_ASSERT(bound);
    return fd;
}

/// sendmmsg(2) and recvmmsg(2), nothing else.
Sample run_bare(double seconds, Sizes const& sizes)
{
    sockaddr_in from{};
    sockaddr_in to{};
    int const sender = bare_socket(from);
    int const receiver = bare_socket(to);
    std::vector<std::array<std::uint8_t, 2048>> memory(2 * batch);
    std::array<iovec, 2 * batch> parts{};
    std::array<mmsghdr, batch> out{};
    std::array<mmsghdr, batch> in{};
    for (std::size_t i = 0; i < batch; ++i) {
        parts[i] = {memory[i].data(), sizes[i]};
        parts[batch + i] = {memory[batch + i].data(), memory[batch + i].size()};
        out[i].msg_hdr = {&to, sizeof(to), &parts[i], 1, nullptr, 0, 0};
        in[i].msg_hdr = {nullptr, 0, &parts[batch + i], 1, nullptr, 0, 0};
    }
    Sample const sample = repeat(seconds, [&] {
        int const sent = ::sendmmsg(sender, out.data(), batch, 0);
        PPSP_ASSERT(sent == batch);
        for (int received = 0; received < sent;) {
            int const count = ::recvmmsg(receiver, in.data(), batch, MSG_WAITFORONE, nullptr);
            PPSP_ASSERT(count > 0);
            received += count;
        }
        return std::uint64_t{batch} * chunk_size;
    });
    ::close(sender);
    ::close(receiver);
    return sample;
}

/// Two UdpSockets, with the vector per datagram that the engine makes.
Sample run_sockets(double seconds, Sizes const& sizes, peer::UdpOptions options)
{
    boost::asio::io_context context{1};
    auto const any = *Endpoint::parse("127.0.0.1:0");
    auto const sender = peer::UdpSocket::open(context, any, options);
    auto const receiver = peer::UdpSocket::open(context, any, options);
    PPSP_ASSERT(sender && receiver);
    std::size_t received = 0;
    (*receiver)->start([&received](auto datagrams) { received += datagrams.size(); });
    Endpoint const to = (*receiver)->local_endpoint();
    std::size_t sent = 0;
    ByteVector const bytes(2048, 3);
    Sample sample = repeat(seconds, [&] {
        for (std::size_t const size : sizes) {
            (*sender)->send(to, ByteVector(bytes.data(), bytes.data() + size));
        }
        (*sender)->flush();
        sent += batch;
        while (received < sent) {
            context.run_one();
        }
        return std::uint64_t{batch} * chunk_size;
    });
    auto const& out = (*sender)->statistics();
    auto const& in = (*receiver)->statistics();
    char note[96];
    std::snprintf(note, sizeof(note), "%.1f datagrams per sending call, %.0f %% together",
                  static_cast<double>(out.sent) / static_cast<double>(out.send_calls),
                  100.0 * static_cast<double>(in.received_together) /
                      static_cast<double>(in.received));
    sample.note = note;
    return sample;
}

} // namespace

std::vector<Row> socket_rows()
{
    auto const bare = [](Sizes const& sizes) {
        return [sizes](double seconds) { return run_bare(seconds, sizes); };
    };
    auto const sockets = [](Sizes const& sizes, peer::UdpOptions options) {
        return [=](double seconds) { return run_sockets(seconds, sizes, options); };
    };
    constexpr peer::UdpOptions plain{.segmentation = false, .coalescing = false};
    return {
        {"mmsg-bare", "sendmmsg and recvmmsg in a loop, loopback, 1045 bytes", "",
         bare(equal_sizes())},
        {"udp-plain", "two UdpSockets without GSO and GRO", "mmsg-bare",
         sockets(equal_sizes(), plain)},
        {"udp", "two UdpSockets with GSO and GRO", "mmsg-bare", sockets(equal_sizes(), {})},
        {"mmsg-bare-live", "the same with the sizes of live units (hashes on the way)", "",
         bare(live_sizes())},
        {"udp-plain-live", "two UdpSockets without GSO and GRO", "mmsg-bare-live",
         sockets(live_sizes(), plain)},
        {"udp-live", "two UdpSockets with GSO and GRO", "mmsg-bare-live",
         sockets(live_sizes(), {})},
    };
}

} // namespace ppsp::bench
