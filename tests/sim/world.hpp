#pragma once

#include "tests/baselines/baselines.hpp"
#include "tests/sim/event_queue.hpp"
#include "tests/sim/sim_node.hpp"
#include "tests/support/virtual_storage.hpp"
#include "tracker/api/service.hpp"

#include <functional>

namespace ppsp::sim {

/// Nodes are numbered through the addresses from here, each in a /24 of its own.
inline constexpr std::uint32_t first_address = 0x14000001;
inline constexpr std::uint32_t address_step = 256;

inline constexpr UnixMicros utc_at_zero = 1'790'000'000'000'000;

/// A network of real engines in virtual time. Everything that happens is one event in a total
/// order, everything random comes from named forks of one seed: the same scenario and seed give the
/// same run, down to the digest.
///
/// The order is that of a conservative simulation (Chandy, Misra 1979): the node whose next event
/// is the earliest of all is visited, and does all that is due before anything that others do from
/// now on can reach it, while its memory is warm. What concerns several nodes at once, such as that
/// one joins, is done when all of them are there.
class World {
public:
    /// Hashes and checks of one node.
    struct Crypto {
        std::unique_ptr<integrity::Hasher> hasher;
        std::unique_ptr<integrity::Checker> checker;
    };
    /// Makes them; a test may hand in broken ones to see that the auditor notices.
    using CryptoMaker = std::function<Crypto(CryptoCounts& counts)>;

    explicit World(Scenario const& scenario, CryptoMaker crypto = {});
    ~World();

    /// Called about once a second of wall time: (seconds done, seconds in all).
    using Progress = std::function<void(double done, double all)>;
    [[nodiscard]] RunResult run(Progress const& progress = {});

    /// Every visit is one event long, as if nothing were known of how long datagrams take. The run
    /// is the same, and slower.
    void look_nowhere_ahead() { looks_ahead_ = false; }

private:
    struct Flight {
        Endpoint from;
        Endpoint to;
        ByteVector bytes;
    };
    struct Arrived {
        Flight flight;
        TimePoint at;
    };

    // population.cpp: who is there
    void plan_population();
    void plan_scripts();
    [[nodiscard]] NodePlan plan_node(std::size_t peer_class, std::string group);
    void add_source();
    void add_storage();
    SimNode& join(NodePlan plan);
    [[nodiscard]] std::unique_ptr<Polluter> make_polluter(SimNode const& node) const;
    void leave(SimNode& node, bool graceful);
    void schedule_departure(std::uint32_t number);
    void massacre();
    void tell_known_peers(SimNode& node);
    void lie(std::uint32_t number);

    // network.cpp: the way of a datagram
    void drain(SimNode& node);
    void send(SimNode& from, Endpoint const& to, ByteVector bytes);
    void launch(SimNode& from, SimNode& to, TimePoint left, Endpoint const& seen_from,
                Endpoint const& to_endpoint, ByteVector bytes);
    void arrive(SimNode& node, SimEvent const& event);
    std::size_t take_inbox(SimNode& node);
    [[nodiscard]] Endpoint outside(SimNode& node, Endpoint const& remote);
    [[nodiscard]] bool lets_in(SimNode& node, Flight const& flight);
    [[nodiscard]] SimNode* node_at(Endpoint const& endpoint);
    void take_media(SimNode& node, peer::MediaReady const& media);
    void fetch(SimNode& node, peer::FetchWanted const& wanted);

    // world.cpp
    void handle(SimNode& node, peer::Input const& input);
    void visit(SimNode& node, TimePoint until);
    void plan_visit(SimNode& node);
    void take_turn(SimNode& node);
    void plan_turn(SimNode& node);
    /// What may touch every node.
    void at(TimePoint when, std::function<void()> what);
    /// What touches this node only.
    void at_node(SimNode& node, TimePoint when, std::function<void()> what);
    /// What the node makes the tracker or the storage do, and touches these only.
    void at_service(SimNode& node, TimePoint when, std::function<void()> what);
    /// What comes to the node from there.
    void at_answer(SimNode& node, TimePoint when, std::function<void()> what);
    void add_script(EventQueue& queue, TimePoint when, EventNumbers& numbers,
                    std::function<void()> what);
    void run_script(std::uint32_t place);
    /// What a node does takes at least that long to reach this one.
    [[nodiscard]] Duration lookahead(SimNode const& node) const;
    void cut_unit();
    /// Newest unit that was cut.
    [[nodiscard]] peer::UnitIndex edge() const
    {
        return std::max<peer::UnitIndex>(stream_.next_unit(), 1) - 1;
    }
    void tick();
    void talk_to_tracker(SimNode& node);
    void ask_tracker(SimNode& node, std::string body);
    void note(SimNode& node, EventKind kind, std::size_t size);
    [[nodiscard]] peer::SwarmStatistics figures(SimNode const& node) const;
    [[nodiscard]] TimePoint seconds(double value) const { return origin_ + Scenario::s(value); }
    [[nodiscard]] bool tracker_is_down() const;

    // summary.cpp
    [[nodiscard]] RunResult summarise();
    void add_bounds(RunResult& result) const;
    void add_classes(RunResult& result) const;
    void add_totals(RunResult& result) const;
    void add_overlay(RunResult& result) const;
    void check_liveness(RunResult& result) const;

    Scenario scenario_;
    Rng rng_;
    TimePoint origin_;
    TimePoint end_;
    TimePoint now_;
    double scale_ = 1; ///< of the classes' uplinks
    double wire_factor_ = 1;

    EventQueue barriers_; ///< scripts that may touch every node
    EventQueue visits_;   ///< nodes and services, by their next event
    EventNumbers barrier_numbers_{std::numeric_limits<std::uint32_t>::max() >> 8};
    EventNumbers service_numbers_{(std::numeric_limits<std::uint32_t>::max() >> 8) - 1};
    SimNode* visited_ = nullptr;
    bool looks_ahead_ = true;
    std::vector<Flight> flights_;
    std::vector<std::uint32_t> free_flights_;
    std::vector<Arrived> came_; ///< together, for one node
    std::vector<std::function<void()>> scripts_;
    std::vector<std::uint32_t> free_scripts_;

    SimStream stream_;
    CryptoCounts crypto_;
    CryptoMaker make_crypto_;
    baselines::Baseline baseline_;
    std::unique_ptr<integrity::Signer> signer_;
    peer::SwarmId swarm_;
    std::string swarm_hex_;
    Crypto storage_crypto_;
    test::VirtualStorage storage_;
    tracker::Service tracker_;
    Endpoint tracker_endpoint_;
    TimePoint next_key_;

    std::vector<std::unique_ptr<SimNode>> nodes_; ///< 0 = source; nobody is ever removed
    std::vector<NodePlan> planned_;
    std::map<std::string, std::vector<Second>> timeline_;

    std::uint64_t events_ = 0;
    std::uint64_t datagrams_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t lost_ = 0;
    std::vector<std::string> violations_;
};

} // namespace ppsp::sim
