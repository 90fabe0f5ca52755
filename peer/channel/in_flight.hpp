#pragma once

#include "peer/channel/flat_queue.hpp"
#include "protocol/base/ids.hpp"
#include "protocol/base/time.hpp"

#include <cstddef>
#include <optional>
#include <set>
#include <vector>

namespace ppsp::peer {

/// DATA that was sent and not yet acknowledged. Bounded by the congestion window.
class InFlight {
public:
    /// `position` is the datagram's place in everything that the node sent, bytes.
    void on_sent(TimePoint now, ChunkId chunk, std::size_t bytes, std::uint64_t position = 0);

    /// When a datagram was sent, and its place among all.
    struct Mark {
        TimePoint at;
        std::uint64_t position = 0;
    };

    struct Acknowledged {
        std::size_t bytes = 0;         ///< newly acknowledged
        std::size_t flight_before = 0; ///< bytes in flight before
        std::optional<Duration> rtt;   ///< of the newest chunk that was sent once (Karn)
        std::optional<Mark> first;     ///< the earliest sent of those that were sent once
    };
    /// An ACK names the largest interval that the receiver holds, and so, too, chunks that it got
    /// from others while ours are still on their way: those that were sent less than `rtt_floor`
    /// ago leave the flight, but say nothing about the path.
    [[nodiscard]] Acknowledged acknowledge(TimePoint now, ChunkRange chunks,
                                           Duration rtt_floor = {});

    /// Chunks of which one sent later was acknowledged and that are older than `patience`; they
    /// leave the flight. Time decides, not a count of overtaking chunks, as in RACK (RFC 8985):
    /// reordering is common and a needless halving is dear.
    [[nodiscard]] std::vector<ChunkId> take_lost(TimePoint now, Duration patience);
    /// When the latest of those was sent that `take_lost` ever gave.
    [[nodiscard]] TimePoint lost_sent() const { return lost_sent_; }
    /// The chunk that was sent last leaves the flight, to be sent again as a probe.
    [[nodiscard]] std::optional<ChunkId> take_newest();
    /// Everything leaves the flight: nothing was acknowledged for a whole timeout.
    [[nodiscard]] std::vector<ChunkId> take_all();
    /// One chunk leaves the flight; false if it was not in it or younger than `age_min`.
    bool take(TimePoint now, ChunkId chunk, Duration age_min);

    [[nodiscard]] bool contains(ChunkId chunk) const;
    /// It left the flight without an acknowledgement, and none came since; so much is remembered of
    /// the latest few.
    [[nodiscard]] bool was_lost(ChunkId chunk) const { return lost_before_.contains(chunk); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    /// When the latest of them was sent.
    [[nodiscard]] TimePoint last_sent() const { return last_sent_; }

private:
    struct Sent {
        ChunkId chunk;
        TimePoint at;
        std::size_t bytes;    ///< 0 = it left the flight
        std::uint64_t number; ///< order of sending
        std::uint64_t position;
        bool again; ///< sent before, so it gives no round-trip sample
    };
    struct Order {
        std::uint64_t number;
        ChunkId chunk;
    };
    using Place = FlatQueue<Sent>::Iterator;
    [[nodiscard]] Place lower_bound(ChunkId chunk);
    /// The entry of a chunk in flight, or the end.
    [[nodiscard]] Place find(ChunkId chunk);
    void leave(Place at);
    void tidy();
    void remember_lost(ChunkId chunk);

    /// By chunk. Chunks are sent about in order and acknowledged so, too: what leaves the flight
    /// is marked, and goes when it comes to either end or is the greater part.
    FlatQueue<Sent> sent_;
    FlatQueue<Order> order_;        ///< by number; entries of chunks that left are skipped
    std::set<ChunkId> lost_before_; ///< to know what is sent again
    std::size_t bytes_ = 0;
    std::size_t count_ = 0; ///< in flight
    std::uint64_t next_number_ = 0;
    std::optional<std::uint64_t> highest_acked_;
    TimePoint last_sent_{};
    TimePoint lost_sent_{};

    static constexpr std::size_t lost_before_max = 256;
};

} // namespace ppsp::peer
