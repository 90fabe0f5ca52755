#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace ppsp {

/// Random numbers for decisions, not for secrets; the same on every platform for the same seed
/// (xoshiro256**, Blackman and Vigna 2018). Each part gets its own stream by `fork`, so that a
/// draw more in one part does not shift the others.
class Rng {
public:
    explicit Rng(std::uint64_t seed) noexcept;

    /// A stream that depends on this one's seed and on `name` only, not on draws made so far.
    [[nodiscard]] Rng fork(std::string_view name) const noexcept;
    [[nodiscard]] Rng fork(std::string_view name, std::uint64_t index) const noexcept;

    [[nodiscard]] std::uint64_t next() noexcept;
    [[nodiscard]] std::uint32_t next_u32() noexcept;
    /// Uniform in [0, limit); `limit` must not be 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t limit) noexcept;
    /// Uniform in [low, high].
    [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high) noexcept;
    /// Uniform in [0, 1).
    [[nodiscard]] double unit() noexcept;
    [[nodiscard]] bool chance(double probability) noexcept;

    template <typename T>
    void shuffle(std::span<T> items) noexcept
    {
        for (std::size_t i = items.size(); i > 1; --i) {
            std::swap(items[i - 1], items[static_cast<std::size_t>(below(i))]);
        }
    }

private:
    std::uint64_t seed_;
    std::uint64_t state_[4];
};

} // namespace ppsp
