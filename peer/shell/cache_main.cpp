#include "peer/decade/token_order.hpp"
#include "peer/shell/cache_server.hpp"
#include "peer/shell/os_random.hpp"
#include "peer/shell/program_options.hpp"
#include "peer/shell/signals.hpp"
#include "peer/shell/statistics_json.hpp"
#include "protocol/integrity/key_file.hpp"
#include "protocol/integrity/openssl_signature.hpp"

#include <boost/asio/signal_set.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <csignal>
#include <ctime>
#include <filesystem>

namespace {

using namespace ppsp;
using namespace ppsp::peer;

struct Settings {
    std::string listen = "127.0.0.1:7069";
    std::string folder;
    std::string key;
    std::uint64_t max_bytes = std::uint64_t{10} * 1024 * 1024 * 1024;
    std::uint64_t max_object_bytes = decade::object_size_max;
    std::uint32_t ttl = 90;
    std::uint32_t max_connections = 10'000;
    std::optional<std::uint64_t> upload_kbps;
    bool public_read = false;
    std::string public_url;
    std::string stats_json;
    std::string log_level = "info";
    TokenOrder order;
};

/// Every option is declared here once; flag, key of the file, environment variable and help come
/// from it.
void declare(CLI::App& app, Settings& settings)
{
    add_option(app, "--listen", settings.listen, "Address and port to serve on; port 0 = any free")
        ->check(CLI::Validator(check_listen_address, ""))
        ->capture_default_str();
    add_option(app, "--dir", settings.folder, "Folder for the objects; made if missing");
    add_option(app, "--key", settings.key,
               "Private key that signs this cache's tokens (PEM); made if missing");
    add_option(app, "--max-bytes", settings.max_bytes,
               "Bytes of objects to keep; the longest unused go first")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 60))
        ->capture_default_str();
    add_option(app, "--max-object-bytes", settings.max_object_bytes, "Largest object that is taken")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 30))
        ->capture_default_str();
    add_option(app, "--ttl", settings.ttl,
               "Seconds to keep an object whose uploader does not say (Decade-Expires)")
        ->check(CLI::Range(1U, 30U * 24 * 3600))
        ->capture_default_str();
    add_option(app, "--max-connections", settings.max_connections,
               "Connections at a time; idle ones make room for others")
        ->check(CLI::Range(1U, 1'000'000U))
        ->capture_default_str();
    add_option(app, "--upload-kbps", settings.upload_kbps,
               "Limit in kbit/s for all clients together, shared by tokens; default: none")
        ->check(CLI::Range(1U, 100'000'000U));
    add_flag(app, "--public-read", settings.public_read,
             "Reading needs no token; writing always does");
    add_option(app, "--public-url", settings.public_url,
               "URL that tokens name as their audience; default: the address that is listened on");
    add_option(app, "--stats-json", settings.stats_json,
               "Write statistics to this file, or - for stdout, one JSON object per second");
    add_option(app, "--log-level", settings.log_level, "trace, debug, info, warn, error or off")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
        ->capture_default_str();
    tools::add_config_file(app);
    app.set_version_flag("--version", "ppsp-cache " PPSP_VERSION);
}

CLI::App* declare_token(CLI::App& app, TokenOrder& order)
{
    auto* token = app.add_subcommand("token", "Print a token for this cache and end");
    token->add_option("--key", order.key, "Private key of the cache (PEM)")->required();
    token
        ->add_option("--allow", order.allow,
                     "What it allows: read, write, delete, transfer, manage; commas between")
        ->required();
    token->add_option("--swarm", order.swarms, "Only objects of this channel (hex); repeatable");
    token->add_option("--object", order.objects, "Only the object of this ni name; repeatable");
    token->add_option("--for", order.lifetime, "How long it is valid: 90s, 15m, 1h, 7d")
        ->required();
    token->add_option("--rate-kbps", order.rate_kbps, "Bandwidth for all its connections together");
    token->add_option("--quota-bytes", order.quota_bytes, "Bytes it may transfer in its life");
    token->add_option("--storage-bytes", order.storage_bytes, "Bytes it may keep stored at a time");
    token->add_option("--requests", order.requests, "Requests at a time");
    token->add_option("--priority", order.priority, "Low, Normal, High or Urgent");
    token->add_option("--audience", order.audience, "URL of the one cache it is for");
    token->add_flag("--once", order.is_single_use, "For one request only");
    return token;
}

/// The soft limit of 1024 files would end the service at a thousand clients.
std::size_t raise_connection_limit(std::size_t wanted)
{
    constexpr rlim_t other_files = 512; // opened objects and uploads
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return std::min<std::size_t>(wanted, 256);
    }
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted + other_files);
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    auto const possible =
        limit.rlim_cur > 2 * other_files ? limit.rlim_cur - other_files : limit.rlim_cur / 2;
    return std::min<std::size_t>(wanted, possible);
}

void complain(std::string const& text)
{
    std::fprintf(stderr, "ppsp-cache: %s\n", text.c_str());
}

Result<integrity::PrivateKey, std::string> open_key(std::string const& path, bool may_make)
{
    auto key = integrity::load_key(path);
    if (!key && key.error() == integrity::KeyFileError::missing && may_make) {
        key = integrity::create_key(path, wire::SignatureAlgorithm::ed25519);
    }
    if (!key) {
        return failure(path + " " + std::string(to_string(key.error())));
    }
    return std::move(*key);
}

int print_token(TokenOrder const& order)
{
    auto token = make_token(order, std::time(nullptr));
    if (!token) {
        complain(token.error() + " (see ppsp-cache token --help)");
        return exit_usage;
    }
    auto const key = open_key(order.key, false);
    if (!key) {
        complain(key.error());
        return exit_failed;
    }
    token->id = random_hex(12);
    auto const signer = integrity::make_signer(*key);
    std::printf("%s\n", decade::to_text(*token, *signer).c_str());
    return exit_done;
}

CacheServerOptions to_options(Settings const& settings)
{
    CacheServerOptions options;
    options.listen = *parse_listen_address(settings.listen);
    options.folder = settings.folder;
    if (settings.upload_kbps) {
        options.upload_bps = *settings.upload_kbps * 1000;
    }
    options.connections_max = raise_connection_limit(settings.max_connections);
    options.cache.url = settings.public_url;
    options.cache.bytes_max = settings.max_bytes;
    options.cache.object_bytes_max = settings.max_object_bytes;
    options.cache.ttl_s = settings.ttl;
    options.cache.is_public = settings.public_read;
    return options;
}

net::awaitable<void> write_statistics(CacheServer* server, StatisticsFile* file,
                                      net::steady_timer* timer)
{
    while (file->write_line(server->statistics(false))) {
        timer->expires_after(std::chrono::seconds{1});
        auto const [error] = co_await timer->async_wait(net::use_tuple);
        if (error) {
            break;
        }
    }
}

int serve(Settings const& settings)
{
    auto const key = open_key(settings.key, true);
    if (!key) {
        complain(key.error());
        return exit_failed;
    }
    net::io_context context(1);
    boost::asio::signal_set signals(context, SIGINT, SIGTERM);
    auto const server = CacheServer::open(context, to_options(settings), *key);
    if (!server) {
        complain(server.error());
        return exit_failed;
    }
    std::optional<StatisticsFile> file;
    if (!settings.stats_json.empty()) {
        auto opened = StatisticsFile::open(settings.stats_json);
        if (!opened) {
            complain(opened.error());
            return exit_failed;
        }
        file.emplace(std::move(*opened));
    }
    net::steady_timer statistics_timer(context);
    if (file) {
        net::co_spawn(context, write_statistics(server->get(), &*file, &statistics_timer),
                      net::detached);
    }
    signals.async_wait([&](boost::system::error_code const&, int signal) {
        spdlog::info("signal {}, stopping", signal);
        (*server)->stop();
        statistics_timer.cancel();
    });
    auto* const first_line = settings.stats_json == "-" ? stderr : stdout;
    std::fprintf(first_line, "ppsp-cache listening on %s\n", (*server)->url().c_str());
    std::fflush(first_line);
    context.run();
    if (file) {
        static_cast<void>(file->write_line((*server)->statistics(true)));
    }
    return exit_done;
}

} // namespace

int main(int argc, char** argv)
{
    std::signal(SIGPIPE, SIG_IGN); // writing to a client that went away is an error, not an end
    CLI::App app("In-network storage for signed units of live channels (DECADE, RFC 7069)",
                 "ppsp-cache");
    Settings settings;
    declare(app, settings);
    auto* const token = declare_token(app, settings.order);
    auto const check = [&]() -> std::string {
        if (token->parsed()) {
            return {};
        }
        return settings.folder.empty() || settings.key.empty()
                   ? "--dir and --key are needed: where the objects are kept, and what signs tokens"
                   : "";
    };
    if (auto const code = parse_command_line(app, argc, argv, check)) {
        return *code;
    }
    spdlog::set_default_logger(spdlog::stderr_color_mt("ppsp-cache"));
    spdlog::set_level(spdlog::level::from_str(settings.log_level));
    try {
        return token->parsed() ? print_token(settings.order) : serve(settings);
    } catch (std::exception const& error) {
        complain(error.what());
        return exit_failed;
    }
}
