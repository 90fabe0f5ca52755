#pragma once

#include "peer/ingest/pixel_clock.hpp"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace ppsp::player {

/// Delays from the moment a picture was drawn to the moment it was shown, by the clock that the
/// source draws into the picture. Both ends must share one clock. May be used from any thread.
class GlassToGlass {
public:
    /// Delays beyond this are counted as unreadable: they come from another clock.
    static constexpr std::int64_t delay_ms_max = 60'000;

    GlassToGlass();
    /// A picture was shown at `now` (units of 100 us, as `ingest::pixel_clock_now`).
    void observe(ingest::LumaView const& luma, std::uint64_t now);
    /// A picture was shown that has no luma plane to read.
    void observe_unreadable();

    struct Summary {
        std::int64_t p50_ms = 0;
        std::int64_t p95_ms = 0;
        std::int64_t max_ms = 0;
        std::uint64_t frames = 0; ///< pictures shown, readable or not
        std::uint64_t unreadable = 0;
    };
    [[nodiscard]] Summary summary() const;

private:
    [[nodiscard]] std::int64_t quantile(std::uint64_t numerator, std::uint64_t denominator) const;

    mutable std::mutex mutex_;
    std::vector<std::uint32_t> count_by_ms_; ///< one entry per millisecond: bounded for any run
    std::uint64_t readable_ = 0;
    std::uint64_t unreadable_ = 0;
    std::int64_t max_ms_ = 0;
};

} // namespace ppsp::player
