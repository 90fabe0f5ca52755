#pragma once

#include "protocol/base/range_set.hpp"
#include "protocol/base/time.hpp"
#include "protocol/wire/messages.hpp"

#include <optional>
#include <span>
#include <vector>

namespace ppsp::peer {

/// Acknowledgements that wait a little for company: one ACK names the largest interval around
/// several chunks (PP-4.3.2-a) with the one-way delay of the one that came first. Which one that
/// was the sender can tell, unless some were overtaken or an ACK got lost, and so where in a train
/// it stood (Swarm::measure_train); the smallest of the delays might belong to a later train.
class AckQueue {
public:
    /// Chunks that may wait; at 4 or more samples per round trip LEDBAT is content (LB-2.5-e).
    static constexpr std::size_t chunks_min = 4;
    static constexpr std::size_t chunks_max = 16;
    static constexpr Duration delay_max = std::chrono::milliseconds{15};

    /// `delay` was measured when the datagram arrived (trap T8).
    void add(TimePoint now, ChunkId chunk, Duration one_way_delay);
    [[nodiscard]] bool empty() const { return waiting_.empty(); }
    [[nodiscard]] bool due(TimePoint now) const;
    [[nodiscard]] std::optional<TimePoint> deadline() const;
    /// Where so many chunks arrive in a round trip, which is `rtt` with an empty queue, an
    /// acknowledgement for every eighth of them is enough.
    void set_pace(double chunks_per_second, Duration rtt);
    [[nodiscard]] std::size_t size() const { return waiting_.size(); }
    /// The messages; `have` widens each to its largest complete interval. Valid
    /// until the next call.
    [[nodiscard]] std::span<wire::Ack const> take(RangeSet const& have);

private:
    struct Waiting {
        ChunkId chunk;
        Duration delay;
    };
    void note_delay(TimePoint now, Duration one_way_delay);

    std::vector<Waiting> waiting_;
    std::vector<wire::Ack> taken_;
    std::size_t batch_ = chunks_min;
    std::optional<Duration> last_delay_;
    TimePoint delayed_at_{}; ///< when the last one came
    Duration queueing_{};    ///< what it waited on its way, as far as the delays tell
    TimePoint oldest_{};
};

} // namespace ppsp::peer
