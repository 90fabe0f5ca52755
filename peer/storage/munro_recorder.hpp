#pragma once

#include "protocol/integrity/signature.hpp"

namespace ppsp::peer {

/// Signs with another signer and remembers what the engine signed last: the signature that travels
/// in the swarm, so that a unit is the same wherever it comes from. Not thread-safe.
class MunroRecorder final : public integrity::Signer {
public:
    struct Munro {
        ChunkRange chunks;
        NtpTime signed_at{};
        ByteVector signature;
    };

    /// The signer outlives the recorder; `addressing` is the swarm's.
    MunroRecorder(integrity::Signer& signer, wire::AddressingMode addressing)
        : signer_(signer), addressing_(addressing)
    {}

    [[nodiscard]] ByteVector swarm_id() const override { return signer_.swarm_id(); }
    [[nodiscard]] ByteVector sign(Bytes message) override;
    /// The munro that was signed since the last call, if one was.
    [[nodiscard]] std::optional<Munro> take();

private:
    integrity::Signer& signer_;
    wire::AddressingMode addressing_;
    std::optional<Munro> last_;
};

} // namespace ppsp::peer
