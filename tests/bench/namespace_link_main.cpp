#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/// A bottleneck between two network namespaces: a TUN interface in each, and in between a rate with
/// a tail-drop queue, loss and delay one way, delay alone the other way.
namespace {

constexpr char const* usage =
    R"(usage: namespace_link --from NETNS --to NETNS [--rate BPS] [--queue BYTES] [--there MS] [--back MS]
                      [--loss SHARE] [--rate-at SECONDS:BPS]... [--seconds S]

Makes the interface lk0 in both namespaces, which must exist, and prints "ready"; whoever starts it
gives the interfaces addresses. What goes from --from to --to waits in the queue. Prints a JSON
object every 100 ms: {"t": s, "queue_ms": mean over packets, "packets", "dropped", "bytes":
{destination port: IP bytes}}.
)";

using Nanoseconds = std::int64_t;
using Packet = std::vector<std::uint8_t>;
constexpr Nanoseconds second = 1'000'000'000;
constexpr Nanoseconds tenth = second / 10;
constexpr std::size_t reads_max = 64; ///< packets of one interface before the other has its turn

Nanoseconds now_ns()
{
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * second + time.tv_nsec;
}

[[noreturn]] void fail(std::string const& what)
{
    std::fprintf(stderr, "namespace_link: %s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

int open_tun(std::string const& name)
{
    int const home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int const space = open(("/var/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (home < 0 || space < 0 || setns(space, CLONE_NEWNET) != 0) {
        fail("network namespace " + name);
    }
    int const tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ifreq request{};
    std::strncpy(request.ifr_name, "lk0", IFNAMSIZ);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) != 0) {
        fail("/dev/net/tun");
    }
    if (setns(home, CLONE_NEWNET) != 0) {
        fail("back to the first namespace");
    }
    close(space);
    close(home);
    return tun;
}

/// UDP or TCP destination port of an IPv4 packet, 0 for anything else.
unsigned destination_port(Packet const& packet)
{
    std::size_t const header = static_cast<std::size_t>(packet[0] & 15U) * 4;
    bool const has_ports = packet.size() >= header + 4 && (packet[9] == 6 || packet[9] == 17);
    return has_ports ? packet[header + 2] * 256U + packet[header + 3] : 0;
}

struct Options {
    std::string from;
    std::string to;
    double rate_bps = 20e6;
    std::size_t queue_bytes = 500'000;
    Nanoseconds there = 25'000'000;
    Nanoseconds back = 25'000'000;
    double loss = 0;
    std::vector<std::pair<Nanoseconds, double>> rates; ///< since the start
    double seconds = 1e9;
};

std::sig_atomic_t volatile stop = 0;

class Link {
public:
    explicit Link(Options const& options)
        : options_(options), from_(open_tun(options.from)), to_(open_tun(options.to))
    {}

    void run()
    {
        int const poll = epoll_create1(EPOLL_CLOEXEC);
        for (int const tun : {from_, to_}) {
            epoll_event event{};
            event.events = EPOLLIN;
            event.data.fd = tun;
            epoll_ctl(poll, EPOLL_CTL_ADD, tun, &event);
        }
        start_ = now_ns();
        next_report_ = start_ + tenth;
        while (stop == 0) {
            Nanoseconds const now = now_ns();
            if (static_cast<double>(now - start_) > options_.seconds * 1e9) {
                break;
            }
            advance(now);
            Nanoseconds const wait = std::max<Nanoseconds>(next_event() - now_ns(), 0);
            timespec const timeout{wait / second, wait % second};
            epoll_event events[2];
            epoll_pwait2(poll, events, 2, &timeout, nullptr);
            read_from(from_, true);
            read_from(to_, false);
        }
        close(poll);
    }

private:
    struct Waiting {
        Packet packet;
        Nanoseconds since;
    };
    struct Flying {
        Packet packet;
        Nanoseconds due;
    };

    void read_from(int tun, bool through_queue)
    {
        std::uint8_t buffer[65536];
        for (std::size_t i = 0; i < reads_max; ++i) {
            ssize_t const size = read(tun, buffer, sizeof buffer);
            if (size < 20) {
                return;
            }
            if (buffer[0] >> 4 != 4) {
                continue;
            }
            Nanoseconds const now = now_ns();
            advance(now);
            Packet packet{buffer, buffer + size};
            if (through_queue) {
                enqueue(std::move(packet), now);
            } else {
                back_.push_back({std::move(packet), now + options_.back});
            }
        }
    }

    void enqueue(Packet packet, Nanoseconds now)
    {
        if (queued_bytes_ + packet.size() > options_.queue_bytes) {
            ++dropped_;
            return;
        }
        queued_bytes_ += packet.size();
        queue_.push_back({std::move(packet), now});
        if (queue_.size() == 1) {
            serve(now);
        }
    }

    void serve(Nanoseconds now)
    {
        Waiting const& front = queue_.front();
        waited_ns_ += static_cast<double>(now - front.since);
        ++packets_;
        double const bits = static_cast<double>(front.packet.size()) * 8;
        done_ = now + static_cast<Nanoseconds>(bits * 1e9 / options_.rate_bps);
    }

    /// Everything that is due by `now`, in the order of its time.
    void advance(Nanoseconds now)
    {
        while (!options_.rates.empty() && start_ + options_.rates.front().first <= now) {
            options_.rate_bps = options_.rates.front().second;
            options_.rates.erase(options_.rates.begin());
        }
        while (!queue_.empty() && done_ <= now) {
            Nanoseconds const at = done_;
            Waiting front = std::move(queue_.front());
            queue_.pop_front();
            queued_bytes_ -= front.packet.size();
            bytes_[destination_port(front.packet)] += front.packet.size();
            if (std::uniform_real_distribution<>{}(random_) >= options_.loss) {
                there_.push_back({std::move(front.packet), at + options_.there});
            }
            if (!queue_.empty()) {
                serve(at);
            }
        }
        deliver(there_, to_, now);
        deliver(back_, from_, now);
        if (now >= next_report_) {
            report(now);
        }
    }

    static void deliver(std::deque<Flying>& line, int tun, Nanoseconds now)
    {
        while (!line.empty() && line.front().due <= now) {
            Packet const& packet = line.front().packet;
            if (write(tun, packet.data(), packet.size()) < 0 && errno != EAGAIN && errno != EIO) {
                fail("write");
            }
            line.pop_front();
        }
    }

    [[nodiscard]] Nanoseconds next_event() const
    {
        Nanoseconds next = next_report_;
        if (!queue_.empty()) {
            next = std::min(next, done_);
        }
        for (auto const* line : {&there_, &back_}) {
            if (!line->empty()) {
                next = std::min(next, line->front().due);
            }
        }
        return next;
    }

    void report(Nanoseconds now)
    {
        std::printf(R"({"t": %.1f, "queue_ms": %.3f, "packets": %llu, "dropped": %llu, "bytes": {)",
                    static_cast<double>(next_report_ - start_) / 1e9,
                    waited_ns_ / 1e6 / static_cast<double>(std::max<std::uint64_t>(packets_, 1)),
                    static_cast<unsigned long long>(packets_),
                    static_cast<unsigned long long>(dropped_));
        char const* separator = "";
        for (auto const& [port, bytes] : bytes_) {
            std::printf(R"(%s"%u": %llu)", separator, port, static_cast<unsigned long long>(bytes));
            separator = ", ";
        }
        std::puts("}}");
        std::fflush(stdout);
        bytes_.clear();
        waited_ns_ = 0;
        packets_ = dropped_ = 0;
        while (next_report_ <= now) {
            next_report_ += tenth;
        }
    }

    Options options_;
    int from_;
    int to_;
    std::mt19937_64 random_{7574};
    std::deque<Waiting> queue_; ///< bounded by queue_bytes
    std::size_t queued_bytes_ = 0;
    Nanoseconds done_ = 0;
    std::deque<Flying> there_; ///< bounded by rate and delay
    std::deque<Flying> back_;
    Nanoseconds start_ = 0;
    Nanoseconds next_report_ = 0;
    double waited_ns_ = 0;
    std::uint64_t packets_ = 0;
    std::uint64_t dropped_ = 0;
    std::map<unsigned, std::uint64_t> bytes_;
};

Options parse(int argc, char** argv)
{
    Options options;
    auto const ms = [](std::string const& text) {
        return static_cast<Nanoseconds>(std::stod(text) * 1e6);
    };
    for (int i = 1; i < argc; i += 2) {
        std::string const name = argv[i];
        if (name == "--help" || i + 1 == argc) {
            std::fputs(usage, name == "--help" ? stdout : stderr);
            std::exit(name == "--help" ? 0 : 2);
        }
        std::string const value = argv[i + 1];
        if (name == "--from") {
            options.from = value;
        } else if (name == "--to") {
            options.to = value;
        } else if (name == "--rate") {
            options.rate_bps = std::stod(value);
        } else if (name == "--queue") {
            options.queue_bytes = std::stoul(value);
        } else if (name == "--there") {
            options.there = ms(value);
        } else if (name == "--back") {
            options.back = ms(value);
        } else if (name == "--loss") {
            options.loss = std::stod(value);
        } else if (name == "--seconds") {
            options.seconds = std::stod(value);
        } else if (name == "--rate-at" && value.find(':') != std::string::npos) {
            auto const at = static_cast<Nanoseconds>(std::stod(value) * 1e9);
            options.rates.emplace_back(at, std::stod(value.substr(value.find(':') + 1)));
        } else {
            std::fputs(usage, stderr);
            std::exit(2);
        }
    }
    return options;
}

} // namespace

int main(int argc, char** argv)
{
    Options const options = parse(argc, argv);
    struct sigaction action{};
    action.sa_handler = [](int) { stop = 1; };
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    Link link{options};
    sched_param priority{};
    priority.sched_priority = 10;
    sched_setscheduler(0, SCHED_FIFO, &priority); // best effort: a late packet is a wrong delay
    std::puts("ready");
    std::fflush(stdout);
    link.run();
    return 0;
}
