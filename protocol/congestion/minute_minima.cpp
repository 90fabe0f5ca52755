#include "protocol/congestion/minute_minima.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>

namespace ppsp::congestion {
namespace {

constexpr Duration infinity = Duration::max();

/// Minutes are counted from the epoch, not within the hour: a pause of exactly 60 minutes is a
/// rollover like any other.
std::int64_t minute_of(TimePoint now)
{
    return std::chrono::floor<std::chrono::minutes>(now).time_since_epoch().count();
}

} // namespace

MinuteMinima::MinuteMinima(std::uint32_t minutes_max) : minutes_max_(minutes_max)
{
    PPSP_ASSERT(minutes_max >= 1);
}

void MinuteMinima::add(TimePoint now, Duration value)
{
    std::int64_t const minute = minute_of(now);
    if (minima_.empty()) {
        minima_.push_back(value);
        newest_minute_ = minute;
        return;
    }
    std::int64_t const passed = std::max<std::int64_t>(minute - newest_minute_, 0);
    if (passed == 0) {
        minima_.back() = std::min(minima_.back(), value);
        return;
    }
    auto const appended = std::min(static_cast<std::size_t>(passed), minutes_max_);
    auto const kept = std::min(minima_.size(), minutes_max_ - appended);
    minima_.erase(minima_.begin(), minima_.end() - static_cast<std::ptrdiff_t>(kept));
    minima_.resize(kept + appended, infinity);
    minima_.back() = value;
    newest_minute_ = minute;
}

void MinuteMinima::keep_newest()
{
    if (!minima_.empty()) {
        minima_.erase(minima_.begin(), minima_.end() - 1);
    }
}

std::optional<Duration> MinuteMinima::minimum() const
{
    if (minima_.empty()) {
        return std::nullopt;
    }
    return *std::ranges::min_element(minima_);
}

} // namespace ppsp::congestion
