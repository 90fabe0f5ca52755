#pragma once

#include "protocol/base/bytes.hpp"

#include <algorithm>

namespace ppsp::fuzz {

/// Takes numbers and pieces from the front of a fuzzer's bytes; zeros when they are used up.
class Input {
public:
    Input(std::uint8_t const* data, std::size_t size) : reader_(Bytes{data, size}) {}

    [[nodiscard]] bool empty() const { return reader_.empty(); }
    [[nodiscard]] std::uint8_t u8() { return reader_.u8().value_or(0); }
    [[nodiscard]] std::uint16_t u16() { return reader_.u16().value_or(0); }
    [[nodiscard]] std::uint32_t u32() { return reader_.u32().value_or(0); }
    [[nodiscard]] std::uint64_t u64() { return reader_.u64().value_or(0); }
    /// Below `limit`, which is 1..256.
    [[nodiscard]] std::size_t below(std::size_t limit) { return u8() % limit; }
    [[nodiscard]] bool flag() { return (u8() & 1) != 0; }
    template <typename T, std::size_t size>
    [[nodiscard]] T const& one_of(T const (&values)[size])
    {
        return values[below(size)];
    }
    /// At most that many.
    [[nodiscard]] Bytes take(std::size_t count)
    {
        return *reader_.take(std::min(count, reader_.remaining()));
    }
    [[nodiscard]] Bytes rest() { return take(reader_.remaining()); }

private:
    ByteReader reader_;
};

[[nodiscard]] inline std::string_view text_of(Bytes bytes)
{
    // The parsers promise nothing about null pointers.
    return bytes.empty()
               ? std::string_view{""}
               : std::string_view{reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

} // namespace ppsp::fuzz
