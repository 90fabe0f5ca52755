#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace ppsp::ingest {

/// A clock drawn into the picture before it is encoded and read back where it is shown: the
/// difference is the delay from glass to glass. 40 bits, most significant first, as blocks of
/// 16x16 pixels, white for 1; the row below holds the complement, so that what cannot be read is
/// noticed. Survives 200 kbit/s H.264.
inline constexpr int pixel_clock_bits = 40;
inline constexpr int pixel_clock_block = 16;
inline constexpr int pixel_clock_width = pixel_clock_bits * pixel_clock_block;
inline constexpr int pixel_clock_height = 2 * pixel_clock_block;

/// The luma plane of a picture; `stride` is the distance of two rows in bytes.
struct LumaPlane {
    std::uint8_t* data = nullptr;
    std::ptrdiff_t stride = 0;
    int width = 0;
    int height = 0;
};

struct LumaView {
    std::uint8_t const* data = nullptr;
    std::ptrdiff_t stride = 0;
    int width = 0;
    int height = 0;
};

/// Units of 100 us since 1970, low 40 bits: wraps after 3.5 years.
[[nodiscard]] std::uint64_t pixel_clock_now();

/// Draws the low 40 bits of `value`; false when the picture is smaller than 640x32.
bool draw_pixel_clock(LumaPlane const& plane, std::uint64_t value) noexcept;

/// Reads a clock back; nullopt when any block is unreadable.
[[nodiscard]] std::optional<std::uint64_t> read_pixel_clock(LumaView const& plane) noexcept;

/// `later - earlier` in units of 100 us, right across the wrap.
[[nodiscard]] std::int64_t pixel_clock_difference(std::uint64_t later,
                                                  std::uint64_t earlier) noexcept;

} // namespace ppsp::ingest
