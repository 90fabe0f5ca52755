#include "tests/bottleneck/chunk_sender.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/// Chunks over UDP with the engine's own Flow and AckQueue, without a swarm and without hashes.
namespace {

using namespace ppsp;

constexpr char const* usage =
    R"(usage: ledbat_flow receive --listen ADDR:PORT [--skew PPM] [--seconds S]
       ledbat_flow send --to ADDR:PORT [--seconds S] [--algorithm fair|rfc6817] [--target MS]
                        [--forgive-link-loss yes|no] [--fills-after S] [--silent FROM:UNTIL]
                        [--live yes|no]

Sends chunks of 1024 bytes as fast as the congestion window allows, and prints one JSON object at
the end. send: {"chunks_lost", "window_bytes", "queuing_ms"}; receive: {"chunks"}.
  --skew PPM     the receiver's clock is faster by so many millionths
  --algorithm    fair, as nodes use it, or RFC 6817 to the letter (fair)
  --fills-after  who fills its window for so many seconds shares it fairly (12)
  --silent F:U   nothing new is sent from second F to second U
  --live yes     6 Mbit/s in units of 50 ms, every fortieth a key frame of 120 chunks
  --seconds S    (600)
)";

constexpr std::size_t ack_bytes = 25;

struct Options {
    bool sends = false;
    std::string address;
    double seconds = 600;
    double skew_ppm = 0;
    congestion::LedbatConfig ledbat = peer::flow_config(25ms, bottleneck::chunk_bytes, 64);
    bottleneck::Supply supply;
};

std::sig_atomic_t volatile stop = 0;

TimePoint clock_now()
{
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return TimePoint{Duration{time.tv_sec * 1'000'000 + time.tv_nsec / 1000}};
}

sockaddr_in address_of(std::string const& text)
{
    auto const colon = text.find(':');
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1))));
    if (inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1) {
        std::fprintf(stderr, "ledbat_flow: no IPv4 address: %s\n", text.c_str());
        std::exit(2);
    }
    return address;
}

int open_socket(Options const& options)
{
    int const fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int const buffer = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    sockaddr_in const address = address_of(options.address);
    auto const* generic = reinterpret_cast<sockaddr const*>(&address);
    int const done =
        options.sends ? connect(fd, generic, sizeof address) : bind(fd, generic, sizeof address);
    if (fd < 0 || done != 0) {
        std::perror("ledbat_flow");
        std::exit(1);
    }
    return fd;
}

void put(std::uint8_t* at, std::uint64_t value)
{
    std::memcpy(at, &value, sizeof value); // both ends run on one machine
}

std::uint64_t get(std::uint8_t const* at)
{
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
}

void wait_for(int fd, TimePoint now, TimePoint wake)
{
    Duration const left = std::clamp<Duration>(wake - now, 0us, 100ms);
    timespec const timeout{0, left.count() * 1000};
    pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
    ppoll(&poll, 1, &timeout, nullptr);
}

int send_chunks(int fd, Options const& options)
{
    bottleneck::ChunkSender sender{options.ledbat, options.supply};
    TimePoint const started = clock_now();
    TimePoint const end = started + Duration{static_cast<std::int64_t>(options.seconds * 1e6)};
    sender.start(started);
    std::vector<std::uint8_t> datagram(bottleneck::data_bytes);
    for (TimePoint now = started; stop == 0 && now < end; now = clock_now()) {
        std::array<std::uint8_t, ack_bytes> answer{};
        while (recv(fd, answer.data(), answer.size(), 0) == static_cast<ssize_t>(ack_bytes)) {
            Duration const delay{static_cast<std::int64_t>(get(&answer[17]))};
            now = clock_now();
            sender.on_ack(now, {{ChunkId{get(&answer[1])}, ChunkId{get(&answer[9])}}, delay});
        }
        while (auto const chunk = sender.next(now)) {
            put(&datagram[1], to_number(*chunk));
            put(&datagram[9], static_cast<std::uint64_t>(now.time_since_epoch().count()));
            if (send(fd, datagram.data(), datagram.size(), 0) < 0 && errno != EAGAIN &&
                errno != ECONNREFUSED) {
                std::perror("ledbat_flow: send");
                return 1;
            }
            now = clock_now();
        }
        wait_for(fd, now, sender.wake(now));
    }
    auto const& ledbat = sender.flow().ledbat();
    std::printf(R"({"chunks_lost": %llu, "window_bytes": %.0f, "queuing_ms": %.1f})"
                "\n",
                static_cast<unsigned long long>(sender.chunks_lost()), ledbat.window_bytes(),
                static_cast<double>(ledbat.queuing_delay().count()) / 1e3);
    return 0;
}

void acknowledge(int fd, sockaddr_in const& to, std::vector<wire::Ack> const& acks)
{
    for (wire::Ack const& ack : acks) {
        std::array<std::uint8_t, ack_bytes> answer{};
        put(&answer[1], to_number(ack.chunks.first));
        put(&answer[9], to_number(ack.chunks.last));
        put(&answer[17], static_cast<std::uint64_t>(ack.one_way_delay.count()));
        sendto(fd, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr const*>(&to),
               sizeof to);
    }
}

int receive_chunks(int fd, Options const& options)
{
    bottleneck::ChunkReceiver receiver;
    TimePoint const end = clock_now() + Duration{static_cast<std::int64_t>(options.seconds * 1e6)};
    std::vector<std::uint8_t> datagram(2048);
    sockaddr_in from{};
    for (TimePoint now = clock_now(); stop == 0 && now < end; now = clock_now()) {
        for (;;) {
            socklen_t size = sizeof from;
            ssize_t const got = recvfrom(fd, datagram.data(), datagram.size(), 0,
                                         reinterpret_cast<sockaddr*>(&from), &size);
            if (got != static_cast<ssize_t>(bottleneck::data_bytes)) {
                break;
            }
            now = clock_now();
            double const ahead = static_cast<double>(now.time_since_epoch().count());
            Duration const skew{static_cast<std::int64_t>(ahead * options.skew_ppm * 1e-6)};
            TimePoint const sent{Duration{static_cast<std::int64_t>(get(&datagram[9]))}};
            receiver.on_chunk(now, ChunkId{get(&datagram[1])}, now - sent + skew);
            acknowledge(fd, from, receiver.take_due(now));
        }
        acknowledge(fd, from, receiver.take_due(now));
        wait_for(fd, now, receiver.wake());
    }
    std::printf(R"({"chunks": %llu})"
                "\n",
                static_cast<unsigned long long>(receiver.chunks()));
    return 0;
}

[[noreturn]] void refuse()
{
    std::fputs(usage, stderr);
    std::exit(2);
}

Options parse(int argc, char** argv)
{
    Options options;
    if (argc < 2 || argc % 2 != 0) {
        refuse();
    }
    options.sends = std::string{argv[1]} == "send";
    for (int i = 2; i + 1 < argc; i += 2) {
        std::string const name = argv[i];
        std::string const value = argv[i + 1];
        if (name == "--listen" || name == "--to") {
            options.address = value;
        } else if (name == "--seconds") {
            options.seconds = std::stod(value);
        } else if (name == "--skew") {
            options.skew_ppm = std::stod(value);
        } else if (name == "--algorithm") {
            options.ledbat.algorithm =
                value == "fair" ? congestion::Algorithm::fair : congestion::Algorithm::rfc6817;
        } else if (name == "--forgive-link-loss") {
            options.ledbat.forgive_link_loss = value == "yes";
        } else if (name == "--fills-after") {
            options.ledbat.fills_after = std::chrono::seconds{std::stol(value)};
        } else if (name == "--target") {
            options.ledbat.target = std::chrono::milliseconds{std::stol(value)};
        } else if (name == "--silent" && value.find(':') != std::string::npos) {
            options.supply.silent_from = std::chrono::seconds{std::stol(value)};
            options.supply.silent_until =
                std::chrono::seconds{std::stol(value.substr(value.find(':') + 1))};
        } else if (name == "--live") {
            if (value == "yes") {
                options.supply = {
                    .unit_gap = 50ms, .unit_chunks = 35, .key_chunks = 120, .key_every = 40};
            }
        } else {
            refuse();
        }
    }
    if (options.address.find(':') == std::string::npos) {
        refuse();
    }
    return options;
}

} // namespace

int main(int argc, char** argv)
{
    if (argc == 2 && std::string{argv[1]} == "--help") {
        std::fputs(usage, stdout);
        return 0;
    }
    Options const options = parse(argc, argv);
    struct sigaction action{};
    action.sa_handler = [](int) { stop = 1; };
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    int const fd = open_socket(options);
    return options.sends ? send_chunks(fd, options) : receive_chunks(fd, options);
}
