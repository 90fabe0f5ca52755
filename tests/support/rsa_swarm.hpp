#pragma once

#include "protocol/integrity/signature.hpp"
#include "protocol/wire/options.hpp"

#include <memory>
#include <openssl/evp.h>
#include <openssl/rsa.h>

namespace ppsp::test {

/// The key of an RSA swarm. The project itself checks such signatures, and makes none.
class RsaSwarm {
public:
    explicit RsaSwarm(unsigned bits) : key_(EVP_RSA_gen(bits), EVP_PKEY_free)
    {
        BIGNUM* number = nullptr;
        EVP_PKEY_get_bn_param(key_.get(), "n", &number);
        modulus.resize(static_cast<std::size_t>(BN_num_bytes(number)));
        BN_bn2bin(number, modulus.data());
        BN_free(number);
    }
    /// `head` is the exponent with its length (RFC 3110 §2).
    [[nodiscard]] ByteVector id(wire::SignatureAlgorithm algorithm,
                                ByteVector const& head = {3, 1, 0, 1}) const
    {
        ByteVector bytes{static_cast<std::uint8_t>(algorithm)};
        bytes.insert(bytes.end(), head.begin(), head.end());
        bytes.insert(bytes.end(), modulus.begin(), modulus.end());
        return bytes;
    }
    [[nodiscard]] ByteVector sign(Bytes message, EVP_MD const* digest) const
    {
        std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> const context(EVP_MD_CTX_new(),
                                                                         EVP_MD_CTX_free);
        std::size_t size = modulus.size();
        ByteVector signature(size);
        EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get());
        EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size());
        return signature;
    }

    ByteVector modulus;

private:
    std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
};

/// Signs as RSASHA256, algorithm 8.
class RsaSigner final : public integrity::Signer {
public:
    ByteVector swarm_id() const override { return swarm_.id(wire::SignatureAlgorithm::rsa_sha256); }
    ByteVector sign(Bytes message) override { return swarm_.sign(message, EVP_sha256()); }

private:
    RsaSwarm swarm_{2048};
};

} // namespace ppsp::test
