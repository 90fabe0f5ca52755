#pragma once

#include "peer/channel/ack_queue.hpp"
#include "peer/channel/flow.hpp"
#include "protocol/base/range_set.hpp"

#include <set>

namespace ppsp::bottleneck {

/// Payload of one chunk, bytes.
inline constexpr std::size_t chunk_bytes = 1024;
/// UDP payload of a DATA message with one chunk: channel, message type, range, time (RFC 7574 §8).
inline constexpr std::size_t data_bytes = chunk_bytes + 4 + 17;
inline constexpr std::size_t ip_udp_bytes = 28;

/// What there is to send. A live stream has a unit of `unit_chunks` every `unit_gap` and one of
/// `key_chunks` instead of every `key_every`th; without a gap there is always something.
struct Supply {
    Duration unit_gap{};
    std::uint64_t unit_chunks = 0;
    std::uint64_t key_chunks = 0;
    std::uint64_t key_every = 0;
    /// Nothing new goes within [silent_from, silent_until).
    Duration silent_from = Duration::max();
    Duration silent_until = Duration::max();

    [[nodiscard]] bool is_live() const { return unit_gap > Duration::zero(); }
    /// Chunks that exist `age` after the start.
    [[nodiscard]] std::uint64_t chunks_by(Duration age) const;
};

/// Sends chunks as a channel of the engine does, without a swarm: `Flow`, and what is lost goes
/// first.
class ChunkSender {
public:
    ChunkSender(congestion::LedbatConfig const& config, Supply const& supply);

    void start(TimePoint now);
    /// The chunk to send at once; nullopt when window, pace or supply say no.
    [[nodiscard]] std::optional<ChunkId> next(TimePoint now);
    void on_ack(TimePoint now, wire::Ack const& ack);
    /// When to call `next` again at the latest.
    [[nodiscard]] TimePoint wake(TimePoint now) const;

    [[nodiscard]] peer::Flow const& flow() const { return flow_; }
    [[nodiscard]] std::uint64_t chunks_lost() const { return chunks_lost_; }

private:
    [[nodiscard]] bool has_supply(TimePoint now) const;
    [[nodiscard]] TimePoint supply_at(TimePoint now) const;
    void again(std::vector<ChunkId> const& chunks);

    peer::Flow flow_;
    Supply supply_;
    TimePoint started_{};
    std::uint64_t next_chunk_ = 0;
    std::set<ChunkId> again_; ///< lost; no more than were in flight
    std::uint64_t chunks_lost_ = 0;
};

/// Acknowledges chunks as a channel of the engine does.
class ChunkReceiver {
public:
    void on_chunk(TimePoint now, ChunkId chunk, Duration one_way_delay);
    /// ACKs that are due.
    [[nodiscard]] std::vector<wire::Ack> take_due(TimePoint now);
    [[nodiscard]] TimePoint wake() const;
    [[nodiscard]] std::uint64_t chunks() const { return chunks_; }

private:
    /// Chunks behind the newest that are remembered, as a discard window.
    static constexpr std::uint64_t remembered_max = 100'000;

    peer::AckQueue acks_;
    RangeSet have_;
    std::uint64_t chunks_ = 0; ///< different ones
};

} // namespace ppsp::bottleneck
