#include "protocol/tools/environment_first.hpp"
#include "tracker/shell/server.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>

namespace {

using namespace ppsp;

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_wrong_usage = 2;

struct Settings {
    std::string listen = "127.0.0.1:7846";
    std::string tls_cert;
    std::string tls_key;
    std::string store = "memory";
    std::string allow_list;
    std::string membership_key;
    bool loopback_limits = false;
    bool strict = false;
    std::string log_level = "info";
};

std::string check_listen(std::string const& text)
{
    return Endpoint::parse(text)
               ? std::string{}
               : "'" + text + "' is not ADDRESS:PORT, as in 127.0.0.1:7846 or [::]:7846";
}

std::string check_store(std::string const& text)
{
    if (text == "memory") {
        return {};
    }
    return "'" + text +
           "' is not available: this tracker keeps its state in memory only, "
           "so the one allowed value is 'memory'";
}

/// Every option is declared here once; flag, key of the file, environment variable and help come
/// from it.
void declare(CLI::App& app, Settings& settings)
{
    app.add_option("--listen", settings.listen, "Address and port to serve on; port 0 = any free")
        ->envname("PPSP_LISTEN")
        ->check(CLI::Validator(check_listen, "ADDRESS:PORT"))
        ->capture_default_str();
    auto* cert = app.add_option("--tls-cert", settings.tls_cert,
                                "Certificate chain (PEM); serves https instead of http")
                     ->envname("PPSP_TLS_CERT");
    auto* key = app.add_option("--tls-key", settings.tls_key, "Key of the certificate (PEM)")
                    ->envname("PPSP_TLS_KEY");
    cert->needs(key);
    key->needs(cert);
    app.add_option("--store", settings.store, "Where the state is kept")
        ->envname("PPSP_STORE")
        ->check(CLI::Validator(check_store, "memory"))
        ->capture_default_str();
    app.add_option("--allow-list", settings.allow_list,
                   "File with the swarm ids to serve, one a line; without it any swarm is served")
        ->envname("PPSP_ALLOW_LIST");
    app.add_option("--membership-key", settings.membership_key,
                   "Private key (PEM) that signs certificates of membership, made if missing; with "
                   "them peers name one another on the Internet, too")
        ->envname("PPSP_MEMBERSHIP_KEY");
    app.add_flag("--loopback-limits", settings.loopback_limits,
                 "Limits per address apply to loopback, too")
        ->envname("PPSP_LOOPBACK_LIMITS");
    app.add_flag("--strict", settings.strict,
                 "RFC 7846 Table 6 to the letter: a seeder that joins while tracked is removed")
        ->envname("PPSP_STRICT");
    app.add_option("--log-level", settings.log_level, "How much to tell on stderr")
        ->envname("PPSP_LOG_LEVEL")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
        ->capture_default_str();
    tools::add_config_file(app);
    app.set_version_flag("--version", "ppsp-tracker " PPSP_VERSION);
}

/// The soft limit of 1024 files is what kills trackers at a thousand viewers.
std::size_t raise_connection_limit()
{
    constexpr std::size_t other_files = 64;
    constexpr rlim_t wanted = 200'000;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 512;
    }
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > 2 * other_files ? limit.rlim_cur - other_files : other_files;
}

tracker::ServerOptions to_options(Settings const& settings)
{
    tracker::ServerOptions options;
    options.listen = *Endpoint::parse(settings.listen);
    options.tls_certificate_file = settings.tls_cert;
    options.tls_key_file = settings.tls_key;
    options.allow_list_file = settings.allow_list;
    options.membership_key_file = settings.membership_key;
    options.connections_max = raise_connection_limit();
    std::random_device entropy;
    options.seed = std::uint64_t{entropy()} << 32 | entropy();
    options.limits.limits_loopback = settings.loopback_limits;
    options.limits.strict = settings.strict;
    return options;
}

void complain(std::string text)
{
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    std::fprintf(stderr, "ppsp-tracker: %s\n", text.c_str());
}

int serve(Settings const& settings)
{
    spdlog::set_default_logger(spdlog::stderr_color_mt("ppsp-tracker"));
    spdlog::set_level(spdlog::level::from_str(settings.log_level));
    net::io_context context(1);
    boost::asio::signal_set signals(context, SIGINT, SIGTERM);
    auto const server = tracker::Server::open(context.get_executor(), to_options(settings));
    if (!server) {
        complain(server.error());
        return exit_failed;
    }
    signals.async_wait([&](boost::system::error_code const&, int signal) {
        spdlog::info("signal {}, stopping", signal);
        (*server)->stop();
    });
    std::printf("ppsp-tracker listening on %s\n", (*server)->url().c_str());
    std::fflush(stdout);
    context.run();
    return exit_done;
}

} // namespace

int main(int argc, char** argv)
{
    CLI::App app("Tracker for live peer-to-peer video: who is in which swarm and has what "
                 "(RFC 7846)",
                 "ppsp-tracker");
    Settings settings;
    declare(app, settings);
    try {
        app.parse(argc, argv);
    } catch (CLI::CallForHelp const& help) {
        return app.exit(help);
    } catch (CLI::CallForVersion const& version) {
        return app.exit(version);
    } catch (CLI::ConfigError const& error) {
        complain(app.get_config_ptr()->as<std::string>() + ": " + error.what() +
                 ": no known key (--help lists what is allowed)");
        return exit_wrong_usage;
    } catch (CLI::ParseError const& error) {
        complain(std::string(error.what()) + " (--help lists what is allowed)");
        return exit_wrong_usage;
    }
    try {
        return serve(settings);
    } catch (std::exception const& error) {
        complain(error.what());
        return exit_failed;
    }
}
