#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/ids.hpp"
#include "protocol/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// Messages of the tracker protocol (RFC 7846 §3, §4), free of JSON and HTTP.
namespace ppsp::ppstp {

/// RFC 7846 §4.3 error codes.
enum class ErrorCode : std::uint8_t {
    none = 0,
    bad_request = 1,
    unsupported_version = 2,
    forbidden = 3,
    internal = 4,
    unavailable = 5,
    authentication_required = 6,
};

enum class Action : std::uint8_t { join, leave };
enum class PeerMode : std::uint8_t { seeder, leech };
enum class AddressType : std::uint8_t { host, reflexive, proxy };
enum class NatAbility : std::uint8_t { none, stun, turn };

struct PeerAddress {
    Endpoint endpoint;
    std::uint32_t priority = 1; ///< larger is preferred
    AddressType type = AddressType::host;
    std::optional<std::string> connection; ///< "wired" or "wireless"
    std::optional<std::string> asn;        ///< a string (trap P11)
    std::optional<std::string> peer_protocol;
    friend bool operator==(PeerAddress const&, PeerAddress const&) = default;
};

/// What the asker would like in the peer list.
struct PeerNumber {
    std::uint32_t peer_count = 0;
    std::optional<NatAbility> ability_nat;
    std::optional<std::uint32_t> concurrent_links;
    std::optional<std::uint64_t> online_time_s;
    std::optional<std::uint64_t> upload_bandwidth_kbps;
    friend bool operator==(PeerNumber const&, PeerNumber const&) = default;
};

struct SwarmAction {
    std::string swarm_id; ///< lower-case hex of the PPSPP swarm id
    Action action = Action::join;
    PeerMode peer_mode = PeerMode::leech;
    friend bool operator==(SwarmAction const&, SwarmAction const&) = default;
};

struct Connect {
    std::optional<PeerNumber> peer_num;
    std::vector<PeerAddress> peer_addresses;
    std::vector<SwarmAction> swarm_actions;
    friend bool operator==(Connect const&, Connect const&) = default;
};

struct Find {
    std::string swarm_id;
    std::optional<PeerNumber> peer_num;
    friend bool operator==(Find const&, Find const&) = default;
};

/// STREAM_STATS (RFC 7846 §4.1.3).
struct StreamStats {
    std::string swarm_id;
    std::uint64_t uploaded_bytes = 0;
    std::uint64_t downloaded_bytes = 0;
    std::uint64_t available_bandwidth_bps = 0; ///< bit/s (trap P10)
    std::uint32_t concurrent_links = 0;
    friend bool operator==(StreamStats const&, StreamStats const&) = default;
};

/// Extension, stat type CONTENT_MAP: which chunks a peer holds, relative to its newest so that the
/// report ages well. On the wire: newest chunk, chunks per unit, window in units, holes as pairs
/// (distance of the hole's last unit below the newest unit, units in the hole), newest unit that
/// begins at a random access point.
struct ContentMap {
    struct Hole {
        std::uint32_t distance_units = 0;
        std::uint32_t count_units = 0;
        friend bool operator==(Hole const&, Hole const&) = default;
    };

    std::string swarm_id;
    ChunkId newest{}; ///< last chunk of the newest complete unit
    std::uint32_t chunks_per_unit = 0;
    std::uint32_t window_units = 0;       ///< units held back from the newest, holes included
    std::vector<Hole> holes;              ///< at most `holes_max`, nearest to the edge first
    std::optional<ChunkId> random_access; ///< first chunk of the newest random access unit
    static constexpr std::size_t holes_max = 32;
    friend bool operator==(ContentMap const&, ContentMap const&) = default;
};

/// Extension, stat type PEER_STATUS: how able a peer is to serve.
struct PeerStatus {
    std::string swarm_id;
    std::uint64_t uplink_bps = 0; ///< measured, 0 = unknown
    std::uint32_t free_slots = 0;
    std::uint32_t neighbours = 0;
    std::uint32_t buffer_ms = 0;
    std::uint32_t lag_ms = 0;
    std::uint32_t late_chunks = 0;
    friend bool operator==(PeerStatus const&, PeerStatus const&) = default;
};

/// Extension, stat type RECEIPTS: bytes got from each sender since the last report that had
/// receipts, from which the tracker computes proven uplink. A report that is sent again keeps its
/// transaction id, so that its bytes count once.
struct Receipt {
    std::string swarm_id;
    Endpoint sender;
    std::uint64_t bytes = 0;
    friend bool operator==(Receipt const&, Receipt const&) = default;
};

/// Extension, stat type NEIGHBOURS: peers whose proven uplink the reporter would like to know. The
/// answer tells it under `proven`.
struct Neighbours {
    std::string swarm_id;
    std::vector<Endpoint> endpoints; ///< at most `endpoints_max`
    static constexpr std::size_t endpoints_max = 64;
    friend bool operator==(Neighbours const&, Neighbours const&) = default;
};

/// One STAT_REPORT may carry any mix; without any it is a keep-alive (RFC 7846 §4.1.3).
struct StatReport {
    std::vector<StreamStats> stream_stats;
    std::vector<ContentMap> content_maps;
    std::vector<PeerStatus> peer_status;
    std::vector<Receipt> receipts;
    std::vector<Neighbours> neighbours;
    friend bool operator==(StatReport const&, StatReport const&) = default;
};

struct Request {
    std::string transaction_id;
    std::string peer_id;
    std::variant<Connect, Find, StatReport> body;
    friend bool operator==(Request const&, Request const&) = default;
};

struct PeerInfo {
    std::string peer_id;
    PeerAddress address;
    /// Extension: what receivers' receipts prove that it uploads; 0 = unknown and not written.
    std::uint32_t proven_kbps = 0;
    friend bool operator==(PeerInfo const&, PeerInfo const&) = default;
};

/// Extension member `live` of a swarm result: where the stream is, as of the newest reports.
struct LiveEdge {
    ChunkId newest{};
    std::uint32_t chunks_per_unit = 0;
    std::optional<ChunkId> random_access;
    std::uint32_t age_ms = 0; ///< since the report that told it
    friend bool operator==(LiveEdge const&, LiveEdge const&) = default;
};

/// Extension: an entry of `proven` in a swarm result, about a peer that the asker listed in its
/// NEIGHBOURS. Those of whom nothing is known are left out.
struct ProvenUplink {
    Endpoint endpoint; ///< as the asker wrote it
    std::uint32_t kbps = 0;
    friend bool operator==(ProvenUplink const&, ProvenUplink const&) = default;
};

/// Extension member `membership` of a swarm result: the asker's membership certificate (RFC 7574
/// §12.2.2), to a CONNECT that joins and to a FIND.
struct MembershipGrant {
    ByteVector issuer;         ///< public key, in the form of a live swarm's id; hex on the wire
    ByteVector certificate;    ///< X.509 DER; hex on the wire
    std::uint32_t valid_s = 0; ///< from now on, seconds
    friend bool operator==(MembershipGrant const&, MembershipGrant const&) = default;
};

struct SwarmResult {
    std::string swarm_id;
    std::uint8_t result = 0; ///< 0 successful, 1 failed
    std::vector<PeerInfo> peers;
    /// Writes the group even when it is empty, as a FIND response must (RFC 7846 §4.1.2); where
    /// there are peers there is a group.
    bool has_peer_group = false;
    std::optional<LiveEdge> live;
    std::vector<ProvenUplink> proven;
    std::optional<MembershipGrant> membership;
    friend bool operator==(SwarmResult const&, SwarmResult const&) = default;
};

struct Response {
    ErrorCode error = ErrorCode::none;
    std::string transaction_id;
    std::optional<PeerAddress> peer_address;
    std::vector<SwarmResult> swarm_results;
    /// Extension: a sentence for people; never needed to act.
    std::string reason;
    friend bool operator==(Response const&, Response const&) = default;
};

inline constexpr std::string_view media_type = "application/ppsp-tracker+json";

// Limits (protocols.md §4.3); what is above is a bad request.
inline constexpr std::size_t body_size_max = 64 * 1024;
inline constexpr std::size_t response_size_max = 512 * 1024;
inline constexpr std::size_t swarm_actions_max = 64;
inline constexpr std::size_t peer_addresses_max = 16;
inline constexpr std::size_t text_size_max = 2048;
/// Peer ids and transaction ids: a SHA-256 in hex is 64 characters.
inline constexpr std::size_t id_size_max = 128;
inline constexpr std::size_t stats_max = 64; ///< entries of one statistics type
inline constexpr std::size_t receipts_max = 64;
inline constexpr std::size_t peer_infos_max = 256; ///< in one swarm result
/// In one swarm result: a node with more neighbours asks about them in turn.
inline constexpr std::size_t proven_max = 128;
inline constexpr std::size_t json_depth_max = 16;

/// Why a body was refused; the transaction id is repeated when it could be read.
struct ParseFailure {
    ErrorCode code = ErrorCode::bad_request;
    std::string transaction_id;
    std::string reason;
};

/// Reads schema form and the forms of the RFC's examples (trap P1, P2); ignores unknown members.
[[nodiscard]] Result<Request, ParseFailure> parse_request(std::string_view json);
[[nodiscard]] Result<Response, ParseFailure> parse_response(std::string_view json);

/// Schema form (decision D11): arrays, wrapper objects, numbers.
[[nodiscard]] std::string to_json(Request const& request);
[[nodiscard]] std::string to_json(Response const& response);

/// HTTP status that goes with an error code (protocols.md §4.3).
[[nodiscard]] unsigned http_status(ErrorCode code);

} // namespace ppsp::ppstp
