#include "tests/protocol/capture_files.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>

/// Runs the real program, as a shell would.
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Run {
    int exit_code = -1;
    std::string output; ///< standard output and standard error together
};

Run run(std::string const& arguments, std::string const& input = "")
{
    std::string const command =
        "printf '" + input + "' | " PPSP_BINARY_DIR "/bin/ppsp-dump " + arguments + " 2>&1";
    Run result;
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) {
        return result;
    }
    std::array<char, 4096> buffer{};
    while (auto const size = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
        result.output.append(buffer.data(), size);
    }
    int const status = pclose(pipe);
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return result;
}

void expect_usage_error(std::string const& arguments, std::string const& names)
{
    auto const result = run(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments;
    EXPECT_THAT(result.output, StartsWith("ppsp-dump: "));
    EXPECT_THAT(result.output, HasSubstr(names));
    EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
}

TEST(DumpProgram, reads_arguments)
{
    auto const result = run("0000000806 '00 00 00 09'");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.output, "to 0x00000008, 5 bytes\n  PEX_REQ\nto 0x00000009, 4 bytes, "
                             "keep-alive\n");
}

TEST(DumpProgram, reads_lines)
{
    auto const result = run("", "# a capture\\n\\n0000000806\\n000000090a");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.output,
              "to 0x00000008, 5 bytes\n  PEX_REQ\nto 0x00000009, 5 bytes\n  CHOKE\n");
}

TEST(DumpProgram, options_choose_the_format)
{
    EXPECT_THAT(run("--addressing bin32 00000001030000000b").output, HasSubstr("HAVE 4..7"));
    EXPECT_THAT(run("--addressing chunk64 0000000103"
                    "00000000000000040000000000000007")
                    .output,
                HasSubstr("HAVE 4..7"));
    EXPECT_EQ(run("--hash sha1 0000000104"
                  "0000000400000007"
                  "11f6ad8ec52a2984abaafd7c3b516503785c2072")
                  .exit_code,
              0);
    EXPECT_EQ(run("--signature-size 2 0000000107"
                  "0000000400000007"
                  "ed00378040000000abcd")
                  .exit_code,
              0);
    std::string const data = " 0000000101000000050000000500000000000000001122";
    EXPECT_EQ(run("--chunk-size 2" + data).exit_code, 0);
    EXPECT_EQ(run("--chunk-size 1" + data).exit_code, 1);
    EXPECT_EQ(run("--chunk-size variable" + data).exit_code, 0);
}

TEST(DumpProgram, invalid_datagrams_are_shown_and_make_it_fail)
{
    auto const result = run("000000010e 0000000106");
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.output, HasSubstr("invalid from byte 4: unknown_message"));
    EXPECT_THAT(result.output, HasSubstr("PEX_REQ"));
    auto const lines = run("", "xyz\\n0000000106\\n");
    EXPECT_EQ(lines.exit_code, 1);
    EXPECT_THAT(lines.output, HasSubstr("ppsp-dump: line 1 is not"));
    EXPECT_THAT(lines.output, HasSubstr("PEX_REQ"));
}

TEST(DumpProgram, wrong_usage_is_one_sentence)
{
    expect_usage_error("--addressing chunk16 00000001", "--addressing: chunk16 not in {bin32,");
    expect_usage_error("--hash md5 00000001", "--hash: md5 not in {sha1,");
    expect_usage_error("--chunk-size 0 00000001", "--chunk-size: 0 is neither");
    expect_usage_error("--chunk-size 4294967295 00000001", "--chunk-size");
    expect_usage_error("--chunk-size 10x 00000001", "--chunk-size");
    expect_usage_error("--signature-size 513 00000001", "--signature-size");
    expect_usage_error("--signature-size x 00000001", "--signature-size");
    expect_usage_error("--colour 00000001", "--colour");
    expect_usage_error("00000001 0x", "argument 2 is not a UDP datagram in hex");
    expect_usage_error("--config /nonexistent.toml 00000001", "/nonexistent.toml");
}

TEST(DumpProgram, reads_captures)
{
    namespace captures = ppsp::tools::test;
    auto const frame = captures::ipv4(captures::udp({0, 0, 0, 8, 6}));
    auto const path = captures::file_with("dump-program.pcap", captures::pcap(101, {frame, frame}));
    auto const result = run("--pcap " + path + " --port 6778");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.output, HasSubstr("192.0.2.1:6778 > 192.0.2.2:6779 to 0x00000008, 5 bytes"));
    EXPECT_THAT(result.output, HasSubstr("ppsp-dump: 2 datagrams, 0 of them invalid"));
    EXPECT_EQ(run("--pcap - < " + path).exit_code, 0);

    auto const invalid = captures::file_with(
        "dump-program.pcap", captures::pcap(101, {captures::ipv4(captures::udp({1}))}));
    EXPECT_EQ(run("--pcap " + invalid).exit_code, 1);
    auto const missing = run("--pcap /nonexistent");
    EXPECT_EQ(missing.exit_code, 1);
    EXPECT_THAT(missing.output, StartsWith("ppsp-dump: /nonexistent: No such file"));
    expect_usage_error("--pcap " + path + " 0000000806", "--pcap");
    expect_usage_error("--port 6778 0000000806", "--port");
    expect_usage_error("--pcap " + path + " --port 0", "--port");
}

TEST(DumpProgram, help_and_version)
{
    auto const help = run("--help");
    EXPECT_EQ(help.exit_code, 0);
    for (auto const* option :
         {"--addressing", "--hash", "--chunk-size", "--signature-size", "--pcap", "--port",
          "--config", "--version", "chunk64", "Example", "Exit status"}) {
        EXPECT_THAT(help.output, HasSubstr(option));
    }
    auto const version = run("--version");
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_THAT(version.output, StartsWith("ppsp-dump "));
}

TEST(DumpProgram, the_example_of_the_help_works)
{
    auto const help = run("--help").output;
    auto const at = help.find("Example: ppsp-dump ");
    ASSERT_NE(at, std::string::npos);
    auto const result = run(help.substr(at + 19, help.find('\n', at) - at - 19));
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.output, HasSubstr("REQUEST 0"));
}

} // namespace
