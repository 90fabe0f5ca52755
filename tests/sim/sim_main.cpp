#include "tests/sim/world.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace {

using namespace ppsp::sim;

struct Options {
    std::string scenario;
    std::string json;
    std::string report;
    std::optional<std::uint32_t> peers;
    std::optional<std::uint64_t> seed;
    std::optional<double> seconds;
    std::vector<std::string> assignments;
    bool keys = false;
    bool quiet = false;
};

void declare(CLI::App& app, Options& options)
{
    app.add_option("--scenario", options.scenario, "Name of a scenario or a TOML file");
    app.add_option("--peers", options.peers, "Peers instead of the scenario's");
    app.add_option("--seed", options.seed, "Seed of everything random");
    app.add_option("--seconds", options.seconds, "Simulated seconds instead of the scenario's");
    app.add_option("--set", options.assignments, "KEY=VALUE, any key of a scenario; repeatable")
        ->allow_extra_args(false);
    app.add_option("--json", options.json, "Result as JSON to a file, - = stdout");
    app.add_option("--report", options.report, "Result as a page to look at");
    app.add_flag("--keys", options.keys, "Print the keys of scenarios with their defaults");
    app.add_flag("--quiet", options.quiet, "No progress on stderr");
    app.set_version_flag("--version", "ppsp-sim " PPSP_VERSION);
}

int wrong(std::string const& sentence)
{
    std::fprintf(stderr, "ppsp-sim: %s\n", sentence.c_str());
    return 2;
}

/// A file as given, or NAME.toml among the project's scenarios.
std::string path_of(std::string const& scenario)
{
    namespace fs = std::filesystem;
    if (fs::exists(scenario) || scenario.ends_with(".toml")) {
        return scenario;
    }
    return std::string{PPSP_SCENARIOS} + "/" + scenario + ".toml";
}

std::string known_scenarios()
{
    std::vector<std::string> names;
    std::error_code error;
    for (auto const& entry : std::filesystem::directory_iterator(PPSP_SCENARIOS, error)) {
        names.push_back(entry.path().stem().string());
    }
    std::sort(names.begin(), names.end());
    std::string list;
    for (std::string const& name : names) {
        list += (list.empty() ? "" : ", ") + name;
    }
    return list;
}

bool write(std::string const& path, std::string const& text)
{
    if (path == "-") {
        std::cout << text << std::endl;
        return static_cast<bool>(std::cout);
    }
    std::ofstream file(path);
    file << text << '\n';
    file.close();
    if (!file) {
        std::fprintf(stderr, "ppsp-sim: cannot write %s\n", path.c_str());
    }
    return static_cast<bool>(file);
}

std::string or_never(std::optional<double> value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", value.value_or(0));
    return value ? text : "never";
}

void print(RunResult const& r, std::FILE* out)
{
    std::fprintf(out,
                 "continuity %.4f (worst class %.4f)  rate %.3f of the bound  offload %.4f (bound "
                 "%.4f)\n",
                 r.continuity, r.continuity_worst_class, r.bound_rate_ratio, r.offload,
                 r.offload_bound);
    std::fprintf(out,
                 "delay p50 %.1f p95 %.1f p99 %s units, /log2 N %s (bound %.0f units, planner p99 "
                 "%.1f), missing %.4f %%\n",
                 r.delay_units_p50, r.delay_units_p95, or_never(r.delay_units_p99).c_str(),
                 or_never(r.delay_over_log2n).c_str(), r.bound_delay_units,
                 r.snowball_delay_units_p99, r.units_missing_ratio * 100);
    std::fprintf(out,
                 "duplicates %.3f %%  overhead %.2f %%  start-up p50 %.0f p95 %.0f max %.0f ms, %u "
                 "never  latency p95 %.0f ms  stalls %.3f per viewer and minute\n",
                 r.duplicate_ratio * 100, r.overhead_ratio * 100, r.startup_ms.p50,
                 r.startup_ms.p95, r.startup_max_ms, r.never_started, r.live_latency_ms_p95,
                 r.stalls_per_viewer_minute);
    if (r.scenario.caches > 0) {
        std::fprintf(out, "storage %.2f %% of the media\n", r.storage_ratio * 100);
    }
    for (auto const& [group, continuity] : r.group_continuity) {
        std::fprintf(out, "group %-10s continuity %.4f\n", group.c_str(), continuity);
    }
    for (auto const& [name, one] : r.classes) {
        std::fprintf(out,
                     "class %-9s %5u peers  uplink %.2f used %.3f  continuity %.4f  delay p50 %.1f "
                     "p99 %s  places %.2f free %.2f orphans %.2f\n",
                     name.c_str(), one.peers, one.uplink_streams, one.uplink_used, one.continuity,
                     one.delay_units.percentile(0.5).value_or(0),
                     or_never(one.delay_units.percentile(0.99)).c_str(), one.slots, one.free_slots,
                     one.orphans);
    }
    std::fprintf(out,
                 "polluted bytes out %llu, bad chunks %llu, wasted %.3f %%, bans %llu; %llu "
                 "events, %llu datagrams, "
                 "%llu dropped, %llu lost; %.1f s, %.0f MiB, digest %s\n",
                 static_cast<unsigned long long>(r.polluted_bytes_out),
                 static_cast<unsigned long long>(r.bad_chunks), r.wasted_ratio * 100,
                 static_cast<unsigned long long>(r.banned_peers),
                 static_cast<unsigned long long>(r.events),
                 static_cast<unsigned long long>(r.datagrams),
                 static_cast<unsigned long long>(r.dropped_in_queues),
                 static_cast<unsigned long long>(r.lost), r.wall_s,
                 static_cast<double>(r.rss_bytes) / 1048576, r.digest.c_str());
    for (std::string const& violation : r.violations) {
        std::fprintf(out, "violated: %s\n", violation.c_str());
    }
}

int run(Options const& options)
{
    if (options.keys) {
        for (auto const& [key, value] : values(Scenario{})) {
            std::printf("%-24s %s\n", key.c_str(), value.c_str());
        }
        return 0;
    }
    if (options.scenario.empty()) {
        return wrong("--scenario is missing; there are " + known_scenarios());
    }
    std::string const path = path_of(options.scenario);
    if (!std::filesystem::exists(path)) {
        return wrong("there is no scenario '" + options.scenario + "'; there are " +
                     known_scenarios());
    }
    auto scenario = load_scenario(path);
    if (!scenario) {
        return wrong(scenario.error());
    }
    for (std::string const& assignment : options.assignments) {
        if (auto const set = set_value(*scenario, assignment); !set) {
            return wrong(set.error());
        }
    }
    scenario->peers = options.peers.value_or(scenario->peers);
    scenario->seed = options.seed.value_or(scenario->seed);
    scenario->seconds = options.seconds.value_or(scenario->seconds);
    if (auto const checked = check(*scenario); !checked) {
        return wrong(checked.error());
    }
    std::FILE* const out = options.json == "-" ? stderr : stdout;
    std::fprintf(out, "%s seed %llu, %u peers, %.0f s\n", scenario->name.c_str(),
                 static_cast<unsigned long long>(scenario->seed), scenario->peers,
                 scenario->seconds);
    std::fflush(out);
    World world{*scenario};
    World::Progress progress;
    if (!options.quiet) {
        progress = [](double done, double all) {
            std::fprintf(stderr, "\r%5.1f of %.0f s", done, all);
        };
    }
    RunResult const result = world.run(progress);
    if (!options.quiet) {
        std::fprintf(stderr, "\r                    \r");
    }
    print(result, out);
    bool written = true;
    if (!options.json.empty()) {
        written = write(options.json, to_json(result)) && written;
    }
    if (!options.report.empty()) {
        written = write(options.report, to_html(result)) && written;
    }
    return written && result.violations.empty() && result.polluted_bytes_out == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
{
    CLI::App app{"Swarms of real engines in virtual time, next to what theory allows"};
    Options options;
    declare(app, options);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        int const status = app.exit(error);
        return status == 0 ? 0 : 2;
    }
    return run(options);
}
