#pragma once

#include "protocol/base/time.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace ppsp::peer {

/// How long after they could have been here units were ready to be played, all before them
/// included: the largest value of the last 20 s, by whole seconds.
class ReadyLags {
public:
    static constexpr std::int64_t window_s = 20;

    void add(TimePoint now, Duration lag)
    {
        Second& second = second_of(now);
        second.largest = std::max(second.largest, lag);
    }
    [[nodiscard]] Duration largest(TimePoint now) const
    {
        std::int64_t const newest = number(now);
        Duration result = Duration::zero();
        for (Second const& second : seconds_) {
            if (newest - second.number < window_s) {
                result = std::max(result, second.largest);
            }
        }
        return result;
    }

private:
    struct Second {
        std::int64_t number = -window_s;
        Duration largest{};
    };
    [[nodiscard]] static std::int64_t number(TimePoint now)
    {
        return now.time_since_epoch() / std::chrono::seconds{1};
    }
    Second& second_of(TimePoint now)
    {
        std::int64_t const wanted = number(now);
        Second& second = seconds_[static_cast<std::size_t>(wanted % window_s)];
        if (second.number != wanted) {
            second = {wanted, Duration::zero()};
        }
        return second;
    }

    std::array<Second, static_cast<std::size_t>(window_s)> seconds_{};
};

} // namespace ppsp::peer
