#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ppsp::peer {

struct ByteRange {
    std::uint64_t first = 0;
    std::uint64_t size = 0; ///< never 0
    friend bool operator==(ByteRange, ByteRange) = default;
};

enum class RangeKind : std::uint8_t {
    whole,         ///< no range, several, or not understood: the whole is the right answer
    part,          ///< 206
    unsatisfiable, ///< 416
};

struct RangeAnswer {
    RangeKind kind = RangeKind::whole;
    ByteRange range; ///< for `part`
    friend bool operator==(RangeAnswer const&, RangeAnswer const&) = default;
};

/// What a `Range` header asks of something of `size` bytes (RFC 9110 §14.1.2 and §14.2). A server
/// may ignore lists of ranges, and so we do.
[[nodiscard]] RangeAnswer parse_range(std::string_view header, std::uint64_t size);

/// Whether an `If-None-Match` header names this entity tag, quotes included; weak ones compare
/// equal (RFC 9110 §13.1.2).
[[nodiscard]] bool matches_tag(std::string_view header, std::string_view tag);

} // namespace ppsp::peer
