#pragma once

#include "protocol/base/ids.hpp"
#include "protocol/base/time.hpp"
#include "protocol/decade/ni_name.hpp"
#include "protocol/integrity/signature.hpp"

#include <variant>
#include <vector>

/// Access tokens of in-network storage (RFC 7069 §5.5, §6.2.1, fields of its appendix A.3): who
/// shows one may do what it says, without an account at the server. A JSON Web Token (RFC 7519) in
/// compact form, signed by the server's own key.
namespace ppsp::decade {

enum class Operation : std::uint8_t {
    read = 1,
    write = 2,
    remove = 4,   ///< "delete"
    transfer = 8, ///< let the server fetch from or store at another one
    manage = 16,  ///< status of the server, revoke tokens
};

[[nodiscard]] std::string_view to_string(Operation operation);
/// By the name that `ops` uses; nullopt for others.
[[nodiscard]] std::optional<Operation> parse_operation(std::string_view name);

class Operations {
public:
    Operations() = default;
    void add(Operation operation) { bits_ |= static_cast<std::uint8_t>(operation); }
    [[nodiscard]] bool has(Operation operation) const
    {
        return (bits_ & static_cast<std::uint8_t>(operation)) != 0;
    }
    [[nodiscard]] bool empty() const { return bits_ == 0; }
    friend bool operator==(Operations, Operations) = default;

private:
    std::uint8_t bits_ = 0;
};

/// Objects of one channel: all, or those with chunks of a range only.
struct SwarmScope {
    ByteVector swarm_id;
    std::optional<ChunkRange> chunks;
    friend bool operator==(SwarmScope const&, SwarmScope const&) = default;
};

using Scope = std::variant<NiName, SwarmScope>;

/// Scheduling class of RFC 7069 A.3; each gets twice the share of the next lower one.
enum class Priority : std::uint8_t { low, normal, high, urgent };

[[nodiscard]] std::string_view to_string(Priority priority);
[[nodiscard]] std::optional<Priority> parse_priority(std::string_view name);

using UnixSeconds = std::int64_t;

inline constexpr std::size_t token_text_size_max = 4096;
inline constexpr std::size_t token_scopes_max = 32;
inline constexpr std::size_t token_id_size_max = 64;
/// How far the clocks of issuer and server may differ, in seconds.
inline constexpr UnixSeconds token_clock_slack_s = 30;

struct Token {
    std::string id; ///< `jti`, unique; names the token in revocations and records
    Operations operations;
    std::vector<Scope> scopes;                 ///< `objs`; empty = every object
    UnixSeconds not_before = 0;                ///< `nbf`
    UnixSeconds expires = 0;                   ///< `exp`
    std::string audience;                      ///< `aud`, URL of the server; empty = any
    Priority priority = Priority::normal;      ///< `prio`
    std::optional<std::uint64_t> rate_bps;     ///< `bw`: bits per second, all connections together
    std::optional<std::uint64_t> bytes_max;    ///< `amt`: transferred over the token's life
    std::optional<std::uint64_t> stored_max;   ///< `sto`: bytes stored at a time
    std::optional<std::uint64_t> requests_max; ///< `con`: requests under way at a time
    bool is_single_use = false;                ///< `multi` is its opposite
    friend bool operator==(Token const&, Token const&) = default;
};

enum class TokenError : std::uint8_t {
    malformed,
    bad_signature, ///< changed, or made by another server
    expired,
    not_yet_valid,
    other_audience,
    revoked, ///< by its id, before it expired (RFC 7069 §6.2.1)
    used_up, ///< a token for one use that was used
};

/// A sentence for the answer's reason.
[[nodiscard]] std::string_view to_string(TokenError error);

/// `HEADER.CLAIMS.SIGNATURE` (RFC 7515 §3.1); `alg` follows from the signer's key: ES256, ES384 or
/// EdDSA.
[[nodiscard]] std::string to_text(Token const& token, integrity::Signer& signer);

/// Accepts what the key `server_id` (a swarm id's form: algorithm and public key) signed, at any
/// time. `alg` must be the key's; claims it does not know are ignored.
[[nodiscard]] Result<Token, TokenError> parse_token(std::string_view text, Bytes server_id,
                                                    integrity::Checker& checker);

/// Whether the token may be used at this time with this server.
[[nodiscard]] Result<void, TokenError> check_validity(Token const& token, UnixSeconds now,
                                                      std::string_view server_url);

/// What is known of an object that is asked for.
struct ObjectFacts {
    std::optional<NiName> name;
    Bytes swarm_id;                   ///< empty: none
    std::optional<ChunkRange> chunks; ///< of the swarm
};

/// Whether the token's scope covers the object.
[[nodiscard]] bool covers(Token const& token, ObjectFacts const& object);

/// For writing an object whose bytes are not there yet: whether some object could be covered. False
/// if only other names are.
[[nodiscard]] bool may_cover(Token const& token, NiName const& name);

} // namespace ppsp::decade
