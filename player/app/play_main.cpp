#include "peer/shell/channel_file.hpp"
#include "peer/shell/program_options.hpp"
#include "peer/shell/token_file.hpp"
#include "player/app/player.hpp"
#include "player/bridge/viewer_source.hpp"
#include "player/plugin/ppspsrc.hpp"
#include "protocol/integrity/openssl_signature.hpp"

#include <gst/gst.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

namespace ppsp::player {
namespace {

using peer::add_flag;
using peer::add_option;

struct Options {
    peer::CommonOptions common;
    PlayOptions play;
    std::optional<std::uint32_t> latency_ms;
    std::uint32_t join_timeout = 30;
    std::optional<double> snapshot_after;
    bool no_peers = false;
    std::string cache_token_file;
};

void declare(CLI::App& app, Options& options)
{
    options.common.listen = "0.0.0.0:0";
    app.add_option("link", options.play.node.link,
                   "Channel link (ppsp://...) or channel file (*.ppsp)")
        ->required();
    add_flag(app, "--headless", options.play.headless,
             "Decode and time everything, show nothing; chosen where there is no display");
    add_option(app, "--snapshot", options.play.snapshot_path,
               "Write the newest shown picture to this PNG file");
    add_option(app, "--snapshot-after", options.snapshot_after,
               "Take the snapshot this many seconds after the first picture; default: at the end")
        ->check(CLI::Range(0.0, 86'400.0));
    add_option(app, "--latency-ms", options.latency_ms,
               "From signing to output, in milliseconds; default: found out")
        ->check(CLI::Range(50U, 60'000U));
    add_option(app, "--join-timeout", options.join_timeout,
               "Give up when nothing was played after this many seconds")
        ->check(CLI::Range(1U, 86'400U))
        ->capture_default_str();
    add_flag(app, "--no-peers", options.no_peers, "Talk to nobody: the link's caches and CDN only");
    add_option(app, "--cache-token", options.cache_token_file,
               "File with the access token that the link's caches ask for");
    add_flag(app, "--measure-clock", options.play.measure_clock,
             "For experts: read the clock that testsrc: draws into its picture and add "
             "glass_to_glass_ms to the statistics; implies --headless");
    peer::add_common(app, options.common);
    app.footer("Exit status: 0 done, 1 failed, 2 wrong usage.\n\n"
               "Example: ppsp-play ppsp://127.0.0.1:7846/SWARM --seconds 10 --snapshot now.png");
}

std::string check(Options const& options)
{
    if (options.snapshot_after && options.play.snapshot_path.empty()) {
        return "--snapshot-after needs --snapshot";
    }
    integrity::OpensslChecker checker;
    auto const channel = peer::find_channel(options.play.node.link, checker);
    return channel ? std::string{} : "link: " + channel.error();
}

PlayOptions to_play_options(Options const& options)
{
    auto play = options.play;
    auto const& common = options.common;
    play.node.listen = common.listen;
    play.node.upload_kbps = common.upload_kbps;
    play.node.strict = common.strict;
    play.node.forgive_link_loss = common.forgive_link_loss;
    play.node.peers = !options.no_peers;
    play.node.join_timeout = std::chrono::seconds{options.join_timeout};
    if (options.latency_ms) {
        play.node.latency = std::chrono::milliseconds{*options.latency_ms};
    }
    play.statistics_path = common.stats_json;
    if (common.seconds) {
        play.run_time = std::chrono::seconds{*common.seconds};
    }
    if (options.snapshot_after) {
        play.snapshot_after =
            std::chrono::milliseconds{static_cast<std::int64_t>(*options.snapshot_after * 1000.0)};
    }
    return play;
}

/// Until the player takes them over there is nothing to leave: no tracker, no peer knows us.
void handle_early_signals()
{
    auto const leave = [](int) { std::_Exit(peer::exit_done); };
    std::signal(SIGINT, leave);
    std::signal(SIGTERM, leave);
    std::signal(SIGPIPE, SIG_IGN); // who reads our statistics may leave before us
}

int fail(std::string const& sentence)
{
    std::cerr << "ppsp-play: " << sentence << std::endl;
    return peer::exit_failed;
}

int run(int argc, char** argv)
{
    handle_early_signals();
    CLI::App app{"Watches a live peer-to-peer channel.", "ppsp-play"};
    Options options;
    declare(app, options);
    if (auto const code =
            peer::parse_command_line(app, argc, argv, [&] { return check(options); })) {
        return *code;
    }
    (void)peer::start_logging(options.common.log_level); // the level was checked above
    GError* error = nullptr;
    if (!gst_init_check(nullptr, nullptr, &error)) {
        std::string const reason = error ? error->message : "it gives no reason";
        g_clear_error(&error);
        return fail("GStreamer does not start: " + reason);
    }
    if (!register_ppspsrc(nullptr, open_viewer_source)) {
        return fail("GStreamer does not take the element ppspsrc");
    }
    PlayOptions play_options = to_play_options(options);
    if (!options.cache_token_file.empty()) {
        auto token = peer::read_token_file(options.cache_token_file);
        if (!token) {
            return fail(token.error());
        }
        play_options.node.cache_token = *std::move(token);
    }
    return play(play_options, std::cout, std::cerr);
}

} // namespace
} // namespace ppsp::player

int main(int argc, char** argv)
{
    return ppsp::player::run(argc, argv);
}
