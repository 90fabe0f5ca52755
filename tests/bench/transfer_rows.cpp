#include "peer/shell/node.hpp"
#include "protocol/base/assert.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "tests/bench/bench.hpp"
#include "tests/support/recording_world.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <cstring>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

/// A recording from one node to another, beside a loop that moves and hashes the same datagrams.
namespace ppsp::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t recording_bytes = std::size_t{100} << 20;
constexpr std::size_t header_bytes = data_datagram_size - chunk_size;
/// Datagrams in one piece (UDP_SEGMENT), which is also what one acknowledgement is for.
constexpr std::size_t piece = 16;
/// Datagrams on their way at a time: 1 MB, a quarter of a receive buffer.
constexpr std::uint64_t window = 1024;
constexpr int buffer_bytes = 4 << 20;

ByteVector const& content()
{
    static ByteVector const bytes = test::random_content(recording_bytes);
    return bytes;
}

int open_socket(sockaddr_in& address)
{
    int const fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    bool const bound = ::bind(fd, raw, size) == 0 && ::getsockname(fd, raw, &size) == 0;
    PPSP_ASSERT(bound);
    return fd;
}

/// Sends all chunks in pieces, as far as acknowledgements let it.
void send_all(int fd, sockaddr_in to)
{
    std::array<std::uint8_t, piece * data_datagram_size> datagrams{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
    iovec part{datagrams.data(), datagrams.size()};
    msghdr header{&to, sizeof to, &part, 1, control.data(), control.size(), 0};
    cmsghdr* const segment = CMSG_FIRSTHDR(&header);
    segment->cmsg_level = SOL_UDP;
    segment->cmsg_type = UDP_SEGMENT;
    segment->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    std::uint16_t const size = data_datagram_size;
    std::memcpy(CMSG_DATA(segment), &size, sizeof size);
    std::uint64_t sent = 0;
    std::uint64_t acknowledged = 0;
    while (acknowledged < recording_bytes / chunk_size) {
        while (sent < recording_bytes / chunk_size && sent + piece <= acknowledged + window) {
            for (std::size_t i = 0; i < piece; ++i) {
                std::memcpy(datagrams.data() + i * data_datagram_size + header_bytes,
                            content().data() + (sent + i) * chunk_size, chunk_size);
            }
            PPSP_ASSERT(::sendmsg(fd, &header, 0) > 0);
            sent += piece;
        }
        ssize_t const got = ::recv(fd, &acknowledged, sizeof acknowledged, 0);
        PPSP_ASSERT(got == sizeof acknowledged);
    }
}

/// Takes chunks out of datagrams that may have come together (UDP_GRO), hashes each with one node
/// above it, keeps it, and acknowledges every sixteenth.
void receive_all(int fd, sockaddr_in to, ByteVector& kept)
{
    constexpr std::size_t messages = 32;
    int const on = 1;
    ::setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
    ByteVector memory(messages * 65536);
    std::array<iovec, messages> parts{};
    std::array<mmsghdr, messages> headers{};
    for (std::size_t i = 0; i < messages; ++i) {
        parts[i] = {memory.data() + i * 65536, 65536};
        headers[i].msg_hdr = {nullptr, 0, &parts[i], 1, nullptr, 0, 0};
    }
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    std::uint64_t received = 0;
    std::uint64_t acknowledged = 0;
    while (received < recording_bytes / chunk_size) {
        int const count = ::recvmmsg(fd, headers.data(), messages, MSG_WAITFORONE, nullptr);
        PPSP_ASSERT(count > 0);
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            auto const* const bytes = static_cast<std::uint8_t const*>(parts[i].iov_base);
            for (std::size_t at = 0; at < headers[i].msg_len; at += data_datagram_size) {
                Bytes const chunk{bytes + at + header_bytes, chunk_size};
                auto const leaf = hasher->leaf(chunk);
                keep(hasher->parent(leaf, leaf));
                std::memcpy(kept.data() + received * chunk_size, chunk.data(), chunk_size);
                ++received;
            }
        }
        if (received - acknowledged >= piece || received == recording_bytes / chunk_size) {
            acknowledged = received;
            ::sendto(fd, &acknowledged, sizeof acknowledged, 0, reinterpret_cast<sockaddr*>(&to),
                     sizeof to);
        }
    }
}

Sample run_bare(double)
{
    static_cast<void>(content());
    sockaddr_in from{};
    sockaddr_in to{};
    int const sender = open_socket(from);
    int const receiver = open_socket(to);
    ByteVector kept(recording_bytes);
    StopWatch const watch;
    std::thread other([&] { receive_all(receiver, from, kept); });
    send_all(sender, to);
    other.join();
    Sample const sample = watch.stop(recording_bytes);
    ::close(sender);
    ::close(receiver);
    return sample;
}

std::unique_ptr<peer::Node> open_node()
{
    peer::NodeOptions options;
    options.listen = *Endpoint::parse("127.0.0.1:0");
    auto node = peer::Node::open(options, {});
    PPSP_ASSERT(node);
    return *std::move(node);
}

Sample run_recording(double)
{
    spdlog::set_level(spdlog::level::off); // stdout is for figures
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    auto made = integrity::MerkleTree::from_content(*hasher, chunk_size, content());
    auto const tree = std::make_shared<integrity::MerkleTree const>(*std::move(made));
    auto const root = tree->root();
    peer::RecordingConfig config;
    config.id.assign(root.bytes().begin(), root.bytes().end());
    config.length = recording_bytes;
    test::MemoryBytes theirs{content()};
    test::MemoryBytes ours{ByteVector(recording_bytes)};
    auto const seed = open_node();
    auto const leecher = open_node();
    auto const give = [](peer::Node& node, peer::Input const& input) {
        node.ask([&] { node.handle(input); });
    };
    auto const seed_hasher = integrity::make_hasher(wire::HashFunction::sha256);
    auto const leecher_hasher = integrity::make_hasher(wire::HashFunction::sha256);
    give(*seed, peer::JoinRecording{config, &theirs, seed_hasher.get(), tree});
    StopWatch const watch;
    give(*leecher, peer::JoinRecording{config, &ours, leecher_hasher.get()});
    give(*leecher, peer::CandidatesFound{config.id, {seed->local_endpoint()}});
    while (leecher->ask([&] { return leecher->engine().held_from(config.id, 0); }) <
           recording_bytes) {
        std::this_thread::sleep_for(5ms);
    }
    Sample sample = watch.stop(recording_bytes);
    auto const out = seed->ask([&] { return seed->socket().statistics(); });
    char note[128];
    std::snprintf(note, sizeof(note), "%.1f datagrams per sending call, %.0f %% together",
                  static_cast<double>(out.sent) / static_cast<double>(out.send_calls),
                  100.0 * static_cast<double>(out.sent_together) / static_cast<double>(out.sent));
    sample.note = note;
    return sample;
}

} // namespace

std::vector<Row> transfer_rows()
{
    return {
        {"transfer-bare", "a thread sends (GSO, ACK per 16), another receives and hashes", "",
         run_bare},
        {"recording", "100 MiB from node to node over loopback", "transfer-bare", run_recording}};
}

} // namespace ppsp::bench
