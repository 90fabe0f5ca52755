#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/ids.hpp"
#include "protocol/base/rng.hpp"
#include "protocol/base/time.hpp"
#include "protocol/wire/options.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace ppsp::peer {

/// Swarm id as on the wire: for a live swarm the algorithm byte and the public key.
using SwarmId = ByteVector;

/// Number of a unit = first chunk / chunks per unit.
using UnitIndex = std::uint64_t;

class Picker;

/// Makes the picker of a swarm from its random numbers.
using PickerMaker = std::function<std::unique_ptr<Picker>(Rng)>;

/// For live swarms (NodeConfig::turn_gap): a tenth of what one way between two homes takes, and
/// five hundred wake-ups a second become two hundred.
inline constexpr Duration live_turn_gap = std::chrono::milliseconds{4};
/// Who finds so many datagrams in a turn has enough to do in each, and acts as they come.
inline constexpr std::size_t busy_turn_datagrams = 32;

/// What is the same for all swarms of a node.
struct NodeConfig {
    /// UTC at TimePoint{}: the engine has no clock of its own.
    UnixMicros utc_at_zero = 0;
    /// Upload limit in bit/s of UDP payload; nullopt = unlimited, 0 = this node never uploads.
    std::optional<std::uint64_t> uplink_bps;
    /// Largest UDP payload we send: 1472 fits IPv4 on Ethernet, 1452 IPv6.
    std::uint16_t datagram_size_max = 1472;
    Duration ledbat_target = std::chrono::milliseconds{25};
    /// The shell hands in what came and what is due in turns, which lie at least this far apart:
    /// what the pacers let through meanwhile goes at once.
    Duration turn_gap{};
    /// Losses while the queue is short are the link's and shrink no window by half (LedbatConfig).
    bool forgive_link_loss = false;
    /// Conversations we open ourselves and keep per swarm (design: 12-16 in-edges).
    std::uint16_t neighbours_target = 14;
    /// Conversations per swarm in all, of which a viewer keeps `neighbours_target` for those it
    /// begins itself (PP-12.6.1-a), a live source a third, at most thirty; further handshakes get
    /// no answer.
    std::uint16_t neighbours_max = 100;
    /// Answer PEX_REQ and ask for peers.
    bool pex = true;
    /// Plain addresses, which prove nothing, are exchanged on the Internet, too. Otherwise only
    /// among private addresses (RFC 7574 §3.10.1: only in a benign environment), and by those whom
    /// no tracker answers any more, unless `strict`.
    bool pex_plain = false;
    /// Places for children while the uplink was not measured: the trains to them measure it. A
    /// quarter of a stream is little enough to be in nobody's way.
    std::uint16_t unproven_places = 4;
    /// Places for children whatever the uplink; nullopt = by the measured uplink.
    std::optional<std::uint16_t> places = std::nullopt;
    /// Refuse everything that RFC 7574 does not allow, also where it is harmless.
    bool strict = false;
};

/// Kinds of servers that hold the channel's units as signed objects, in the order in which they are
/// asked (design §5.5).
enum class StorageTier : std::uint8_t {
    cache, ///< in-network storage (DECADE, RFC 7069)
    cdn,   ///< any web server
};

struct StorageServer {
    StorageTier tier = StorageTier::cache;
    std::uint32_t cost =
        0; ///< ALTO routing cost, smaller is nearer; the measured time decides ties
};

enum class Role : std::uint8_t {
    source, ///< makes the units
    viewer, ///< fetches and plays them; relays while it does
};

/// When media leaves the engine.
struct PlayoutConfig {
    /// Signing to output; nullopt = auto: starts at 800 ms, moves within 300 ms .. 5 s.
    std::optional<Duration> latency;
    /// False: nothing is handed out, the node only relays.
    bool enabled = true;
};

struct LiveSwarmConfig {
    SwarmId id;
    Role role = Role::viewer;
    wire::AddressingMode addressing = wire::AddressingMode::chunk32;
    std::uint32_t chunk_size = 1024;
    /// Fixed by the source; 0 for a viewer, who learns it from the first munro (trap T10).
    std::uint32_t chunks_per_unit = 0;
    /// Duration of stream that is kept and served (decision D7).
    Duration discard_window = std::chrono::seconds{60};
    /// Nominal duration of a unit; refined by what the munro times say.
    Duration unit_duration = std::chrono::milliseconds{50};
    /// First unit that a source makes; a multiple of 47 keeps TS packets on their grid.
    UnitIndex first_unit = 0;
    PlayoutConfig playout;
    PickerMaker picker = {}; ///< empty = the engine's own
    /// Where a viewer gets units that peers do not bring; outputs name them by their place here.
    std::vector<StorageServer> storage = {};
    /// Of the pulls that wait, those of who holds least go first, instead of the oldest.
    bool deprived_first = false;
};

/// A recording on demand (RFC 7574 §5): any bytes, named by the root of their Merkle tree.
struct RecordingConfig {
    SwarmId id; ///< the root hash
    wire::HashFunction hash_function = wire::HashFunction::sha256;
    wire::AddressingMode addressing = wire::AddressingMode::chunk32;
    std::uint32_t chunk_size = 1024;
    /// Bytes, from a link or a channel file; nullopt = told by peaks and the last chunk (§5.6).
    std::optional<std::uint64_t> length;
};

} // namespace ppsp::peer
