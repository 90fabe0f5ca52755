#pragma once

#include "peer/content/live_store.hpp"
#include "peer/engine/config.hpp"
#include "peer/engine/statistics.hpp"
#include "protocol/integrity/hasher.hpp"
#include "protocol/integrity/signature.hpp"

#include <string_view>
#include <variant>

/// The border of the engine: what goes in, what comes out, and whom it may ask.
namespace ppsp::peer {

// ---- in ----------------------------------------------------------------------------------------

struct DatagramReceived {
    Endpoint from;
    Bytes bytes; ///< valid during the call
};

/// The deadline has passed.
struct TimerFired {};

/// Starts a swarm. A source needs `signer`, which must outlive the engine.
struct JoinSwarm {
    LiveSwarmConfig config;
    integrity::Signer* signer = nullptr;
};

/// Ends a swarm with closing handshakes to all neighbours (PP-3.1.1-p).
struct LeaveSwarm {
    SwarmId swarm;
};

/// Addresses of possible neighbours: from a tracker, a link, a cache of earlier ones.
struct CandidatesFound {
    SwarmId swarm;
    std::vector<Endpoint> endpoints;
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

using Input = std::variant<DatagramReceived, TimerFired, JoinSwarm, LeaveSwarm, CandidatesFound,
                           UplinksProven, LiveEdgeFound, UnitCut>;

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

/// The swarm has fewer neighbours than it wants; ask a tracker when convenient.
struct CandidatesWanted {
    SwarmId swarm;
};

using Output = std::variant<SendDatagram, MediaReady, CandidatesWanted>;

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

using Event = std::variant<UnitCompleted, NeighbourOpened, NeighbourClosed, NeighbourBanned,
                           PlayoutStarted, PlayoutStalled, PlayoutResumed, PlayoutSkipped>;

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
};

} // namespace ppsp::peer
