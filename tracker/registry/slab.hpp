#pragma once

#include "protocol/base/assert.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace ppsp::tracker {

/// Values with stable addresses and small numbers as names; freed places are used again.
template <typename T, typename Index>
class Slab {
public:
    Index add(T value)
    {
        if (free_.empty()) {
            values_.push_back(std::move(value));
            return Index{static_cast<std::uint32_t>(values_.size() - 1)};
        }
        auto const index = free_.back();
        free_.pop_back();
        (*this)[index] = std::move(value);
        return index;
    }
    void remove(Index index)
    {
        (*this)[index] = T{};
        free_.push_back(index);
    }
    [[nodiscard]] T& operator[](Index index) { return values_[static_cast<std::size_t>(index)]; }
    [[nodiscard]] T const& operator[](Index index) const
    {
        return values_[static_cast<std::size_t>(index)];
    }
    [[nodiscard]] std::size_t size() const { return values_.size() - free_.size(); }

private:
    std::deque<T> values_;
    std::vector<Index> free_;
};

} // namespace ppsp::tracker
