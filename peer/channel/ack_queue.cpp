#include "peer/channel/ack_queue.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

/// No queue of ours is longer, whatever clocks say.
constexpr Duration queueing_max = std::chrono::milliseconds{100};

} // namespace

void AckQueue::add(TimePoint now, ChunkId chunk, Duration one_way_delay)
{
    if (waiting_.empty()) {
        oldest_ = now;
    }
    waiting_.push_back({chunk, one_way_delay});
    note_delay(now, one_way_delay);
}

bool AckQueue::due(TimePoint now) const
{
    return waiting_.size() >= batch_ || (!waiting_.empty() && now >= oldest_ + delay_max);
}

/// By how much delays grew above the least one. That one is forgotten by a thousandth of the time,
/// which is more than clocks drift apart. Any 64-bit delays may come: differences wrap.
void AckQueue::note_delay(TimePoint now, Duration one_way_delay)
{
    Duration const before = last_delay_.value_or(one_way_delay);
    auto const change =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(one_way_delay.count()) -
                                  static_cast<std::uint64_t>(before.count()));
    Duration const step = std::clamp(Duration{change}, -queueing_max, queueing_max);
    Duration const forgotten = last_delay_ ? (now - delayed_at_) / 1000 : Duration::zero();
    queueing_ = std::clamp(queueing_ + step - forgotten, Duration::zero(), queueing_max);
    last_delay_ = one_way_delay;
    delayed_at_ = now;
}

void AckQueue::set_pace(double chunks_per_second, Duration rtt)
{
    double const round_trip = static_cast<double>((rtt + queueing_).count()) / 1e6;
    double const wanted = std::clamp(chunks_per_second * round_trip / 8, 0.0, double{chunks_max});
    batch_ = std::max(static_cast<std::size_t>(wanted), chunks_min);
}

std::optional<TimePoint> AckQueue::deadline() const
{
    if (waiting_.empty()) {
        return std::nullopt;
    }
    return oldest_ + delay_max;
}

std::span<wire::Ack const> AckQueue::take(RangeSet const& have)
{
    taken_.clear();
    for (Waiting const& waiting : waiting_) {
        auto const known = std::find_if(taken_.begin(), taken_.end(), [&](wire::Ack const& ack) {
            return ack.chunks.contains(waiting.chunk);
        });
        if (known == taken_.end()) {
            auto const interval = have.interval_around(waiting.chunk);
            taken_.push_back({interval.value_or(single(waiting.chunk)), waiting.delay});
        }
    }
    waiting_.clear();
    return taken_;
}

} // namespace ppsp::peer
