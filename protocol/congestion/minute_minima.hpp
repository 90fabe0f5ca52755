#pragma once

#include "protocol/base/time.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace ppsp::congestion {

/// Smallest value of the last few minutes, kept as one minimum per minute
/// (RFC 6817 §2.4.2, update_base_delay). Minutes without a value count as +infinity, however many
/// of them pass between two values.
class MinuteMinima {
public:
    /// `minutes_max` >= 1: how many minutes are remembered, the running one included.
    explicit MinuteMinima(std::uint32_t minutes_max);

    /// `now` never goes back.
    void add(TimePoint now, Duration value);
    void clear() { minima_.clear(); }
    /// Forgets all minutes but the last one that has a value.
    void keep_newest();
    /// Smallest value remembered, nullopt when there is none.
    [[nodiscard]] std::optional<Duration> minimum() const;

private:
    std::size_t minutes_max_;
    std::int64_t newest_minute_ = 0; ///< minute of minima_.back(), if there is one
    std::vector<Duration> minima_;   ///< newest last, never more than minutes_max_
};

} // namespace ppsp::congestion
