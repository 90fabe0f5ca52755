#pragma once

#include "protocol/integrity/signature.hpp"

#include <algorithm>
#include <vector>

namespace ppsp::fuzz {

/// Believes everybody, so that what stands behind a signature is read as well.
class Gullible final : public integrity::Checker {
public:
    [[nodiscard]] bool check(Bytes, Bytes, Bytes) override { return true; }
};

/// Signs with the same bytes whatever it is.
class FixedSigner final : public integrity::Signer {
public:
    explicit FixedSigner(ByteVector swarm_id) : swarm_id_(std::move(swarm_id)) {}
    [[nodiscard]] ByteVector swarm_id() const override { return swarm_id_; }
    [[nodiscard]] ByteVector sign(Bytes) override { return ByteVector(64, 0x5a); }

private:
    ByteVector swarm_id_;
};

/// The channel of the seeds: P-256, its key 64 times the same byte.
[[nodiscard]] inline ByteVector seed_swarm()
{
    ByteVector id(65, 0x11);
    id.front() = static_cast<std::uint8_t>(wire::SignatureAlgorithm::ecdsa_p256_sha256);
    return id;
}

} // namespace ppsp::fuzz
