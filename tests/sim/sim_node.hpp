#pragma once

#include "peer/engine/engine.hpp"
#include "tests/sim/access_link.hpp"
#include "tests/sim/counted_crypto.hpp"
#include "tests/sim/event_queue.hpp"
#include "tests/sim/meter.hpp"
#include "tests/sim/polluter.hpp"
#include "tests/sim/tracker_talk.hpp"

#include <deque>
#include <limits>
#include <memory>
#include <unordered_map>

namespace ppsp::sim {

class SeededRandom final : public peer::RandomSource {
public:
    explicit SeededRandom(Rng rng) : rng_(rng) {}
    [[nodiscard]] std::uint64_t next() override { return rng_.next(); }

private:
    Rng rng_;
};

enum class NatKind : std::uint8_t {
    none,
    cone,      ///< one outside port; lets in only whom the node wrote to
    symmetric, ///< another outside port for each destination, and as strict
};

/// What a node is, before it has an engine.
struct NodePlan {
    std::uint32_t number = 0; ///< 0 = source
    std::size_t peer_class = 0;
    std::string group; ///< "first", "crowd", "joined": whose continuity is looked at apart
    double uplink_streams = 0;
    bool uploads = true; ///< false: configured never to upload media
    bool pollutes = false;
    bool graceful = true; ///< says goodbye when it leaves
    NatKind nat = NatKind::none;
    std::uint32_t region = 0;
    Duration access_delay{};
    std::uint64_t uplink_bps = 0; ///< of the link
    std::uint64_t downlink_bps = 0;
};

/// A node of the simulated network: the product's engine behind an access link.
struct SimNode {
    SimNode(NodePlan node_plan, Endpoint at, Scenario const& scenario, Rng node_rng);

    /// When it has something to do next; max() = never, as far as is known.
    [[nodiscard]] TimePoint next_event() const
    {
        return agenda.empty() ? turn_at : std::min(agenda.top().at, turn_at);
    }

    NodePlan plan;
    Endpoint endpoint;
    Rng rng;
    Rng link_rng; ///< what becomes of the datagrams that it sends
    LinkQueue up;
    LinkQueue down;
    BurstLoss burst;
    bool alive = false;
    /// Datagrams that passed the access link, or will have: (when, number of the flight).
    std::deque<std::pair<TimePoint, std::uint32_t>> inbox;
    EventQueue agenda; ///< datagrams on their way to it, and its scripts
    EventNumbers numbers;
    EventDigest digest;
    TimePoint acted_at{};                  ///< its last event: nothing may come to it before that
    TimePoint visit_at = TimePoint::max(); ///< when its next visit is planned
    TimePoint turn_at = TimePoint::max();  ///< the next one
    TimePoint free_at{};                   ///< none before that

    std::unique_ptr<integrity::Hasher> hasher;
    std::unique_ptr<integrity::Checker> checker;
    std::unique_ptr<SeededRandom> random;
    std::unique_ptr<peer::Engine> engine;
    std::unique_ptr<Meter> meter;
    std::unique_ptr<TrackerTalk> tracker;
    std::unique_ptr<Polluter> polluter; ///< null = honest

    /// Behind a NAT: whom it wrote to, and when last.
    std::unordered_map<Endpoint, TimePoint> bindings;
    std::uint64_t next_position = 0; ///< of the output
    bool has_output = false;
    std::uint64_t polluted_bytes = 0;
};

} // namespace ppsp::sim
