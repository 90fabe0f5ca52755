#pragma once

#include "protocol/base/range_set.hpp"
#include "protocol/base/time.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace ppsp::peer {

/// What one neighbour asked us for: chunks that we hold (to be sent, in order of arrival: PP-3.7-a)
/// and chunks that do not exist yet (a subscription, decision D10).
class RequestQueue {
public:
    /// Intervals asked for that are remembered; a reasonable neighbour needs a handful.
    static constexpr std::size_t intervals_max = 512;
    /// Chunks that wait for sending: two seconds of a 16 Mbit/s stream.
    static constexpr std::size_t ready_max = 4096;
    /// A pull that waited longer than that is of no use to anybody live.
    static constexpr Duration pull_age_max = std::chrono::milliseconds{1500};

    /// A push that waited longer than that: whoever wants it has asked somebody else.
    static constexpr Duration push_age_max = std::chrono::milliseconds{600};

    /// `first_copy` is what nobody has but its source.
    enum class Urgency : std::uint8_t { first_copy, push, pull };
    static constexpr std::size_t urgencies = 3;

    /// The parts that were not wanted before; nothing if the limit was reached and the request
    /// dropped.
    [[nodiscard]] std::vector<ChunkRange> want(ChunkRange chunks);
    [[nodiscard]] bool wants(ChunkId chunk) const { return wanted_.contains(chunk); }
    [[nodiscard]] bool wants_any(ChunkRange chunks) const { return wanted_.overlaps(chunks); }
    [[nodiscard]] RangeSet const& wanted() const { return wanted_; }
    /// CANCEL, or a HAVE for what was asked (PP-3.8-b).
    void cancel(ChunkRange chunks) { wanted_.remove(chunks); }
    void forget_below(ChunkId first) { wanted_.trim_below(first); }
    void clear();

    /// What waits: in the order of `since`, then as it came.
    struct Ready {
        ChunkId chunk{};
        TimePoint since{};
        std::uint32_t order = 0;
        /// When we had it to send: a unit that trickles in began long before its last chunk.
        TimePoint ready{};
    };
    /// A wanted chunk can be sent. For a pushed one `since` is when its unit began, or later if
    /// others wait for it more, and `order` the neighbour's place among those that get it.
    void make_ready(Ready const& ready, Urgency urgency);
    /// A lost chunk goes before all others of its urgency.
    void make_ready_again(TimePoint now, ChunkId chunk, Urgency urgency);
    /// The next chunk to send of this urgency that is still wanted; stays until `sent`.
    [[nodiscard]] std::optional<Ready> next(TimePoint now, Urgency urgency);
    void sent(ChunkId chunk);
    [[nodiscard]] bool has_ready() const;

private:
    [[nodiscard]] std::deque<Ready>& queue(Urgency urgency);

    RangeSet wanted_;
    std::array<std::deque<Ready>, urgencies> ready_;
};

} // namespace ppsp::peer
