#include "tests/bottleneck/conversations.hpp"

#include <algorithm>
#include <cmath>

namespace ppsp::bottleneck {
namespace {

// RFC 9438 §4.1, §4.6.
constexpr double cubic_c = 0.4;
constexpr double cubic_beta = 0.7;
constexpr Duration delayed_ack_max = 40ms;
constexpr std::uint64_t reordering = 3;

} // namespace

ChunkConversation::ChunkConversation(congestion::LedbatConfig const& config, Supply const& supply,
                                     double skew_ppm, Duration offset)
    : sender_(config, supply), skew_(skew_ppm * 1e-6), offset_(offset)
{}

std::optional<Conversation::Packet> ChunkConversation::send(TimePoint now)
{
    auto const chunk = sender_.next(now);
    if (!chunk) {
        return std::nullopt;
    }
    return Packet{*chunk, data_bytes + ip_udp_bytes, now};
}

void ChunkConversation::on_acks(TimePoint now, std::vector<wire::Ack> const& acks)
{
    for (wire::Ack const& ack : acks) {
        sender_.on_ack(now, ack);
    }
}

void ChunkConversation::on_packet(TimePoint now, Packet const& packet)
{
    double const ahead = static_cast<double>(now.time_since_epoch().count()) * skew_;
    Duration const clock_difference = offset_ + Duration{static_cast<std::int64_t>(ahead)};
    receiver_.on_chunk(now, packet.chunk, now - packet.sent + clock_difference);
}

void CubicConversation::start(TimePoint now)
{
    progress_ = now;
}

std::optional<Conversation::Packet> CubicConversation::send(TimePoint now)
{
    if (!in_flight_.empty() && now - progress_ >= timeout()) {
        in_flight_.clear();
        threshold_ = std::max(window_ * cubic_beta, 2.0);
        window_ = 1;
        has_epoch_ = false;
        progress_ = now;
    }
    if (static_cast<double>(in_flight_.size()) + 1 > window_) {
        return std::nullopt;
    }
    if (in_flight_.empty()) {
        progress_ = now;
    }
    std::uint64_t const number = next_++;
    in_flight_.emplace(number, now);
    return Packet{ChunkId{number}, ip_bytes, now};
}

TimePoint CubicConversation::sender_wake(TimePoint) const
{
    return in_flight_.empty() ? TimePoint::max() : progress_ + timeout();
}

void CubicConversation::on_acks(TimePoint now, std::vector<wire::Ack> const& acks)
{
    std::size_t acked = 0;
    for (wire::Ack const& ack : acks) {
        auto const found = in_flight_.find(to_number(ack.chunks.first));
        if (found == in_flight_.end()) {
            continue;
        }
        Duration const rtt = now - found->second;
        rtt_min_ = std::min(rtt_min_, rtt);
        rtt_ = rtt_ == Duration::zero() ? rtt : (7 * rtt_ + rtt) / 8;
        highest_acked_ = std::max(highest_acked_, found->first);
        in_flight_.erase(found);
        ++acked;
    }
    if (acked == 0) {
        return;
    }
    progress_ = now;
    grow(now, acked);
    while (!in_flight_.empty() && in_flight_.begin()->first + reordering <= highest_acked_) {
        if (in_flight_.begin()->first >= recover_) {
            lose(now);
        }
        in_flight_.erase(in_flight_.begin());
    }
}

void CubicConversation::grow(TimePoint now, std::size_t acked)
{
    auto const segments = static_cast<double>(acked);
    if (window_ < threshold_) {
        window_ += segments;
        // HyStart (RFC 9406) in outline.
        if (window_ >= 16 && rtt_ > rtt_min_ + std::clamp<Duration>(rtt_min_ / 8, 4ms, 16ms)) {
            threshold_ = window_;
        }
        return;
    }
    if (!has_epoch_) {
        has_epoch_ = true;
        epoch_ = now;
        window_max_ = std::max(window_max_, window_);
        friendly_ = window_;
    }
    double const t = static_cast<double>((now - epoch_ + rtt_).count()) / 1e6;
    double const k = std::cbrt(std::max(window_max_ - window_max_ * cubic_beta, 0.0) / cubic_c);
    double const target = cubic_c * std::pow(t - k, 3) + window_max_;
    friendly_ += 3 * (1 - cubic_beta) / (1 + cubic_beta) * segments / window_;
    double const wanted = std::clamp(std::max(target, friendly_), window_, window_ * 1.5);
    window_ += (wanted - window_) / window_ * segments;
}

void CubicConversation::lose(TimePoint)
{
    recover_ = next_;
    window_max_ = window_ < window_max_ ? window_ * (1 + cubic_beta) / 2 : window_;
    window_ = std::max(window_ * cubic_beta, 2.0);
    threshold_ = window_;
    has_epoch_ = false;
}

Duration CubicConversation::timeout() const
{
    return std::max<Duration>(200ms, rtt_ * 3);
}

void CubicConversation::on_packet(TimePoint now, Packet const& packet)
{
    if (arrived_.empty()) {
        ack_at_ = now + delayed_ack_max;
    }
    arrived_.push_back(to_number(packet.chunk));
}

std::vector<wire::Ack> CubicConversation::take_acks(TimePoint now)
{
    std::vector<wire::Ack> acks;
    if (arrived_.size() < 2 && now < ack_at_) {
        return acks;
    }
    for (std::uint64_t const number : arrived_) {
        acks.push_back({single(ChunkId{number}), {}});
    }
    arrived_.clear();
    ack_at_ = TimePoint::max();
    return acks;
}

} // namespace ppsp::bottleneck
