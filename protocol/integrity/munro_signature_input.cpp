#include "protocol/integrity/signature.hpp"
#include "protocol/wire/datagram.hpp"

namespace ppsp::integrity {

// An old implementation signs the hash alone; without chunks and time a replay would move the
// point where others tune in (trap T6).
ByteVector munro_signature_input(wire::AddressingMode mode, ChunkRange chunks, NtpTime signed_at,
                                 Hash const& munro)
{
    ByteVector input;
    input.reserve(wire::spec_size(mode) + sizeof(std::uint64_t) + munro.size());
    wire::encode_spec(mode, chunks, input);
    ByteWriter writer(input);
    writer.u64(static_cast<std::uint64_t>(signed_at));
    writer.bytes(munro.bytes());
    return input;
}

} // namespace ppsp::integrity
