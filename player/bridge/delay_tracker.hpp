#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace ppsp::player {

/// How much later than at the start the node hands out media, seen from the moment it was signed.
///
/// The node says so when it raises its latency target, and that counts at once. A rise that it
/// does not announce (it began early, or it cannot keep up) counts once every piece of the last
/// `settle_time` came late by more than `tolerance`: a demuxer that is told nothing would show
/// one picture per second from then on. What is not announced never shrinks: media that comes
/// early only waits.
class DelayTracker {
public:
    using Clock = std::chrono::steady_clock;
    using Milliseconds = std::chrono::milliseconds;

    static constexpr Milliseconds settle_time{400};
    static constexpr Milliseconds tolerance{80};
    /// A larger change is a source that set its clock, not a delay.
    static constexpr Milliseconds change_max{30'000};
    /// Bounds the memory of a burst; at one piece per 50 ms `settle_time` holds eight.
    static constexpr std::size_t lateness_max = 256;

    /// A piece was handed out at `now`. `signed_at_us` is UTC at the source, 0 if unknown;
    /// `target` is what the node aims at.
    void note(Clock::time_point now, std::int64_t signed_at_us, Milliseconds target);
    /// Never negative; 0 after the first piece.
    [[nodiscard]] Milliseconds extra() const { return announced_ + unannounced_; }

private:
    void note_lateness(Clock::time_point now, Milliseconds lateness);

    std::optional<Milliseconds> first_target_;
    Milliseconds announced_{0};
    Milliseconds unannounced_{0};

    std::optional<std::chrono::microseconds> first_age_;
    /// Moment and lateness of the last pieces, oldest first, reaching back just over `settle_time`.
    std::deque<std::pair<Clock::time_point, Milliseconds>> recent_;
};

} // namespace ppsp::player
