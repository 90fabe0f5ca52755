#include "tests/sim/run_result.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cmath>

namespace ppsp::sim {
namespace {

namespace json = boost::json;

/// Thousandths of what is above one, six digits of what is below: more says nothing. What is no
/// number is null, and whole numbers have no exponent.
json::value rounded(double value)
{
    if (!std::isfinite(value)) {
        return nullptr;
    }
    double const magnitude = std::abs(value);
    double scale = 1e3;
    if (magnitude > 0 && magnitude < 1) {
        scale = std::pow(10.0, 5.0 - std::floor(std::log10(magnitude)));
    }
    // Neither the scale of the tiniest nor thousandths of the largest exist.
    double const short_value =
        std::isfinite(scale) && magnitude < 1e12 ? std::round(value * scale) / scale : value;
    if (short_value == std::floor(short_value) && std::abs(short_value) < 1e15) {
        return static_cast<std::int64_t>(short_value);
    }
    return short_value;
}

json::value rounded(std::optional<double> value)
{
    return value ? rounded(*value) : json::value(nullptr);
}

json::object to_value(Percentiles const& percentiles)
{
    return {{"p50", rounded(percentiles.p50)},
            {"p95", rounded(percentiles.p95)},
            {"p99", rounded(percentiles.p99)}};
}

json::object to_value(Distribution const& distribution)
{
    return {{"p50", rounded(distribution.percentile(0.50))},
            {"p95", rounded(distribution.percentile(0.95))},
            {"p99", rounded(distribution.percentile(0.99))}};
}

json::object to_value(ClassResult const& one)
{
    json::object object{{"peers", one.peers},
                        {"uplink_streams", rounded(one.uplink_streams)},
                        {"uplink_used", rounded(one.uplink_used)},
                        {"continuity", rounded(one.continuity)},
                        {"delay_units", to_value(one.delay_units)}};
    for (auto const& [name, percentiles] : one.figures) {
        // A mean keeps its name, so that readers find one type under it.
        object[object.contains(name) ? name + "_percentiles" : name] = to_value(percentiles);
    }
    return object;
}

json::array to_value(std::vector<Second> const& seconds)
{
    json::array array;
    for (Second const& second : seconds) {
        array.push_back(json::object{{"at", second.at},
                                     {"peers", second.peers},
                                     {"chunks_due", second.chunks_due},
                                     {"chunks_in_time", second.chunks_in_time},
                                     {"from_peers_bytes", second.from_peers_bytes},
                                     {"from_source_bytes", second.from_source_bytes}});
    }
    return array;
}

json::object to_value(Scenario const& scenario)
{
    json::object object;
    for (auto const& [key, value] : values(scenario)) {
        object[key] = value;
    }
    json::array classes;
    for (PeerClass const& one : scenario.classes) {
        classes.push_back(json::object{
            {"name", one.name}, {"share", rounded(one.share)}, {"uplink", rounded(one.uplink)}});
    }
    object["classes"] = std::move(classes);
    return object;
}

void add_bounds(json::object& object, RunResult const& result)
{
    object["bound_rate_bps"] = rounded(result.bound_rate_bps);
    object["bound_rate_ratio"] = rounded(result.bound_rate_ratio);
    object["bound_delay_units"] = rounded(result.bound_delay_units);
    object["offload_bound"] = rounded(result.offload_bound);
    object["snowball_delay_units_p99"] = rounded(result.snowball_delay_units_p99);
}

void add_figures(json::object& object, RunResult const& result)
{
    object["continuity"] = rounded(result.continuity);
    object["continuity_worst_class"] = rounded(result.continuity_worst_class);
    object["delay_units_p50"] = rounded(result.delay_units_p50);
    object["delay_units_p95"] = rounded(result.delay_units_p95);
    object["delay_units_p99"] = rounded(result.delay_units_p99);
    object["delay_over_log2n"] = rounded(result.delay_over_log2n);
    object["units_missing_ratio"] = rounded(result.units_missing_ratio);
    object["offload"] = rounded(result.offload);
    object["storage_ratio"] = rounded(result.storage_ratio);
    object["duplicate_ratio"] = rounded(result.duplicate_ratio);
    object["wasted_ratio"] = rounded(result.wasted_ratio);
    object["overhead_ratio"] = rounded(result.overhead_ratio);
    object["cross_pid_ratio"] = rounded(result.cross_pid_ratio);
    object["startup_ms"] = to_value(result.startup_ms);
    object["never_started"] = result.never_started;
    object["startup_max_ms"] = rounded(result.startup_max_ms);
    object["live_latency_ms_p50"] = rounded(result.live_latency_ms_p50);
    object["live_latency_ms_p95"] = rounded(result.live_latency_ms_p95);
    object["stalls_per_viewer_minute"] = rounded(result.stalls_per_viewer_minute);
    object["polluted_bytes_out"] = result.polluted_bytes_out;
    object["bad_chunks"] = result.bad_chunks;
    object["banned_peers"] = result.banned_peers;
}

void add_run(json::object& object, RunResult const& result)
{
    object["digest"] = result.digest;
    object["events"] = result.events;
    object["datagrams"] = result.datagrams;
    object["dropped_in_queues"] = result.dropped_in_queues;
    object["lost"] = result.lost;
    object["hashes"] = result.hashes;
    object["signature_checks"] = result.signature_checks;
    object["wall_s"] = rounded(result.wall_s);
    object["rss_bytes"] = result.rss_bytes;
}

void add_groups(json::object& object, RunResult const& result)
{
    json::object continuity;
    for (auto const& [group, share] : result.group_continuity) {
        continuity[group] = rounded(share);
    }
    json::object classes;
    for (auto const& [name, one] : result.classes) {
        classes[name] = to_value(one);
    }
    json::object timeline;
    for (auto const& [group, seconds] : result.timeline) {
        timeline[group] = to_value(seconds);
    }
    object["group_continuity"] = std::move(continuity);
    object["classes"] = std::move(classes);
    object["timeline"] = std::move(timeline);
}

} // namespace

std::string to_json(RunResult const& result)
{
    json::object object;
    object["seed"] = result.seed;
    add_bounds(object, result);
    add_figures(object, result);
    add_run(object, result);
    object["violations"] = json::array(result.violations.begin(), result.violations.end());
    add_groups(object, result);
    object["scenario"] = to_value(result.scenario);
    return json::serialize(object);
}

} // namespace ppsp::sim
