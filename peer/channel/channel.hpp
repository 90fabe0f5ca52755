#pragma once

#include "peer/channel/ack_queue.hpp"
#include "peer/channel/flow.hpp"
#include "peer/channel/handshake.hpp"
#include "peer/channel/hash_knowledge.hpp"
#include "peer/channel/peer_availability.hpp"
#include "peer/channel/request_queue.hpp"
#include "peer/channel/scratch.hpp"
#include "peer/channel/trust.hpp"
#include "peer/channel/tune_in.hpp"

#include <vector>

namespace ppsp::peer {

enum class ChannelState : std::uint8_t {
    wait_reply, ///< we sent datagram 1
    half_open,  ///< we answered with datagram 2 and wait for proof of the address
    open,
    closed, ///< to be removed
};

/// Control messages that wait for the next datagram. Bounded by what makes them: at most one HAVE
/// and REQUEST interval per unit of the window.
struct ControlQueue {
    /// What was there when the conversation opened, as it is.
    std::vector<ChunkRange> held;
    /// New since: of a live stream whole units, each of which becomes a HAVE of all that is held
    /// without a gap up to its end (PP-4.3.1-a).
    std::vector<ChunkRange> haves;
    std::vector<ChunkRange> requests;
    std::vector<ChunkRange> cancels;
    std::vector<Endpoint> pex_peers;
    std::vector<ByteVector> certificates; ///< of members of the swarm
    bool pex_request = false;
    /// HAVEs of units in whose substreams we have places free: they follow an UNCHOKE.
    std::vector<ChunkRange> offers;
    bool choke = false;
    bool unchoke = false;

    /// Nothing waits any more; what fills again and again keeps its memory.
    void clear()
    {
        held = {};
        haves.clear();
        requests.clear();
        cancels.clear();
        pex_peers.clear();
        certificates = {};
        offers.clear();
        pex_request = choke = unchoke = false;
    }
    [[nodiscard]] bool empty() const
    {
        return held.empty() && haves.empty() && offers.empty() && !urgent();
    }
    /// Something waits that should not wait for company, as HAVEs may.
    [[nodiscard]] bool urgent() const
    {
        return !requests.empty() || !cancels.empty() || !pex_peers.empty() ||
               !certificates.empty() || pex_request || choke || unchoke;
    }
};

/// The handshake of one conversation: what was sent, and when again (PP-3.1.1-l).
struct HandshakeProgress {
    ByteVector datagram; ///< 1 or 2, repeated byte by byte (trap T24)
    TimePoint started{};
    TimePoint resend_at{};
    std::uint32_t sends = 0;
};

/// When the neighbour was heard last, and what that means.
struct Liveness {
    TimePoint received{};
    TimePoint keepalive_at{};
    std::uint32_t sent_since_received = 0;
    /// First DATA after the last datagram received.
    std::optional<TimePoint> data_since;
    /// First unanswered REQUEST after the last datagram received.
    std::optional<TimePoint> asked_since;
};

/// Membership certificates that a neighbour sends (RFC 7574 §12.2).
struct Certificates {
    ByteVector own; ///< says that the neighbour is where it is; to be shown to others
    UnixMicros own_until = 0;
    std::uint32_t checks_left = 0; ///< so many more are looked at
    TimePoint refill_at{};         ///< when one more may come unasked
};

/// Marks against a neighbour; enough of them end the conversation for ten minutes.
struct Misbehaviour {
    std::uint32_t bad_chunks = 0;
    std::uint32_t bad_signatures = 0;
    std::uint32_t bad_datagrams = 0;
};

/// One conversation with one neighbour about one swarm. The parts know their rules; the swarm that
/// owns the channel moves messages between them.
struct Channel {
    Channel(ChannelId own, Endpoint to, congestion::LedbatConfig const& ledbat_config)
        : own_id(own), endpoint(to), flow(ledbat_config)
    {}
    virtual ~Channel() = default;
    Channel(Channel const&) = delete;
    Channel& operator=(Channel const&) = delete;

    ChannelId own_id;    ///< the neighbour addresses us with it
    ChannelId peer_id{}; ///< we address the neighbour with it; 0 until its HANDSHAKE came
    Endpoint endpoint;
    ChannelState state = ChannelState::wait_reply;
    bool initiator = false;
    bool is_introduced = false; ///< we have its address from other peers only (PEX)
    TimePoint opened_at{};
    PeerProfile profile;
    HandshakeProgress handshake;
    Liveness liveness;
    Misbehaviour marks;
    Trust trust;

    // what it holds and knows
    PeerAvailability has;
    /// Chunks of the units that its HAVEs ended with lately: those were spoken of, not only counted
    /// up.
    RangeSet named;
    HashKnowledge hashes;
    Scratch scratch;
    TuneIn tune_in;

    // what we send
    RequestQueue requests;
    bool peer_wants_stream = false; ///< it has asked for something
    RangeSet pushing;               ///< units whose chunks it gets as they come
    Flow flow;
    bool offers_places = false; ///< the datagram in hand said UNCHOKE
    /// The train that was acknowledged last: the next one is measured against it.
    struct Train {
        TimePoint sent;
        std::uint64_t position = 0;
        Duration delay{};
    };
    std::optional<Train> train;

    // what we get
    AckQueue acks;
    RangeSet asked; ///< requested from it and not arrived
    /// Of these, chunks that existed when they were asked for; about that many are still to come.
    std::uint32_t pulled_chunks = 0;
    std::uint64_t refused_unit = ~std::uint64_t{0}; ///< it was told last not to send this one
    bool chokes_us = false;
    bool choked_by_us = false;
    double bytes_per_second = 0;
    std::uint64_t rate_bytes = 0;
    TimePoint rate_since{};
    TimePoint pex_ask_at{};    ///< when we may ask it for peers
    TimePoint pex_answer_at{}; ///< when we answer it the next time
    Certificates certificates;

    // the swarm's lists
    bool is_sending = false; ///< among those that have something to send
    bool is_touched = false; ///< among those to be looked at before the engine rests
    TimePoint wake = TimePoint::max();
    std::optional<TimePoint> haves_due; ///< when waiting HAVEs go at the latest

    /// What others testify that it uploads, kbit/s; 0 = unknown.
    std::uint32_t proven_kbps = 0;

    ControlQueue control;
    std::uint64_t media_bytes_from = 0;
    std::uint64_t media_bytes_to = 0;

    [[nodiscard]] bool is_open() const { return state == ChannelState::open; }
    /// How much it passes on: what a place at our side is worth. Who says that it uploads nothing
    /// comes last.
    [[nodiscard]] double rank() const
    {
        return chokes_us ? 0.0 : proven_kbps == 0 ? rank_unknown : proven_kbps;
    }
    /// As if it uploaded that much, kbit/s: who was not seen yet is not worse than a poor uplink.
    static constexpr double rank_unknown = 500;
    /// Who gets DATA and says nothing for that long beside a round trip is gone, or as good as: a
    /// receiver of a live stream speaks every few hundred milliseconds.
    static constexpr Duration silent_max = std::chrono::milliseconds{700};
    /// Nothing new is sent to who does not, nor after two timeouts in a row; one may be a lost
    /// tail.
    [[nodiscard]] bool responds(TimePoint now) const
    {
        bool const is_silent =
            liveness.data_since && now - *liveness.data_since > silent_max + flow.rtt().smoothed();
        return !is_silent && flow.timeouts_in_a_row() < 2;
    }
    /// It may want units from us: it began the conversation, or asked for something.
    [[nodiscard]] bool follows_us() const { return !initiator || peer_wants_stream; }
};

} // namespace ppsp::peer
