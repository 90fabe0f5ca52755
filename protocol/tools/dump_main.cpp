#include "protocol/tools/capture.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <iostream>

namespace {

using namespace ppsp;

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr auto not_hex = " is not a UDP datagram in hex: an even number of the digits 0-9 and a-f, "
                         "at most 65535 bytes\n";

struct Choices {
    std::vector<std::string> datagrams;
    std::string capture;
    std::vector<std::uint16_t> ports;
    std::string addressing = "chunk32";
    std::string hash = "sha256";
    std::string chunk_size = "1024";
    std::uint16_t signature_size = 64;
};

/// All names of an enum whose values are 0..last.
template <typename Enum>
std::vector<std::string> names_up_to(Enum last)
{
    std::vector<std::string> names;
    for (int value = 0; value <= static_cast<int>(last); ++value) {
        names.emplace_back(tools::name_of(static_cast<Enum>(value)));
    }
    return names;
}

std::vector<std::string> const addressing_names = names_up_to(wire::AddressingMode::chunk64);
std::vector<std::string> const hash_names = names_up_to(wire::HashFunction::sha512);

/// Only for a name that is in the list.
template <typename Enum>
Enum value_named(std::vector<std::string> const& names, std::string const& name)
{
    return static_cast<Enum>(std::find(names.begin(), names.end(), name) - names.begin());
}

std::optional<std::uint32_t> parse_chunk_size(std::string const& text)
{
    if (text == "variable") {
        return wire::chunk_size_variable;
    }
    std::uint32_t size = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    bool const is_whole = error == std::errc{} && end == text.data() + text.size();
    bool const is_allowed = size > 0 && size != wire::chunk_size_variable;
    return is_whole && is_allowed ? std::optional(size) : std::nullopt;
}

std::string check_chunk_size(std::string const& text)
{
    return parse_chunk_size(text) ? "" : text + " is neither \"variable\" nor in 1..4294967294";
}

void declare(CLI::App& app, Choices& choices)
{
    app.set_version_flag("--version", "ppsp-dump " PPSP_VERSION, "Print the version and leave");
    app.set_config("--config", "", "TOML file with values for these options");
    app.add_option("datagram", choices.datagrams,
                   "UDP payloads in hex, one per argument; spaces and colons between digits "
                   "don't matter. Without any, lines are read from standard input")
        ->configurable(false);
    app.add_option("--pcap", choices.capture,
                   "Capture file (pcap or pcapng) to read instead, - for standard input; the "
                   "datagrams get time and addresses")
        ->configurable(false)
        ->excludes("datagram");
    app.add_option("--port", choices.ports,
                   "Of a capture, show datagrams from or to this UDP port only; may be given more "
                   "than once")
        ->check(CLI::Range(1, 65'535))
        ->needs("--pcap")
        ->allow_extra_args(false)
        ->configurable(false);
    app.add_option("--addressing", choices.addressing, "Chunk addressing method of the swarm")
        ->check(CLI::IsMember(addressing_names))
        ->envname("PPSP_ADDRESSING")
        ->capture_default_str();
    app.add_option("--hash", choices.hash, "Hash function of the swarm's Merkle tree")
        ->check(CLI::IsMember(hash_names))
        ->envname("PPSP_HASH")
        ->capture_default_str();
    app.add_option("--chunk-size", choices.chunk_size, "Bytes of a chunk, or \"variable\"")
        ->check(CLI::Validator(check_chunk_size, "1..4294967294|variable"))
        ->envname("PPSP_CHUNK_SIZE")
        ->capture_default_str();
    app.add_option("--signature-size", choices.signature_size,
                   "Bytes of a live signature: 64 for ECDSA P-256 and Ed25519, 96 for P-384, 114 "
                   "for Ed448, else the length of the RSA modulus")
        ->check(CLI::Range(1, 512))
        ->envname("PPSP_SIGNATURE_SIZE")
        ->capture_default_str();
    app.footer("A HANDSHAKE that names the swarm's format replaces these values for the datagrams "
               "after it, in a capture for those of its conversation.\nBlank lines and lines that "
               "begin with # are skipped on standard input.\n"
               "Exit status: 0 all read, 1 something was no valid datagram or the capture cannot "
               "be read, 2 wrong usage.\n\n"
               "Example: ppsp-dump 0000000808000000000000000006");
}

wire::SwarmFormat format_of(Choices const& choices)
{
    wire::SwarmFormat format;
    format.addressing = value_named<wire::AddressingMode>(addressing_names, choices.addressing);
    format.hash_size = wire::hash_size(value_named<wire::HashFunction>(hash_names, choices.hash));
    format.chunk_size = parse_chunk_size(choices.chunk_size).value();
    format.signature_size = choices.signature_size;
    return format;
}

bool print(Bytes datagram, wire::SwarmFormat& format)
{
    auto const description = tools::describe_datagram(datagram, format);
    std::cout << description.text;
    return !description.error;
}

int dump_arguments(std::vector<std::string> const& arguments, wire::SwarmFormat format)
{
    std::vector<ByteVector> datagrams;
    for (auto const& argument : arguments) {
        auto datagram = tools::parse_datagram(argument);
        if (!datagram) {
            std::cerr << "ppsp-dump: argument " << datagrams.size() + 1 << not_hex;
            return exit_usage;
        }
        datagrams.push_back(std::move(*datagram));
    }
    bool all_good = true;
    for (auto const& datagram : datagrams) {
        all_good = print(datagram, format) && all_good;
    }
    return all_good ? exit_done : exit_failed;
}

int dump_lines(std::istream& lines, wire::SwarmFormat format)
{
    bool all_good = true;
    std::string line;
    for (std::size_t number = 1; std::getline(lines, line); ++number) {
        if (line.find_first_not_of(" \t\r") == std::string::npos || line.front() == '#') {
            continue;
        }
        if (auto const datagram = tools::parse_datagram(line)) {
            all_good = print(*datagram, format) && all_good;
        } else {
            std::cerr << "ppsp-dump: line " << number << not_hex;
            all_good = false;
        }
    }
    return all_good ? exit_done : exit_failed;
}

int dump_file(Choices const& choices, wire::SwarmFormat const& format)
{
    auto const summary = tools::dump_capture(choices.capture, choices.ports, format, std::cout);
    std::cout.flush();
    if (!summary) {
        std::cerr << "ppsp-dump: " << summary.error() << "\n";
        return exit_failed;
    }
    std::cerr << "ppsp-dump: " << tools::summary_text(*summary) << "\n";
    return summary->invalid == 0 ? exit_done : exit_failed;
}

} // namespace

int main(int argc, char** argv)
{
    CLI::App app{"Shows PPSPP datagrams (RFC 7574) as text, one line per message.", "ppsp-dump"};
    Choices choices;
    declare(app, choices);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        if (error.get_exit_code() == 0) {
            return app.exit(error); // --help, --version
        }
        std::cerr << "ppsp-dump: " << error.what() << "\n";
        return exit_usage;
    }
    auto const format = format_of(choices);
    if (!choices.capture.empty()) {
        return dump_file(choices, format);
    }
    return choices.datagrams.empty() ? dump_lines(std::cin, format)
                                     : dump_arguments(choices.datagrams, format);
}
