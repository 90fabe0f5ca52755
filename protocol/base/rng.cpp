#include "protocol/base/rng.hpp"

#include "protocol/base/assert.hpp"

#include <bit>

namespace ppsp {
namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): spreads any seed over all bits.
std::uint64_t split_mix(std::uint64_t& state) noexcept
{
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

} // namespace

Rng::Rng(std::uint64_t seed) noexcept : seed_(seed), state_{}
{
    std::uint64_t s = seed;
    for (std::uint64_t& word : state_) {
        word = split_mix(s);
    }
}

Rng Rng::fork(std::string_view name) const noexcept
{
    return fork(name, 0);
}

Rng Rng::fork(std::string_view name, std::uint64_t index) const noexcept
{
    std::uint64_t hash = 0xcbf29ce484222325U ^ seed_; // FNV-1a over the name
    for (char const c : name) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
    hash ^= index * 0x9e3779b97f4a7c15U;
    return Rng{split_mix(hash)};
}

std::uint64_t Rng::next() noexcept
{
    std::uint64_t const result = std::rotl(state_[1] * 5, 7) * 9;
    std::uint64_t const t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::uint32_t Rng::next_u32() noexcept
{
    return static_cast<std::uint32_t>(next() >> 32);
}

std::uint64_t Rng::below(std::uint64_t limit) noexcept
{
    PPSP_ASSERT(limit > 0);
    // Rejects the top sliver that would favour small numbers.
    std::uint64_t const bound = (0 - limit) % limit;
    for (;;) {
        std::uint64_t const draw = next();
        if (draw >= bound) {
            return draw % limit;
        }
    }
}

std::int64_t Rng::between(std::int64_t low, std::int64_t high) noexcept
{
    PPSP_ASSERT(low <= high);
    // Unsigned, because the width of the interval may not fit the signed type; 0 stands for 2^64.
    std::uint64_t const width =
        static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
    std::uint64_t const offset = width == 0 ? next() : below(width);
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + offset);
}

double Rng::unit() noexcept
{
    return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

bool Rng::chance(double probability) noexcept
{
    return unit() < probability;
}

} // namespace ppsp
