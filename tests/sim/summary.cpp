#include "tests/sim/bounds.hpp"
#include "tests/sim/world.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <tuple>

namespace ppsp::sim {
namespace {

/// Every viewer must be playing that long after the last fault.
constexpr double recovery_s = 20;
constexpr std::size_t overlay_edges_max = 20'000;

double ratio(std::uint64_t part, std::uint64_t whole)
{
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double to_ms(Duration duration)
{
    return static_cast<double>(duration.count()) / 1e3;
}

Percentiles percentiles(std::vector<double> values)
{
    if (values.empty()) {
        return {};
    }
    std::sort(values.begin(), values.end());
    auto const at = [&](double share) {
        auto const place =
            static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
        return values[std::clamp<std::size_t>(place, 1, values.size()) - 1];
    };
    return {at(0.5), at(0.95), at(0.99)};
}

struct Delta {
    std::uint64_t due, in_time, media, peers, source, storage, duplicate, wire_in, stalls, bad,
        wasted;
};

/// Verified media, wherever it came from.
std::uint64_t media_of(peer::SwarmStatistics const& figures)
{
    return figures.from_peers_bytes + figures.from_source_bytes + figures.from_cache_bytes +
           figures.from_cdn_bytes;
}

Delta delta(Meter const& meter)
{
    auto const& a = meter.base();
    auto const& b = meter.last();
    return {b.chunks_due - a.chunks_due,
            b.chunks_in_time - a.chunks_in_time,
            media_of(b) - media_of(a),
            b.from_peers_bytes - a.from_peers_bytes,
            b.from_source_bytes - a.from_source_bytes,
            b.storage_bytes - a.storage_bytes,
            b.duplicate_bytes - a.duplicate_bytes,
            b.wire_bytes_in - a.wire_bytes_in,
            b.stalls - a.stalls,
            b.bad_chunks - a.bad_chunks,
            b.wasted_bytes - a.wasted_bytes};
}

std::uint64_t resident_bytes()
{
    // VmHWM of Linux; 0 elsewhere.
    std::uint64_t kib = 0;
    if (std::FILE* file = std::fopen("/proc/self/status", "r")) {
        char line[256];
        while (std::fgets(line, sizeof line, file) != nullptr) {
            unsigned long long value = 0;
            if (std::sscanf(line, "VmHWM: %llu", &value) == 1) {
                kib = value;
            }
        }
        std::fclose(file);
    }
    return kib * 1024;
}

} // namespace

RunResult World::summarise()
{
    RunResult result;
    result.scenario = scenario_;
    result.seed = scenario_.seed;
    check_liveness(result);
    for (auto const& node : nodes_) {
        if (node->alive) {
            node->meter->close(now_, figures(*node));
        }
    }
    add_totals(result);
    add_classes(result);
    add_bounds(result);
    add_overlay(result);
    result.timeline = timeline_;
    EventDigest all;
    for (auto const& node : nodes_) {
        all.add(node->digest.value());
    }
    char digest[17];
    std::snprintf(digest, sizeof digest, "%016llx", static_cast<unsigned long long>(all.value()));
    result.digest = digest;
    result.events = events_;
    result.datagrams = datagrams_;
    result.dropped_in_queues = dropped_;
    result.lost = lost_;
    result.hashes = crypto_.hashes;
    result.signature_checks = crypto_.checks;
    result.rss_bytes = resident_bytes();
    return result;
}

/// Phase liveness: after the faults everybody plays.
void World::check_liveness(RunResult& result) const
{
    result.violations = violations_;
    double last_fault = scenario_.join_over;
    last_fault = std::max(last_fault, scenario_.massacre > 0 ? scenario_.massacre_at + 1 : 0);
    last_fault =
        std::max(last_fault, scenario_.crowd > 0 ? scenario_.crowd_at + scenario_.crowd_over : 0);
    if (scenario_.mean_session > 0 || scenario_.seconds < last_fault + recovery_s) {
        return;
    }
    std::uint32_t silent = 0;
    for (auto const& node : nodes_) {
        if (!node->alive || node->plan.number == 0 || node->plan.pollutes) {
            continue;
        }
        auto const newest = stream_.next_unit() * scenario_.chunks_per_unit * scenario_.chunk_size;
        double const behind_s =
            static_cast<double>(newest - node->next_position) * 8 / scenario_.stream_bps();
        silent += !node->has_output || behind_s > 10 ? 1 : 0;
    }
    if (silent > 0) {
        result.violations.push_back(std::to_string(silent) + " viewers are not playing at the end");
    }
}

void World::add_totals(RunResult& result) const
{
    Delta sum{};
    double continuity = 0;
    std::size_t viewers = 0;
    std::vector<double> startups;
    std::vector<double> p50s;
    std::vector<double> p95s;
    std::map<std::string, std::pair<double, std::size_t>> groups;
    double minutes = 0;
    double rate = 0;
    for (auto const& node : nodes_) {
        Meter const& meter = *node->meter;
        if (node->plan.number == 0) {
            continue;
        }
        result.polluted_bytes_out += node->polluted_bytes;
        Delta const mine = delta(meter);
        result.bad_chunks += mine.bad;
        result.banned_peers += meter.last().banned_peers - meter.base().banned_peers;
        TimePoint const from = std::max(meter.joined(), seconds(scenario_.measure_from));
        double const present = static_cast<double>((meter.left() - from).count()) / 1e6;
        if (node->plan.pollutes || present <= 0) {
            continue;
        }
        if (meter.last().startup) {
            startups.push_back(to_ms(*meter.last().startup));
        } else if (meter.left() - meter.joined() > 10s) {
            result.never_started += 1;
        }
        sum.due += mine.due;
        sum.in_time += mine.in_time;
        sum.media += mine.media;
        sum.peers += mine.peers;
        sum.source += mine.source;
        sum.duplicate += mine.duplicate;
        sum.storage += mine.storage;
        sum.wire_in += mine.wire_in;
        sum.stalls += mine.stalls;
        sum.wasted += mine.wasted;
        minutes += present / 60;
        result.delay_units.add(meter.delays());
        // Who never played although there was time to has missed everything.
        bool const waited_in_vain = mine.due == 0 && present > 10;
        if (mine.due > 0 || waited_in_vain) {
            double const own = waited_in_vain ? 0 : ratio(mine.in_time, mine.due);
            continuity += own;
            rate += own;
            ++viewers;
            auto& [total, count] = groups[node->plan.group];
            total += own;
            ++count;
        }
        if (node->alive && meter.last().startup) {
            p50s.push_back(to_ms(meter.last().latency_p50));
            p95s.push_back(to_ms(meter.last().latency_p95));
        }
    }
    auto const count = static_cast<double>(std::max<std::size_t>(viewers, 1));
    result.continuity = continuity / count;
    for (auto const& [group, total] : groups) {
        result.group_continuity[group] = total.first / static_cast<double>(total.second);
    }
    auto const& delays = result.delay_units;
    result.delay_units_p50 = delays.percentile(0.5).value_or(0);
    result.delay_units_p95 = delays.percentile(0.95).value_or(0);
    result.delay_units_p99 = delays.percentile(0.99);
    result.units_missing_ratio = ratio(delays.missing(), delays.count());
    result.offload = ratio(sum.peers, sum.media);
    result.storage_ratio = ratio(sum.storage, sum.media);
    result.duplicate_ratio = ratio(sum.duplicate, sum.media);
    result.wasted_ratio = ratio(sum.wasted, sum.media);
    result.overhead_ratio = sum.media == 0 ? 0 : ratio(sum.wire_in, sum.media) - 1;
    result.startup_ms = percentiles(startups);
    result.startup_max_ms =
        startups.empty() ? 0 : *std::max_element(startups.begin(), startups.end());
    result.live_latency_ms_p50 = percentiles(p50s).p50;
    result.live_latency_ms_p95 = percentiles(p95s).p95;
    result.stalls_per_viewer_minute = minutes > 0 ? static_cast<double>(sum.stalls) / minutes : 0;
    result.bound_rate_ratio = rate / count; // times r / r*, see add_bounds
}

void World::add_classes(RunResult& result) const
{
    struct Values {
        std::map<std::string, std::vector<double>> figures;
        double continuity = 0;
        std::size_t with_continuity = 0;
        double used = 0;
        double orphans = 0;
        double slots = 0;
        double free = 0;
    };
    std::map<std::string, Values> values;
    for (auto const& node : nodes_) {
        Meter const& meter = *node->meter;
        if (meter.left() < seconds(scenario_.measure_from)) {
            continue;
        }
        std::string const name = node->plan.number == 0 ? "source"
                                 : node->plan.pollutes
                                     ? "polluter"
                                     : scenario_.classes[node->plan.peer_class].name;
        ClassResult& one = result.classes[name];
        Values& mine = values[name];
        Delta const moved = delta(meter);
        one.peers += 1;
        one.uplink_streams += node->plan.uplink_streams;
        Duration const busy = node->up.busy() - meter.busy_before();
        mine.used += ratio(static_cast<std::uint64_t>(busy.count()),
                           static_cast<std::uint64_t>((meter.left() - meter.opened()).count()));
        one.delay_units.add(meter.delays());
        if (moved.due > 0) {
            mine.continuity += ratio(moved.in_time, moved.due);
            ++mine.with_continuity;
        }
        auto const& last = meter.last();
        auto& figures = mine.figures;
        if (last.startup) {
            figures["startup_ms"].push_back(to_ms(*last.startup));
            figures["live_latency_ms"].push_back(to_ms(last.latency_p50));
        }
        figures["stalls"].push_back(static_cast<double>(moved.stalls));
        figures["neighbours"].push_back(last.neighbours);
        figures["uplink_kbps_estimate"].push_back(static_cast<double>(last.uplink_bps) / 1e3);
        figures["uplink_capacity_kbps"].push_back(static_cast<double>(last.uplink_capacity_bps) /
                                                  1e3);
        figures["orphans"].push_back(last.orphans);
        mine.orphans += last.orphans;
        mine.slots += last.slots;
        mine.free += last.free_slots;
        figures["capacity_measured"].push_back(
            ratio(last.uplink_capacity_bps, node->plan.uplink_bps));
        figures["slots"].push_back(last.slots);
        figures["free_slots"].push_back(last.free_slots);
        figures["duplicate_ratio"].push_back(ratio(moved.duplicate, moved.media));
        figures["offload"].push_back(ratio(moved.peers, moved.media));
    }
    for (auto& [name, one] : result.classes) {
        Values& mine = values[name];
        one.uplink_streams /= one.peers;
        one.uplink_used = mine.used / one.peers;
        one.orphans = mine.orphans / one.peers;
        one.slots = mine.slots / one.peers;
        one.free_slots = mine.free / one.peers;
        one.continuity =
            mine.continuity / static_cast<double>(std::max<std::size_t>(mine.with_continuity, 1));
        for (auto& [figure, all] : mine.figures) {
            one.figures[figure] = percentiles(std::move(all));
        }
    }
    result.continuity_worst_class = 1;
    for (auto const& [name, one] : result.classes) {
        if (name != "polluter" && name != "source") {
            result.continuity_worst_class = std::min(result.continuity_worst_class, one.continuity);
        }
    }
}

void World::add_bounds(RunResult& result) const
{
    std::vector<double> uplinks;
    Duration delays{};
    for (auto const& node : nodes_) {
        if (node->alive && node->plan.number != 0) {
            uplinks.push_back(node->plan.uplink_streams);
            delays += node->plan.access_delay * 2;
        }
    }
    if (uplinks.empty()) {
        return;
    }
    double const bound = fluid_bound(scenario_.source_streams, uplinks);
    result.bound_rate_bps = bound * scenario_.stream_bps();
    result.bound_rate_ratio /= bound;
    result.bound_delay_units = delay_bound_units(uplinks.size());
    result.offload_bound = offload_bound(uplinks);
    double const hop_units = static_cast<double>(delays.count()) /
                             static_cast<double>(uplinks.size()) /
                             static_cast<double>(scenario_.unit().count());
    result.snowball_delay_units_p99 =
        snowball(scenario_.source_streams, uplinks, hop_units).percentile(0.99).value_or(0);
    if (result.delay_units_p99 && uplinks.size() > 1) {
        result.delay_over_log2n =
            *result.delay_units_p99 / std::log2(static_cast<double>(uplinks.size()));
    }
}

void World::add_overlay(RunResult& result) const
{
    std::uint64_t same_region = 0;
    std::uint64_t all = 0;
    double const lasted = scenario_.seconds;
    for (auto const& node : nodes_) {
        if (!node->alive) {
            continue;
        }
        bool const is_source = node->plan.number == 0;
        result.overlay_nodes.push_back(
            {node->plan.number,
             is_source ? "source" : scenario_.classes[node->plan.peer_class].name,
             is_source ? 0 : to_ms(node->meter->mean_delay())});
        for (peer::NeighbourStatistics const& neighbour : node->engine->neighbours(swarm_)) {
            if (neighbour.bytes_from == 0 || neighbour.endpoint.v4_address() < first_address) {
                continue;
            }
            std::uint32_t const from =
                (neighbour.endpoint.v4_address() - first_address) / address_step;
            if (from < nodes_.size()) {
                all += neighbour.bytes_from;
                same_region +=
                    nodes_[from]->plan.region == node->plan.region ? neighbour.bytes_from : 0;
                result.overlay_edges.push_back(
                    {from, node->plan.number,
                     static_cast<std::uint32_t>(static_cast<double>(neighbour.bytes_from) * 8e-3 /
                                                lasted)});
            }
        }
    }
    result.cross_pid_ratio = 1 - ratio(same_region, all);
    std::sort(result.overlay_edges.begin(), result.overlay_edges.end(),
              [](OverlayEdge const& a, OverlayEdge const& b) {
                  return std::tuple{b.kbps, a.from, a.to} < std::tuple{a.kbps, b.from, b.to};
              });
    result.overlay_edges.resize(std::min(result.overlay_edges.size(), overlay_edges_max));
}

} // namespace ppsp::sim
