#include "peer/channel/handshake.hpp"
#include "peer/shell/node.hpp"
#include "peer/shell/socket_address.hpp"
#include "protocol/base/assert.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "tests/bench/bench.hpp"
#include "tests/support/recording_world.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/// Single requests to one node from one address and from many: what a conversation costs because
/// there are others.
namespace ppsp::bench {
namespace {

using namespace std::chrono_literals;

/// Requests on their way at a time, whoever sends them.
constexpr std::size_t outstanding_max = 48;
/// More than that, so that one peer never asks twice for a chunk that is on its way.
constexpr std::uint64_t chunks = 64;
constexpr std::uint32_t first_address = 0x7f100001; // 127.16.0.1
constexpr auto answer_max = 500ms;

/// A socket that speaks for any address of 127.0.0.0/8.
class ManyAddresses {
public:
    explicit ManyAddresses(Endpoint const& server) : to_(peer::to_socket_address(server, false))
    {
        sockaddr_in any{};
        any.sin_family = AF_INET;
        int const buffer = 4 << 20;
        setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
        PPSP_ASSERT(bind(fd_, reinterpret_cast<sockaddr const*>(&any), sizeof any) == 0);
    }
    ~ManyAddresses() { close(fd_); }
    ManyAddresses(ManyAddresses const&) = delete;
    ManyAddresses& operator=(ManyAddresses const&) = delete;

    void send(std::uint32_t from, Bytes bytes)
    {
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
        iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
        msghdr header{};
        header.msg_name = &to_.storage;
        header.msg_namelen = to_.size;
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr* const info = CMSG_FIRSTHDR(&header);
        info->cmsg_level = IPPROTO_IP;
        info->cmsg_type = IP_PKTINFO;
        info->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
        in_pktinfo source{};
        source.ipi_spec_dst.s_addr = htonl(from);
        std::memcpy(CMSG_DATA(info), &source, sizeof source);
        while (sendmsg(fd_, &header, 0) < 0) {
            PPSP_ASSERT(errno == EAGAIN || errno == ENOBUFS || errno == EINTR);
        }
    }
    /// Empty when nothing comes in time. Valid until the next call.
    [[nodiscard]] Bytes receive(std::chrono::milliseconds wait)
    {
        ssize_t size = recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (size < 0) {
            pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
            poll(&ready, 1, static_cast<int>(wait.count()));
            size = recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        }
        return Bytes{buffer_}.first(size > 0 ? static_cast<std::size_t>(size) : 0);
    }

private:
    int fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    peer::SocketAddress to_;
    std::array<std::uint8_t, 2048> buffer_{};
};

/// A seed on a node of its own.
class Seed {
public:
    explicit Seed(std::uint16_t neighbours)
    {
        peer::NodeOptions options;
        options.listen = *Endpoint::parse("127.0.0.1:0");
        options.neighbours_max = neighbours;
        auto opened = peer::Node::open(options, {});
        PPSP_ASSERT(opened);
        node_ = *std::move(opened);
        auto made = integrity::MerkleTree::from_content(*hasher_, chunk_size, content_.bytes);
        auto const tree = std::make_shared<integrity::MerkleTree const>(*std::move(made));
        auto const root = tree->root();
        metadata_.id.assign(root.bytes().begin(), root.bytes().end());
        metadata_.integrity_method = wire::IntegrityMethod::merkle_tree;
        peer::RecordingConfig config;
        config.id = metadata_.id;
        config.length = content_.bytes.size();
        node_->ask(
            [&] { node_->handle(peer::JoinRecording{config, &content_, hasher_.get(), tree}); });
    }

    [[nodiscard]] Endpoint endpoint() const { return node_->local_endpoint(); }
    [[nodiscard]] peer::SwarmMetadata const& metadata() const { return metadata_; }
    /// Of the node's thread, with the kernel's part.
    [[nodiscard]] double cpu_seconds()
    {
        return node_->ask([] {
            timespec time{};
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
            return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
        });
    }

private:
    std::unique_ptr<integrity::Hasher> hasher_ = integrity::make_hasher(wire::HashFunction::sha256);
    test::MemoryBytes content_{test::random_content(chunks * chunk_size)};
    peer::SwarmMetadata metadata_;
    std::unique_ptr<peer::Node> node_;
};

/// Peers that ask for chunks, keep nothing, and acknowledge what comes.
class Askers {
public:
    Askers(Seed& seed, std::uint32_t count)
        : metadata_(seed.metadata()), addresses_(seed.endpoint()), peers_(count)
    {
        for (std::uint32_t i = 0; i < count; ++i) {
            wire::DatagramWriter writer(ChannelId{0}, metadata_.format, 1472);
            PPSP_ASSERT(
                writer.add(wire::Handshake{own(i), peer::handshake_options(metadata_, true)}));
            addresses_.send(first_address + i, writer.take());
            while (to_number(peers_[i].server) == 0) {
                Bytes const datagram = addresses_.receive(answer_max);
                PPSP_ASSERT(!datagram.empty());
                handle(datagram);
            }
            // All of it once, so that no later answer brings hashes.
            send(i, wire::Request{{ChunkId{0}, ChunkId{chunks - 1}}});
            outstanding_ = chunks;
            while (outstanding_ > 0) {
                wait_for_one();
            }
        }
        served_ = 0;
    }

    /// Asks until so much time is over; the number of answers.
    std::uint64_t run(double seconds)
    {
        StopWatch const watch;
        std::uint64_t const before = served_;
        while (watch.seconds() < seconds) {
            while (outstanding_ < outstanding_max) {
                ask(static_cast<std::uint32_t>(rng_.below(peers_.size())));
            }
            wait_for_one();
        }
        std::uint64_t const served = served_ - before;
        while (outstanding_ > 0) {
            wait_for_one();
        }
        return served;
    }
    [[nodiscard]] std::uint64_t unanswered() const { return unanswered_; }

private:
    struct Peer {
        ChannelId server{};
        std::uint64_t asked = 0;
    };
    static ChannelId own(std::uint32_t number) { return ChannelId{number + 1}; }

    void send(std::uint32_t number, wire::Message const& message)
    {
        wire::DatagramWriter writer(peers_[number].server, metadata_.format, 1472);
        PPSP_ASSERT(writer.add(message));
        addresses_.send(first_address + number, writer.take());
    }
    void ask(std::uint32_t number)
    {
        send(number, wire::Request{single(ChunkId{peers_[number].asked++ % chunks})});
        ++outstanding_;
    }
    void wait_for_one()
    {
        std::uint64_t const before = served_;
        while (served_ == before) {
            Bytes const datagram = addresses_.receive(answer_max);
            if (datagram.empty()) {
                unanswered_ += outstanding_;
                outstanding_ = 0;
                return;
            }
            handle(datagram);
        }
    }
    void handle(Bytes datagram)
    {
        wire::DatagramReader reader(datagram, metadata_.format);
        auto const number = static_cast<std::uint32_t>(to_number(*reader.destination())) - 1;
        for (auto message = reader.next(); message && *message; message = reader.next()) {
            if (auto const* handshake = std::get_if<wire::Handshake>(&**message)) {
                peers_[number].server = handshake->source;
            } else if (auto const* data = std::get_if<wire::Data>(&**message)) {
                ++served_;
                outstanding_ -= outstanding_ > 0 ? 1 : 0;
                send(number, wire::Ack{data->chunks, 1ms});
            }
        }
    }

    peer::SwarmMetadata metadata_;
    ManyAddresses addresses_;
    std::vector<Peer> peers_;
    Rng rng_{1};
    std::size_t outstanding_ = 0;
    std::uint64_t served_ = 0;
    std::uint64_t unanswered_ = 0;
};

Sample run_requests(double seconds, std::uint16_t peers)
{
    spdlog::set_level(spdlog::level::off); // stdout is for figures
    Seed seed(std::max<std::uint16_t>(peers, 100));
    Askers askers(seed, peers);
    static_cast<void>(askers.run(seconds / 4));
    double const before = seed.cpu_seconds();
    StopWatch const watch;
    std::uint64_t const served = askers.run(seconds);
    Sample sample{watch.seconds(), seed.cpu_seconds() - before, served * chunk_size};
    char note[128];
    std::snprintf(note, sizeof(note), "%.2f us of the node's thread per request, %llu unanswered",
                  sample.cpu_seconds * 1e6 / static_cast<double>(served),
                  static_cast<unsigned long long>(askers.unanswered()));
    sample.note = note;
    return sample;
}

} // namespace

std::vector<Row> requests_rows()
{
    return {{"requests-1", "a node that answers single requests of one address", "",
             [](double seconds) { return run_requests(seconds, 1); }},
            {"requests-10000", "the same from 10 000 addresses at random", "requests-1",
             [](double seconds) { return run_requests(seconds, 10'000); }}};
}

} // namespace ppsp::bench
