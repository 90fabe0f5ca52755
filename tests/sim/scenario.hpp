#pragma once

#include "protocol/base/result.hpp"
#include "protocol/base/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ppsp::sim {

/// Peers of one kind. `share` of all peers; `uplink` in streams before scaling to the load.
struct PeerClass {
    std::string name;
    double share = 0;
    double uplink = 0;
};

/// A simulation as its file tells it. Each member is a key of the TOML file and of `--set` with the
/// same name (`fields` in scenario.cpp); units are in the names or in the comments.
struct Scenario {
    std::string name;
    std::string description;
    std::uint64_t seed = 1;

    // who
    std::uint32_t peers = 100;
    double seconds = 60;
    double measure_from = 30; ///< s; figures count from here
    double settle = 5;        ///< s before the end in which units that are cut no longer count
    double join_over = 10;    ///< s over which the first peers join
    std::vector<PeerClass> classes;
    double load = 0.95; ///< stream rate / fluid bound; scales the uplinks
    /// What headers, proofs and control may take beside media, above UDP (goal G6). An uplink of
    /// one stream carries one stream with as much of it; IP and UDP headers come on top.
    double overhead_allowance = 0.16;
    double source_streams = 3; ///< uplink of the source, in streams
    double free_riders = 0;    ///< share of peers that upload nothing, whatever their class
    double control_kbps = 200; ///< uplink of those that upload no media
    bool uplink_told = false;  ///< peers are configured with their uplink instead of measuring it

    // stream
    std::uint32_t chunk_size = 1024;
    std::uint32_t chunks_per_unit = 8;
    double unit_ms = 50;
    double key_interval_ms = 1000;

    // network
    double delay_min_ms = 10; ///< one way, between two peers
    double delay_max_ms = 100;
    double jitter_ms = 0;
    double loss = 0.005;
    double burst_loss = 0;   ///< share lost in bursts, beside `loss`
    double burst_length = 4; ///< datagrams, mean
    double duplication = 0;
    double reordering = 0;
    double reorder_ms = 15;
    double uplink_queue_ms = 200;
    double downlink_mbps = 20; ///< 0 = no limit
    double downlink_queue_ms = 200;
    std::uint32_t mtu = 1500; ///< IP datagrams above it are lost
    std::uint32_t regions = 1;
    double region_delay_ms = 60; ///< added between regions
    double nat_cone = 0;         ///< share behind address- and port-restricted NATs
    double nat_symmetric = 0;    ///< share behind NATs with another port for each destination

    // what happens
    double mean_session = 0;      ///< s, exponential; 0 = nobody leaves. Leavers are replaced
    double graceful = 0.5;        ///< share of leavers that say goodbye
    std::uint32_t crowd = 0;      ///< peers that join on top
    double crowd_at = 0;          ///< s
    double crowd_over = 30;       ///< s
    double massacre = 0;          ///< share of peers that vanish
    double massacre_at = 0;       ///< s
    bool massacre_ablest = true;  ///< the most capable decile is among them
    double tracker_down_from = 0; ///< s; 0 with `until` 0 = never down
    double tracker_down_until = 0;
    double tracker_delay_ms = 30;    ///< one way
    double polluters = 0;            ///< share of peers that tamper with what they send
    std::string pollution = "mixed"; ///< how: bytes, haves, early, signatures, replay, each, mixed
    double pollution_rate = 1;       ///< share of their datagrams that are tampered with
    double blackout_from = 0;        ///< s; no datagram arrives, but web servers answer
    double blackout_until = 0;

    // storage: web servers that hold what the source publishes
    std::uint32_t caches = 0;
    double cache_delay_ms = 20; ///< one way, beside the viewer's own
    double cache_mbps = 0;      ///< uplink of each; 0 = no limit
    double publish_lag_ms = 60; ///< from an object's last unit to its being there
    bool cdn = false;           ///< they are the last resort, not caches

    // engine
    std::string picker = "substream";
    double latency_ms = 0; ///< playout target; 0 = auto
    double window_s = 10;  ///< discard window; memory, mostly
    std::uint32_t neighbours_target = 14;
    std::uint32_t neighbours_max = 100;
    std::uint32_t source_neighbours_max = 60;
    double ledbat_target_ms = 25;
    double turn_gap_ms = 4;   ///< of a node (NodeConfig::turn_gap)
    bool crypto_real = false; ///< SHA-256 and ECDSA instead of counted stand-ins

    [[nodiscard]] Duration unit() const { return ms(unit_ms); }
    [[nodiscard]] double stream_bps() const
    {
        return static_cast<double>(chunk_size) * chunks_per_unit * 8e3 / unit_ms;
    }
    [[nodiscard]] static Duration ms(double value)
    {
        return Duration{static_cast<std::int64_t>(value * 1e3)};
    }
    [[nodiscard]] static Duration s(double value)
    {
        return Duration{static_cast<std::int64_t>(value * 1e6)};
    }
};

/// A sentence that says what is wrong: file, key, allowed values.
using ScenarioError = std::string;

/// Reads a TOML file; unknown keys are errors.
[[nodiscard]] Result<Scenario, ScenarioError> load_scenario(std::string const& path);
/// `KEY=VALUE` as on the command line.
[[nodiscard]] Result<void, ScenarioError> set_value(Scenario& scenario,
                                                    std::string_view assignment);
/// What cannot be run, as a sentence.
[[nodiscard]] Result<void, ScenarioError> check(Scenario const& scenario);
/// The keys with their values, for `--help` and for results: (key, value as in TOML).
[[nodiscard]] std::vector<std::pair<std::string, std::string>> values(Scenario const& scenario);

} // namespace ppsp::sim
