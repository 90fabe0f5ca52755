#pragma once

#include "peer/shell/channel_link.hpp"
#include "peer/shell/host_port.hpp"
#include "peer/shell/log_events.hpp"
#include "protocol/tools/environment_first.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <optional>
#include <string>

/// Command lines of the programs: each option is declared once, and flag, TOML key, environment
/// variable and help come from that. Only for *_main.cpp: CLI11 costs 6 s to compile.
namespace ppsp::peer {

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

/// `--upload-kbps` is `PPSP_UPLOAD_KBPS` in the environment.
inline std::string environment_name(std::string const& flag)
{
    std::string name = "PPSP_";
    for (char const c : flag.substr(flag.find_first_not_of('-'))) {
        name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return name;
}

template <typename Value>
CLI::Option* add_option(CLI::App& app, std::string const& flag, Value& value,
                        std::string const& help)
{
    return app.add_option(flag, value, help)->envname(environment_name(flag));
}

inline CLI::Option* add_flag(CLI::App& app, std::string const& flag, bool& value,
                             std::string const& help)
{
    return app.add_flag(flag, value, help)->envname(environment_name(flag));
}

inline std::string check_listen_address(std::string const& text)
{
    return parse_listen_address(text) ? std::string{}
                                      : text + " should be ADDRESS:PORT, as in 0.0.0.0:6778";
}

inline std::string check_tracker_url(std::string const& text)
{
    return parse_tracker_url(text) ? std::string{}
                                   : text + " should be http://HOST:PORT or https://HOST:PORT";
}

/// An option that a later version will have: said, not ignored.
inline void add_unavailable(CLI::App& app, std::string const& flag)
{
    app.add_option_function<std::vector<std::string>>(
           flag,
           [flag](std::vector<std::string> const&) {
               throw CLI::ValidationError(flag + " is not available yet",
                                          CLI::ExitCodes::ValidationError);
           },
           "")
        ->expected(0, 1)
        ->group(""); // hidden
}

/// What the programs that speak PPSPP share.
struct CommonOptions {
    std::string listen;
    std::optional<std::uint64_t> upload_kbps;
    std::optional<std::uint32_t> seconds;
    std::string stats_json;
    bool strict = false;
    bool forgive_link_loss = false;
    std::string log_level = "warn";
};

inline void add_common(CLI::App& app, CommonOptions& options)
{
    add_option(app, "--listen", options.listen,
               "UDP address to listen on, ADDRESS:PORT; 0 = any port")
        ->check(CLI::Validator(check_listen_address, ""))
        ->capture_default_str();
    add_option(app, "--upload-kbps", options.upload_kbps,
               "Upload limit in kbit/s; 0 = never upload; default: none")
        ->check(CLI::Range(0U, 100'000'000U));
    add_option(app, "--seconds", options.seconds, "End after this many seconds")
        ->check(CLI::Range(1U, 1'000'000'000U));
    add_option(app, "--stats-json", options.stats_json,
               "Write statistics to this file, or - for stdout, one JSON object per second");
    add_flag(app, "--strict", options.strict,
             "Refuse everything that RFC 7574 does not allow, and believe no peer about others on "
             "the Internet");
    add_flag(
        app, "--forgive-link-loss", options.forgive_link_loss,
        "For radio links: what is lost while nothing queues does not halve the rate, against RFC "
        "6817");
    add_option(app, "--log-level", options.log_level, "trace, debug, info, warn, error or off")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
        ->capture_default_str();
    tools::add_config_file(app);
    app.set_version_flag("--version", PPSP_VERSION);
}

/// One sentence about wrong usage, on one line.
inline void print_usage_error(CLI::App const& app, std::string message)
{
    for (char& c : message) {
        c = c == '\n' ? ' ' : c;
    }
    std::fprintf(stderr, "%s: %s (see %s --help)\n", app.get_name().c_str(), message.c_str(),
                 app.get_name().c_str());
}

/// Nullopt = go on; otherwise the program's exit code. `check` looks at how options go together and
/// gives a sentence, or an empty string.
template <typename Check>
std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv, Check check)
{
    try {
        app.parse(argc, argv);
        if (auto const problem = check(); !problem.empty()) {
            print_usage_error(app, problem);
            return exit_usage;
        }
        return std::nullopt;
    } catch (CLI::Success const& wanted) { // --help and --version
        return app.exit(wanted);
    } catch (CLI::ParseError const& error) {
        print_usage_error(app, error.what());
        return exit_usage;
    }
}

} // namespace ppsp::peer
