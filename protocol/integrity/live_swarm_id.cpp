#include "protocol/integrity/signature.hpp"

namespace ppsp::integrity {

std::optional<wire::SignatureAlgorithm> algorithm_of(Bytes swarm_id)
{
    if (swarm_id.empty()) {
        return std::nullopt;
    }
    auto const algorithm = static_cast<wire::SignatureAlgorithm>(swarm_id.front());
    switch (algorithm) {
    case wire::SignatureAlgorithm::rsa_sha1:
    case wire::SignatureAlgorithm::rsa_sha256:
    case wire::SignatureAlgorithm::ecdsa_p256_sha256:
    case wire::SignatureAlgorithm::ecdsa_p384_sha384:
    case wire::SignatureAlgorithm::ed25519:
        return algorithm;
    case wire::SignatureAlgorithm::ed448:
        break;
    }
    return std::nullopt;
}

} // namespace ppsp::integrity
