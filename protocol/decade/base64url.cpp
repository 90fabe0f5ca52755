#include "protocol/decade/base64url.hpp"

#include <array>

namespace ppsp::decade {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t no_digit = 0xff;

constexpr std::array<std::uint8_t, 256> digits = [] {
    std::array<std::uint8_t, 256> table{};
    table.fill(no_digit);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        table[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return table;
}();

} // namespace

std::string to_base64url(Bytes bytes)
{
    std::string text;
    text.reserve((bytes.size() * 4 + 2) / 3);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (auto const byte : bytes) {
        bits = bits << 8 | byte;
        count += 8;
        while (count >= 6) {
            count -= 6;
            text += alphabet[bits >> count & 0x3f];
        }
    }
    if (count > 0) {
        text += alphabet[bits << (6 - count) & 0x3f];
    }
    return text;
}

std::optional<ByteVector> from_base64url(std::string_view text)
{
    if (text.size() % 4 == 1) {
        return std::nullopt;
    }
    ByteVector bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (char const c : text) {
        auto const digit = digits[static_cast<std::uint8_t>(c)];
        if (digit == no_digit) {
            return std::nullopt;
        }
        bits = bits << 6 | digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes.push_back(static_cast<std::uint8_t>(bits >> count));
        }
    }
    bool const has_leftover = (bits & ((1U << count) - 1)) != 0;
    return has_leftover ? std::nullopt : std::optional(std::move(bytes));
}

} // namespace ppsp::decade
