#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

struct Result {
    int code = -1;
    std::string text; ///< standard output and standard error together
};

/// Runs ppsp-play with these arguments, without a display.
Result run(std::string const& arguments)
{
    std::string const command = "env -u DISPLAY -u WAYLAND_DISPLAY timeout 60 " PPSP_BINARY_DIR
                                "/bin/ppsp-play " +
                                arguments + " 2>&1";
    Result result;
    auto* const pipe = popen(command.c_str(), "r");
    std::array<char, 4096> buffer{};
    while (auto const count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
        result.text.append(buffer.data(), count);
    }
    result.code = WEXITSTATUS(pclose(pipe));
    return result;
}

class CliTest : public testing::Test {
protected:
    void SetUp() override
    {
        auto pattern = testing::TempDir() + "ppsp-play-cli-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        setenv("GST_REGISTRY", (folder_ + "/registry").c_str(), 1);
    }
    void TearDown() override { std::system(("rm -r " + folder_).c_str()); }

    std::string folder_;
};

TEST_F(CliTest, help_lists_every_option)
{
    auto const help = run("--help");
    EXPECT_EQ(help.code, 0);
    for (auto const* const option :
         {"link", "--headless", "--snapshot", "--snapshot-after", "--seconds", "--latency-ms",
          "--stats-json", "--upload-kbps", "--join-timeout", "--strict", "--forgive-link-loss",
          "--config", "--log-level", "--listen", "--measure-clock", "--version", "--help"}) {
        EXPECT_THAT(help.text, HasSubstr(option));
    }
}

TEST_F(CliTest, version_is_one_line)
{
    auto const version = run("--version");
    EXPECT_EQ(version.code, 0);
    EXPECT_THAT(version.text, MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(CliTest, wrong_usage_names_the_flag_and_ends_with_2)
{
    struct Case {
        char const* arguments;
        char const* named;
    };
    for (auto const& wrong : {Case{"", "link"}, Case{"ppsp:///00 --no-such-flag", "--no-such-flag"},
                              Case{"ppsp:///00 --latency-ms soon", "--latency-ms"},
                              Case{"ppsp:///00 --latency-ms 60001", "60000"},
                              Case{"ppsp:///00 --upload-kbps -2", "--upload-kbps"},
                              Case{"ppsp:///00 --seconds 0", "--seconds"},
                              Case{"ppsp:///00 --join-timeout 0", "--join-timeout"},
                              Case{"ppsp:///00 --snapshot-after 3", "--snapshot"},
                              Case{"ppsp:///00 --log-level loud", "--log-level"},
                              Case{"ppsp:///00 --config /no/such/file", "/no/such/file"}}) {
        auto const result = run(wrong.arguments);
        EXPECT_EQ(result.code, 2) << wrong.arguments;
        EXPECT_THAT(result.text, HasSubstr(wrong.named)) << wrong.arguments;
    }
}

TEST_F(CliTest, a_key_that_does_not_exist_is_named)
{
    auto const path = folder_ + "/play.toml";
    std::ofstream{path} << "latency-ms = 900\nvolume = 11\n";
    auto const result = run("ppsp:///00 --config " + path);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.text, HasSubstr("volume"));
}

TEST_F(CliTest, a_wrong_link_ends_with_2)
{
    for (auto const* const link :
         {"http://example.org/", "nonsense", "ppsp://", "./missing.ppsp"}) {
        auto const result = run(std::string{"--headless "} + link);
        EXPECT_EQ(result.code, 2) << link << ": " << result.text;
        EXPECT_THAT(result.text, StartsWith("ppsp-play: link: ")) << link;
    }
}

TEST_F(CliTest, the_plugin_is_found_by_gstreamer)
{
    auto const inspect = "GST_PLUGIN_PATH=" PPSP_BINARY_DIR "/lib/gstreamer-1.0 "
                         "timeout 60 gst-inspect-1.0 --exists --atleast-version=1.0 ppspsrc";
    EXPECT_EQ(std::system(inspect), 0);
}

} // namespace
