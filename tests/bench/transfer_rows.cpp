#include "peer/shell/node.hpp"
#include "peer/shell/udp_batch.hpp"
#include "protocol/base/assert.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "tests/bench/bench.hpp"
#include "tests/support/recording_world.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

/// A recording from one node to another, beside a loop that moves and hashes the same datagrams.
namespace ppsp::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t recording_bytes = std::size_t{100} << 20;
/// Datagrams that one acknowledgement is for.
constexpr std::size_t piece = 16;
/// Datagrams of one sending call.
constexpr std::size_t burst = peer::SendBatch::datagrams_max;
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

/// Hashes that go with a chunk when all before it were sent: the uncles that none of them brought
/// (RFC 7574 §5.4), as many as fit a datagram.
std::size_t hashes_of(std::uint64_t chunk)
{
    constexpr std::size_t hashes_max = 10;
    return std::min<std::size_t>(static_cast<std::size_t>(std::countr_zero(chunk)), hashes_max);
}

std::size_t with_hashes(std::uint64_t chunk)
{
    constexpr std::size_t integrity_bytes = 9 + 32;
    return data_datagram_size + hashes_of(chunk) * integrity_bytes;
}

std::size_t without_hashes(std::uint64_t)
{
    return data_datagram_size;
}

/// Bytes of the datagram that brings a chunk, which are its last ones.
using DatagramBytes = std::size_t (*)(std::uint64_t chunk);

/// A burst of datagrams for one sendmmsg: those of one size in a row, with a last one that may be
/// shorter, are a message that the system cuts up (UDP_SEGMENT).
class Burst {
public:
    explicit Burst(sockaddr_in to) : to_(to) {}

    void fill(std::uint64_t first, DatagramBytes size_of)
    {
        count_ = 0;
        std::size_t at = 0;
        bool is_closed = true;
        for (std::uint64_t chunk = first; chunk < first + burst; ++chunk) {
            std::size_t const size = size_of(chunk);
            std::memcpy(bytes_.data() + at + size - chunk_size,
                        content().data() + chunk * chunk_size, chunk_size);
            bool const is_full = count_ > 0 && parts_[count_ - 1].iov_len + size >
                                                   peer::SendBatch::message_bytes_max;
            if (is_closed || is_full || size > segment_) {
                begin_message(bytes_.data() + at, size);
            }
            parts_[count_ - 1].iov_len += size;
            is_closed = size < segment_;
            at += size;
        }
    }

    void send(int fd)
    {
        for (std::size_t sent = 0; sent < count_;) {
            int const count =
                ::sendmmsg(fd, headers_.data() + sent, static_cast<unsigned>(count_ - sent), 0);
            PPSP_ASSERT(count > 0);
            sent += static_cast<std::size_t>(count);
        }
    }

private:
    void begin_message(std::uint8_t* bytes, std::size_t segment)
    {
        segment_ = segment;
        parts_[count_] = {bytes, 0};
        headers_[count_].msg_hdr = {
            &to_, sizeof to_, &parts_[count_], 1, control_[count_].data(), control_[count_].size(),
            0};
        cmsghdr* const header = CMSG_FIRSTHDR(&headers_[count_].msg_hdr);
        header->cmsg_level = SOL_UDP;
        header->cmsg_type = UDP_SEGMENT;
        header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        auto const size = static_cast<std::uint16_t>(segment);
        std::memcpy(CMSG_DATA(header), &size, sizeof size);
        ++count_;
    }

    sockaddr_in to_;
    std::size_t segment_ = 0;
    std::size_t count_ = 0;
    std::array<std::uint8_t, burst * 1472> bytes_{};
    std::array<iovec, burst> parts_{};
    std::array<mmsghdr, burst> headers_{};
    struct Control {
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> bytes;
        char* data() { return bytes.data(); }
        static constexpr std::size_t size() { return CMSG_SPACE(sizeof(std::uint16_t)); }
    };
    std::array<Control, burst> control_{};
};

/// Sends all chunks in bursts, as far as acknowledgements let it.
void send_all(int fd, sockaddr_in to, DatagramBytes size_of)
{
    auto const datagrams = std::make_unique<Burst>(to);
    std::uint64_t sent = 0;
    std::uint64_t acknowledged = 0;
    while (acknowledged < recording_bytes / chunk_size) {
        while (sent < recording_bytes / chunk_size && sent + burst <= acknowledged + window) {
            datagrams->fill(sent, size_of);
            datagrams->send(fd);
            sent += burst;
        }
        ssize_t const got = ::recv(fd, &acknowledged, sizeof acknowledged, 0);
        PPSP_ASSERT(got == sizeof acknowledged);
    }
}

/// Takes chunks out of datagrams that may have come together (UDP_GRO), hashes each with one node
/// above it, keeps it, and acknowledges every sixteenth.
void receive_all(int fd, sockaddr_in to, ByteVector& kept)
{
    int const on = 1;
    ::setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
    peer::ReceiveBatch receiving(32, 65536);
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    std::uint64_t received = 0;
    std::uint64_t acknowledged = 0;
    while (received < recording_bytes / chunk_size) {
        std::size_t const count = receiving.receive(fd);
        if (count == 0) {
            pollfd waiting{fd, POLLIN, 0};
            PPSP_ASSERT(::poll(&waiting, 1, -1) == 1);
        }
        for (std::size_t i = 0; i < count; ++i) {
            auto const message = receiving.message(i);
            for (Bytes rest = message.bytes; !rest.empty();) {
                Bytes const datagram = rest.first(std::min(rest.size(), message.segment_bytes));
                rest = rest.subspan(datagram.size());
                Bytes const chunk = datagram.last(chunk_size);
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

Sample move_all(DatagramBytes size_of)
{
    static_cast<void>(content());
    sockaddr_in from{};
    sockaddr_in to{};
    int const sender = open_socket(from);
    int const receiver = open_socket(to);
    ByteVector kept(recording_bytes);
    StopWatch const watch;
    std::thread other([&] { receive_all(receiver, from, kept); });
    send_all(sender, to, size_of);
    other.join();
    Sample const sample = watch.stop(recording_bytes);
    ::close(sender);
    ::close(receiver);
    return sample;
}

Sample run_bare(double)
{
    return move_all(with_hashes);
}

Sample run_equal(double)
{
    return move_all(without_hashes);
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
        {"transfer-equal", "a thread sends equal datagrams (GSO), another receives and hashes", "",
         run_equal},
        {"transfer-bare", "the same with the datagrams of a recording: hashes on the way", "",
         run_bare},
        {"recording", "100 MiB from node to node over loopback", "transfer-bare", run_recording}};
}

} // namespace ppsp::bench
