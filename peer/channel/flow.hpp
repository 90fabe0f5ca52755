#pragma once

#include "peer/channel/in_flight.hpp"
#include "peer/channel/pacer.hpp"
#include "protocol/congestion/ledbat.hpp"
#include "protocol/congestion/rtt_estimator.hpp"

#include <vector>

namespace ppsp::peer {

/// LEDBAT for chunks of `chunk_size` bytes that come in units of up to `unit_chunks_max`.
[[nodiscard]] congestion::LedbatConfig flow_config(Duration target, std::size_t chunk_size,
                                                   std::uint32_t unit_chunks_max,
                                                   bool forgive_link_loss = false);

/// Chunks on their way to one receiver: how many may be, which of them arrived, which are lost.
/// What is lost is the caller's to send again.
class Flow {
public:
    explicit Flow(congestion::LedbatConfig const& config) : ledbat_(config) {}
    /// As NodeConfig has it; none before.
    void set_turn_gap(Duration gap) { pacer_.set_turn_gap(gap); }
    /// No timeout comes sooner; zero before. For receivers who ask themselves for what they miss.
    void set_timeout_min(Duration least) { timeout_min_ = least; }

    /// Whether `bytes` more fit the window; one datagram always may be in flight.
    [[nodiscard]] bool has_room(std::size_t bytes) const;
    /// Whether the pace lets something go; otherwise when it does.
    [[nodiscard]] bool is_paced(TimePoint now) const { return !pacer_.ready(now); }
    [[nodiscard]] TimePoint ready_at() const { return pacer_.ready_at(); }
    /// `position` is the place of the datagram's end in everything that the node sent, bytes.
    void on_sent(TimePoint now, ChunkId chunk, std::size_t bytes, std::uint64_t position = 0);

    /// One ACK; a result of zero bytes says nothing new. `take_lost` afterwards.
    InFlight::Acknowledged on_ack(TimePoint now, ChunkRange chunks, Duration one_way_delay);
    /// Chunks that must be lost by now, in order; they leave the flight and count as one loss.
    [[nodiscard]] std::vector<ChunkId> take_lost(TimePoint now);
    /// Call at `timeout_at`. Nothing was acknowledged for a whole timeout (RFC 6817 §2.4.2):
    /// mostly the last ACK got lost, so the newest chunk is sent again to ask for it, as in
    /// RFC 8985 §7, and at the next timeout everything is.
    [[nodiscard]] std::vector<ChunkId> take_timed_out(TimePoint now);
    /// max() while nothing is in flight.
    [[nodiscard]] TimePoint timeout_at() const;
    /// The receiver misses a chunk: it leaves the flight unless it was sent less than `age_min`
    /// ago; false if it stays or is not there.
    bool take(TimePoint now, ChunkId chunk, Duration age_min);

    /// A round trip that something else than DATA measured.
    void on_round_trip(Duration rtt) { rtt_.on_sample(rtt); }
    /// The conversation starts: timeouts count from here.
    void start(TimePoint now) { progress_ = now; }

    [[nodiscard]] InFlight const& in_flight() const { return in_flight_; }
    [[nodiscard]] congestion::Ledbat const& ledbat() const { return ledbat_; }
    [[nodiscard]] congestion::RttEstimator const& rtt() const { return rtt_; }
    [[nodiscard]] TimePoint acked_at() const { return acked_at_; }
    [[nodiscard]] std::uint32_t timeouts_in_a_row() const { return timeouts_in_a_row_; }

private:
    [[nodiscard]] Duration loss_patience() const;
    [[nodiscard]] Duration timeout() const;

    InFlight in_flight_;
    congestion::Ledbat ledbat_;
    congestion::RttEstimator rtt_;
    Pacer pacer_;
    std::uint32_t timeouts_in_a_row_ = 0;
    bool probed_ = false; ///< the newest chunk was sent again, nothing was acknowledged since
    TimePoint acked_at_{};
    Duration timeout_min_{};
    TimePoint progress_{}; ///< last new acknowledgement, or start of the flight
};

} // namespace ppsp::peer
