#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ppsp {

/// Bytes that somebody else owns.
using Bytes = std::span<std::uint8_t const>;
using MutableBytes = std::span<std::uint8_t>;
using ByteVector = std::vector<std::uint8_t>;

/// Reads big-endian integers from the front of a span; a read past the end gives nullopt and
/// leaves the reader where it was.
class ByteReader {
public:
    explicit ByteReader(Bytes bytes) : rest_(bytes) {}

    // Defined here because every field of every message passes through them.
    [[nodiscard]] std::optional<std::uint8_t> u8() { return read_big_endian<std::uint8_t>(); }
    [[nodiscard]] std::optional<std::uint16_t> u16() { return read_big_endian<std::uint16_t>(); }
    [[nodiscard]] std::optional<std::uint32_t> u32() { return read_big_endian<std::uint32_t>(); }
    [[nodiscard]] std::optional<std::uint64_t> u64() { return read_big_endian<std::uint64_t>(); }
    [[nodiscard]] std::optional<Bytes> take(std::size_t count)
    {
        if (rest_.size() < count) {
            return std::nullopt;
        }
        Bytes const taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }
    [[nodiscard]] Bytes rest() const { return rest_; }
    [[nodiscard]] std::size_t remaining() const { return rest_.size(); }
    [[nodiscard]] bool empty() const { return rest_.empty(); }

private:
    template <typename T>
    [[nodiscard]] std::optional<T> read_big_endian()
    {
        if (rest_.size() < sizeof(T)) {
            return std::nullopt;
        }
        T value = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            value = static_cast<T>((static_cast<std::uint64_t>(value) << 8) | rest_[i]);
        }
        rest_ = rest_.subspan(sizeof(T));
        return value;
    }

    Bytes rest_;
};

/// Appends big-endian integers to a vector that the caller owns.
class ByteWriter {
public:
    explicit ByteWriter(ByteVector& out) : out_(&out) {}

    void u8(std::uint8_t value);
    void u16(std::uint16_t value);
    void u32(std::uint32_t value);
    void u64(std::uint64_t value);
    void bytes(Bytes value);
    [[nodiscard]] std::size_t size() const { return out_->size(); }

private:
    ByteVector* out_;
};

/// Lower-case hex without separators.
[[nodiscard]] std::string to_hex(Bytes bytes);

/// Accepts both cases; nullopt for an odd length or any other character.
[[nodiscard]] std::optional<ByteVector> from_hex(std::string_view text);

[[nodiscard]] Bytes as_bytes(std::string_view text);

} // namespace ppsp
