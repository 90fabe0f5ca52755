#include "peer/channel/flow.hpp"

#include "peer/channel/ack_queue.hpp"

#include <algorithm>
#include <array>

namespace ppsp::peer {

congestion::LedbatConfig flow_config(Duration target, std::size_t chunk_size,
                                     std::uint32_t unit_chunks_max, bool forgive_link_loss)
{
    congestion::LedbatConfig config;
    // Flows that fill their window meet in one queue and stay there: they have to share it.
    config.algorithm = congestion::Algorithm::fair;
    config.target = target;
    config.forgive_link_loss = forgive_link_loss;
    config.ack_delay_max = AckQueue::delay_max;
    config.slow_start = true;
    // The first unit to a new child goes at once (RFC 6928 allows as much to any flow).
    config.init_window_mss = 10;
    // One unit may follow another at once: RFC 6817 §2.5 allows a larger value for framing.
    config.allowed_increase_mss = unit_chunks_max;
    config.mss_bytes = static_cast<std::uint32_t>(chunk_size) + 64;
    return config;
}

bool Flow::has_room(std::size_t bytes) const
{
    std::size_t const flight = in_flight_.bytes();
    return flight == 0 || static_cast<double>(flight + bytes) <= ledbat_.window_bytes();
}

void Flow::on_sent(TimePoint now, ChunkId chunk, std::size_t bytes, std::uint64_t position)
{
    if (in_flight_.empty()) {
        progress_ = now;
    }
    pacer_.on_sent(now, bytes, ledbat_.window_bytes(), rtt_.smoothed());
    in_flight_.on_sent(now, chunk, bytes, position);
}

InFlight::Acknowledged Flow::on_ack(TimePoint now, ChunkRange chunks, Duration one_way_delay)
{
    // Nothing is faster than the handshake was, but for its own processing.
    Duration const floor = rtt_.minimum() * 3 / 4;
    auto const acknowledged = in_flight_.acknowledge(now, chunks, floor);
    if (acknowledged.bytes == 0) {
        return acknowledged;
    }
    progress_ = now;
    acked_at_ = now;
    timeouts_in_a_row_ = 0;
    probed_ = false;
    if (acknowledged.rtt) {
        rtt_.on_sample(*acknowledged.rtt);
        ledbat_.on_round_trip(now, *acknowledged.rtt);
    }
    std::array<Duration, 1> const delays{one_way_delay};
    ledbat_.on_ack(now, delays, acknowledged.bytes, acknowledged.flight_before, rtt_.smoothed());
    return acknowledged;
}

std::vector<ChunkId> Flow::take_lost(TimePoint now)
{
    auto lost = in_flight_.take_lost(now, loss_patience());
    if (!lost.empty()) {
        ledbat_.on_loss(now, rtt_.smoothed(), in_flight_.lost_sent());
    }
    return lost;
}

std::vector<ChunkId> Flow::take_timed_out(TimePoint now)
{
    if (now < timeout_at()) {
        return {};
    }
    progress_ = now;
    if (!probed_) {
        probed_ = true;
        auto const newest = in_flight_.take_newest();
        return newest ? std::vector{*newest} : std::vector<ChunkId>{};
    }
    ledbat_.on_timeout(now);
    rtt_.on_timeout();
    timeouts_in_a_row_ += 1;
    return in_flight_.take_all();
}

TimePoint Flow::timeout_at() const
{
    return in_flight_.empty() ? TimePoint::max() : progress_ + timeout();
}

bool Flow::take(TimePoint now, ChunkId chunk, Duration age_min)
{
    return in_flight_.take(now, chunk, age_min);
}

/// What was not acknowledged by then may be lost.
Duration Flow::loss_patience() const
{
    // Receivers collect acknowledgements for some milliseconds; that is not a loss.
    Duration const smoothed = rtt_.smoothed();
    Duration const spread = std::max(rtt_.variation() * 4, smoothed / 4);
    return smoothed + std::min(spread, smoothed + 10ms) + AckQueue::delay_max;
}

Duration Flow::timeout() const
{
    return std::max({rtt_.timeout(), loss_patience(), timeout_min_});
}

} // namespace ppsp::peer
