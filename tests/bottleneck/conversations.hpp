#pragma once

#include "tests/bottleneck/bottleneck.hpp"
#include "tests/bottleneck/chunk_sender.hpp"

#include <map>

namespace ppsp::bottleneck {

/// Chunks between two nodes of ours.
class ChunkConversation : public Conversation {
public:
    /// The receiver's clock goes faster than the sender's by `skew_ppm` and is `offset` ahead.
    ChunkConversation(congestion::LedbatConfig const& config, Supply const& supply,
                      double skew_ppm = 0, Duration offset = {});

    void start(TimePoint now) override { sender_.start(now); }
    std::optional<Packet> send(TimePoint now) override;
    TimePoint sender_wake(TimePoint now) const override { return sender_.wake(now); }
    void on_acks(TimePoint now, std::vector<wire::Ack> const& acks) override;
    void on_packet(TimePoint now, Packet const& packet) override;
    std::vector<wire::Ack> take_acks(TimePoint now) override { return receiver_.take_due(now); }
    TimePoint receiver_wake() const override { return receiver_.wake(); }
    double window_bytes() const override { return sender_.flow().ledbat().window_bytes(); }

    [[nodiscard]] ChunkSender const& sender() const { return sender_; }

private:
    ChunkSender sender_;
    ChunkReceiver receiver_;
    double skew_;
    Duration offset_;
};

/// A TCP flow in outline: slow start that ends on delay or loss, CUBIC's growth (RFC 9438 §4) and
/// its region of friendliness, fast recovery once per round trip, a timeout. Bulk, without
/// handshake or limits of a receiver; every arrival counts.
class CubicConversation : public Conversation {
public:
    void start(TimePoint now) override;
    std::optional<Packet> send(TimePoint now) override;
    TimePoint sender_wake(TimePoint now) const override;
    void on_acks(TimePoint now, std::vector<wire::Ack> const& acks) override;
    void on_packet(TimePoint now, Packet const& packet) override;
    std::vector<wire::Ack> take_acks(TimePoint now) override;
    TimePoint receiver_wake() const override { return ack_at_; }
    bool is_program() const override { return false; }
    double window_bytes() const override { return window_ * segment_bytes; }

private:
    static constexpr double segment_bytes = 1448;
    static constexpr std::size_t ip_bytes = 1500;

    void grow(TimePoint now, std::size_t acked);
    void lose(TimePoint now);
    [[nodiscard]] Duration timeout() const;

    std::map<std::uint64_t, TimePoint> in_flight_;
    std::uint64_t next_ = 0;
    std::uint64_t highest_acked_ = 0;
    std::uint64_t recover_ = 0; ///< losses below it belong to the last reduction
    double window_ = 10;        ///< segments, as are the next four
    double threshold_ = 1e9;
    double window_max_ = 0;
    double friendly_ = 0;
    TimePoint epoch_{};
    bool has_epoch_ = false;
    Duration rtt_{};
    Duration rtt_min_ = Duration::max();
    TimePoint progress_{};

    std::vector<std::uint64_t> arrived_; ///< to be acknowledged
    TimePoint ack_at_ = TimePoint::max();
};

} // namespace ppsp::bottleneck
