#include "protocol/integrity/swarm_key.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>
#include <array>

namespace ppsp::integrity {

namespace {

constexpr std::uint8_t uncompressed_point = 0x04; // SEC 1 §2.3.3; not part of a DNSKEY
constexpr std::size_t ed25519_key_size = 32;      // RFC 8080 §3

PkeyPtr key_from_params(char const* type, OSSL_PARAM* params)
{
    PkeyContextPtr const context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        return nullptr;
    }
    return PkeyPtr(key);
}

PkeyPtr ec_key(Bytes coordinates, wire::SignatureAlgorithm algorithm)
{
    if (coordinates.size() != 2 * coordinate_size(algorithm)) {
        return nullptr;
    }
    ByteVector point{uncompressed_point};
    point.insert(point.end(), coordinates.begin(), coordinates.end());
    std::string group =
        algorithm == wire::SignatureAlgorithm::ecdsa_p256_sha256 ? "P-256" : "P-384";
    std::array<OSSL_PARAM, 3> params{
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size()),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
        OSSL_PARAM_construct_end()};
    return key_from_params("EC", params.data());
}

PkeyPtr ed25519_key(Bytes key)
{
    if (key.size() != ed25519_key_size) {
        return nullptr;
    }
    return PkeyPtr(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()));
}

/// Exponent and modulus of RFC 3110 §2, which forbids leading zero bytes in both.
struct RsaNumbers {
    Bytes exponent;
    Bytes modulus;
};

std::optional<RsaNumbers> read_rsa_numbers(Bytes key)
{
    ByteReader reader(key);
    std::optional<std::size_t> exponent_size = reader.u8();
    if (exponent_size == 0) {
        exponent_size = reader.u16();
    }
    if (!exponent_size || *exponent_size == 0 || *exponent_size > rsa_exponent_size_max) {
        return std::nullopt;
    }
    auto const exponent = reader.take(*exponent_size);
    if (!exponent || reader.empty() || exponent->front() == 0 || reader.rest().front() == 0) {
        return std::nullopt;
    }
    return RsaNumbers{*exponent, reader.rest()};
}

BignumPtr to_bignum(Bytes bytes)
{
    return BignumPtr(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
}

PkeyPtr rsa_key(Bytes key)
{
    auto const numbers = read_rsa_numbers(key);
    if (!numbers || numbers->modulus.size() > rsa_modulus_bits_max / 8) {
        return nullptr;
    }
    BignumPtr const exponent = to_bignum(numbers->exponent);
    BignumPtr const modulus = to_bignum(numbers->modulus);
    ParamBuilderPtr const builder(OSSL_PARAM_BLD_new());
    PPSP_ASSERT(exponent && modulus && builder);
    if (BN_num_bits(modulus.get()) < rsa_modulus_bits_min || BN_is_odd(modulus.get()) == 0 ||
        BN_is_odd(exponent.get()) == 0 || BN_is_one(exponent.get()) == 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
        return nullptr;
    }
    ParamPtr const params(OSSL_PARAM_BLD_to_param(builder.get()));
    return params ? key_from_params("RSA", params.get()) : nullptr;
}

} // namespace

std::size_t coordinate_size(wire::SignatureAlgorithm algorithm)
{
    switch (algorithm) {
    case wire::SignatureAlgorithm::ecdsa_p256_sha256:
        return 32;
    case wire::SignatureAlgorithm::ecdsa_p384_sha384:
        return 48;
    default:
        return 0;
    }
}

EVP_MD const* digest_of(wire::SignatureAlgorithm algorithm)
{
    switch (algorithm) {
    case wire::SignatureAlgorithm::rsa_sha1:
        return EVP_sha1();
    case wire::SignatureAlgorithm::rsa_sha256:
    case wire::SignatureAlgorithm::ecdsa_p256_sha256:
        return EVP_sha256();
    case wire::SignatureAlgorithm::ecdsa_p384_sha384:
        return EVP_sha384();
    default:
        return nullptr;
    }
}

PkeyPtr to_public_key(Bytes swarm_id)
{
    auto const algorithm = algorithm_of(swarm_id);
    if (!algorithm || swarm_id.size() > wire::swarm_id_size_max) {
        return nullptr;
    }
    ErrorScope const errors;
    Bytes const key = swarm_id.subspan(1);
    switch (*algorithm) {
    case wire::SignatureAlgorithm::rsa_sha1:
    case wire::SignatureAlgorithm::rsa_sha256:
        return rsa_key(key);
    case wire::SignatureAlgorithm::ed25519:
        return ed25519_key(key);
    default:
        return ec_key(key, *algorithm);
    }
}

ByteVector to_swarm_id(wire::SignatureAlgorithm algorithm, EVP_PKEY const& key)
{
    bool const is_ec = coordinate_size(algorithm) != 0;
    // An uncompressed P-384 point is the longest.
    std::array<std::uint8_t, 1 + 2 * 48> bytes;
    std::size_t size = bytes.size();
    if (is_ec) { // always the uncompressed point, whatever form the key was read in
        PPSP_ASSERT(EVP_PKEY_get_octet_string_param(&key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
                                                    bytes.data(), bytes.size(), &size) == 1);
        PPSP_ASSERT(bytes[0] == uncompressed_point && size == 1 + 2 * coordinate_size(algorithm));
    } else {
        PPSP_ASSERT(EVP_PKEY_get_raw_public_key(&key, bytes.data(), &size) == 1);
    }
    Bytes const encoded = Bytes(bytes).first(size).subspan(is_ec ? 1 : 0);
    ByteVector id{static_cast<std::uint8_t>(algorithm)};
    id.insert(id.end(), encoded.begin(), encoded.end());
    return id;
}

} // namespace ppsp::integrity
