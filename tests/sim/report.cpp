#include "tests/sim/report_plots.hpp"
#include "tests/sim/run_result.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace ppsp::sim {
namespace {

using namespace report;

/// Colours of classes: a palette that colour-blind people tell apart (Okabe and Ito), darker on
/// white and lighter on black; lines differ in their dashes as well.
constexpr char const* style = R"(<style>
:root { color-scheme: light dark; --page: #f4f5f7; --card: #fff; --ink: #1b1f24; --soft: #5b6470;
  --edge: #d8dde3; --grid: #e6e9ed; --good: #04724d; --bad: #b3261e; --bad-back: #fdecea;
  --mark: #6b3fa0; --band: #f1e8c8;
  --k1: #0072b2; --k2: #d55e00; --k3: #009e73; --k4: #a8327d; --k5: #8a6d00; --k6: #3a9bd9;
  --k7: #7a4a21; --k8: #6c757d; }
@media (prefers-color-scheme: dark) { :root { --page: #101418; --card: #181d23; --ink: #e8ebee;
  --soft: #a3adb8; --edge: #2e363f; --grid: #262d35; --good: #4cc596; --bad: #ff8a80;
  --bad-back: #3a1d1b; --mark: #c4a6f0; --band: #3a3420;
  --k1: #4aa8e0; --k2: #f08a3c; --k3: #2fc79a; --k4: #e58bc4; --k5: #e6c229; --k6: #9ad4f5;
  --k7: #c99a6b; --k8: #9aa4ae; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 34px 0 12px; }
h3 { font-size: 15px; margin: 0 0 2px; }
p { margin: 0 0 8px; }
.soft, .note { color: var(--soft); }
.note { font-size: 13px; line-height: 1.4; }
.lead { font-size: 17px; max-width: 62em; margin: 12px 0 18px; }
.card, figure { background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  padding: 16px 18px; margin: 0; min-width: 0; }
.banner { border-radius: 8px; padding: 11px 18px; margin: 0 0 14px; font-weight: 600;
  border: 1px solid var(--edge); border-left: 6px solid var(--soft); background: var(--card); }
.banner.good { border-left-color: var(--good); }
.banner.bad { border-left-color: var(--bad); }
.banner span { font-weight: 400; }
.violations { background: var(--bad-back); color: var(--bad); border: 1px solid var(--bad);
  border-radius: 8px; padding: 12px 18px; margin: 0 0 14px; }
.violations ul { margin: 4px 0 0; padding-left: 20px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(182px, 1fr)); gap: 12px; }
.tile { background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  border-top: 4px solid var(--edge); padding: 11px 14px 12px; }
.tile.good { border-top-color: var(--good); }
.tile.bad { border-top-color: var(--bad); }
.tile b { display: block; font-size: 25px; line-height: 1.25; font-weight: 650;
  font-variant-numeric: tabular-nums; }
.tile .name { font-size: 13px; font-weight: 600; }
.goal { font-size: 13px; font-weight: 600; color: var(--soft); }
.good .goal { color: var(--good); }
.bad .goal { color: var(--bad); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr));
  gap: 14px; }
.plots > div { display: flex; flex-direction: column; gap: 14px; min-width: 0; }
.plots > div > :last-child { flex: 1; }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg svg { overflow: hidden; }
svg .mid { text-anchor: middle; }
svg .end { text-anchor: end; }
svg .label { fill: var(--ink); font-size: 12.5px; }
svg .name, svg .value { fill: var(--ink); font-size: 13px; }
svg .none { font-size: 16px; }
svg .markname { fill: var(--mark); stroke: var(--card); stroke-width: 4px; paint-order: stroke; }
.grid { stroke: var(--grid); }
.axis { stroke: var(--soft); }
.mark { stroke: var(--mark); stroke-dasharray: 5 4; stroke-width: 1.3; }
.band { fill: var(--band); } .back { fill: var(--card); }
.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.line.bold { stroke-width: 3.2; }
.dots { fill: none; stroke: currentColor; stroke-width: 5; stroke-linecap: round; }
.c0 { color: var(--ink); } .c1 { color: var(--k1); } .c2 { color: var(--k2); }
.c3 { color: var(--k3); } .c4 { color: var(--k4); } .c5 { color: var(--k5); }
.c6 { color: var(--k6); } .c7 { color: var(--k7); } .c8 { color: var(--k8); }
.c2 .line { stroke-dasharray: 9 4; } .c3 .line { stroke-dasharray: 2.5 3; }
.c4 .line { stroke-dasharray: 11 3 2.5 3; } .c6 .line { stroke-dasharray: 9 4; }
.c7 .line { stroke-dasharray: 2.5 3; } .c8 .line { stroke-dasharray: 11 3 2.5 3; }
.capacity { fill: currentColor; fill-opacity: .16; stroke: currentColor; stroke-width: 1.5; }
.used { fill: currentColor; }
.span { stroke: currentColor; stroke-width: 2; stroke-opacity: .5; }
.dot { stroke: currentColor; stroke-width: 2.2; fill: var(--card); }
.dot.f0 { fill: currentColor; }
.dot.f1 { fill: color-mix(in srgb, currentColor 45%, var(--card)); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 8px 0 10px; font-size: 13px; }
.legend span { display: inline-flex; align-items: center; gap: 7px; }
.legend svg { width: 28px; height: 10px; flex: none; }
.legend i { font-style: normal; color: var(--ink); }
.legend .spot { width: 12px; height: 12px; border-radius: 50%; background: currentColor; }
.legend .diamond { border-radius: 0; width: 11px; height: 11px; transform: rotate(45deg); }
.overlay svg { max-width: 900px; margin: 0 auto; }
.ring { fill: none; stroke: var(--edge); stroke-width: 1.2; }
.ringnames text { font-size: 14px; }
.edge { fill: none; stroke: var(--soft); }
.e0 { stroke-opacity: .05; } .e1 { stroke-opacity: .08; } .e2 { stroke-opacity: .12; }
.e3 { stroke-opacity: .16; }
.main { stroke: var(--mark); stroke-width: 1.3; }
.main.e0 { stroke-opacity: .2; } .main.e1 { stroke-opacity: .3; }
.main.e2 { stroke-opacity: .4; } .main.e3 { stroke-opacity: .5; }
.nodes { fill: none; stroke: currentColor; stroke-linecap: round; stroke-opacity: .9; }
.source { fill: var(--ink); stroke: var(--card); stroke-width: 2; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px;
  font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 4px 10px; border-bottom: 1px solid var(--grid);
  white-space: nowrap; }
th { font-weight: 600; }
tr > :first-child { text-align: left; }
thead th { color: var(--soft); }
.first { border-left: 1px solid var(--edge); }
td.one { text-align: center; }
.keys { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 0 28px;
  font-size: 13.5px; }
.keys div { display: flex; justify-content: space-between; gap: 12px; padding: 2px 0;
  border-bottom: 1px solid var(--grid); color: var(--soft); }
.keys div > :last-child { text-align: right; overflow-wrap: anywhere; min-width: 0;
  font-variant-numeric: tabular-nums; }
.keys .changed { color: var(--ink); font-weight: 600; }
@media print { body { background: none; } .card, figure, .tile { break-inside: avoid; } }
</style>
)";

constexpr char const* nothing = "<div class='card'><p class='soft'>no data</p></div>\n";
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

bool has_data(RunResult const& result)
{
    return !result.classes.empty() || result.delay_units.count() > 0;
}

double peers_of(RunResult const& result)
{
    return static_cast<double>(result.scenario.peers) + result.scenario.crowd;
}

double unit_s(RunResult const& result)
{
    return result.scenario.unit_ms / 1e3;
}

std::string whole(std::uint64_t value)
{
    return number(static_cast<double>(value), 0);
}

std::string milliseconds(double value)
{
    if (std::abs(value) >= 1000) {
        return number(value / 1e3, 2) + "\u00a0s";
    }
    return std::isfinite(value) ? number(value, 0) + "\u00a0ms" : number(value, 0);
}

std::string bits_per_second(double value)
{
    return value < 1e6 ? number(value / 1e3, 0) + "\u00a0kbit/s"
                       : number(value / 1e6, 2) + "\u00a0Mbit/s";
}

std::string bytes(double value)
{
    for (char const* const unit : {"\u00a0B", "\u00a0kB", "\u00a0MB", "\u00a0GB"}) {
        if (std::abs(value) < 1000) {
            return short_number(value) + unit;
        }
        value /= 1000;
    }
    return short_number(value) + "\u00a0TB";
}

/// Decimals of a share so that the distance to 100 % can be seen.
std::string share_text(double share)
{
    return percent(share, share > 0.999 && share < 1 ? 3 : 2);
}

/// Scenario's order first: it goes from weak to strong; then what it does not name.
std::vector<std::string> class_order(RunResult const& result)
{
    std::vector<std::string> order;
    for (PeerClass const& one : result.scenario.classes) {
        if (result.classes.contains(one.name)) {
            order.push_back(one.name);
        }
    }
    auto const add = [&](std::string const& name) {
        if (!name.empty() && std::find(order.begin(), order.end(), name) == order.end()) {
            order.push_back(name);
        }
    };
    for (auto const& [name, unused] : result.classes) {
        add(name);
    }
    std::set<std::string> in_overlay;
    for (OverlayNode const& node : result.overlay_nodes) {
        if (node.number != 0) {
            in_overlay.insert(node.peer_class);
        }
    }
    std::for_each(in_overlay.begin(), in_overlay.end(), add);
    return order;
}

// The verdict

enum class State : std::uint8_t { none, good, bad };

struct Verdict {
    std::string name;
    std::string value;
    std::string goal; ///< empty: there is none
    std::string note;
    State state = State::none;
};

/// A figure that is no number is no failure: there was nothing to measure.
State judged(double figure, bool is_good)
{
    return !std::isfinite(figure) ? State::none : is_good ? State::good : State::bad;
}

double continuity_goal(Scenario const& scenario)
{
    return scenario.massacre > 0 ? 0.99 : scenario.polluters > 0 ? 0.995 : 0.999;
}

/// With uplinks for 1.2 streams per peer nearly all must come from peers.
double offload_goal(RunResult const& result)
{
    double uplinks = 0;
    double peers = 0;
    for (auto const& [name, one] : result.classes) {
        uplinks += one.uplink_streams * one.peers;
        peers += one.peers;
    }
    if (peers >= 100 && uplinks >= 1.2 * peers) {
        return std::min(result.offload_bound, peers >= 1000 ? 0.99 : 0.95);
    }
    return result.offload_bound - 0.02;
}

Verdict continuity_verdict(RunResult const& result)
{
    double const goal = continuity_goal(result.scenario);
    return {"Continuity", share_text(result.continuity), "goal ≥ " + percent(goal, 1),
            "of chunks came in time; worst class " + share_text(result.continuity_worst_class),
            judged(result.continuity, result.continuity >= goal)};
}

Verdict delay_verdict(RunResult const& result)
{
    double const log2n = std::log2(std::max(2.0, peers_of(result)));
    bool const has_loss = result.scenario.loss > 0 || result.scenario.burst_loss > 0;
    double const goal = (has_loss ? 2.5 : 2.0) * log2n;
    std::string const bounds = "bound " + short_number(result.bound_delay_units) + ", planner " +
                               short_number(result.snowball_delay_units_p99) + " units";
    if (!result.delay_units_p99) {
        return {"Delay of a unit, p99", "never", "goal ≤ " + number(goal, 1) + " units",
                share_text(result.units_missing_ratio) + " of units never came; " + bounds,
                State::bad};
    }
    return {"Delay of a unit, p99", number(*result.delay_units_p99, 1) + " units",
            "goal ≤ " + number(goal, 1) + " units",
            number(*result.delay_units_p99 * unit_s(result), 2) + " s; " + bounds,
            judged(*result.delay_units_p99, *result.delay_units_p99 <= goal)};
}

Verdict delay_factor_verdict(RunResult const& result)
{
    bool const has_loss = result.scenario.loss > 0 || result.scenario.burst_loss > 0;
    double const goal = has_loss ? 2.5 : 2.0;
    double const log2n = std::log2(std::max(2.0, peers_of(result)));
    double const factor = result.delay_over_log2n.value_or(unknown);
    return {"Delay p99 / log₂ N", number(factor, 2), "goal ≤ " + number(goal, 1),
            "log₂ N = " + number(log2n, 2) + "; planner " +
                number(result.snowball_delay_units_p99 / log2n, 2) + ", bound " +
                number(result.bound_delay_units / log2n, 2),
            result.delay_units_p99 ? judged(factor, factor <= goal) : State::bad};
}

Verdict rate_verdict(RunResult const& result)
{
    // More than the stream cannot be delivered, so its load limits what can be asked.
    double const most = std::min(result.scenario.load, 1.0);
    double const wanted = result.scenario.mean_session > 0 ? 0.90 : 0.95;
    double const goal = std::min(most, wanted) * continuity_goal(result.scenario);
    return {"Rate / fluid bound", percent(result.bound_rate_ratio, 1), "goal ≥ " + percent(goal, 1),
            "bound " + bits_per_second(result.bound_rate_bps) + " per peer; the stream is " +
                percent(result.scenario.load, 0) + " of it",
            judged(result.bound_rate_ratio, result.bound_rate_ratio >= goal)};
}

Verdict offload_verdict(RunResult const& result)
{
    double const goal = offload_goal(result);
    return {"Offload", percent(result.offload, 2), "goal ≥ " + percent(goal, 1),
            "of media came from peers; bound " + percent(result.offload_bound, 2),
            judged(result.offload - goal, result.offload >= goal)};
}

Verdict startup_verdict(RunResult const& result)
{
    std::string const never = result.never_started == 0
                                  ? std::string{}
                                  : "; " + whole(result.never_started) + " never started";
    return {
        "Start-up, p95", milliseconds(result.startup_ms.p95),
        result.never_started == 0 ? "goal ≤ 1.5 s" : "goal ≤ 1.5 s, all start",
        "half in " + milliseconds(result.startup_ms.p50) + ", last " +
            milliseconds(result.startup_max_ms) + never,
        judged(result.startup_ms.p95, result.startup_ms.p95 <= 1500 && result.never_started == 0)};
}

Verdict latency_verdict(RunResult const& result)
{
    return {"Live latency, p95", milliseconds(result.live_latency_ms_p95), "goal ≤ 3 s",
            "from signing to output; half below " + milliseconds(result.live_latency_ms_p50),
            judged(result.live_latency_ms_p95, result.live_latency_ms_p95 <= 3000)};
}

Verdict overhead_verdict(RunResult const& result)
{
    double const goal = result.scenario.stream_bps() >= 5e6 ? 0.12 : 0.16;
    return {"Overhead", percent(result.overhead_ratio, 1), "goal ≤ " + percent(goal, 0),
            "headers, control and proofs, beside media",
            judged(result.overhead_ratio, result.overhead_ratio <= goal)};
}

std::vector<Verdict> verdicts(RunResult const& result)
{
    if (!has_data(result)) {
        return {};
    }
    auto const polluted = static_cast<double>(result.polluted_bytes_out);
    return {continuity_verdict(result),
            delay_verdict(result),
            delay_factor_verdict(result),
            rate_verdict(result),
            offload_verdict(result),
            {"Duplicates", percent(result.duplicate_ratio, 2), "goal ≤ 0.5 %",
             "of media came twice",
             judged(result.duplicate_ratio, result.duplicate_ratio <= 0.005)},
            overhead_verdict(result),
            startup_verdict(result),
            latency_verdict(result),
            {"Polluted bytes", bytes(polluted), "goal 0 B",
             "at outputs; " + whole(result.bad_chunks) + " bad chunks refused, " +
                 whole(result.banned_peers) + " peers banned",
             judged(polluted, result.polluted_bytes_out == 0)},
            {"Stalls per minute", short_number(result.stalls_per_viewer_minute), "",
             "per viewer; output 100 ms behind its schedule", State::none},
            {"Violations", whole(result.violations.size()), "goal 0",
             "of what must never happen, and of liveness", judged(0, result.violations.empty())}};
}

std::string tile(Verdict const& verdict)
{
    std::string const state = verdict.state == State::good  ? " good"
                              : verdict.state == State::bad ? " bad"
                                                            : "";
    std::string const sign = verdict.state == State::good  ? "✓ "
                             : verdict.state == State::bad ? "✗ "
                                                           : "";
    return "<div class='tile" + state + "'><span class='name'>" + verdict.name + "</span><b>" +
           verdict.value + "</b><div class='goal'>" + sign +
           (verdict.goal.empty() ? "no goal set" : verdict.goal) + "</div><div class='note'>" +
           verdict.note + "</div></div>\n";
}

std::string banner(std::vector<Verdict> const& all)
{
    std::string missed;
    std::size_t count = 0;
    for (Verdict const& verdict : all) {
        if (verdict.state == State::bad) {
            missed += (count == 0 ? "" : " · ") + verdict.name;
            ++count;
        }
    }
    if (all.empty()) {
        return "<div class='banner'>Nothing was measured</div>\n";
    }
    if (count == 0) {
        return "<div class='banner good'>✓ All goals met</div>\n";
    }
    return "<div class='banner bad'>✗ " + whole(count) + (count == 1 ? " goal" : " goals") +
           " missed: <span>" + missed + "</span></div>\n";
}

std::string violations(RunResult const& result)
{
    if (result.violations.empty()) {
        return {};
    }
    constexpr std::size_t shown_max = 200;
    std::string html = "<div class='violations' role='alert'><b>✗ " +
                       whole(result.violations.size()) +
                       " violations of what must never happen</b><ul>";
    for (std::size_t i = 0; i < std::min(shown_max, result.violations.size()); ++i) {
        html += "<li>" + escaped(result.violations[i].substr(0, 1000)) + "</li>";
    }
    if (result.violations.size() > shown_max) {
        html += "<li>and " + whole(result.violations.size() - shown_max) + " more</li>";
    }
    return html + "</ul></div>\n";
}

/// What happened, in words.
std::string lead(RunResult const& result)
{
    if (!has_data(result)) {
        return {};
    }
    std::string text = whole(static_cast<std::uint64_t>(peers_of(result))) + " peers and " +
                       bits_per_second(result.scenario.stream_bps()) + " of media for " +
                       number(result.scenario.seconds, 0) + " s: viewers had " +
                       share_text(result.continuity) + " of the stream in time, and " +
                       percent(result.offload, 1) + " of it came from other viewers.";
    if (result.delay_units_p99) {
        text += " 99 % of units (" + number(result.scenario.unit_ms, 0) +
                " ms of media each) were there " +
                number(*result.delay_units_p99 * unit_s(result), 2) +
                " s after the source had cut them.";
    }
    return "<p class='lead'>" + text + "</p>\n";
}

std::string head(RunResult const& result)
{
    std::string const name = result.scenario.name.empty() ? "Simulation" : result.scenario.name;
    std::string html = "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>" +
                       escaped(name) + " – swarm simulation</title>\n" +
                       "<meta name='viewport' content='width=device-width, initial-scale=1'>\n" +
                       style + "</head><body><main>\n<header><h1>" + escaped(name) + "</h1>\n";
    if (!result.scenario.description.empty()) {
        html += "<p>" + escaped(result.scenario.description) + "</p>\n";
    }
    html += "<p class='soft'>swarm simulation · seed " + std::to_string(result.seed) + " · " +
            whole(result.scenario.peers) + " peers";
    if (result.scenario.crowd > 0) {
        html += " + " + whole(result.scenario.crowd) + " in a crowd";
    }
    return html + "</p></header>\n";
}

// The plots

std::string figure(std::string const& title, std::string const& note, std::string const& content)
{
    return "<figure><h3>" + title + "</h3><p class='note'>" + note + "</p>" + content +
           "</figure>\n";
}

/// Share of units that are later than x; what never came stays as a level line.
Series delay_series(std::string name, std::size_t colour, Distribution const& delays)
{
    Series series{std::move(name), colour, {}, colour == 0};
    if (delays.count() == 0) {
        return series;
    }
    // As many points as there are bins: the tail is what matters.
    auto const curve = delays.curve(delays.count());
    series.points.push_back({curve.empty() ? 0 : curve.front().first, 1});
    for (auto const& [value, share] : curve) {
        series.points.push_back({value, std::max(1e-9, 1 - share)});
    }
    if (delays.missing() > 0) {
        series.points.push_back({1e6, series.points.back().y});
    }
    return series;
}

/// Shows the tail of all peers, but not so much of it that the rest is a wall.
double delay_axis_end(RunResult const& result)
{
    double const bounds = std::max(
        {result.bound_delay_units, result.snowball_delay_units_p99, result.delay_units_p50});
    double end = 2 * bounds;
    double const came = 1 - static_cast<double>(result.delay_units.missing()) /
                                std::max(1.0, static_cast<double>(result.delay_units.count()));
    for (double const share : {0.9, 0.99, 0.999, 0.9999}) {
        auto const value = result.delay_units.percentile(share * came);
        if (value && *value <= 8 * std::max(1.0, result.delay_units_p50)) {
            end = std::max(*value, bounds);
        }
    }
    return end > 0 ? end * 1.08 : 10;
}

std::string delay_figure(RunResult const& result, std::vector<std::string> const& classes)
{
    LinePlot plot;
    plot.x = {"delay since the cut at the source, units of " + number(result.scenario.unit_ms, 0) +
                  " ms",
              0, delay_axis_end(result)};
    plot.y = {"share of units that are later", 1e-4, 1, Scale::log, Unit::percent};
    for (std::size_t i = 0; i < classes.size(); ++i) {
        auto const found = result.classes.find(classes[i]);
        if (found != result.classes.end() && found->second.delay_units.count() > 0) {
            plot.series.push_back(delay_series(classes[i], i + 1, found->second.delay_units));
        }
    }
    if (result.delay_units.count() > 0) {
        plot.series.push_back(delay_series("all", 0, result.delay_units));
    }
    plot.height = 330;
    if (result.bound_delay_units > 0) {
        plot.marks_x.push_back(
            {result.bound_delay_units, "⌈log₂ N⌉ + 1 = " + short_number(result.bound_delay_units)});
    }
    if (result.snowball_delay_units_p99 > 0) {
        plot.marks_x.push_back({result.snowball_delay_units_p99,
                                "planner p99 = " + number(result.snowball_delay_units_p99, 1)});
    }
    if (result.delay_units_p99) {
        plot.marks_x.push_back(
            {*result.delay_units_p99, "p99 = " + number(*result.delay_units_p99, 1)});
    }
    return figure("How late units are",
                  "Left is better. Each step down is ten times rarer: the curve crosses 1 % at "
                  "its p99; a level end is the share that never came.",
                  legend(plot.series) + line_plot(plot));
}

/// What the scenario did to the swarm, for plots over time.
void add_happenings(LinePlot& plot, Scenario const& scenario)
{
    if (scenario.measure_from > 0) {
        plot.marks_x.push_back({scenario.measure_from, "figures from here"});
    }
    if (scenario.crowd > 0) {
        plot.marks_x.push_back({scenario.crowd_at, "+" + whole(scenario.crowd) + " peers"});
        plot.bands.push_back({scenario.crowd_at, scenario.crowd_at + scenario.crowd_over});
    }
    if (scenario.massacre > 0) {
        plot.marks_x.push_back(
            {scenario.massacre_at, percent(scenario.massacre, 0) + " of peers vanish"});
    }
    if (scenario.tracker_down_until > scenario.tracker_down_from) {
        plot.marks_x.push_back({scenario.tracker_down_from, "tracker down"});
        plot.bands.push_back({scenario.tracker_down_from, scenario.tracker_down_until});
    }
}

/// A series per group; long runs are shown by means, so that the page stays small.
template <typename Part, typename Whole>
std::vector<Series> over_time(RunResult const& result, Part&& part, Whole&& whole_of)
{
    constexpr std::size_t points_max = 900;
    std::vector<Series> all;
    for (auto const& [group, seconds] : result.timeline) {
        std::size_t const together = seconds.size() / points_max + 1;
        // Other colours than those of classes.
        Series series{group, all.size() + 5, {}};
        for (std::size_t i = 0; i < seconds.size(); i += together) {
            double numerator = 0;
            double denominator = 0;
            for (std::size_t k = i; k < std::min(i + together, seconds.size()); ++k) {
                numerator += static_cast<double>(part(seconds[k]));
                denominator += static_cast<double>(whole_of(seconds[k]));
            }
            series.points.push_back({static_cast<double>(seconds[i].at),
                                     denominator > 0 ? numerator / denominator : unknown});
        }
        all.push_back(std::move(series));
    }
    return all;
}

/// A share on an axis that ends at 1 and begins below the least that is shown.
Axis share_axis(std::string label, LinePlot const& plot)
{
    double least = 1;
    for (Series const& series : plot.series) {
        for (Point const& point : series.points) {
            least = std::isfinite(point.y) ? std::min(least, point.y) : least;
        }
    }
    for (Mark const& mark : plot.marks_y) {
        least = std::min(least, mark.at);
    }
    double from = 0;
    for (double const candidate : {0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995}) {
        from = candidate < least ? candidate : from;
    }
    // A line at 100 % must not hide in the frame.
    return {std::move(label), from, 1 + (1 - from) * 0.02, Scale::linear, Unit::percent};
}

std::string over_time_figure(std::string const& title, std::string const& note, LinePlot plot,
                             Scenario const& scenario, std::string label)
{
    plot.x = {"time, s", 0, scenario.seconds};
    plot.y = share_axis(std::move(label), plot);
    add_happenings(plot, scenario);
    return figure(title, note, legend(plot.series) + line_plot(plot));
}

std::string continuity_figure(RunResult const& result)
{
    LinePlot plot;
    plot.series = over_time(
        result, [](Second const& second) { return second.chunks_in_time; },
        [](Second const& second) { return second.chunks_due; });
    for (Series& series : plot.series) {
        auto const found = result.group_continuity.find(series.name);
        if (found != result.group_continuity.end()) {
            series.name += " (" + share_text(found->second) + ")";
        }
    }
    return over_time_figure("Continuity over time",
                            "Share of the chunks due in a second that came in time, by group.",
                            std::move(plot), result.scenario, "in time");
}

std::string offload_figure(RunResult const& result)
{
    LinePlot plot;
    plot.series = over_time(
        result, [](Second const& second) { return second.from_peers_bytes; },
        [](Second const& second) { return second.from_peers_bytes + second.from_source_bytes; });
    if (result.offload_bound > 0) {
        plot.marks_y.push_back({result.offload_bound, "bound " + percent(result.offload_bound, 1)});
    }
    return over_time_figure("Offload over time",
                            "Share of the media received in a second that came from peers and "
                            "not from the source, by group.",
                            std::move(plot), result.scenario, "from peers");
}

/// The figure of a class whose name begins so.
Percentiles const* find_figure(ClassResult const& one, std::string_view prefix)
{
    auto const found = one.figures.lower_bound(std::string{prefix});
    return found != one.figures.end() && found->first.starts_with(prefix) ? &found->second
                                                                          : nullptr;
}

std::string uplink_figure(RunResult const& result, std::vector<std::string> const& classes)
{
    std::vector<Row> rows;
    double most = 0;
    for (std::size_t i = 0; i < classes.size(); ++i) {
        auto const found = result.classes.find(classes[i]);
        if (found == result.classes.end()) {
            continue;
        }
        double const capacity = found->second.uplink_streams;
        double const used = capacity * found->second.uplink_used;
        rows.push_back(
            {classes[i],
             i + 1,
             {capacity, used},
             capacity > 0 ? percent(found->second.uplink_used, 0) + " of " + short_number(capacity)
                          : "no media"});
        most = std::isfinite(capacity) ? std::max({most, capacity, 0.0}) : most;
    }
    return figure("Use of uplinks",
                  "Frame: what a peer of the class can upload, in streams. Filled: what it does.",
                  bar_plot({"uplink, streams", 0, most > 0 ? most * 1.02 : 1}, rows));
}

struct DotRows {
    std::vector<Row> rows;
    double most_s = 0;
};

void add_row(DotRows& plot, std::string const& name, std::size_t colour,
             std::vector<double> const& values_ms)
{
    Row row{name, colour, {}, {}};
    for (double const value : values_ms) {
        row.values.push_back(value / 1e3);
        row.text += (row.text.empty() ? "" : " / ") + number(value / 1e3, 2);
        plot.most_s = std::isfinite(value) ? std::max(plot.most_s, value / 1e3) : plot.most_s;
    }
    row.text += " s";
    plot.rows.push_back(std::move(row));
}

std::string time_figure(std::string const& title, std::string const& note, DotRows const& plot,
                        std::string const& label, double goal_s)
{
    Axis const axis{label + ", s", 0, std::max(plot.most_s, goal_s) * 1.05};
    return figure(title, note + " Dots from full to hollow: p50, p95, p99.",
                  dot_plot(axis, plot.rows, {{goal_s, "goal for p95"}}));
}

DotRows class_rows(RunResult const& result, std::vector<std::string> const& classes,
                   std::string_view figure_name)
{
    DotRows plot;
    for (std::size_t i = 0; i < classes.size(); ++i) {
        auto const found = result.classes.find(classes[i]);
        auto const* figures =
            found == result.classes.end() ? nullptr : find_figure(found->second, figure_name);
        if (figures != nullptr) {
            add_row(plot, classes[i], i + 1, {figures->p50, figures->p95, figures->p99});
        }
    }
    return plot;
}

std::string startup_figure(RunResult const& result, std::vector<std::string> const& classes)
{
    DotRows plot = class_rows(result, classes, "startup");
    if (has_data(result)) {
        Percentiles const& all = result.startup_ms;
        add_row(plot, "all", 0, {all.p50, all.p95, all.p99});
    }
    return time_figure("Start-up", "From joining to the first byte at the output.", plot,
                       "start-up", 1.5);
}

std::string latency_figure(RunResult const& result, std::vector<std::string> const& classes)
{
    DotRows plot = class_rows(result, classes, "live_latency");
    if (has_data(result)) {
        add_row(plot, "all", 0, {result.live_latency_ms_p50, result.live_latency_ms_p95});
    }
    return time_figure("Live latency", "From signing at the source to the output of a viewer.",
                       plot, "live latency", 3);
}

std::string overlay_figure(RunResult const& result, std::vector<std::string> const& classes)
{
    if (result.overlay_nodes.empty()) {
        return nothing;
    }
    auto const picture = overlay_picture(result.overlay_nodes, result.overlay_edges, classes);
    std::string spots = "<div class='legend'><span class='c0'><span class='spot diamond'></span>"
                        "<i>source</i></span>";
    for (std::size_t i = 0; i < classes.size(); ++i) {
        spots += "<span class='" + colour_class(i + 1) + "'><span class='spot'></span><i>" +
                 escaped(classes[i]) + "</i></span>";
    }
    std::string note =
        "The farther out, the later its units are (mean). The larger a dot, the more it uploads. "
        "A peer stands near the one that feeds it most, and the line between them is coloured. "
        "Shown: " +
        whole(picture.nodes_drawn) + " peers and the " + whole(picture.edges_drawn) +
        " strongest of " + whole(result.overlay_edges.size()) + " connections.";
    if (picture.nodes_without_delay > 0) {
        note += " On the outermost ring: " + whole(picture.nodes_without_delay) +
                " peers that got no unit that counts.";
    }
    return "<figure class='overlay'><h3>Who feeds whom</h3><p class='note'>" + note + "</p>" +
           spots + "</div>" + picture.svg + "</figure>\n";
}

// The tables

std::string figure_text(std::string_view name, double value)
{
    if (name.ends_with("_ms")) {
        return milliseconds(value);
    }
    if (name.ends_with("bytes") || name.find("_bytes_") != std::string_view::npos) {
        return bytes(value);
    }
    if (name.ends_with("_bps")) {
        return bits_per_second(value);
    }
    if (name == "continuity") {
        return share_text(value);
    }
    if (name.ends_with("_ratio") || name.ends_with("_used") || name == "offload") {
        return percent(value, 2);
    }
    return short_number(value);
}

using Values = std::vector<std::string>;

std::string table_row(std::string const& name, std::vector<Values> const& cells)
{
    std::string html = "<tr><th>" + escaped(name) + "</th>";
    for (Values const& values_of_class : cells) {
        if (values_of_class.size() == 1) {
            html += "<td colspan='3' class='first one'>" + values_of_class.front() + "</td>";
            continue;
        }
        for (std::size_t i = 0; i < values_of_class.size(); ++i) {
            html += (i == 0 ? "<td class='first'>" : "<td>") + values_of_class[i] + "</td>";
        }
    }
    return html + "</tr>\n";
}

/// One cell per class, or three for percentiles.
template <typename Cells>
std::string class_row(std::string const& name, std::vector<ClassResult const*> const& all,
                      Cells&& cells)
{
    std::vector<Values> row;
    row.reserve(all.size());
    for (ClassResult const* one : all) {
        row.push_back(cells(*one));
    }
    return table_row(name, row);
}

Values delay_cells(ClassResult const& one)
{
    Values cells;
    for (double const share : {0.50, 0.95, 0.99}) {
        auto const value = one.delay_units.percentile(share);
        cells.push_back(value ? number(*value, 1) : one.delay_units.count() > 0 ? "never" : "–");
    }
    return cells;
}

Values figure_cells(ClassResult const& one, std::string const& name)
{
    auto const found = one.figures.find(name);
    if (found == one.figures.end()) {
        return {"–", "–", "–"};
    }
    Percentiles const& figures = found->second;
    return {figure_text(name, figures.p50), figure_text(name, figures.p95),
            figure_text(name, figures.p99)};
}

std::string class_table(RunResult const& result, std::vector<std::string> const& order)
{
    std::vector<ClassResult const*> all;
    std::string names = "<tr><th></th>";
    std::string percentiles = "<tr><th></th>";
    std::set<std::string> figures;
    for (std::size_t i = 0; i < order.size(); ++i) {
        auto const found = result.classes.find(order[i]);
        if (found == result.classes.end()) {
            continue;
        }
        all.push_back(&found->second);
        names += "<th colspan='3' class='first one " + colour_class(i + 1) +
                 "' style='text-align:center;color:currentColor'>" + escaped(order[i]) + "</th>";
        percentiles += "<th class='first'>p50</th><th>p95</th><th>p99</th>";
        for (auto const& [name, unused] : found->second.figures) {
            figures.insert(name);
        }
    }
    if (all.empty()) {
        return nothing;
    }
    std::string html = "<div class='card scroll'><table><thead>" + names + "</tr>" + percentiles +
                       "</tr></thead><tbody>\n";
    html +=
        class_row("peers", all, [](ClassResult const& one) { return Values{whole(one.peers)}; });
    html += class_row("uplink, streams", all, [](ClassResult const& one) {
        return Values{short_number(one.uplink_streams)};
    });
    html += class_row("uplink used, mean", all,
                      [](ClassResult const& one) { return Values{percent(one.uplink_used, 1)}; });
    html += class_row("continuity, mean", all,
                      [](ClassResult const& one) { return Values{share_text(one.continuity)}; });
    html += class_row("delay, units", all, delay_cells);
    for (std::string const& name : figures) {
        html +=
            class_row(name, all, [&](ClassResult const& one) { return figure_cells(one, name); });
    }
    return html + "</tbody></table></div>\n";
}

std::string key_row(std::string const& key, std::string const& value, bool is_changed = false)
{
    return std::string{is_changed ? "<div class='changed'>" : "<div>"} + "<span>" + escaped(key) +
           "</span><span>" + escaped(value.empty() ? "–" : value) + "</span></div>\n";
}

std::string scenario_table(Scenario const& scenario)
{
    auto const defaults = values(Scenario{});
    auto const all = values(scenario);
    std::string html = "<div class='card'><div class='keys'>";
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto const& [key, value] = all[i];
        if (key != "name" && key != "description") {
            html += key_row(key, value, i < defaults.size() && defaults[i].second != value);
        }
    }
    for (PeerClass const& one : scenario.classes) {
        html +=
            key_row("class " + one.name,
                    percent(one.share, 1) + " × " + short_number(one.uplink) + " streams", true);
    }
    return html + "</div></div>\n";
}

std::string run_table(RunResult const& result)
{
    std::string html = "<div class='card'><div class='keys'>";
    html += key_row("digest", result.digest);
    html += key_row("events", whole(result.events));
    html += key_row("datagrams", whole(result.datagrams));
    html += key_row("dropped in queues", whole(result.dropped_in_queues));
    html += key_row("lost", whole(result.lost));
    html += key_row("hashes", whole(result.hashes));
    html += key_row("signature checks", whole(result.signature_checks));
    html += key_row("units that never came", percent(result.units_missing_ratio, 3));
    html += key_row("bytes of wrong chunks", percent(result.wasted_ratio, 3));
    html += key_row("bytes across regions", percent(result.cross_pid_ratio, 1));
    html += key_row("memory", bytes(static_cast<double>(result.rss_bytes)));
    std::string const speed =
        result.wall_s > 0
            ? " (" + short_number(result.scenario.seconds / result.wall_s) + " × real time)"
            : "";
    html += key_row("time taken", number(result.wall_s, 1) + " s" + speed);
    return html + "</div></div>\n";
}

} // namespace

std::string to_html(RunResult const& result)
{
    auto const classes = class_order(result);
    auto const judgement = verdicts(result);
    std::string html = head(result) + lead(result) + violations(result) + banner(judgement);
    html += "<section class='tiles'>\n";
    for (Verdict const& verdict : judgement) {
        html += tile(verdict);
    }
    html += "</section>\n<h2>What happened</h2>\n<section class='plots'>\n";
    html += "<div>" + delay_figure(result, classes) + startup_figure(result, classes) +
            latency_figure(result, classes) + "</div>\n";
    html += "<div>" + continuity_figure(result) + offload_figure(result) +
            uplink_figure(result, classes) + "</div>\n";
    html += "</section>\n<h2>The overlay</h2>\n" + overlay_figure(result, classes);
    html += "<h2>Classes of peers</h2>\n" + class_table(result, classes);
    html += "<h2>The scenario</h2>\n<p class='note'>Keys that differ from the defaults stand "
            "out.</p>\n" +
            scenario_table(result.scenario);
    html += "<h2>The run</h2>\n" + run_table(result);
    return html + "</main></body></html>\n";
}

} // namespace ppsp::sim
