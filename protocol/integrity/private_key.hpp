#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/base/result.hpp"
#include "protocol/wire/options.hpp"

#include <memory>
#include <string>

struct evp_pkey_st;

namespace ppsp::integrity {

/// Why a text or an algorithm gives no private key.
enum class KeyError : std::uint8_t {
    not_a_key,  ///< no PEM private key in the text, or one that is encrypted or broken
    wrong_kind, ///< a key, but not one of ECDSA P-256, ECDSA P-384 or Ed25519
};

/// Private key of a live source; cheap to copy, the key itself is shared and never changes.
class PrivateKey {
public:
    /// A new key from the system's random numbers. Algorithms 13, 14 and 15; others give
    /// `wrong_kind` (RSA is checked, never signed with: signatures of 256 bytes fill datagrams).
    [[nodiscard]] static Result<PrivateKey, KeyError>
    generate(wire::SignatureAlgorithm algorithm = wire::SignatureAlgorithm::ecdsa_p256_sha256);

    /// Reads the PEM text of an unencrypted key: PKCS#8 ("PRIVATE KEY") or SEC 1
    /// ("EC PRIVATE KEY").
    [[nodiscard]] static Result<PrivateKey, KeyError> from_pem(std::string_view text);

    /// PKCS#8 PEM text, unencrypted.
    [[nodiscard]] std::string to_pem() const;

    [[nodiscard]] wire::SignatureAlgorithm algorithm() const { return algorithm_; }

    /// Id of the live swarm that this key signs (RFC 7574 §6.1).
    [[nodiscard]] ByteVector swarm_id() const;

    /// OpenSSL's key, for this room.
    [[nodiscard]] evp_pkey_st* handle() const { return key_.get(); }

private:
    PrivateKey(wire::SignatureAlgorithm algorithm, std::shared_ptr<evp_pkey_st> key)
        : algorithm_(algorithm), key_(std::move(key))
    {}

    wire::SignatureAlgorithm algorithm_;
    std::shared_ptr<evp_pkey_st> key_;
};

} // namespace ppsp::integrity
