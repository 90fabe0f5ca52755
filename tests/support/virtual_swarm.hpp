#pragma once

#include "peer/engine/engine.hpp"
#include "protocol/base/rng.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/integrity/openssl_signature.hpp"
#include "tests/support/test_media.hpp"
#include "tests/support/virtual_storage.hpp"

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <vector>

/// Several real engines in one process and in virtual time, on links with faults.
namespace ppsp::test {

using namespace std::chrono_literals;

struct LinkFaults {
    double loss = 0;
    double duplication = 0;
    double reordering = 0; ///< share of datagrams that are held back by `reorder_by`
    Duration reorder_by = 15ms;
    Duration delay = 5ms;
    Duration jitter = 0ms;
};

class SeededRandom final : public peer::RandomSource {
public:
    explicit SeededRandom(Rng rng) : rng_(rng) {}
    std::uint64_t next() override { return rng_.next(); }

private:
    Rng rng_;
};

class EventLog final : public peer::EventSink {
public:
    void on_event(TimePoint, peer::SwarmId const&, peer::Event const& event) override
    {
        events.push_back(event);
    }
    template <typename E>
    [[nodiscard]] std::size_t count() const
    {
        std::size_t found = 0;
        for (auto const& event : events) {
            found += std::holds_alternative<E>(event) ? 1 : 0;
        }
        return found;
    }
    std::vector<peer::Event> events;
};

/// One node: an engine, its ports, and what it handed out.
struct VirtualNode {
    VirtualNode(Endpoint at, peer::NodeConfig const& config, Rng rng);

    Endpoint endpoint;
    std::unique_ptr<integrity::Hasher> hasher;
    std::unique_ptr<integrity::Checker> checker;
    integrity::OpensslMembershipChecker memberships;
    SeededRandom random;
    EventLog log;
    SpareBuffers spare; ///< for what the engine sends; nobody fills it by itself
    peer::Engine engine;
    bool alive = true;

    std::uint64_t datagrams_sent = 0;
    std::optional<std::uint64_t> output_position; ///< of the first byte handed out
    ByteVector output;
    std::uint64_t discontinuities = 0;
    bool positions_continuous = true;
    bool bytes_are_exact = true; ///< each piece is what the source cut at its position
    std::uint64_t next_position = 0;
};

class VirtualSwarm {
public:
    explicit VirtualSwarm(std::uint64_t seed);

    struct SourceOptions {
        std::uint32_t chunks_per_unit = 16;
        Duration unit_duration = 50ms;
        Duration key_frame_interval = 1s;
        std::optional<std::uint64_t> uplink_bps;
        peer::UnitIndex first_unit = 0;
        std::uint16_t neighbours_max = peer::NodeConfig{}.neighbours_max;
    };
    /// Servers of `storage` get what the source publishes; viewers added later ask them.
    VirtualNode& add_source(SourceOptions const& options);
    /// `latency` nullopt = auto.
    VirtualNode& add_viewer(std::optional<Duration> latency = 800ms,
                            std::optional<std::uint64_t> uplink_bps = std::nullopt,
                            peer::NodeConfig config = {});
    /// Tells `node` the addresses of all others, or of `only`.
    void introduce(VirtualNode& node, std::vector<Endpoint> const& only = {});
    void kill(VirtualNode& node) { node.alive = false; }
    /// A datagram from nowhere.
    void inject(Endpoint from, VirtualNode& to, ByteVector bytes);

    void run_for(Duration time);
    void pause_source() { source_paused_ = true; }
    /// The next unit is cut one unit-time from now; a live source does not catch up.
    void resume_source();

    [[nodiscard]] TimePoint now() const { return now_; }
    [[nodiscard]] peer::SwarmId const& id() const { return id_; }
    [[nodiscard]] peer::SwarmStatistics figures(VirtualNode& node) const;
    [[nodiscard]] ByteVector const& stream() const { return stream_; }
    [[nodiscard]] std::uint64_t stream_start() const { return stream_start_; }
    /// What the viewer handed out is a piece of what the source cut, byte for byte.
    [[nodiscard]] bool output_is_exact(VirtualNode const& node) const;
    [[nodiscard]] std::vector<std::unique_ptr<VirtualNode>>& nodes() { return nodes_; }

    LinkFaults faults;
    double pace = 1; ///< of the stream: units come so many times as fast
    VirtualStorage storage;
    /// May change a datagram on its way, or drop it by returning false.
    std::function<bool(Endpoint from, Endpoint to, ByteVector& bytes)> meddle;

private:
    [[nodiscard]] bool is_cut(peer::MediaReady const& media) const;
    struct Flying {
        TimePoint at;
        std::uint64_t number;
        Endpoint from;
        Endpoint to;
        ByteVector bytes;
        friend bool operator>(Flying const& a, Flying const& b)
        {
            return std::pair{a.at, a.number} > std::pair{b.at, b.number};
        }
    };
    /// An answer of a storage server on its way.
    struct Fetched {
        TimePoint at;
        std::uint64_t number;
        Endpoint to;
        peer::FetchId fetch;
        Answer answer;
        friend bool operator>(Fetched const& a, Fetched const& b)
        {
            return std::pair{a.at, a.number} > std::pair{b.at, b.number};
        }
    };
    VirtualNode& add_node(peer::NodeConfig config);
    void fetch(VirtualNode& from, peer::FetchWanted const& wanted);
    void deliver(Fetched const& fetched);
    void drain(VirtualNode& node);
    void send(VirtualNode& from, peer::SendDatagram datagram);
    void deliver(Flying const& flying);
    void cut_unit();
    VirtualNode* find(Endpoint const& endpoint);

    Rng rng_;
    Rng link_rng_;
    TimePoint now_{Duration{1'000'000}};
    std::vector<std::unique_ptr<VirtualNode>> nodes_;
    std::priority_queue<Flying, std::vector<Flying>, std::greater<>> flying_;
    std::priority_queue<Fetched, std::vector<Fetched>, std::greater<>> fetched_;
    std::uint64_t next_number_ = 0;

    std::unique_ptr<integrity::Signer> signer_;
    peer::SwarmId id_;
    SourceOptions source_options_;
    VirtualNode* source_ = nullptr;
    std::unique_ptr<TestMedia> media_;
    TimePoint next_unit_{};
    TimePoint next_key_{};
    bool source_paused_ = false;
    ByteVector stream_;
    std::uint64_t stream_start_ = 0;
};

} // namespace ppsp::test
