#include "peer/ingest/input_spec.hpp"

#include "protocol/base/endpoint.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace ppsp::ingest {
namespace {

using Parsed = Result<InputSpec, std::string>;

constexpr std::string_view allowed_forms =
    "a file, testsrc:, - (standard input), udp://HOST:PORT, rtmp://0.0.0.0:1935/live/KEY, "
    "srt://0.0.0.0:9000?mode=listener, or another URL that FFmpeg opens";

constexpr unsigned picture_side_max = 4096;
constexpr unsigned picture_rate_max = 120;

std::optional<unsigned> number_in(std::string_view text, unsigned low, unsigned high)
{
    unsigned value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high) {
        return std::nullopt;
    }
    return value;
}

/// Value of `key=` in the query of a URL; empty if it is not there.
std::string_view query_value(std::string_view url, std::string_view key)
{
    std::size_t const question = url.find('?');
    if (question == std::string_view::npos) {
        return {};
    }
    for (std::string_view rest = url.substr(question + 1); !rest.empty();) {
        std::string_view const member = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), member.size() + 1));
        std::size_t const equals = member.find('=');
        if (equals != std::string_view::npos && member.substr(0, equals) == key) {
            return member.substr(equals + 1);
        }
    }
    return {};
}

Parsed parse_test_picture(std::string const& text)
{
    std::string_view rest = std::string_view{text}.substr(text.find(':') + 1);
    std::optional<unsigned> width = 640;
    std::optional<unsigned> height = 360;
    std::optional<unsigned> rate = 30;
    if (std::size_t const at = rest.find('@'); at != std::string_view::npos) {
        rate = number_in(rest.substr(at + 1), 1, picture_rate_max);
        rest = rest.substr(0, at);
    }
    if (!rest.empty()) {
        std::size_t const cross = std::min(rest.find('x'), rest.size());
        width = number_in(rest.substr(0, cross), 64, picture_side_max);
        height = number_in(rest.substr(std::min(cross + 1, rest.size())), 64, picture_side_max);
    }
    if (!width || !height || !rate) {
        return failure("input " + text +
                       ": allowed is testsrc:WIDTHxHEIGHT@FPS with sides of 64 to " +
                       std::to_string(picture_side_max) + " and 1 to " +
                       std::to_string(picture_rate_max) + " pictures per second");
    }
    // testsrc2 draws a running clock and moving shapes; the sine beeps once a second.
    std::string const picture = "testsrc2=size=" + std::to_string(*width & ~1U) + "x" +
                                std::to_string(*height & ~1U) + ":rate=" + std::to_string(*rate) +
                                ",format=yuv420p,buffersink@picture";
    std::string const tone = "sine=frequency=440:beep_factor=4:sample_rate=48000,"
                             "aformat=sample_fmts=s16,abuffersink@sound";
    return InputSpec{
        .kind = InputKind::test_picture, .name = text, .url = picture + ";" + tone, .options = {}};
}

bool is_this_machine(std::string const& host)
{
    if (host == "localhost" || host.empty()) {
        return true;
    }
    auto const address = Endpoint::parse_address(host, 0);
    return address && (address->scope() == AddressScope::unspecified ||
                       address->scope() == AddressScope::loopback);
}

Parsed parse_rtmp(std::string const& text, HostPort const& where)
{
    std::string_view const wish = query_value(text, "listen");
    InputSpec spec{.kind = InputKind::remote, .name = text, .url = text, .options = {}};
    if (wish == "0" || (wish != "1" && !is_this_machine(where.host))) {
        return spec;
    }
    spec.url = text.substr(0, text.find('?'));
    std::size_t const path = spec.url.find('/', spec.url.find("://") + 3);
    std::size_t const key = path == std::string::npos ? path : spec.url.find('/', path + 1);
    if (key == std::string::npos || key + 1 == spec.url.size() || key == path + 1) {
        return failure("input " + text +
                       ": a listener needs an application and a stream key, as in "
                       "rtmp://0.0.0.0:1935/live/KEY");
    }
    spec.kind = InputKind::listener;
    spec.options = {{"listen", "1"}};
    return spec;
}

Parsed parse_udp(std::string const& text, HostPort const& where)
{
    InputSpec spec{
        .kind = InputKind::datagrams,
        .name = text,
        .url = text,

        // A burst (a key frame) must not be lost while this thread is busy.
        .options = {{"fifo_size", "50000"}, {"overrun_nonfatal", "1"}, {"buffer_size", "1048576"}}};
    auto const address = Endpoint::parse_address(where.host, 0);
    if (address && address->scope() != AddressScope::multicast && !where.host.empty()) {
        // FFmpeg would otherwise listen on every interface.
        spec.options.emplace_back("localaddr", where.host);
    }
    return spec;
}

Parsed parse_url(std::string const& text, std::string const& scheme)
{
    bool const is_rtmp = scheme == "rtmp";
    bool const is_srt = scheme == "srt";
    bool const is_udp = scheme == "udp";
    if (!is_rtmp && !is_srt && !is_udp) {
        return InputSpec{.kind = InputKind::remote, .name = text, .url = text, .options = {}};
    }
    auto const where = host_and_port(text);
    if (!where) {
        return failure(where.error());
    }
    if (is_rtmp) {
        return parse_rtmp(text, *where);
    }
    if (where->port == 0) {
        return failure("input " + text + ": a port from 1 to 65535 is missing, as in " + scheme +
                       "://127.0.0.1:9000");
    }
    if (is_udp) {
        return parse_udp(text, *where);
    }
    bool const listens = query_value(text, "mode") == "listener";
    return InputSpec{.kind = listens ? InputKind::listener : InputKind::remote,
                     .name = text,
                     .url = text,

                     .options = {}};
}

} // namespace

bool InputSpec::is_paced() const noexcept
{
    return kind == InputKind::file || kind == InputKind::test_picture ||
           kind == InputKind::remote || kind == InputKind::pipe;
}

bool InputSpec::resumes() const noexcept
{
    return kind == InputKind::fifo || kind == InputKind::datagrams || kind == InputKind::listener;
}

bool InputSpec::waits_for_sender() const noexcept
{
    return resumes() || kind == InputKind::pipe;
}

Result<HostPort, std::string> host_and_port(std::string const& url)
{
    std::size_t const begin = url.find("://") + 3;
    std::string authority = url.substr(begin, url.find_first_of("/?", begin) - begin);
    authority.erase(0, authority.rfind('@') + 1);
    std::size_t const bracket = authority.find(']');
    std::size_t const colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
    HostPort found{.host = authority.substr(0, colon), .port = 0};
    if (found.host.size() >= 2 && found.host.front() == '[' && found.host.back() == ']') {
        found.host = found.host.substr(1, found.host.size() - 2);
    }
    if (colon != std::string::npos) {
        auto const port = number_in(std::string_view{authority}.substr(colon + 1), 1, 65535);
        if (!port) {
            return failure("input " + url + ": the port must be a number from 1 to 65535");
        }
        found.port = static_cast<std::uint16_t>(*port);
    }
    return found;
}

Result<InputSpec, std::string> parse_input(std::string const& text)
{
    if (text.empty()) {
        return failure("input is empty; allowed is " + std::string{allowed_forms});
    }
    if (text == "-") {
        return InputSpec{.kind = InputKind::pipe,
                         .name = "standard input",
                         .url = {},

                         .options = {}};
    }
    if (text.starts_with("testsrc:")) {
        return parse_test_picture(text);
    }
    std::size_t const scheme_end = text.find("://");
    bool const is_scheme =
        scheme_end != std::string::npos && scheme_end > 0 &&
        std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(scheme_end),
                    [](unsigned char c) { return std::isalnum(c) != 0 || c == '+'; });
    if (is_scheme && !text.starts_with("file://")) {
        return parse_url(text, text.substr(0, scheme_end));
    }
    std::string const path = text.starts_with("file://") ? text.substr(7) : text;
    struct stat status{};
    bool const is_fifo = ::stat(path.c_str(), &status) == 0 && S_ISFIFO(status.st_mode);
    // The prefix keeps FFmpeg from reading a colon in a file name as a protocol.
    return InputSpec{.kind = is_fifo ? InputKind::fifo : InputKind::file,
                     .name = path,
                     .url = is_fifo ? path : "file:" + path,

                     .options = {}};
}

} // namespace ppsp::ingest
