#include "peer/shell/channel_link.hpp"
#include "peer/shell/gateway.hpp"
#include "peer/shell/media_output.hpp"
#include "peer/shell/program_options.hpp"
#include "peer/shell/recording_run.hpp"
#include "peer/shell/signals.hpp"
#include "peer/shell/statistics_json.hpp"
#include "peer/shell/token_file.hpp"

#include <map>
#include <ppsp/peer.hpp>

namespace ppsp::peer {
namespace {

using SteadyClock = std::chrono::steady_clock;

std::map<std::string, wire::HashFunction> const hash_names{
    {"sha1", wire::HashFunction::sha1},     {"sha224", wire::HashFunction::sha224},
    {"sha256", wire::HashFunction::sha256}, {"sha384", wire::HashFunction::sha384},
    {"sha512", wire::HashFunction::sha512},
};

struct Options {
    CommonOptions common;
    std::string link;
    std::string seed;
    std::string tracker;
    std::string output;
    std::string gateway;
    std::string player_script;
    std::optional<std::uint32_t> latency_ms;
    std::uint32_t join_timeout = 30;
    bool no_peers = false;
    std::string cache_token_file;
    std::optional<std::uint16_t> neighbours_max;
    std::optional<std::string> hash; ///< a key of `hash_names`
};

void declare(CLI::App& app, Options& options)
{
    options.common.listen = "0.0.0.0:0";
    app.add_option("link", options.link,
                   "Link of a channel or recording (ppsp://...), or channel file (*.ppsp)");
    add_option(app, "--seed", options.seed,
               "Send this file, whatever it is, to all who ask; prints its link");
    add_option(app, "--tracker", options.tracker,
               "With --seed: the tracker that introduces peers, as in http://HOST:7846; default: "
               "the link names this node")
        ->check(CLI::Validator(check_tracker_url, ""));
    add_option(app, "--neighbours-max", options.neighbours_max,
               "With --seed: conversations at a time; default: 100")
        ->check(CLI::Range(1U, 10'000U));
    add_option(
        app, "--hash", options.hash,
        "With --seed: hash function of the tree: sha256, sha384, sha512, sha224, or sha1 for "
        "clients of the protocol's drafts; default: sha256")
        ->check(CLI::IsMember(hash_names));
    add_option(app, "--output", options.output,
               "Where the stream goes: - (stdout), a file, or udp://HOST:PORT; default: nowhere. A "
               "recording goes to stdout or a file, which gets its name when all is there");
    add_option(app, "--gateway", options.gateway,
               "Serve players over HTTP on ADDRESS:PORT; usually 127.0.0.1:7580")
        ->check(CLI::Validator(check_listen_address, ""));
    add_option(app, "--player-script", options.player_script,
               "mpegts.js for the gateway's page; default: share/ppsp beside the programs");
    add_option(app, "--latency-ms", options.latency_ms,
               "From signing to output, in milliseconds; default: found out")
        ->check(CLI::Range(50U, 60'000U));
    add_option(app, "--join-timeout", options.join_timeout,
               "Give up when nothing was played after this many seconds")
        ->check(CLI::Range(1U, 86'400U))
        ->capture_default_str();
    add_common(app, options.common);
    add_flag(app, "--no-peers", options.no_peers, "Talk to nobody: the link's caches and CDN only");
    add_option(app, "--cache-token", options.cache_token_file,
               "File with the access token that the link's caches ask for");
}

/// What makes no sense for recordings.
std::string check_recording(Options const& options)
{
    if (options.output.starts_with("udp://")) {
        return "a recording goes to a file, to stdout, or to players (--gateway), not to udp://";
    }
    if (options.latency_ms) {
        return "--latency-ms is for live channels; a recording comes as fast as it can";
    }
    if (options.no_peers) {
        return "a recording comes from peers only; leave out --no-peers";
    }
    return {};
}

std::string check(Options const& options)
{
    if (options.seed.empty() == options.link.empty()) {
        return options.seed.empty() ? "give a link, or a file with --seed"
                                    : "give a link or --seed, not both";
    }
    if (!options.seed.empty()) {
        bool const has_outlet = !options.output.empty() || !options.gateway.empty();
        return has_outlet ? "--output and --gateway need a link; --seed only sends" : std::string{};
    }
    if (!options.tracker.empty()) {
        return "--tracker goes with --seed; a link names its own tracker";
    }
    if (options.hash) {
        return "--hash goes with --seed; a link's root tells its hash function";
    }
    if (options.neighbours_max) {
        return "--neighbours-max goes with --seed; who fetches keeps a few";
    }
    if (options.output == "-" && options.common.stats_json == "-") {
        return "--output - and --stats-json - cannot both use stdout";
    }
    if (options.link.ends_with(".ppsp")) {
        return {}; // a channel file
    }
    auto const link = parse_link(options.link);
    if (!link) {
        return "link: " + std::string{sentence(link.error())};
    }
    return is_live_id(link->swarm) ? std::string{} : check_recording(options);
}

int fail(std::string const& sentence)
{
    std::fprintf(stderr, "ppsp-peer: %s\n", sentence.c_str());
    return exit_failed;
}

Result<ViewerOptions, std::string> to_viewer_options(Options const& options)
{
    ViewerOptions result;
    if (!options.cache_token_file.empty()) {
        auto token = read_token_file(options.cache_token_file);
        if (!token) {
            return failure(std::move(token.error()));
        }
        result.cache_token = *std::move(token);
    }
    result.peers = !options.no_peers;
    result.link = options.link;
    if (options.latency_ms) {
        result.latency = std::chrono::milliseconds{*options.latency_ms};
    }
    result.upload_kbps = options.common.upload_kbps;
    result.join_timeout = std::chrono::seconds{options.join_timeout};
    result.listen = options.common.listen;
    result.strict = options.common.strict;
    result.forgive_link_loss = options.common.forgive_link_loss;
    result.on_message = [](std::string const& message) {
        std::fprintf(stderr, "ppsp-peer: %s\n", message.c_str());
    };
    return result;
}

std::filesystem::path player_script(Options const& options, char const* program)
{
    if (!options.player_script.empty()) {
        return options.player_script;
    }
    return std::filesystem::path(program).parent_path() / "../share/ppsp/mpegts.js";
}

/// Everything that takes the viewer's pieces and figures.
struct Outlets {
    std::unique_ptr<MediaOutput> output;
    std::unique_ptr<Gateway> gateway;
    std::optional<StatisticsFile> statistics;
};

Result<Outlets, std::string> open_outlets(Options const& options, Viewer const& viewer,
                                          char const* program)
{
    Outlets outlets;
    if (!options.output.empty()) {
        auto output = MediaOutput::open(options.output, is_stop_requested);
        if (!output) {
            return failure(std::move(output.error()));
        }
        outlets.output = *std::move(output);
    }
    if (!options.gateway.empty()) {
        auto gateway = Gateway::open({*parse_listen_address(options.gateway), viewer.swarm(),
                                      [&viewer] { return viewer.statistics_json(); },
                                      player_script(options, program)});
        if (!gateway) {
            return failure(std::move(gateway.error()));
        }
        outlets.gateway = *std::move(gateway);
    }
    if (!options.common.stats_json.empty()) {
        auto file = StatisticsFile::open(options.common.stats_json);
        if (!file) {
            return failure(std::move(file.error()));
        }
        outlets.statistics.emplace(*std::move(file));
    }
    return outlets;
}

void print_joined(Options const& options, Viewer const& viewer, Outlets const& outlets)
{
    bool const is_stdout_taken = options.output == "-" || options.common.stats_json == "-";
    std::string line = "ppsp-peer joined " + viewer.swarm() + " udp=" + viewer.udp_address();
    if (outlets.gateway) {
        line += " gateway=" + outlets.gateway->local_endpoint().text();
    }
    std::FILE* const stream = is_stdout_taken ? stderr : stdout;
    std::fprintf(stream, "%s\n", line.c_str());
    std::fflush(stream);
}

Result<void, std::string> write_statistics(Outlets& outlets, Viewer const& viewer,
                                           Options const& options)
{
    if (outlets.statistics && !outlets.statistics->write_line(viewer.statistics_json())) {
        return failure("cannot write statistics to " + options.common.stats_json);
    }
    return {};
}

/// Hands a piece on.
Result<void, std::string> deliver(MediaPiece& piece, Outlets& outlets)
{
    if (outlets.output) {
        if (piece.discontinuity) {
            outlets.output->discontinuity();
        }
        auto written = outlets.output->write(piece.bytes);
        if (!written) {
            return written;
        }
    }
    if (outlets.gateway) {
        outlets.gateway->push(std::move(piece.bytes), piece.discontinuity);
    }
    return {};
}

/// Until a signal, the end of the time given, or a failure, whose sentence is returned.
Result<void, std::string> play(Viewer& viewer, Outlets& outlets, Options const& options)
{
    auto const start = SteadyClock::now();
    auto const end = options.common.seconds ? start + std::chrono::seconds{*options.common.seconds}
                                            : SteadyClock::time_point::max();
    auto next_statistics = start + std::chrono::seconds{1};
    while (!is_stop_requested() && SteadyClock::now() < end) {
        MediaPiece piece;
        auto const status = viewer.read(piece, std::chrono::milliseconds{100});
        if (status == Viewer::ReadStatus::failed) {
            return failure(viewer.error());
        }
        if (status == Viewer::ReadStatus::media) {
            if (auto delivered = deliver(piece, outlets); !delivered) {
                return delivered;
            }
        }
        if (SteadyClock::now() >= next_statistics) {
            next_statistics += std::chrono::seconds{1};
            if (auto written = write_statistics(outlets, viewer, options); !written) {
                return written;
            }
        }
    }
    return {};
}

NodeOptions to_node_options(Options const& options)
{
    return {*parse_listen_address(options.common.listen),
            options.common.upload_kbps,
            options.common.strict,
            options.common.forgive_link_loss,
            true,
            options.neighbours_max};
}

int run_recording(Options const& options)
{
    Result<void, std::string> done;
    if (!options.seed.empty()) {
        SeedRun run{options.seed, std::nullopt, to_node_options(options), options.common.seconds,
                    options.common.stats_json};
        if (options.hash) {
            run.hash_function = hash_names.at(*options.hash);
        }
        if (!options.tracker.empty()) {
            run.tracker = parse_tracker_url(options.tracker);
        }
        done = run_seed(run);
    } else {
        FetchRun run{*parse_link(options.link),
                     options.output,
                     std::nullopt,
                     to_node_options(options),
                     options.common.seconds,
                     std::chrono::seconds{options.join_timeout},
                     options.common.stats_json};
        if (!options.gateway.empty()) {
            run.gateway = parse_listen_address(options.gateway);
        }
        done = run_fetch(run);
    }
    return done ? exit_done : fail(done.error());
}

bool is_recording(Options const& options)
{
    auto const link = parse_link(options.link);
    return !options.seed.empty() || (link && is_recording_id(link->swarm));
}

int run(Options const& options, char const* program)
{
    static_cast<void>(start_logging(options.common.log_level));
    handle_stop_signals();
    if (is_recording(options)) {
        return run_recording(options);
    }
    auto viewer_options = to_viewer_options(options);
    if (!viewer_options) {
        return fail(viewer_options.error());
    }
    std::string error;
    auto const viewer = Viewer::open(*std::move(viewer_options), error);
    if (!viewer) {
        return fail(error);
    }
    auto outlets = open_outlets(options, *viewer, program);
    if (!outlets) {
        return fail(outlets.error());
    }
    print_joined(options, *viewer, *outlets);
    auto const played = play(*viewer, *outlets, options);
    viewer->stop();
    outlets->gateway.reset();
    auto const written = write_statistics(*outlets, *viewer, options);
    if (!played) {
        return fail(played.error());
    }
    return written ? exit_done : fail(written.error());
}

} // namespace
} // namespace ppsp::peer

int main(int argc, char** argv)
{
    using namespace ppsp::peer;
    CLI::App app(
        "Watches a live channel: relays it, writes it out, serves it to players. Fetches a "
        "recording from peers, or seeds one.",
        "ppsp-peer");
    Options options;
    declare(app, options);
    if (auto const code = parse_command_line(app, argc, argv, [&] { return check(options); })) {
        return *code;
    }
    return run(options, argv[0]);
}
