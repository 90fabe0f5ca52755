#pragma once

#include "protocol/integrity/private_key.hpp"
#include "protocol/integrity/signature.hpp"

#include <memory>
#include <vector>

namespace ppsp::integrity {

/// Signs with the key's algorithm: 13, 14 or 15. Not thread-safe.
[[nodiscard]] std::unique_ptr<Signer> make_signer(PrivateKey key);

/// Which algorithms a peer trusts beyond 8, 13, 14 and 15.
struct SignaturePolicy {
    bool allow_rsa_sha1 = false; ///< 5: mandatory in RFC 7574 §6.1, deprecated by RFC 9905
};

/// Checks signatures of the algorithms 5, 8, 13, 14 and 15 with OpenSSL. Not thread-safe.
class OpensslChecker final : public Checker {
public:
    /// Keys that stay parsed. A peer watches few channels at a time; parsing costs about a tenth
    /// of a check.
    static constexpr std::size_t cached_keys_max = 8;

    explicit OpensslChecker(SignaturePolicy policy = {});
    ~OpensslChecker() override;

    [[nodiscard]] bool check(Bytes swarm_id, Bytes message, Bytes signature) override;

    [[nodiscard]] std::size_t cached_keys() const;

private:
    struct CachedKey;
    [[nodiscard]] CachedKey const* find_key(Bytes swarm_id);

    SignaturePolicy policy_;
    std::vector<CachedKey> cache_; // most recently used first
};

} // namespace ppsp::integrity
