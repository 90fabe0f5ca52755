#pragma once

#include <compare>
#include <cstdint>

namespace ppsp {

/// Number of a chunk in its swarm, from 0 (RFC 7574 §4).
enum class ChunkId : std::uint64_t {};

/// Number that a receiver chose for a conversation; 0 means "no channel yet" (RFC 7574 §3.11).
enum class ChannelId : std::uint32_t {};

[[nodiscard]] constexpr std::uint64_t to_number(ChunkId id) noexcept
{
    return static_cast<std::uint64_t>(id);
}

[[nodiscard]] constexpr std::uint32_t to_number(ChannelId id) noexcept
{
    return static_cast<std::uint32_t>(id);
}

[[nodiscard]] constexpr ChunkId operator+(ChunkId id, std::uint64_t count) noexcept
{
    return ChunkId{to_number(id) + count};
}

[[nodiscard]] constexpr ChunkId operator-(ChunkId id, std::uint64_t count) noexcept
{
    return ChunkId{to_number(id) - count};
}

/// Chunks from `first` to `last`, both included, as the wire carries them; never empty.
struct ChunkRange {
    ChunkId first{};
    ChunkId last{};

    [[nodiscard]] constexpr std::uint64_t count() const noexcept
    {
        return to_number(last) - to_number(first) + 1;
    }
    [[nodiscard]] constexpr bool contains(ChunkId id) const noexcept
    {
        return first <= id && id <= last;
    }
    [[nodiscard]] constexpr bool contains(ChunkRange other) const noexcept
    {
        return first <= other.first && other.last <= last;
    }
    [[nodiscard]] constexpr bool overlaps(ChunkRange other) const noexcept
    {
        return first <= other.last && other.first <= last;
    }
    friend constexpr auto operator<=>(ChunkRange const&, ChunkRange const&) = default;
};

[[nodiscard]] constexpr ChunkRange single(ChunkId id) noexcept
{
    return {id, id};
}

} // namespace ppsp
