#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/base/result.hpp"
#include "protocol/wire/error.hpp"

#include <bitset>
#include <cstdint>
#include <optional>

namespace ppsp::wire {

/// RFC 7574 §7.8.
enum class AddressingMode : std::uint8_t {
    bin32 = 0,
    byte64 = 1,
    chunk32 = 2,
    bin64 = 3,
    chunk64 = 4,
};

/// RFC 7574 §7.5.
enum class IntegrityMethod : std::uint8_t {
    none = 0,
    merkle_tree = 1,
    sign_all = 2,
    unified_merkle_tree = 3,
};

/// RFC 7574 §7.6.
enum class HashFunction : std::uint8_t { sha1 = 0, sha224 = 1, sha256 = 2, sha384 = 3, sha512 = 4 };

/// DNSSEC algorithm numbers (RFC 7574 §7.7; 15 and 16: RFC 8080).
enum class SignatureAlgorithm : std::uint8_t {
    rsa_sha1 = 5,
    rsa_sha256 = 8,
    ecdsa_p256_sha256 = 13,
    ecdsa_p384_sha384 = 14,
    ed25519 = 15,
    ed448 = 16,
};

/// Chunk size option value that stands for "variable" (RFC 7574 §7.11).
inline constexpr std::uint32_t chunk_size_variable = 0xffff'ffff;

/// Message types the peer understands, bit n = type n (RFC 7574 §7.10).
using SupportedMessages = std::bitset<256>;

/// The options of a HANDSHAKE (RFC 7574 §7). Absent options are nullopt; a list with nothing but
/// the end option is a closing handshake's (§3.1.1).
struct Options {
    std::optional<std::uint8_t> version;
    std::optional<std::uint8_t> minimum_version;
    std::optional<ByteVector> swarm_id;
    std::optional<IntegrityMethod> integrity_method;
    std::optional<HashFunction> hash_function;
    std::optional<SignatureAlgorithm> signature_algorithm;
    std::optional<AddressingMode> addressing;
    /// Chunks (bytes for byte64) that the peer keeps; all-ones of the mode's width = everything,
    /// given here as `discard_window_all` whatever the width.
    std::optional<std::uint64_t> discard_window;
    std::optional<SupportedMessages> supported_messages;
    std::optional<std::uint32_t> chunk_size;

    friend bool operator==(Options const&, Options const&) = default;
};

inline constexpr std::uint64_t discard_window_all = ~std::uint64_t{0};

/// Longest swarm id that is read; RSA-4096 keys need 520 bytes.
inline constexpr std::size_t swarm_id_size_max = 1024;

/// Appends the options in ascending order and the end option (RFC 7574 §7.1).
void encode_options(Options const& options, ByteVector& out);

/// Bytes that `encode_options` appends.
[[nodiscard]] std::size_t encoded_size(Options const& options);

/// Reads up to and including the end option; what follows stays in `reader`. Refuses lists that
/// are not ascending, repeat a code, hold an unknown code (§7, trap T5) or a value of an unknown
/// kind.
[[nodiscard]] Result<Options, DecodeError> decode_options(ByteReader& reader);

} // namespace ppsp::wire
