#include "peer/ingest/input_spec.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace ppsp::ingest {
namespace {

InputKind kind(std::string const& text)
{
    auto const spec = parse_input(text);
    EXPECT_TRUE(spec) << spec.error();
    return spec->kind;
}

std::string error(std::string const& text)
{
    auto const spec = parse_input(text);
    EXPECT_FALSE(spec) << text;
    return spec ? std::string{} : spec.error();
}

TEST(IngestInput, KnowsItsForms)
{
    EXPECT_EQ(kind("-"), InputKind::pipe);
    EXPECT_EQ(kind("film.mp4"), InputKind::file);
    EXPECT_EQ(kind("testsrc:"), InputKind::test_picture);
    EXPECT_EQ(kind("udp://127.0.0.1:5000"), InputKind::datagrams);
    EXPECT_EQ(kind("udp://@239.1.2.3:5000"), InputKind::datagrams);
    EXPECT_EQ(kind("srt://0.0.0.0:9000?mode=listener"), InputKind::listener);
    EXPECT_EQ(kind("srt://0.0.0.0:9000?latency=20&mode=listener"), InputKind::listener);
    EXPECT_EQ(kind("srt://media.example:9000"), InputKind::remote);
    EXPECT_EQ(kind("rtmp://0.0.0.0:1935/live/KEY"), InputKind::listener);
    EXPECT_EQ(kind("rtmp://127.0.0.1/live/KEY"), InputKind::listener);
    EXPECT_EQ(kind("rtmp://[::]:1935/live/KEY"), InputKind::listener);
    EXPECT_EQ(kind("rtmp://192.0.2.1:1935/live/KEY"), InputKind::remote);
    EXPECT_EQ(kind("rtmp://192.0.2.1:1935/live/KEY?listen=1"), InputKind::listener);
    EXPECT_EQ(kind("rtmp://127.0.0.1/live/KEY?listen=0"), InputKind::remote);
    EXPECT_EQ(kind("https://media.example/live.m3u8"), InputKind::remote);
}

TEST(IngestInput, AFileNameIsNoProtocol)
{
    auto const spec = parse_input("a: b://c.mp4");
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->kind, InputKind::file);
    EXPECT_EQ(spec->url, "file:a: b://c.mp4");
    EXPECT_EQ(parse_input("file:///tmp/x.mp4")->url, "file:/tmp/x.mp4");
}

TEST(IngestInput, ANamedPipeIsNoFile)
{
    auto const path =
        std::filesystem::path{PPSP_BINARY_DIR} / ("pipe-" + std::to_string(::getpid()));
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_EQ(kind(path.string()), InputKind::fifo);
    std::filesystem::remove(path);
    EXPECT_EQ(kind(path.string()), InputKind::file);
}

TEST(IngestInput, UdpListensWhereItIsTold)
{
    auto const spec = parse_input("udp://127.0.0.1:5000");
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->options.back(),
              (std::pair<std::string, std::string>{"localaddr", "127.0.0.1"}));
    auto const group = parse_input("udp://239.1.2.3:5000");
    ASSERT_TRUE(group);
    for (auto const& [key, value] : group->options) {
        EXPECT_NE(key, "localaddr");
    }
}

TEST(IngestInput, TheTestPictureTakesSizeAndRate)
{
    EXPECT_NE(parse_input("testsrc:")->url.find("size=640x360:rate=30"), std::string::npos);
    EXPECT_NE(parse_input("testsrc:1280x721@25")->url.find("size=1280x720:rate=25"),
              std::string::npos);
    EXPECT_NE(parse_input("testsrc:@10")->url.find("size=640x360:rate=10"), std::string::npos);
    for (char const* const bad :
         {"testsrc:640", "testsrc:x", "testsrc:640x", "testsrc:10x10", "testsrc:640x9999",
          "testsrc:@0", "testsrc:@", "testsrc:640x360@1e3", "testsrc:-640x360",
          "testsrc:640x360;movie=x"}) {
        EXPECT_EQ(error(bad), std::string{"input "} + bad +
                                  ": allowed is testsrc:WIDTHxHEIGHT@FPS with sides of 64 to 4096 "
                                  "and 1 to 120 pictures per second");
    }
}

TEST(IngestInput, RefusesWithASentence)
{
    EXPECT_NE(error("").find("input is empty; allowed is a file, testsrc:, -"), std::string::npos);
    EXPECT_NE(error("udp://127.0.0.1").find("a port from 1 to 65535 is missing"),
              std::string::npos);
    EXPECT_NE(error("srt://127.0.0.1?mode=listener").find("as in srt://127.0.0.1:9000"),
              std::string::npos);
    EXPECT_EQ(error("udp://127.0.0.1:99999"),
              "input udp://127.0.0.1:99999: the port must be a number from 1 to 65535");
    EXPECT_NE(error("rtmp://0.0.0.0:x/live/KEY").find("must be a number"), std::string::npos);
    for (char const* const bad :
         {"rtmp://0.0.0.0:1935", "rtmp://0.0.0.0:1935/", "rtmp://0.0.0.0/live",
          "rtmp://0.0.0.0/live/", "rtmp://0.0.0.0//KEY"}) {
        EXPECT_NE(error(bad).find("needs an application and a stream key"), std::string::npos)
            << bad;
    }
}

TEST(IngestInput, TakesHostAndPortApart)
{
    auto const v6 = host_and_port("rtmp://user@[2001:db8::1]:19/live");
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->host, "2001:db8::1");
    EXPECT_EQ(v6->port, 19);
    EXPECT_EQ(host_and_port("rtmp://[::]/live")->port, 0);
    EXPECT_EQ(host_and_port("udp://host")->host, "host");
    EXPECT_EQ(host_and_port("udp://")->host, "");
}

} // namespace
} // namespace ppsp::ingest
