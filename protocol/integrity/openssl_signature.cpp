#include "protocol/integrity/openssl_signature.hpp"

#include "protocol/base/assert.hpp"
#include "protocol/integrity/swarm_key.hpp"

#include <algorithm>

namespace ppsp::integrity {

namespace {

// RFC 6605 §4 puts r||s on the wire, OpenSSL speaks DER (trap T27).
ByteVector raw_from_der(Bytes der, std::size_t coordinate)
{
    std::uint8_t const* position = der.data();
    EcdsaSigPtr const signature(d2i_ECDSA_SIG(nullptr, &position, static_cast<long>(der.size())));
    PPSP_ASSERT(signature);
    ByteVector raw(2 * coordinate);
    auto const size = static_cast<int>(coordinate);
    bool const fits =
        BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), size) == size &&
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + coordinate, size) == size;
    PPSP_ASSERT(fits);
    return raw;
}

ByteVector der_from_raw(Bytes raw)
{
    auto const size = static_cast<int>(raw.size() / 2);
    EcdsaSigPtr const signature(ECDSA_SIG_new());
    BIGNUM* const r = BN_bin2bn(raw.data(), size, nullptr);
    BIGNUM* const s = BN_bin2bn(raw.data() + size, size, nullptr);
    PPSP_ASSERT(signature && ECDSA_SIG_set0(signature.get(), r, s) == 1); // takes r and s over
    ByteVector der(static_cast<std::size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)));
    std::uint8_t* position = der.data();
    PPSP_ASSERT(i2d_ECDSA_SIG(signature.get(), &position) == static_cast<int>(der.size()));
    return der;
}

class OpensslSigner final : public Signer {
public:
    explicit OpensslSigner(PrivateKey key) : key_(std::move(key)), context_(EVP_MD_CTX_new())
    {
        PPSP_ASSERT(context_);
    }

    ByteVector swarm_id() const override { return key_.swarm_id(); }

    ByteVector sign(Bytes message) override
    {
        EVP_MD_CTX* const context = context_.get();
        ByteVector signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_.handle())));
        std::size_t size = signature.size();
        PPSP_ASSERT(EVP_MD_CTX_reset(context) == 1);
        bool const good =
            EVP_DigestSignInit(context, nullptr, digest_of(key_.algorithm()), nullptr,
                               key_.handle()) == 1 &&
            EVP_DigestSign(context, signature.data(), &size, message.data(), message.size()) == 1;
        PPSP_ASSERT(good);
        signature.resize(size);
        std::size_t const coordinate = coordinate_size(key_.algorithm());
        return coordinate == 0 ? signature : raw_from_der(signature, coordinate);
    }

private:
    PrivateKey key_;
    MdContextPtr context_;
};

bool verify(EVP_PKEY& key, wire::SignatureAlgorithm algorithm, Bytes message, Bytes signature)
{
    ByteVector der;
    if (std::size_t const coordinate = coordinate_size(algorithm); coordinate != 0) {
        if (signature.size() != 2 * coordinate) {
            return false;
        }
        der = der_from_raw(signature);
        signature = der;
    }
    ErrorScope const errors;
    MdContextPtr const context(EVP_MD_CTX_new());
    return context &&
           EVP_DigestVerifyInit(context.get(), nullptr, digest_of(algorithm), nullptr, &key) == 1 &&
           EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                            message.size()) == 1;
}

} // namespace

struct OpensslChecker::CachedKey {
    ByteVector swarm_id;
    PkeyPtr key;
};

std::unique_ptr<Signer> make_signer(PrivateKey key)
{
    return std::make_unique<OpensslSigner>(std::move(key));
}

OpensslChecker::OpensslChecker(SignaturePolicy policy) : policy_(policy) {}
OpensslChecker::~OpensslChecker() = default;

bool OpensslChecker::check(Bytes swarm_id, Bytes message, Bytes signature)
{
    auto const algorithm = algorithm_of(swarm_id);
    if (!algorithm ||
        (*algorithm == wire::SignatureAlgorithm::rsa_sha1 && !policy_.allow_rsa_sha1)) {
        return false;
    }
    CachedKey const* const cached = find_key(swarm_id);
    return cached != nullptr && verify(*cached->key, *algorithm, message, signature);
}

std::size_t OpensslChecker::cached_keys() const
{
    return cache_.size();
}

OpensslChecker::CachedKey const* OpensslChecker::find_key(Bytes swarm_id)
{
    auto const found = std::find_if(cache_.begin(), cache_.end(), [&](CachedKey const& cached) {
        return std::ranges::equal(cached.swarm_id, swarm_id);
    });
    if (found != cache_.end()) {
        std::rotate(cache_.begin(), found, found + 1);
        return &cache_.front();
    }
    PkeyPtr key = to_public_key(swarm_id);
    if (!key) {
        return nullptr;
    }
    if (cache_.size() == cached_keys_max) {
        cache_.pop_back();
    }
    cache_.insert(cache_.begin(),
                  CachedKey{ByteVector(swarm_id.begin(), swarm_id.end()), std::move(key)});
    return &cache_.front();
}

} // namespace ppsp::integrity
