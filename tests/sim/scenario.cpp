#include "tests/sim/scenario.hpp"

#include "peer/storage/rescue.hpp"
#include "tests/baselines/baselines.hpp"
#include "tests/sim/polluter.hpp"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <cmath>
#include <sstream>

namespace ppsp::sim {
namespace {

/// Calls `visit(key, member)` for every key of a scenario file but `classes`.
template <typename S, typename Visit>
void fields(S& s, Visit&& visit)
{
    visit("name", s.name);
    visit("description", s.description);
    visit("seed", s.seed);
    visit("peers", s.peers);
    visit("seconds", s.seconds);
    visit("measure_from", s.measure_from);
    visit("settle", s.settle);
    visit("join_over", s.join_over);
    visit("load", s.load);
    visit("overhead_allowance", s.overhead_allowance);
    visit("source_streams", s.source_streams);
    visit("free_riders", s.free_riders);
    visit("control_kbps", s.control_kbps);
    visit("uplink_told", s.uplink_told);
    visit("chunk_size", s.chunk_size);
    visit("chunks_per_unit", s.chunks_per_unit);
    visit("unit_ms", s.unit_ms);
    visit("key_interval_ms", s.key_interval_ms);
    visit("delay_min_ms", s.delay_min_ms);
    visit("delay_max_ms", s.delay_max_ms);
    visit("jitter_ms", s.jitter_ms);
    visit("loss", s.loss);
    visit("burst_loss", s.burst_loss);
    visit("burst_length", s.burst_length);
    visit("duplication", s.duplication);
    visit("reordering", s.reordering);
    visit("reorder_ms", s.reorder_ms);
    visit("uplink_queue_ms", s.uplink_queue_ms);
    visit("downlink_mbps", s.downlink_mbps);
    visit("downlink_queue_ms", s.downlink_queue_ms);
    visit("mtu", s.mtu);
    visit("regions", s.regions);
    visit("region_delay_ms", s.region_delay_ms);
    visit("nat_cone", s.nat_cone);
    visit("nat_symmetric", s.nat_symmetric);
    visit("mean_session", s.mean_session);
    visit("graceful", s.graceful);
    visit("crowd", s.crowd);
    visit("crowd_at", s.crowd_at);
    visit("crowd_over", s.crowd_over);
    visit("massacre", s.massacre);
    visit("massacre_at", s.massacre_at);
    visit("massacre_ablest", s.massacre_ablest);
    visit("tracker_down_from", s.tracker_down_from);
    visit("tracker_down_until", s.tracker_down_until);
    visit("tracker_delay_ms", s.tracker_delay_ms);
    visit("polluters", s.polluters);
    visit("pollution", s.pollution);
    visit("pollution_rate", s.pollution_rate);
    visit("blackout_from", s.blackout_from);
    visit("blackout_until", s.blackout_until);
    visit("caches", s.caches);
    visit("cache_delay_ms", s.cache_delay_ms);
    visit("cache_mbps", s.cache_mbps);
    visit("publish_lag_ms", s.publish_lag_ms);
    visit("cdn", s.cdn);
    visit("picker", s.picker);
    visit("latency_ms", s.latency_ms);
    visit("window_s", s.window_s);
    visit("neighbours_target", s.neighbours_target);
    visit("neighbours_max", s.neighbours_max);
    visit("source_neighbours_max", s.source_neighbours_max);
    visit("ledbat_target_ms", s.ledbat_target_ms);
    visit("turn_gap_ms", s.turn_gap_ms);
    visit("crypto_real", s.crypto_real);
}

/// Empty = taken; otherwise what is allowed.
template <typename T>
std::string assign(toml::node const& node, T& member)
{
    if constexpr (std::is_same_v<T, std::string>) {
        if (auto const value = node.value_exact<std::string>()) {
            member = *value;
            return {};
        }
        return "a text in quotes";
    } else if constexpr (std::is_same_v<T, bool>) {
        if (auto const value = node.value_exact<bool>()) {
            member = *value;
            return {};
        }
        return "true or false";
    } else if constexpr (std::is_floating_point_v<T>) {
        if (auto const value = node.value<double>(); value && std::isfinite(*value)) {
            member = *value;
            return {};
        }
        return "a number";
    } else {
        auto const value = node.value_exact<std::int64_t>();
        if (value && *value >= 0 && std::in_range<T>(*value)) {
            member = static_cast<T>(*value);
            return {};
        }
        return "a whole number from 0";
    }
}

Result<std::vector<PeerClass>, ScenarioError> read_classes(toml::node const& node)
{
    std::vector<PeerClass> classes;
    auto const* array = node.as_array();
    if (array == nullptr) {
        return failure(std::string{"'classes' takes a list of { name, share, uplink }"});
    }
    for (auto const& item : *array) {
        auto const* table = item.as_table();
        PeerClass peer_class;
        bool fits = table != nullptr && table->size() == 3;
        if (fits) {
            fits = table->contains("name") &&
                   assign(*table->get("name"), peer_class.name).empty() &&
                   table->contains("share") &&
                   assign(*table->get("share"), peer_class.share).empty() &&
                   table->contains("uplink") &&
                   assign(*table->get("uplink"), peer_class.uplink).empty();
        }
        if (!fits) {
            return failure(std::string{"'classes' takes a list of { name, share, uplink }"});
        }
        classes.push_back(peer_class);
    }
    return classes;
}

Result<void, ScenarioError> take(Scenario& scenario, std::string_view key, toml::node const& node)
{
    if (key == "classes") {
        auto classes = read_classes(node);
        if (!classes) {
            return failure(std::move(classes.error()));
        }
        scenario.classes = *std::move(classes);
        return {};
    }
    bool known = false;
    std::string allowed;
    fields(scenario, [&](std::string_view name, auto& member) {
        if (name == key) {
            known = true;
            allowed = assign(node, member);
        }
    });
    if (!known) {
        return failure("unknown key '" + std::string{key} + "'; see ppsp-sim --keys");
    }
    if (!allowed.empty()) {
        return failure("'" + std::string{key} + "' takes " + allowed);
    }
    return {};
}

std::vector<PeerClass> usual_classes()
{
    return {{"none", 0.2, 0.0}, {"half", 0.4, 0.5}, {"one", 0.3, 1.0}, {"five", 0.1, 5.0}};
}

} // namespace

Result<Scenario, ScenarioError> load_scenario(std::string const& path)
{
    toml::parse_result const parsed = toml::parse_file(path);
    if (!parsed) {
        std::ostringstream where;
        where << path << ":" << parsed.error().source().begin.line << ": "
              << parsed.error().description();
        return failure(where.str());
    }
    Scenario scenario;
    for (auto const& [key, node] : parsed.table()) {
        auto const taken = take(scenario, key.str(), node);
        if (!taken) {
            return failure(path + ": " + taken.error());
        }
    }
    if (scenario.classes.empty()) {
        scenario.classes = usual_classes();
    }
    return scenario;
}

Result<void, ScenarioError> set_value(Scenario& scenario, std::string_view assignment)
{
    auto const equals = assignment.find('=');
    if (equals == std::string_view::npos || equals == 0) {
        return failure("--set takes KEY=VALUE, not '" + std::string{assignment} + "'");
    }
    auto const key = assignment.substr(0, equals);
    auto const value = assignment.substr(equals + 1);
    toml::parse_result parsed = toml::parse("value = " + std::string{value});
    if (!parsed || parsed.table().size() != 1) {
        // A bare word is a text, so that the shell's quotes do.
        parsed = toml::parse("value = \"" + std::string{value} + "\"");
    }
    if (!parsed || !parsed.table().contains("value")) {
        return failure("--set " + std::string{key} + ": cannot read the value '" +
                       std::string{value} + "'");
    }
    auto const taken = take(scenario, key, *parsed.table().get("value"));
    if (!taken) {
        return failure("--set: " + taken.error());
    }
    return {};
}

Result<void, ScenarioError> check(Scenario const& s)
{
    auto const share = [](double value) { return value >= 0 && value <= 1; };
    auto const is_power = [](std::uint32_t value) {
        return value > 0 && (value & (value - 1)) == 0;
    };
    double shares = 0;
    for (PeerClass const& peer_class : s.classes) {
        if (!share(peer_class.share) || peer_class.uplink < 0) {
            return failure("class '" + peer_class.name +
                           "': share lies in 0..1, uplink is not negative");
        }
        shares += peer_class.share;
    }
    struct Rule {
        bool holds;
        char const* sentence;
    };
    for (Rule const& rule : {
             Rule{std::abs(shares - 1) < 1e-6, "the shares of 'classes' must add up to 1"},
             Rule{s.peers >= 1 && s.peers + s.crowd <= 200'000,
                  "'peers' and 'crowd' take 1 to 200000 peers in all"},
             Rule{s.seconds > 0 && s.seconds <= 36'000, "'seconds' takes 0 to 36000"},
             Rule{s.measure_from >= 0 && s.settle >= 0 && s.measure_from + s.settle < s.seconds,
                  "'measure_from' and 'settle' must leave some of 'seconds' to measure"},
             Rule{s.load > 0 && s.load <= 4, "'load' takes 0 to 4"},
             Rule{s.overhead_allowance >= 0 && s.overhead_allowance <= 2,
                  "'overhead_allowance' takes 0 to 2"},
             Rule{s.source_streams > 0, "'source_streams' must be above 0"},
             Rule{is_power(s.chunks_per_unit) && s.chunks_per_unit >= 2 && s.chunks_per_unit <= 64,
                  "'chunks_per_unit' takes a power of two from 2 to 64"},
             Rule{s.chunk_size >= 188 && s.chunk_size <= 8192, "'chunk_size' takes 188 to 8192"},
             Rule{s.unit_ms >= 5 && s.unit_ms <= 10'000, "'unit_ms' takes 5 to 10000"},
             Rule{s.delay_min_ms >= 0.1 && s.delay_max_ms >= s.delay_min_ms,
                  "'delay_min_ms' is at least 0.1 and 'delay_max_ms' not below it"},
             Rule{share(s.loss) && share(s.burst_loss) && share(s.duplication) &&
                      share(s.reordering) && share(s.free_riders) && share(s.polluters) &&
                      share(s.pollution_rate) && share(s.massacre) && share(s.graceful) &&
                      share(s.nat_cone + s.nat_symmetric),
                  "shares ('loss', 'free_riders', 'polluters', 'nat_cone' ...) lie in 0..1"},
             Rule{pollution_of(s.pollution).has_value(),
                  "'pollution' takes bytes, haves, early, signatures, replay, each or mixed"},
             Rule{s.window_s >= 3 && s.window_s <= 600, "'window_s' takes 3 to 600"},
             Rule{s.caches <= peer::Rescue::servers_max && s.cache_delay_ms >= 0 &&
                      s.cache_mbps >= 0 && s.publish_lag_ms >= 0,
                  "'caches' takes 0 to 32; 'cache_delay_ms', 'cache_mbps' and 'publish_lag_ms' are "
                  "not negative"},
             Rule{s.regions >= 1 && s.regions <= 200, "'regions' takes 1 to 200"},
         }) {
        if (!rule.holds) {
            return failure(std::string{rule.sentence});
        }
    }
    if (!baselines::find(s.picker)) {
        return failure("'picker' takes one of " + baselines::names());
    }
    return {};
}

std::vector<std::pair<std::string, std::string>> values(Scenario const& scenario)
{
    std::vector<std::pair<std::string, std::string>> all;
    fields(scenario, [&](std::string_view key, auto const& member) {
        std::ostringstream text;
        text << std::boolalpha << member;
        all.emplace_back(key, text.str());
    });
    return all;
}

} // namespace ppsp::sim
