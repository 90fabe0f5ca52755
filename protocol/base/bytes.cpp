#include "protocol/base/bytes.hpp"

#include <array>

namespace ppsp {
namespace {

template <typename T>
void append_big_endian(ByteVector& out, T value)
{
    std::array<std::uint8_t, sizeof(T)> bytes;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        bytes[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >>
                                             (8 * (sizeof(T) - 1 - i)));
    }
    out.insert(out.end(), bytes.begin(), bytes.end());
}

std::optional<std::uint8_t> hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return static_cast<std::uint8_t>(c - '0');
    }
    if (c >= 'a' && c <= 'f') {
        return static_cast<std::uint8_t>(c - 'a' + 10);
    }
    if (c >= 'A' && c <= 'F') {
        return static_cast<std::uint8_t>(c - 'A' + 10);
    }
    return std::nullopt;
}

} // namespace

void ByteWriter::u8(std::uint8_t value)
{
    out_->push_back(value);
}

void ByteWriter::u16(std::uint16_t value)
{
    append_big_endian(*out_, value);
}

void ByteWriter::u32(std::uint32_t value)
{
    append_big_endian(*out_, value);
}

void ByteWriter::u64(std::uint64_t value)
{
    append_big_endian(*out_, value);
}

void ByteWriter::bytes(Bytes value)
{
    out_->insert(out_->end(), value.begin(), value.end());
}

std::string to_hex(Bytes bytes)
{
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (std::uint8_t const byte : bytes) {
        text.push_back(digits[byte >> 4]);
        text.push_back(digits[byte & 0x0f]);
    }
    return text;
}

std::optional<ByteVector> from_hex(std::string_view text)
{
    if (text.size() % 2 != 0) {
        return std::nullopt;
    }
    ByteVector bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        auto const high = hex_digit(text[i]);
        auto const low = hex_digit(text[i + 1]);
        if (!high || !low) {
            return std::nullopt;
        }
        bytes.push_back(static_cast<std::uint8_t>(*high << 4 | *low));
    }
    return bytes;
}

Bytes as_bytes(std::string_view text)
{
    return {reinterpret_cast<std::uint8_t const*>(text.data()), text.size()};
}

} // namespace ppsp
