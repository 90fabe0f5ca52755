#pragma once

#include "peer/content/live_store.hpp"
#include "peer/content/recording_store.hpp"
#include "peer/engine/config.hpp"
#include "peer/engine/statistics.hpp"
#include "protocol/base/spare_buffers.hpp"
#include "protocol/integrity/hasher.hpp"
#include "protocol/integrity/membership.hpp"
#include "protocol/integrity/signature.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <variant>

/// The border of the engine: what goes in, what comes out, and whom it may ask.
namespace ppsp::peer {

// ---- in ----------------------------------------------------------------------------------------

struct DatagramReceived {
    Endpoint from;
    Bytes bytes; ///< valid during the call
    /// Another one is at hand and follows at once, with the same time: answers may wait for it.
    bool more = false;
    /// How long it lay at the shell; what it tells about delays is as of its coming.
    Duration waited{};
};

/// The deadline has passed.
struct TimerFired {};

/// Starts a swarm. A source needs `signer`, which must outlive the engine.
struct JoinSwarm {
    LiveSwarmConfig config;
    integrity::Signer* signer = nullptr;
};

/// Starts the swarm of a recording. `bytes` and `hasher`, which is one of `config.hash_function`,
/// must outlive the swarm. With `tree` all of it is there, and `config.length` tells how much.
struct JoinRecording {
    RecordingConfig config;
    RecordingBytes* bytes = nullptr;
    integrity::Hasher* hasher = nullptr;
    std::shared_ptr<integrity::MerkleTree const> tree = nullptr;
};

/// A player waits for the recording from this byte on; nullopt = nobody waits any more.
struct PlayFrom {
    SwarmId swarm;
    std::optional<std::uint64_t> position;
};

/// Ends a swarm with closing handshakes to all neighbours (PP-3.1.1-p).
struct LeaveSwarm {
    SwarmId swarm;
};

/// Addresses of possible neighbours: from a tracker, a link, a cache of earlier ones.
struct CandidatesFound {
    SwarmId swarm;
    std::vector<Endpoint> endpoints; ///< none: somebody answers, and knows nobody
    /// Of one who knows who is there now, as trackers do. What a link or a cache names may be gone.
    bool is_answer = true;
};

struct ProvenUplink {
    Endpoint endpoint;
    std::uint32_t kbps = 0; ///< media that receivers got from it, kbit/s
};

/// What neighbours and candidates were seen to upload, by a tracker that adds up receivers'
/// receipts: never what they say about themselves (design §5.7).
struct UplinksProven {
    SwarmId swarm;
    std::vector<ProvenUplink> peers;
};

/// A certificate that this node is a member of the swarm, from a tracker that is trusted to name
/// members (RFC 7574 §12.2.2). A later one replaces it.
struct MembershipIssued {
    SwarmId swarm;
    ByteVector issuer; ///< public key whose certificates are believed, as algorithm and key
    ByteVector certificate;
};

/// Where the stream is, from somebody who can only be believed as a hint (a tracker).
struct LiveEdgeFound {
    SwarmId swarm;
    ChunkId newest{};
    std::uint32_t chunks_per_unit = 0;
    std::optional<ChunkId> random_access;
    Duration age{};
};

/// The source's next unit: exactly chunks_per_unit chunks. Units follow one another.
struct UnitCut {
    SwarmId swarm;
    Bytes payload; ///< valid during the call
    bool random_access = false;
};

/// Number of a fetch; unique in its swarm.
using FetchId = std::uint64_t;

/// What became of a FetchWanted; every one of them is answered once, within its time.
struct FetchFinished {
    SwarmId swarm;
    FetchId fetch = 0;
    unsigned status = 0; ///< of HTTP; 0 = no answer in time, none at all, or one that was too large
    Bytes body;          ///< valid during the call
};

using Input = std::variant<DatagramReceived, TimerFired, JoinSwarm, JoinRecording, LeaveSwarm,
                           CandidatesFound, UplinksProven, MembershipIssued, LiveEdgeFound, UnitCut,
                           FetchFinished, PlayFrom>;

// ---- out ---------------------------------------------------------------------------------------

struct SendDatagram {
    Endpoint to;
    ByteVector bytes;
};

/// Verified media in stream order; the first of a swarm starts at PAT/PMT and a key frame.
struct MediaReady {
    SwarmId swarm;
    std::uint64_t stream_position = 0; ///< byte position of the first byte
    ByteVector bytes;
    UnixMicros signed_at = 0;   ///< when the source signed the unit
    bool discontinuity = false; ///< bytes before this were given up
};

/// The swarm has fewer neighbours than it wants; ask a tracker when convenient, and tell its answer
/// with CandidatesFound, even an empty one. Who gets none believes peers after a while.
struct CandidatesWanted {
    SwarmId swarm;
};

/// A GET to one of the swarm's storage servers, answered by FetchFinished.
struct FetchWanted {
    SwarmId swarm;
    FetchId fetch = 0;
    std::size_t server = 0; ///< place in `LiveSwarmConfig::storage`
    std::string path;       ///< below the server's URL
    /// First and last byte (RFC 9110 §14.1.2); nullopt = all of it.
    std::optional<std::pair<std::uint64_t, std::uint64_t>> range;
    std::size_t size_max = 0; ///< a longer body is of no use
    Duration timeout{};
};

using Output = std::variant<SendDatagram, MediaReady, CandidatesWanted, FetchWanted>;

// ---- ports -------------------------------------------------------------------------------------

/// Unpredictable numbers (channel ids must not be guessable: RFC 7574 §12.1).
class RandomSource {
public:
    virtual ~RandomSource() = default;
    [[nodiscard]] virtual std::uint64_t next() = 0;
};

enum class BanReason : std::uint8_t {
    bad_chunks,
    bad_signatures,
    bad_messages,
    broken_word, ///< announced what did not come, or sent what nothing proved
};

struct NeighbourOpened {
    Endpoint endpoint;
    bool is_source;
};
struct NeighbourClosed {
    Endpoint endpoint;
    std::string_view why;
};
struct NeighbourBanned {
    Endpoint endpoint;
    BanReason reason;
};
struct PlayoutStarted {
    UnitIndex unit;
    Duration startup;
};
struct PlayoutStalled {
    UnitIndex unit;
    std::string cause;
};
struct PlayoutResumed {
    Duration stalled_for;
};
/// The playout gave up on units and went on at a later random access point.
struct PlayoutSkipped {
    UnitIndex from;
    UnitIndex to;
};

/// The last missing chunk of a unit came.
struct UnitCompleted {
    UnitIndex unit;
};

/// A unit that peers did not bring came from a cache or CDN.
struct UnitRescued {
    UnitIndex unit;
    StorageTier tier;
};

/// All of a recording is there.
struct RecordingCompleted {};

/// What is right could not be kept, the disk may be full: nothing more is fetched.
struct RecordingFailed {};

using Event = std::variant<UnitCompleted, UnitRescued, NeighbourOpened, NeighbourClosed,
                           NeighbourBanned, PlayoutStarted, PlayoutStalled, PlayoutResumed,
                           PlayoutSkipped, RecordingCompleted, RecordingFailed>;

/// Listens; never changes anything.
class EventSink {
public:
    virtual ~EventSink() = default;
    virtual void on_event(TimePoint now, SwarmId const& swarm, Event const& event) = 0;
};

struct Ports {
    integrity::Hasher& hasher;
    integrity::Checker& checker;
    RandomSource& random;
    EventSink& events;
    PayloadMemory* memory = nullptr; ///< null = the heap
    /// Null = membership certificates are neither believed nor shown.
    integrity::MembershipChecker* memberships = nullptr;
    SpareBuffers* buffers = nullptr; ///< for datagrams; null = the heap
};

} // namespace ppsp::peer
