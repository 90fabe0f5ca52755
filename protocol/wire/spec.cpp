#include "protocol/base/assert.hpp"
#include "protocol/base/bins.hpp"
#include "protocol/wire/datagram.hpp"

namespace ppsp::wire {

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

void encode_spec(AddressingMode mode, ChunkRange range, ByteVector& out)
{
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
    case AddressingMode::bin64: {
        auto const bin = bin_of(range);
        PPSP_ASSERT(bin.has_value());
        if (mode == AddressingMode::bin32) {
            writer.u32(static_cast<std::uint32_t>(to_number(*bin)));
        } else {
            writer.u64(to_number(*bin));
        }
        return;
    }
    }
}

} // namespace ppsp::wire
