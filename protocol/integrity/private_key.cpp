#include "protocol/integrity/private_key.hpp"

#include "protocol/base/assert.hpp"
#include "protocol/integrity/swarm_key.hpp"

#include <array>

namespace ppsp::integrity {

namespace {

std::optional<wire::SignatureAlgorithm> algorithm_of(EVP_PKEY const& key)
{
    if (EVP_PKEY_is_a(&key, "ED25519") == 1) {
        return wire::SignatureAlgorithm::ed25519;
    }
    std::array<char, 32> group{};
    std::size_t size = 0;
    if (EVP_PKEY_is_a(&key, "EC") != 1 ||
        EVP_PKEY_get_group_name(&key, group.data(), group.size(), &size) != 1) {
        return std::nullopt;
    }
    std::string_view const name(group.data(), size);
    if (name == "prime256v1") {
        return wire::SignatureAlgorithm::ecdsa_p256_sha256;
    }
    if (name == "secp384r1") {
        return wire::SignatureAlgorithm::ecdsa_p384_sha384;
    }
    return std::nullopt;
}

/// Answers OpenSSL's question for a passphrase, which it would otherwise ask the terminal for.
int no_passphrase(char*, int, int, void*)
{
    return -1;
}

} // namespace

Result<PrivateKey, KeyError> PrivateKey::generate(wire::SignatureAlgorithm algorithm)
{
    EVP_PKEY* key = nullptr;
    switch (algorithm) {
    case wire::SignatureAlgorithm::ecdsa_p256_sha256:
        key = EVP_EC_gen("P-256");
        break;
    case wire::SignatureAlgorithm::ecdsa_p384_sha384:
        key = EVP_EC_gen("P-384");
        break;
    case wire::SignatureAlgorithm::ed25519:
        key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
        break;
    default:
        return failure(KeyError::wrong_kind);
    }
    PPSP_ASSERT(key != nullptr);
    return PrivateKey(algorithm, std::shared_ptr<EVP_PKEY>(PkeyPtr(key)));
}

Result<PrivateKey, KeyError> PrivateKey::from_pem(std::string_view text)
{
    ErrorScope const errors;
    BioPtr const bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    PPSP_ASSERT(bio);
    PkeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!key) {
        return failure(KeyError::not_a_key);
    }
    auto const algorithm = algorithm_of(*key);
    if (!algorithm) {
        return failure(KeyError::wrong_kind);
    }
    return PrivateKey(*algorithm, std::shared_ptr<EVP_PKEY>(std::move(key)));
}

std::string PrivateKey::to_pem() const
{
    BioPtr const bio(BIO_new(BIO_s_mem()));
    PPSP_ASSERT(bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0,
                                                     nullptr, nullptr) == 1);
    char* data = nullptr;
    long const size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

ByteVector PrivateKey::swarm_id() const
{
    return to_swarm_id(algorithm_, *key_);
}

} // namespace ppsp::integrity
