#pragma once

#include "protocol/base/rng.hpp"

#include <numeric>
#include <optional>

namespace ppsp::tracker {

/// Visits the numbers below `count` in an order that looks random, each once, without memory for
/// them: steps of a size that has no factor in common with `count`.
class Walk {
public:
    Walk(std::size_t count, Rng& rng) : count_(count), left_(count)
    {
        if (count > 1) {
            at_ = static_cast<std::size_t>(rng.below(count));
            do {
                step_ = 1 + static_cast<std::size_t>(rng.below(count - 1));
            } while (std::gcd(step_, count) != 1);
        }
    }

    [[nodiscard]] std::optional<std::size_t> next()
    {
        if (left_ == 0) {
            return std::nullopt;
        }
        --left_;
        auto const found = at_;
        at_ = (at_ + step_) % count_;
        return found;
    }

private:
    std::size_t count_;
    std::size_t left_;
    std::size_t at_ = 0;
    std::size_t step_ = 1;
};

} // namespace ppsp::tracker
