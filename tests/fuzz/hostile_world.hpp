#pragma once

#include "peer/engine/engine.hpp"
#include "peer/storage/munro_recorder.hpp"
#include "peer/storage/object_collector.hpp"
#include "tests/sim/counted_crypto.hpp"
#include "tests/support/test_media.hpp"

#include <array>
#include <deque>
#include <map>
#include <set>

/// A source and a viewer, who are connected, and a neighbour that keeps to no rule. Virtual time;
/// what no input may bring about is asserted wherever it would show.
namespace ppsp::fuzz {

/// Signs for the source, and believes only what it signed itself: a fuzzer that reads comparisons
/// would soon write good signatures of a weak algorithm.
class SignatureBook final : public integrity::Signer, public integrity::Checker {
public:
    explicit SignatureBook(ByteVector swarm_id) : swarm_id_(std::move(swarm_id)) {}
    [[nodiscard]] ByteVector swarm_id() const override { return swarm_id_; }
    [[nodiscard]] ByteVector sign(Bytes message) override;
    [[nodiscard]] bool check(Bytes swarm_id, Bytes message, Bytes signature) override;

private:
    ByteVector swarm_id_;
    std::set<ByteVector> signed_;
};

class ScriptedRandom final : public peer::RandomSource {
public:
    explicit ScriptedRandom(Rng rng) : rng_(rng) {}
    std::uint64_t next() override { return rng_.next(); }

private:
    Rng rng_;
};

class NoEvents final : public peer::EventSink {
public:
    void on_event(TimePoint, peer::SwarmId const&, peer::Event const&) override {}
};

/// One of the two honest nodes, and what it did to addresses of the hostile one.
struct HonestNode {
    HonestNode(Endpoint at, peer::NodeConfig const& config, SignatureBook& signatures, Rng rng);

    /// What went to and fro between this node and an address.
    struct Account {
        std::uint64_t bytes_in = 0;
        std::uint64_t bytes_out = 0; ///< to a channel, which only answers are
        std::uint64_t dials = 0;     ///< to channel 0
        std::uint64_t datagrams_in = 0;
        bool proven = false; ///< a number that was sent there came back from there
        std::map<ChannelId, TimePoint> numbers; ///< that were sent there, and when first
        std::set<ChannelId> proven_numbers;
    };

    Endpoint endpoint;
    sim::CryptoCounts counts;
    sim::CountedHasher hasher;
    ScriptedRandom random;
    NoEvents events;
    peer::Engine engine;
    std::map<Endpoint, Account> accounts;
    // Timers in the running window of time, and what else happened in it.
    TimePoint window_began{};
    std::uint64_t timers = 0;
    std::uint64_t reasons = 0;
};

/// How storage servers answer the viewer.
enum class Serving : std::uint8_t {
    nothing, ///< the time runs out
    right,   ///< what was asked for, 404 for what is not there
    changed, ///< the same, but for one byte
    missing, ///< 404
};

/// A channel number that an honest node told the hostile one.
struct Session {
    HonestNode* node = nullptr;
    Endpoint endpoint; ///< of the hostile node
    ChannelId number{};
    bool is_dial = false; ///< the honest node began
};

class HostileWorld {
public:
    static constexpr std::uint32_t chunk_size = 188; ///< one transport packet
    static constexpr Duration unit_duration = 50ms;
    static constexpr UnixMicros utc_at_zero = 1'790'000'000'000'000;

    struct Settings {
        std::uint32_t chunks_per_unit = 8;
        bool strict = false;
        bool pex = true;
        bool deprived_first = false;
        std::optional<std::uint64_t> uplink_bps;
        std::optional<Duration> latency = 300ms;
    };
    /// The viewer plays, and the hostile neighbour has an open channel with both.
    explicit HostileWorld(Settings const& settings);

    /// False when the world has done enough for one input.
    [[nodiscard]] bool goes_on() const { return now_ < end_; }
    void advance(Duration time);

    // what the hostile neighbour does
    void deliver(Endpoint const& from, HonestNode& to, Bytes datagram);
    /// A handshake and what follows it; datagram 1 of a conversation, or datagram 2.
    void handshake(Endpoint const& from, HonestNode& to, ChannelId destination, ChannelId source,
                   wire::Options const& options, Bytes more);
    [[nodiscard]] wire::Options options(bool initiator) const;

    // what others do
    void input(HonestNode& node, peer::Input const& input);
    void cut_unit(ByteVector payload, bool random_access);
    void rejoin_viewer();
    /// The viewer joins anew, with a cache and a CDN server behind it.
    void use_storage(Serving serving, std::size_t changed_byte);
    /// Answers one of the viewer's fetches at once.
    void answer_fetch(std::size_t number, unsigned status, Bytes body);
    void set_link(bool up) { link_is_up_ = up; }
    void set_source_runs(bool runs) { source_runs_ = runs; }

    [[nodiscard]] HonestNode& source() { return source_; }
    [[nodiscard]] HonestNode& viewer() { return viewer_; }
    [[nodiscard]] std::deque<Session> const& sessions() const { return sessions_; }
    [[nodiscard]] std::deque<ByteVector> const& overheard() const { return overheard_; }
    [[nodiscard]] std::size_t fetch_count() const { return fetches_.size(); }
    [[nodiscard]] peer::SwarmId const& id() const { return id_; }
    [[nodiscard]] Settings const& settings() const { return settings_; }
    [[nodiscard]] UnixMicros utc() const { return utc_at_zero + now_.time_since_epoch().count(); }
    [[nodiscard]] std::uint64_t next_unit() const { return next_unit_; }
    [[nodiscard]] ChunkId last_served() const { return last_served_; }
    [[nodiscard]] static bool is_key_unit(std::uint64_t number) { return number % 20 == 0; }
    /// A chunk of the stream as the source cut it; empty if it was not cut.
    [[nodiscard]] Bytes chunk(ChunkId chunk) const;
    [[nodiscard]] std::size_t unit_bytes() const
    {
        return std::size_t{settings_.chunks_per_unit} * chunk_size;
    }

    /// At the end: what a node says about itself is within its limits.
    void check_limits();

private:
    struct Flying {
        TimePoint at;
        HonestNode* to;
        Endpoint from;
        ByteVector bytes;
    };
    struct Fetch {
        TimePoint at; ///< when it is answered
        peer::FetchWanted wanted;
    };
    void cut_next_unit();
    void begin_fetch(peer::FetchWanted const& wanted);
    void serve(Fetch const& fetch);
    [[nodiscard]] std::optional<ByteVector> stored(peer::FetchWanted const& wanted);
    void drain(HonestNode& node);
    void send(HonestNode& node, peer::SendDatagram const& datagram);
    void send_to_hostile(HonestNode& node, peer::SendDatagram const& datagram);
    void note_number(HonestNode& node, HonestNode::Account& account, Endpoint const& to,
                     ChannelId number, bool is_dial);
    void check_half_open(HonestNode const& node, Endpoint const& address) const;
    void check_media(peer::MediaReady const& media) const;
    void fire(HonestNode& node);
    [[nodiscard]] TimePoint next_event() const;
    void join_viewer();

    Settings settings_;
    peer::SwarmId id_;
    SignatureBook signatures_;
    peer::MunroRecorder recorder_;
    HonestNode source_;
    HonestNode viewer_;
    TimePoint now_{1s};
    TimePoint end_;
    TimePoint next_cut_;
    std::uint64_t next_unit_ = 0;
    std::uint64_t cuts_left_;
    bool source_runs_ = true;
    bool link_is_up_ = true;
    std::deque<Flying> flying_; ///< all take as long, so in order
    std::deque<Session> sessions_;
    std::deque<ByteVector> overheard_; ///< datagrams that honest nodes sent, newest last
    ChunkId last_served_{};            ///< to the hostile neighbour
    ByteVector stream_;

    peer::ObjectCollector collector_;
    std::deque<peer::CollectedObject> objects_;
    std::deque<Fetch> fetches_; ///< under way, in the order of their begin
    bool has_storage_ = false;
    Serving serving_ = Serving::nothing;
    std::size_t changed_byte_ = 0;
};

} // namespace ppsp::fuzz
