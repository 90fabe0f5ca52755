#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/integrity/openssl_ptr.hpp"
#include "protocol/integrity/signature.hpp"
#include "protocol/wire/options.hpp"

#include <optional>

/// Ids of live swarms as OpenSSL keys (RFC 7574 §6.1: algorithm number and DNSKEY public key).
/// Only for .cpp files of this room.
namespace ppsp::integrity {

/// Sizes of RSA keys that are read. RFC 5702 §2.1 allows 512 to 4096 bits for DNSKEYs; below 1024
/// a key can be factored, above 4096 each check costs too much.
inline constexpr int rsa_modulus_bits_min = 1024;
inline constexpr int rsa_modulus_bits_max = 4096;
/// RFC 3110 allows exponents of 65535 bytes, which would make a check as dear as a signature.
inline constexpr std::size_t rsa_exponent_size_max = 8;

/// Bytes of r and of s, which are also those of x and of y (RFC 6605 §4); 0 if not ECDSA.
[[nodiscard]] std::size_t coordinate_size(wire::SignatureAlgorithm algorithm);

/// Hash that the algorithm signs with; nullptr for Ed25519, which brings its own.
[[nodiscard]] EVP_MD const* digest_of(wire::SignatureAlgorithm algorithm);

/// Null if the id is malformed: unknown algorithm, wrong length, a point off the curve, an RSA key
/// beyond the limits above.
[[nodiscard]] PkeyPtr to_public_key(Bytes swarm_id);

/// Id of the live swarm whose key this is. The key must be of the algorithm's kind (13, 14, 15).
[[nodiscard]] ByteVector to_swarm_id(wire::SignatureAlgorithm algorithm, EVP_PKEY const& key);

} // namespace ppsp::integrity
