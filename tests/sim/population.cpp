#include "peer/policy/upload_slots.hpp"
#include "tests/sim/world.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ppsp::sim {
namespace {

/// Addresses that a joiner knows from an earlier visit when there is no tracker.
constexpr std::size_t known_peers = 5;

/// How many of `count` fall to each class: rounded, all of them.
std::vector<std::size_t> quotas(std::vector<PeerClass> const& classes, std::size_t count)
{
    std::vector<std::size_t> result;
    double wanted = 0;
    std::size_t given = 0;
    for (PeerClass const& peer_class : classes) {
        wanted += peer_class.share * static_cast<double>(count);
        auto const until = static_cast<std::size_t>(std::llround(wanted));
        result.push_back(until - given);
        given = until;
    }
    return result;
}

/// A polluter announces the newest units that often, beside what it does to its engine's datagrams.
constexpr Duration lie_gap = 200ms;

} // namespace

SimNode::SimNode(NodePlan node_plan, Endpoint at, Scenario const& scenario, Rng node_rng)
    : plan(std::move(node_plan)), endpoint(at), rng(node_rng), link_rng(node_rng.fork("link")),
      up(plan.uplink_bps, Scenario::ms(scenario.uplink_queue_ms)),
      down(plan.downlink_bps, Scenario::ms(scenario.downlink_queue_ms)),
      burst(scenario.burst_loss, scenario.burst_length), numbers(plan.number)
{}

/// Classes and polluters in exact shares, in random order; uplinks scaled so that the stream is
/// `load` of the fluid bound when everybody is there.
void World::plan_population()
{
    Rng rng = rng_.fork("population");
    std::vector<std::size_t> crowd_from;
    auto const add = [&](std::size_t count, char const* group) {
        std::vector<std::size_t> classes;
        auto const quota = quotas(scenario_.classes, count);
        for (std::size_t i = 0; i < quota.size(); ++i) {
            classes.insert(classes.end(), quota[i], i);
        }
        rng.shuffle(std::span{classes});
        for (std::size_t const peer_class : classes) {
            planned_.push_back(plan_node(peer_class, group));
        }
    };
    add(scenario_.peers, "first");
    add(scenario_.crowd, "crowd");
    Rng lots = rng_.fork("polluters");
    auto const polluters = static_cast<std::size_t>(
        std::llround(scenario_.polluters * static_cast<double>(planned_.size())));
    std::vector<std::uint8_t> pollutes(planned_.size(), 0);
    std::fill_n(pollutes.begin(), polluters, std::uint8_t{1});
    lots.shuffle(std::span{pollutes});
    for (std::size_t i = 0; i < planned_.size(); ++i) {
        planned_[i].pollutes = pollutes[i] != 0;
    }
    double sum = 0;
    for (NodePlan const& plan : planned_) {
        sum += plan.uplink_streams;
    }
    double const wanted =
        static_cast<double>(planned_.size()) / scenario_.load - scenario_.source_streams;
    scale_ = sum > 0 ? std::max(wanted, 0.0) / sum : 1;
    double const stream = scenario_.stream_bps() * wire_factor_;
    for (NodePlan& plan : planned_) {
        plan.uplink_streams *= scale_;
        plan.uplink_bps = plan.uploads ? static_cast<std::uint64_t>(plan.uplink_streams * stream)
                                       : static_cast<std::uint64_t>(scenario_.control_kbps * 1e3);
    }
}

NodePlan World::plan_node(std::size_t peer_class, std::string group)
{
    Rng rng = rng_.fork("plan", planned_.size() * 1'000'003 + nodes_.size());
    NodePlan plan;
    plan.peer_class = peer_class;
    plan.group = std::move(group);
    plan.uplink_streams = scenario_.classes[peer_class].uplink;
    if (rng.chance(scenario_.free_riders)) {
        plan.uplink_streams = 0;
    }
    plan.uploads = plan.uplink_streams > 0;
    plan.pollutes = rng.chance(scenario_.polluters);
    plan.graceful = rng.chance(scenario_.graceful);
    double const nat = rng.unit();
    plan.nat = nat < scenario_.nat_cone                             ? NatKind::cone
               : nat < scenario_.nat_cone + scenario_.nat_symmetric ? NatKind::symmetric
                                                                    : NatKind::none;
    plan.region = static_cast<std::uint32_t>(rng.below(scenario_.regions));
    plan.access_delay = Duration{rng.between(Scenario::ms(scenario_.delay_min_ms / 2).count(),
                                             Scenario::ms(scenario_.delay_max_ms / 2).count())};
    plan.downlink_bps = static_cast<std::uint64_t>(scenario_.downlink_mbps * 1e6);
    return plan;
}

/// Before the source, whose signer they listen to.
void World::add_storage()
{
    storage_crypto_ = make_crypto_(crypto_);
    peer::ObjectCollector objects{
        {.chunk_size = scenario_.chunk_size, .chunks_per_unit = scenario_.chunks_per_unit},
        swarm_,
        scenario_.unit(),
        *storage_crypto_.hasher};
    storage_.begin(*signer_, std::move(objects));
    for (std::uint32_t i = 0; i < scenario_.caches; ++i) {
        test::VirtualStorage::Server server;
        server.about.tier = scenario_.cdn ? peer::StorageTier::cdn : peer::StorageTier::cache;
        server.latency = Scenario::ms(2 * scenario_.cache_delay_ms);
        server.publish_lag = Scenario::ms(scenario_.publish_lag_ms);
        server.uplink_bytes_per_second = scenario_.cache_mbps * 1e6 / 8;
        storage_.servers.push_back(std::move(server));
    }
}

void World::add_source()
{
    NodePlan plan;
    plan.group = "source";
    plan.uplink_streams = scenario_.source_streams;
    plan.access_delay = Scenario::ms((scenario_.delay_min_ms + scenario_.delay_max_ms) / 4);
    plan.uplink_bps = static_cast<std::uint64_t>(scenario_.source_streams * scenario_.stream_bps() *
                                                 wire_factor_);
    plan.downlink_bps = static_cast<std::uint64_t>(scenario_.downlink_mbps * 1e6);
    join(std::move(plan));
    at(origin_, [this] { cut_unit(); });
    at(origin_ + 1s, [this] { tick(); });
}

SimNode& World::join(NodePlan plan)
{
    auto const number = static_cast<std::uint32_t>(nodes_.size());
    bool const is_source = number == 0;
    plan.number = number;
    nodes_.push_back(std::make_unique<SimNode>(
        std::move(plan), Endpoint::v4(first_address + number * address_step, 6778), scenario_,
        rng_.fork("node", number)));
    SimNode& node = *nodes_.back();
    node.alive = true;
    Crypto crypto = make_crypto_(crypto_);
    node.hasher = std::move(crypto.hasher);
    node.checker = std::move(crypto.checker);
    node.random = std::make_unique<SeededRandom>(node.rng.fork("secrets"));
    node.meter =
        std::make_unique<Meter>(stream_,
                                MeasureWindow{seconds(scenario_.measure_from),
                                              seconds(scenario_.seconds - scenario_.settle)},
                                now_, scenario_.unit());
    peer::NodeConfig config;
    config.utc_at_zero = utc_at_zero;
    config.neighbours_target = static_cast<std::uint16_t>(scenario_.neighbours_target);
    config.neighbours_max = static_cast<std::uint16_t>(is_source ? scenario_.source_neighbours_max
                                                                 : scenario_.neighbours_max);
    config.turn_gap = Scenario::ms(scenario_.turn_gap_ms);
    config.ledbat_target = Scenario::ms(scenario_.ledbat_target_ms);
    if (!node.plan.uploads) {
        config.uplink_bps = 0;
    } else if (scenario_.uplink_told) {
        config.uplink_bps = static_cast<std::uint64_t>(
            static_cast<double>(node.plan.uplink_bps) * scenario_.chunk_size /
            (scenario_.chunk_size + static_cast<double>(ip_udp_bytes)));
    }
    if (node.plan.pollutes) {
        node.polluter = make_polluter(node);
        at_node(node, now_ + lie_gap, [this, number] { lie(number); });
    }
    if (baseline_.ignores_uplinks && !is_source) {
        config.places = peer::substreams; // as many as one stream takes
    }
    node.engine = std::make_unique<peer::Engine>(
        config, node.rng.fork("engine"),
        peer::Ports{*node.hasher, *node.checker, *node.random, *node.meter, &stream_});
    peer::LiveSwarmConfig swarm;
    swarm.id = swarm_;
    swarm.role = is_source ? peer::Role::source : peer::Role::viewer;
    swarm.chunk_size = scenario_.chunk_size;
    swarm.chunks_per_unit = is_source ? scenario_.chunks_per_unit : 0;
    swarm.discard_window = Scenario::s(scenario_.window_s);
    swarm.unit_duration = scenario_.unit();
    swarm.picker = baseline_.picker;
    swarm.deprived_first = baseline_.deprived_first;
    if (scenario_.latency_ms > 0) {
        swarm.playout.latency = Scenario::ms(scenario_.latency_ms);
    }
    node.tracker =
        std::make_unique<TrackerTalk>(swarm_hex_, number, node.endpoint, swarm.role,
                                      node.rng.fork("tracker"), !baseline_.ignores_uplinks);
    for (auto const& server : storage_.servers) {
        swarm.storage.push_back(server.about);
    }
    handle(node, peer::JoinSwarm{swarm, is_source ? &storage_.recorder() : nullptr});
    if (tracker_is_down()) {
        tell_known_peers(node);
    }
    talk_to_tracker(node);
    if (!is_source && scenario_.mean_session > 0) {
        schedule_departure(number);
    }
    return node;
}

std::unique_ptr<Polluter> World::make_polluter(SimNode const& node) const
{
    Polluter::Config config;
    config.kind = *pollution_of(scenario_.pollution);
    config.rate = scenario_.pollution_rate;
    config.format.chunk_size = scenario_.chunk_size;
    config.chunks_per_unit = scenario_.chunks_per_unit;
    return std::make_unique<Polluter>(config, node.rng.fork("polluter"));
}

void World::lie(std::uint32_t number)
{
    SimNode& node = *nodes_[number];
    if (!node.alive) {
        return;
    }
    for (Polluter::Lie& lie : node.polluter->lies(edge())) {
        send(node, lie.to, std::move(lie.datagram));
    }
    at_node(node, now_ + lie_gap, [this, number] { lie(number); });
}

void World::tell_known_peers(SimNode& node)
{
    peer::CandidatesFound found{swarm_, {}, false};
    for (std::size_t tries = 0; tries < 100 && found.endpoints.size() < known_peers; ++tries) {
        SimNode const& other = *nodes_[node.rng.below(nodes_.size())];
        if (other.alive && other.plan.number != node.plan.number && other.plan.number != 0) {
            found.endpoints.push_back(other.endpoint);
        }
    }
    handle(node, found);
}

void World::leave(SimNode& node, bool graceful)
{
    if (!node.alive) {
        return;
    }
    if (now_ < seconds(scenario_.measure_from)) {
        node.meter->open_window(now_, figures(node), node.up.busy()); // nothing of it counts
    }
    node.meter->close(now_, figures(node));
    if (graceful) {
        handle(node, peer::LeaveSwarm{swarm_});
        ask_tracker(node, node.tracker->leave());
    }
    node.alive = false;
    node.engine.reset();
}

/// Sessions are exponential; whoever leaves is replaced by one of its class, so that the load
/// stays.
void World::schedule_departure(std::uint32_t number)
{
    double const session = -std::log(1.0 - nodes_[number]->rng.unit()) * scenario_.mean_session;
    at(now_ + Scenario::s(session), [this, number] {
        SimNode& node = *nodes_[number];
        if (!node.alive) {
            return;
        }
        NodePlan successor = plan_node(node.plan.peer_class, "joined");
        successor.uplink_streams *= scale_;
        successor.uplink_bps = node.plan.uplink_bps;
        successor.uploads = node.plan.uploads;
        leave(node, node.plan.graceful);
        join(std::move(successor));
    });
}

void World::massacre()
{
    std::vector<std::uint32_t> alive;
    for (auto const& node : nodes_) {
        if (node->alive && node->plan.number != 0) {
            alive.push_back(node->plan.number);
        }
    }
    Rng rng = rng_.fork("massacre");
    rng.shuffle(std::span{alive});
    if (scenario_.massacre_ablest) {
        // The last class is the most capable one.
        std::vector<std::uint32_t> ordered;
        for (bool const ablest : {true, false}) {
            for (std::uint32_t const number : alive) {
                if ((nodes_[number]->plan.peer_class + 1 == scenario_.classes.size()) == ablest) {
                    ordered.push_back(number);
                }
            }
        }
        alive = std::move(ordered);
    }
    auto const victims =
        static_cast<std::size_t>(scenario_.massacre * static_cast<double>(alive.size()));
    for (std::size_t i = 0; i < alive.size(); ++i) {
        if (i >= victims) {
            nodes_[alive[i]]->plan.group = "survivors";
            continue;
        }
        at(now_ + Duration{rng.between(0, 999'999)},
           [this, number = alive[i]] { leave(*nodes_[number], false); });
        nodes_[alive[i]]->plan.group = "victims";
    }
}

void World::plan_scripts()
{
    Rng rng = rng_.fork("arrivals");
    for (std::size_t i = 0; i < planned_.size(); ++i) {
        bool const first = i < scenario_.peers;
        double const from = first ? 0.5 : scenario_.crowd_at;
        double const over = first ? scenario_.join_over : scenario_.crowd_over;
        at(seconds(from + rng.unit() * over), [this, i] { join(planned_[i]); });
    }
    if (scenario_.massacre > 0) {
        at(seconds(scenario_.massacre_at), [this] { massacre(); });
    }
    at(seconds(scenario_.measure_from), [this] {
        for (auto const& node : nodes_) {
            if (node->alive) {
                node->meter->open_window(now_, figures(*node), node->up.busy());
            }
        }
    });
}

} // namespace ppsp::sim
