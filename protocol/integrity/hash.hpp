#pragma once

#include "protocol/base/assert.hpp"
#include "protocol/base/bytes.hpp"

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>

namespace ppsp::integrity {

/// A hash of 20 to 64 bytes. Two hashes are equal if their sizes and bytes are.
class Hash {
public:
    static constexpr std::size_t size_max = 64;

    Hash() = default;
    explicit Hash(Bytes bytes) : size_(static_cast<std::uint8_t>(bytes.size()))
    {
        PPSP_ASSERT(bytes.size() <= size_max);
        std::copy(bytes.begin(), bytes.end(), bytes_.begin());
    }
    /// The all-zero hash that stands for a missing leaf (RFC 7574 §5.1).
    [[nodiscard]] static Hash zero(std::size_t size)
    {
        Hash hash;
        hash.size_ = static_cast<std::uint8_t>(size);
        return hash;
    }

    [[nodiscard]] Bytes bytes() const { return {bytes_.data(), size_}; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool is_zero() const
    {
        return std::all_of(bytes_.begin(), bytes_.begin() + size_, [](auto b) { return b == 0; });
    }
    friend bool operator==(Hash const&, Hash const&) = default;

private:
    std::array<std::uint8_t, size_max> bytes_{};
    std::uint8_t size_ = 0;
};

} // namespace ppsp::integrity
