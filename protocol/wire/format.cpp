#include "protocol/base/assert.hpp"
#include "protocol/wire/datagram.hpp"

namespace ppsp::wire {
namespace {

constexpr std::size_t rsa_modulus_size_min = 64;  // 512 bits, RFC 5702 §2.1
constexpr std::size_t rsa_modulus_size_max = 512; // 4096 bits, RFC 3110 §2

struct KeyForm {
    std::size_t key_size;
    std::uint16_t signature_size;
};

/// Algorithms whose keys all have the same length (RFC 6605 §4, RFC 8080 §3 and §4).
std::optional<KeyForm> fixed_form(SignatureAlgorithm algorithm)
{
    switch (algorithm) {
    case SignatureAlgorithm::ecdsa_p256_sha256:
        return KeyForm{64, 64};
    case SignatureAlgorithm::ecdsa_p384_sha384:
        return KeyForm{96, 96};
    case SignatureAlgorithm::ed25519:
        return KeyForm{32, 64};
    case SignatureAlgorithm::ed448:
        return KeyForm{57, 114};
    case SignatureAlgorithm::rsa_sha1:
    case SignatureAlgorithm::rsa_sha256:
        return std::nullopt;
    }
    return std::nullopt;
}

/// RFC 3110 §2: exponent length in one byte, or 0 and two bytes; exponent; modulus.
std::optional<std::uint16_t> rsa_modulus_size(ByteReader key)
{
    std::optional<std::size_t> exponent_size = key.u8();
    if (exponent_size == std::size_t{0}) {
        exponent_size = key.u16();
    }
    if (!exponent_size || *exponent_size == 0 || !key.take(*exponent_size)) {
        return std::nullopt;
    }
    Bytes const modulus = key.rest();
    if (modulus.size() < rsa_modulus_size_min || modulus.size() > rsa_modulus_size_max ||
        modulus.front() == 0) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(modulus.size());
}

} // namespace

std::uint8_t hash_size(HashFunction function)
{
    switch (function) {
    case HashFunction::sha1:
        return 20;
    case HashFunction::sha224:
        return 28;
    case HashFunction::sha256:
        return 32;
    case HashFunction::sha384:
        return 48;
    case HashFunction::sha512:
        return 64;
    }
    PPSP_ASSERT(false);
}

std::optional<std::uint16_t> signature_size(SignatureAlgorithm algorithm, Bytes swarm_id)
{
    ByteReader reader(swarm_id);
    if (reader.u8() != static_cast<std::uint8_t>(algorithm)) {
        return std::nullopt;
    }
    if (auto const form = fixed_form(algorithm)) {
        return reader.remaining() == form->key_size ? std::optional(form->signature_size)
                                                    : std::nullopt;
    }
    return rsa_modulus_size(reader);
}

SwarmFormat adopt(SwarmFormat format, Options const& options)
{
    format.addressing = options.addressing.value_or(format.addressing);
    format.chunk_size = options.chunk_size.value_or(format.chunk_size);
    if (options.hash_function) {
        format.hash_size = hash_size(*options.hash_function);
    }
    if (options.signature_algorithm) {
        if (auto const form = fixed_form(*options.signature_algorithm)) {
            format.signature_size = form->signature_size;
        } else if (options.swarm_id) {
            format.signature_size = signature_size(*options.signature_algorithm, *options.swarm_id)
                                        .value_or(format.signature_size);
        }
    }
    return format;
}

std::optional<Bytes> likely_chunk(Bytes datagram, SwarmFormat const& format)
{
    std::size_t const before = 1 + spec_size(format.addressing) + sizeof(UnixMicros);
    std::size_t const tail = before + format.chunk_size;
    if (format.chunk_size == chunk_size_variable || datagram.size() < sizeof(ChannelId) + tail ||
        datagram[datagram.size() - tail] != static_cast<std::uint8_t>(MessageType::data)) {
        return std::nullopt;
    }
    return datagram.last(format.chunk_size);
}

} // namespace ppsp::wire
