#include "peer/ingest/pixel_clock.hpp"

#include <chrono>
#include <cstring>

namespace ppsp::ingest {
namespace {

constexpr std::uint64_t mask = (std::uint64_t{1} << pixel_clock_bits) - 1;
constexpr std::uint8_t white = 235;
constexpr std::uint8_t black = 16;
constexpr int readable_difference = 60;
/// Block edges are blurred by the encoder; only the inner 8x8 pixels count.
constexpr int margin = 4;

bool fits(int width, int height) noexcept
{
    return width >= pixel_clock_width && height >= pixel_clock_height;
}

void fill_block(LumaPlane const& plane, int column, int row, bool is_white) noexcept
{
    for (int y = 0; y < pixel_clock_block; ++y) {
        std::uint8_t* const line = plane.data + (row * pixel_clock_block + y) * plane.stride;
        std::memset(line + column * pixel_clock_block, is_white ? white : black, pixel_clock_block);
    }
}

int mean_of_block(LumaView const& plane, int column, int row) noexcept
{
    int sum = 0;
    for (int y = margin; y < pixel_clock_block - margin; ++y) {
        std::uint8_t const* const line = plane.data + (row * pixel_clock_block + y) * plane.stride;
        for (int x = margin; x < pixel_clock_block - margin; ++x) {
            sum += line[column * pixel_clock_block + x];
        }
    }
    return sum / ((pixel_clock_block - 2 * margin) * (pixel_clock_block - 2 * margin));
}

} // namespace

std::uint64_t pixel_clock_now()
{
    using Unit = std::chrono::duration<std::int64_t, std::ratio<1, 10'000>>;
    auto const now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<Unit>(now).count()) & mask;
}

bool draw_pixel_clock(LumaPlane const& plane, std::uint64_t value) noexcept
{
    if (!fits(plane.width, plane.height)) {
        return false;
    }
    for (int bit = 0; bit < pixel_clock_bits; ++bit) {
        bool const is_one = (value >> (pixel_clock_bits - 1 - bit) & 1) != 0;
        fill_block(plane, bit, 0, is_one);
        fill_block(plane, bit, 1, !is_one);
    }
    return true;
}

std::optional<std::uint64_t> read_pixel_clock(LumaView const& plane) noexcept
{
    if (!fits(plane.width, plane.height)) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (int bit = 0; bit < pixel_clock_bits; ++bit) {
        int const difference = mean_of_block(plane, bit, 0) - mean_of_block(plane, bit, 1);
        if (difference < readable_difference && difference > -readable_difference) {
            return std::nullopt;
        }
        value = (value << 1) | (difference > 0 ? 1U : 0U);
    }
    return value;
}

std::int64_t pixel_clock_difference(std::uint64_t later, std::uint64_t earlier) noexcept
{
    std::uint64_t const step = (later - earlier) & mask;
    bool const is_negative = step > mask / 2;
    return is_negative ? -static_cast<std::int64_t>(mask + 1 - step)
                       : static_cast<std::int64_t>(step);
}

} // namespace ppsp::ingest
