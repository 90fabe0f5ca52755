#include "protocol/base/assert.hpp"
#include "protocol/base/bins.hpp"
#include "protocol/wire/datagram.hpp"

namespace ppsp::wire {
namespace {

constexpr std::uint64_t all_ones_32 = 0xffff'ffff;
constexpr std::uint64_t all_ones_64 = ~std::uint64_t{0};
/// The bins for "everything" (RFC 7574 §4.2) of 32 and 64 bits; the second has more layers than
/// `chunks_of` can shift by.
constexpr std::uint64_t bin64_all = all_ones_64 >> 1;
constexpr ChunkRange bin64_all_chunks{ChunkId{0}, ChunkId{bin64_all}};
/// Bins of 32 bits name chunks of 31 bits.
constexpr std::uint64_t bin32_chunk_max = all_ones_32 >> 1;

/// The highest number is nobody's: without it the count of chunks always fits its type.
bool in_order_below(ChunkRange range, std::uint64_t limit)
{
    return range.first <= range.last && to_number(range.last) < limit;
}

template <typename T>
Result<ChunkRange, DecodeError> checked(std::optional<T> first, std::optional<T> last)
{
    if (!first || !last) {
        return failure(DecodeError::truncated);
    }
    ChunkRange const range{ChunkId{*first}, ChunkId{*last}};
    if (!in_order_below(range, static_cast<T>(all_ones_64))) {
        return failure(DecodeError::bad_range);
    }
    return range;
}

template <typename T>
Result<ChunkRange, DecodeError> chunks_of_wire_bin(std::optional<T> number)
{
    if (!number) {
        return failure(DecodeError::truncated);
    }
    if (*number == static_cast<T>(all_ones_64)) {
        return failure(DecodeError::bad_range);
    }
    if (*number == bin64_all) {
        return bin64_all_chunks;
    }
    return chunks_of(Bin{*number});
}

} // namespace

std::size_t spec_size(AddressingMode mode)
{
    switch (mode) {
    case AddressingMode::bin32:
        return 4;
    case AddressingMode::bin64:
    case AddressingMode::chunk32:
        return 8;
    case AddressingMode::byte64:
    case AddressingMode::chunk64:
        return 16;
    }
    PPSP_ASSERT(false);
}

bool has_spec(AddressingMode mode, ChunkRange range)
{
    switch (mode) {
    case AddressingMode::chunk32:
        return in_order_below(range, all_ones_32);
    case AddressingMode::byte64:
    case AddressingMode::chunk64:
        return in_order_below(range, all_ones_64);
    case AddressingMode::bin32:
        return in_order_below(range, bin32_chunk_max + 1) && bin_of(range).has_value();
    case AddressingMode::bin64:
        return in_order_below(range, bin64_all + 1) && bin_of(range).has_value();
    }
    PPSP_ASSERT(false);
}

void encode_spec(AddressingMode mode, ChunkRange range, ByteVector& out)
{
    PPSP_ASSERT(has_spec(mode, range));
    ByteWriter writer(out);
    switch (mode) {
    case AddressingMode::chunk32:
        writer.u32(static_cast<std::uint32_t>(to_number(range.first)));
        writer.u32(static_cast<std::uint32_t>(to_number(range.last)));
        return;
    case AddressingMode::chunk64:
    case AddressingMode::byte64:
        writer.u64(to_number(range.first));
        writer.u64(to_number(range.last));
        return;
    case AddressingMode::bin32:
        writer.u32(static_cast<std::uint32_t>(to_number(*bin_of(range))));
        return;
    case AddressingMode::bin64:
        writer.u64(to_number(*bin_of(range)));
        return;
    }
}

Result<ChunkRange, DecodeError> decode_spec(AddressingMode mode, ByteReader& reader)
{
    switch (mode) {
    case AddressingMode::chunk32: {
        auto const first = reader.u32();
        return checked(first, reader.u32());
    }
    case AddressingMode::chunk64:
    case AddressingMode::byte64: {
        auto const first = reader.u64();
        return checked(first, reader.u64());
    }
    case AddressingMode::bin32:
        return chunks_of_wire_bin(reader.u32());
    case AddressingMode::bin64:
        return chunks_of_wire_bin(reader.u64());
    }
    PPSP_ASSERT(false);
}

} // namespace ppsp::wire
