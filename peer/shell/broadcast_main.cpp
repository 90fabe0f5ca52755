#include "peer/shell/broadcaster.hpp"
#include "peer/shell/program_options.hpp"
#include "peer/shell/signals.hpp"
#include "peer/shell/statistics_json.hpp"
#include "peer/shell/token_file.hpp"

namespace ppsp::peer {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Options {
    CommonOptions common;
    std::string tracker;
    std::string input;
    std::string key;
    std::string title;
    std::string write_link;
    bool loop = false;
    bool encode = false;
    bool stamp_clock = false;
    std::string dump_cut;
    std::string record;
    std::vector<std::string> caches;
    std::string cache_token;
    std::string cdn_dir;
    std::string cdn_put;
    std::optional<std::uint32_t> video_kbps;
    std::uint32_t unit_ms = 50;
};

std::string check_web_url(std::string const& text)
{
    return net::parse_url(text) ? std::string{} : text + " should be http(s)://HOST[:PORT][/PATH]";
}

void declare(CLI::App& app, Options& options)
{
    options.common.listen = "0.0.0.0:6778";
    add_option(app, "--tracker", options.tracker,
               "Tracker, http(s)://HOST:PORT; without it the link names this machine")
        ->check(CLI::Validator(check_tracker_url, ""));
    add_option(app, "--input", options.input,
               "What to send: a file, testsrc:, - (MPEG-TS on stdin), rtmp://, srt://, udp://")
        ->required();
    add_option(app, "--key", options.key,
               "Key file of the channel, made if missing; without it the channel ends with the "
               "program");
    add_option(app, "--title", options.title, "Title of the channel, for --write-link");
    add_option(app, "--write-link", options.write_link, "Write a signed channel file (*.ppsp)");
    add_flag(app, "--loop", options.loop, "Begin a file again at its end");
    add_flag(app, "--encode", options.encode, "Encode anew even where it is not necessary");
    add_flag(app, "--stamp-clock", options.stamp_clock,
             "Draw the time into the picture, to measure latency (with --encode or testsrc:)");
    add_option(
        app, "--dump-cut", options.dump_cut,
        "Write the stream as it is cut into units to this file, to compare with what viewers "
        "get");
    add_option(app, "--video-kbps", options.video_kbps, "Video rate in kbit/s")
        ->check(CLI::Range(50U, 100'000U));
    add_option(app, "--unit-ms", options.unit_ms, "Media in one signed unit, in milliseconds")
        ->check(CLI::Range(10U, 1'000U))
        ->capture_default_str();
    add_option(app, "--cache", options.caches,
               "Put each unit into this cache, too, as in http://HOST:7069; of several the nearest "
               "is used")
        ->check(CLI::Validator(check_web_url, ""));
    add_option(app, "--cache-token", options.cache_token,
               "File with the token that allows to write there (ppsp-cache token)");
    add_option(app, "--cdn-dir", options.cdn_dir,
               "Write each unit into this folder, too, for any web server to serve");
    add_option(app, "--cdn-put", options.cdn_put,
               "Put each unit to this web server, too (WebDAV or any that takes PUT)")
        ->check(CLI::Validator(check_web_url, ""));
    add_common(app, options.common);
    add_option(app, "--record", options.record,
               "Keep the stream in this folder; when it ends, it is a recording with a link of its "
               "own, which ppsp-peer can seed");
    add_unavailable(app, "--first-hop");
}

std::string check(Options const& options)
{
    if (!options.write_link.empty() && options.tracker.empty()) {
        return "--write-link needs --tracker: a channel file names trackers";
    }
    if (options.common.upload_kbps == 0U) {
        return "--upload-kbps 0 would send nothing; a broadcaster has to upload";
    }
    if (!options.cache_token.empty() && options.caches.empty()) {
        return "--cache-token needs --cache: it is shown to no other server";
    }
    return {};
}

int fail(std::string const& sentence)
{
    std::fprintf(stderr, "ppsp-broadcast: %s\n", sentence.c_str());
    return exit_failed;
}

BroadcastOptions to_broadcast_options(Options const& options)
{
    BroadcastOptions result;
    if (!options.tracker.empty()) {
        result.tracker = parse_tracker_url(options.tracker);
    }
    result.input = options.input;
    result.key_file = options.key;
    result.listen = *parse_listen_address(options.common.listen);
    result.title = options.title;
    result.loop = options.loop;
    result.encode = options.encode;
    result.stamp_clock = options.stamp_clock;
    result.cut_file = options.dump_cut;
    result.record_folder = options.record;
    result.video_kbps = options.video_kbps;
    result.upload_kbps = options.common.upload_kbps;
    result.unit_time = std::chrono::milliseconds{options.unit_ms};
    result.strict = options.common.strict;
    result.forgive_link_loss = options.common.forgive_link_loss;
    result.channel_file = options.write_link;
    result.on_message = [](std::string const& message) {
        std::fprintf(stderr, "ppsp-broadcast: %s\n", message.c_str());
    };
    for (auto const& cache : options.caches) {
        result.publish.caches.push_back(*net::parse_url(cache));
    }
    result.publish.cdn_folder = options.cdn_dir;
    if (!options.cdn_put.empty()) {
        result.publish.cdn_put = *net::parse_url(options.cdn_put);
    }
    return result;
}

void print_link(Options const& options, Broadcaster const& broadcaster)
{
    std::FILE* const stream = options.common.stats_json == "-" ? stderr : stdout;
    std::fprintf(stream, "%s\nudp=%s\n", broadcaster.link().c_str(),
                 broadcaster.udp_address().c_str());
    std::fflush(stream);
}

/// Until a signal, the end of the time given or of the input; the sentence of a failure.
Result<void, std::string> send(Broadcaster& broadcaster, std::optional<StatisticsFile>& statistics,
                               Options const& options)
{
    auto const start = SteadyClock::now();
    auto const end = options.common.seconds ? start + std::chrono::seconds{*options.common.seconds}
                                            : SteadyClock::time_point::max();
    auto next_statistics = start + std::chrono::seconds{1};
    while (!is_stop_requested() && SteadyClock::now() < end) {
        auto const state = broadcaster.wait(std::chrono::milliseconds{100});
        if (state == Broadcaster::State::failed) {
            return failure(broadcaster.error());
        }
        if (state == Broadcaster::State::ended) {
            return {};
        }
        if (SteadyClock::now() >= next_statistics) {
            next_statistics += std::chrono::seconds{1};
            if (statistics && !statistics->write_line(broadcaster.statistics_json())) {
                return failure("cannot write statistics to " + options.common.stats_json);
            }
        }
    }
    return {};
}

int run(Options const& options)
{
    static_cast<void>(start_logging(options.common.log_level));
    handle_stop_signals();
    std::optional<StatisticsFile> statistics;
    if (!options.common.stats_json.empty()) {
        auto file = StatisticsFile::open(options.common.stats_json);
        if (!file) {
            return fail(file.error());
        }
        statistics.emplace(*std::move(file));
    }
    auto broadcast_options = to_broadcast_options(options);
    if (!options.cache_token.empty()) {
        auto token = read_token_file(options.cache_token);
        if (!token) {
            return fail(token.error());
        }
        broadcast_options.publish.cache_token = *std::move(token);
    }
    auto const broadcaster = Broadcaster::open(std::move(broadcast_options));
    if (!broadcaster) {
        return fail(broadcaster.error());
    }
    print_link(options, **broadcaster);
    auto const sent = send(**broadcaster, statistics, options);
    (*broadcaster)->stop();
    bool const is_written =
        !statistics || statistics->write_line((*broadcaster)->statistics_json());
    if (!sent) {
        return fail(sent.error());
    }
    return is_written ? exit_done : fail("cannot write statistics to " + options.common.stats_json);
}

} // namespace
} // namespace ppsp::peer

int main(int argc, char** argv)
{
    using namespace ppsp::peer;
    CLI::App app("Sends a live channel to its viewers.", "ppsp-broadcast");
    Options options;
    declare(app, options);
    if (auto const code = parse_command_line(app, argc, argv, [&] { return check(options); })) {
        return *code;
    }
    return run(options);
}
