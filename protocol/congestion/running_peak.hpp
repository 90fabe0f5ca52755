#pragma once

#include "protocol/base/time.hpp"

#include <algorithm>

namespace ppsp::congestion {

/// The largest value of the last one or two intervals: that of the running interval and of the one
/// before it. Starts at Value{}.
template <typename Value>
class RunningPeak {
public:
    /// `length` of an interval, which may change; `now` never goes back.
    void add(TimePoint now, Value value, Duration length)
    {
        Duration const passed = now - since_;
        if (passed >= length) {
            before_ = passed < 2 * length ? running_ : Value{};
            running_ = Value{};
            since_ = now;
        }
        running_ = std::max(running_, value);
    }
    [[nodiscard]] Value peak() const { return std::max(running_, before_); }
    void clear() { *this = RunningPeak{}; }

private:
    TimePoint since_{};
    Value running_{};
    Value before_{};
};

} // namespace ppsp::congestion
