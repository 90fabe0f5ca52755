#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/base/ids.hpp"
#include "protocol/base/time.hpp"
#include "protocol/integrity/hash.hpp"
#include "protocol/wire/options.hpp"

#include <optional>

namespace ppsp::integrity {

/// Signs for one live swarm. Not thread-safe.
class Signer {
public:
    virtual ~Signer() = default;
    /// Algorithm number and public key: the id of the live swarm (RFC 7574 §7.7).
    [[nodiscard]] virtual ByteVector swarm_id() const = 0;
    /// Signature in the wire's form (raw r||s for ECDSA).
    [[nodiscard]] virtual ByteVector sign(Bytes message) = 0;
};

/// Checks signatures of live swarms. Not thread-safe.
class Checker {
public:
    virtual ~Checker() = default;
    /// False for a bad signature, a malformed swarm id and an algorithm that is not allowed.
    [[nodiscard]] virtual bool check(Bytes swarm_id, Bytes message, Bytes signature) = 0;
};

/// First byte of a live swarm's id; nullopt for an empty id and for algorithms other than
/// RFC 3110 (5, 8), RFC 6605 (13, 14) and RFC 8080 (15).
[[nodiscard]] std::optional<wire::SignatureAlgorithm> algorithm_of(Bytes swarm_id);

/// What the source signs for a munro: chunk specification in the wire's form, NTP time, hash
/// (RFC 7574 §6.1.2.2).
[[nodiscard]] ByteVector munro_signature_input(wire::AddressingMode mode, ChunkRange chunks,
                                               NtpTime signed_at, Hash const& munro);

} // namespace ppsp::integrity
