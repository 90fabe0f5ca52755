#pragma once

#include "protocol/base/rng.hpp"
#include "protocol/base/time.hpp"
#include "protocol/wire/messages.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

namespace ppsp::bottleneck {

/// One sender and its receiver. Both ends are told the time and asked what they send.
class Conversation {
public:
    virtual ~Conversation() = default;

    struct Packet {
        ChunkId chunk{};
        std::size_t ip_bytes = 0;
        TimePoint sent{};
    };
    virtual void start(TimePoint now) = 0;
    [[nodiscard]] virtual std::optional<Packet> send(TimePoint now) = 0;
    [[nodiscard]] virtual TimePoint sender_wake(TimePoint now) const = 0;
    virtual void on_acks(TimePoint now, std::vector<wire::Ack> const& acks) = 0;

    virtual void on_packet(TimePoint now, Packet const& packet) = 0;
    [[nodiscard]] virtual std::vector<wire::Ack> take_acks(TimePoint now) = 0;
    [[nodiscard]] virtual TimePoint receiver_wake() const = 0;
    /// Whether its ends are programs that may have to wait for a core; TCP is part of the system.
    [[nodiscard]] virtual bool is_program() const { return true; }
    /// Congestion window, bytes.
    [[nodiscard]] virtual double window_bytes() const = 0;
};

struct LinkConfig {
    double rate_bps = 20e6; ///< of IP packets
    Duration there = 25ms;  ///< without the queue
    Duration back = 25ms;   ///< never congested
    Duration queue = 200ms; ///< tail drop beyond what the rate at the start sends in that time
    double loss = 0;        ///< share of packets lost behind the queue, independently
    Duration ack_jitter{0}; ///< acknowledgements take up to that longer; they keep their order
    /// Every end is stopped for up to that long, as by a busy machine, a hundred milliseconds apart
    /// on average; what comes meanwhile is seen when it goes on.
    Duration hiccup_max{0};
};

/// What went through in one tenth of a second.
struct Tenth {
    double queue_ms = 0; ///< mean over packets of their time in the queue
    std::uint32_t packets = 0;
    std::uint32_t dropped = 0;
    std::vector<std::uint64_t> bytes; ///< IP bytes by conversation, as they left the queue
    std::vector<double> windows;      ///< bytes, at its end
};

/// Conversations that share one link with a tail-drop queue, in virtual time.
class Bottleneck {
public:
    Bottleneck(LinkConfig const& config, std::uint64_t seed);
    Bottleneck(Bottleneck const&) = delete; // events refer to it
    Bottleneck& operator=(Bottleneck const&) = delete;

    void add(std::unique_ptr<Conversation> conversation, Duration start);
    void at(Duration time, std::function<void()> change);
    void set_rate(double rate_bps) { config_.rate_bps = rate_bps; }
    void run_until(Duration end);

    [[nodiscard]] std::vector<Tenth> const& tenths() const { return tenths_; }
    [[nodiscard]] LinkConfig const& config() const { return config_; }
    /// Bytes waiting or in service.
    [[nodiscard]] std::size_t queue_bytes() const { return queue_bytes_; }

private:
    struct Event {
        TimePoint at;
        std::uint64_t order;
        std::function<void()> what;
        bool operator>(Event const& other) const
        {
            return std::pair{at, order} > std::pair{other.at, other.order};
        }
    };
    struct Member {
        std::unique_ptr<Conversation> conversation;
        TimePoint sender_wake = TimePoint::max();
        TimePoint receiver_wake = TimePoint::max();
        TimePoint last_ack_arrival{};
        TimePoint sender_stopped_until{};
        TimePoint receiver_stopped_until{};
        bool started = false;
    };
    struct Queued {
        std::size_t member;
        Conversation::Packet packet;
        TimePoint since;
    };

    void schedule(TimePoint at, std::function<void()> what);
    void run_sender(std::size_t index);
    void run_receiver(std::size_t index);
    void deliver(std::size_t index, Conversation::Packet const& packet);
    void deliver_acks(std::size_t index, std::vector<wire::Ack> const& acks);
    void hiccup(std::size_t index, TimePoint Member::* stopped_until);
    void enqueue(std::size_t index, Conversation::Packet const& packet);
    void serve();
    void served();
    void tick();

    LinkConfig config_;
    Rng rng_;
    std::size_t queue_bytes_max_;
    std::deque<Queued> queue_;
    std::size_t queue_bytes_ = 0;
    double us_owed_ = 0; ///< what service times are short of by rounding
    std::vector<Member> members_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::uint64_t order_ = 0;
    TimePoint now_{};
    Tenth tenth_;
    std::vector<Tenth> tenths_;
};

} // namespace ppsp::bottleneck
