#pragma once

#include "protocol/base/time.hpp"

#include <chrono>

namespace ppsp::ingest {

/// The steady clock as the pure parts of this room take it.
[[nodiscard]] inline TimePoint steady_now()
{
    auto const since_boot = std::chrono::steady_clock::now().time_since_epoch();
    return TimePoint{std::chrono::duration_cast<Duration>(since_boot)};
}

[[nodiscard]] inline std::chrono::steady_clock::time_point to_steady(TimePoint time)
{
    return std::chrono::steady_clock::time_point{time.time_since_epoch()};
}

} // namespace ppsp::ingest
