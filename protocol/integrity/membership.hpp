#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/result.hpp"
#include "protocol/base/time.hpp"
#include "protocol/integrity/private_key.hpp"

/// Certificates that say "this address was a member of that swarm then" (RFC 7574 §8.13, §12.2.1).
namespace ppsp::integrity {

/// What a certificate says.
struct Membership {
    Endpoint endpoint;
    UnixMicros from = 0;  ///< when it was issued, whole seconds
    UnixMicros until = 0; ///< when it ends, whole seconds
};

enum class MembershipError : std::uint8_t {
    malformed,   ///< no DER certificate, or not of the form of §8.13
    other_swarm, ///< about another swarm
    expired,     ///< its time is over, or has not come
    forged,      ///< the issuer did not sign it
};

/// Longer ones are malformed. With P-256 and the id of a live swarm one takes about 450 bytes.
inline constexpr std::size_t membership_size_max = 1024;
/// By so much the clocks of issuer and receiver may differ.
inline constexpr Duration membership_clock_slack = std::chrono::minutes{5};

/// Checks certificates; the engine's port.
class MembershipChecker {
public:
    virtual ~MembershipChecker() = default;
    /// `issuer` is the public key that must have signed it, in the form of a live swarm's id
    /// (algorithm and key, RFC 7574 §6.1).
    [[nodiscard]] virtual Result<Membership, MembershipError>
    check(Bytes certificate, Bytes issuer, Bytes swarm_id, UnixMicros now) = 0;
};

/// With OpenSSL. A signature is checked last, when all else is right. Not thread-safe.
class OpensslMembershipChecker final : public MembershipChecker {
public:
    [[nodiscard]] Result<Membership, MembershipError>
    check(Bytes certificate, Bytes issuer, Bytes swarm_id, UnixMicros now) override;
};

/// An X.509v3 certificate in DER: no subject but the critical alternative name
/// `file://HOST:PORT/SWARM`, valid from `now` for `lifetime`. A peer has no key of its own; where
/// X.509 wants one stands the issuer's, and nothing is ever proved with it.
[[nodiscard]] ByteVector issue_membership(PrivateKey const& issuer, Endpoint const& endpoint,
                                          Bytes swarm_id, UnixMicros now, Duration lifetime);

} // namespace ppsp::integrity
