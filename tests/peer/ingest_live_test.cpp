#include "tests/peer/ingest_support.hpp"

#include "peer/ingest/media_source.hpp"
#include "peer/ingest/pixel_clock.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace ppsp::ingest {
namespace {

using namespace std::chrono_literals;
using test::collect;
using test::Collected;
using test::options_for;
using test::Process;
using test::publisher;
using test::ts_clip;

/// A source and what it gave so far.
struct Live {
    explicit Live(SourceOptions options) : source(start_source(std::move(options))) {}
    explicit Live(std::string const& input) : Live(options_for(input)) {}

    [[nodiscard]] bool pictures(std::size_t more)
    {
        std::size_t const wanted = all.ts.pictures.size() + more;
        collect(*source, all, [&](Collected const& c) { return c.ts.pictures.size() >= wanted; });
        return all.ts.pictures.size() >= wanted;
    }
    template <typename Event>
    [[nodiscard]] bool event(std::size_t number = 1)
    {
        collect(*source, all, [&](Collected const& c) { return c.count<Event>() >= number; });
        return all.count<Event>() >= number;
    }
    [[nodiscard]] bool failed()
    {
        collect(*source, all, [](Collected const&) { return false; });
        return !all.failure().empty();
    }
    /// How long `stop` took.
    [[nodiscard]] std::chrono::milliseconds stop()
    {
        auto const before = std::chrono::steady_clock::now();
        source->stop();
        return std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - before);
    }

    Collected all; ///< begins before the source does
    std::unique_ptr<MediaSource> source;
};

std::vector<std::string> const no_faults;

ByteVector file_bytes(std::filesystem::path const& path)
{
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// Holds a port that somebody else wants.
class TakenPort {
public:
    explicit TakenPort(int type) : descriptor_(::socket(AF_INET, type | SOCK_CLOEXEC, 0))
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size), 0);
        if (type == SOCK_STREAM) {
            EXPECT_EQ(::listen(descriptor_, 1), 0);
        }
        EXPECT_EQ(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
    }
    TakenPort(TakenPort const&) = delete;
    TakenPort& operator=(TakenPort const&) = delete;
    ~TakenPort() { ::close(descriptor_); }

    [[nodiscard]] std::string text() const { return std::to_string(port_); }

private:
    int descriptor_;
    std::uint16_t port_ = 0;
};

TEST(IngestLive, TheTestPictureMovesAtItsRate)
{
    Live live{"testsrc:"};
    ASSERT_TRUE(live.pictures(75));
    EXPECT_LT(live.stop(), 1s);
    EXPECT_EQ(live.all.ts.faults, no_faults);
    EXPECT_GE(live.all.ts.key_frames(), 2U);
    EXPECT_GT(live.all.ts.sounds.size(), 80U);
    EXPECT_GT(live.all.seconds(), 2.2) << "75 pictures at 30 per second";
    auto const& opened = std::get<SourceOpened>(live.all.events.front());
    EXPECT_EQ(opened.bits_per_second, (1'050'000U + 128'000U) * 17 / 16);
    double const kbps = static_cast<double>(live.all.ts.bytes) * 8 / 2.5 / 1000;
    EXPECT_LT(kbps, 1700);
    EXPECT_GT(kbps, 300);
}

TEST(IngestLive, TheStampedClockCanBeReadInThePicture)
{
    SourceOptions options = options_for("testsrc:");
    options.stamp_clock = true;
    std::uint64_t const before = pixel_clock_now();
    Live live{options};
    ASSERT_TRUE(live.pictures(20));
    static_cast<void>(live.stop());
    // The ffmpeg program decodes what we made; the first picture as raw luma.
    auto const folder = std::filesystem::path{PPSP_BINARY_DIR} / "ingest-clips";
    auto const stream = folder / ("stamped-" + std::to_string(::getpid()) + ".ts");
    auto const raw = folder / ("stamped-" + std::to_string(::getpid()) + ".gray");
    std::filesystem::create_directories(folder);
    std::ofstream{stream, std::ios::binary}.write(
        reinterpret_cast<char const*>(live.all.stream.data()),
        static_cast<std::streamsize>(live.all.stream.size()));
    Process decoder{{"ffmpeg", "-v", "quiet", "-nostdin", "-y", "-i", stream.string(), "-f",
                     "rawvideo", "-vf", "extractplanes=y", "-frames:v", "10", raw.string()}};
    ASSERT_TRUE(decoder.wait(20s));
    ByteVector const luma = file_bytes(raw);
    constexpr std::size_t picture = std::size_t{640} * 360;
    ASSERT_EQ(luma.size(), 10 * picture);
    std::uint64_t last = before;
    for (std::size_t i = 0; i < 10; ++i) {
        auto const value = read_pixel_clock(
            {.data = luma.data() + i * picture, .stride = 640, .width = 640, .height = 360});
        ASSERT_TRUE(value) << i;
        EXPECT_GT(pixel_clock_difference(*value, last), 0);
        EXPECT_LT(pixel_clock_difference(*value, last), 100'000) << "10 s";
        last = *value;
    }
    std::filesystem::remove(stream);
    std::filesystem::remove(raw);
}

TEST(IngestLive, SaysWhyAClockCannotBeDrawn)
{
    for (std::string const& input : {std::string{"testsrc:320x180"}, ts_clip().string()}) {
        SourceOptions options = options_for(input);
        options.stamp_clock = true;
        Live live{options};
        ASSERT_TRUE(live.failed());
        EXPECT_EQ(live.all.failure(),
                  "input " + input +
                      ": a clock can only be drawn into pictures of 640x32 or more "
                      "that are encoded here; add --encode or leave out --stamp-clock");
    }
}

/// Gives this process another standard input for the life of the object.
class StandardInput {
public:
    StandardInput()
    {
        EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
        saved_ = ::dup(STDIN_FILENO);
        ::dup2(ends_[0], STDIN_FILENO);
    }
    StandardInput(StandardInput const&) = delete;
    StandardInput& operator=(StandardInput const&) = delete;
    ~StandardInput()
    {
        close_writer();
        ::dup2(saved_, STDIN_FILENO);
        ::close(saved_);
        ::close(ends_[0]);
    }
    void write(Bytes bytes) const
    {
        while (!bytes.empty()) {
            ssize_t const count = ::write(ends_[1], bytes.data(), bytes.size());
            ASSERT_GT(count, 0);
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
    }
    void close_writer()
    {
        if (ends_[1] >= 0) {
            ::close(ends_[1]);
            ends_[1] = -1;
        }
    }

private:
    int ends_[2] = {-1, -1};
    int saved_ = -1;
};

TEST(IngestLive, StandardInputGoesOnWhenItsSenderStartsAnewAndEndsWithIt)
{
    StandardInput input;
    Live live{"-"};
    ByteVector const clip = file_bytes(ts_clip());
    std::thread writer{[&] {
        input.write(clip);
        input.write(clip); // the same times again, as from a sender that was started anew
        input.close_writer();
    }};
    ASSERT_TRUE(live.event<SourceEnded>());
    writer.join();
    EXPECT_EQ(live.all.ts.faults, no_faults);
    EXPECT_EQ(live.all.ts.pictures.size(), 120U);
    EXPECT_LT(live.all.ts.longest_picture_step(), 1.5);
    // Pipes may run 2 s ahead, no more: 4 s of media take 2 s.
    EXPECT_GT(live.all.seconds(), 1.5);
}

TEST(IngestLive, StandardInputThatIsSilentIsReportedAndCanBeStopped)
{
    StandardInput input;
    {
        Live waiting{"-"};
        EXPECT_FALSE(waiting.source->wait(50ms));
        EXPECT_LT(waiting.stop(), 1s) << "before the first byte";
    }
    Live live{"-"};
    ByteVector const clip = file_bytes(ts_clip());
    input.write(clip);
    ASSERT_TRUE(live.event<SourceWaiting>());
    input.write(clip);
    ASSERT_TRUE(live.event<SourceResumed>());
    ASSERT_TRUE(live.pictures(30));
    EXPECT_EQ(live.all.ts.faults, no_faults);
    EXPECT_LT(live.stop(), 1s);
}

TEST(IngestLive, StandardInputWithoutMediaIsRefused)
{
    StandardInput input;
    Live live{"-"};
    input.write(ByteVector(20'000, 'x'));
    input.close_writer();
    ASSERT_TRUE(live.failed());
    EXPECT_EQ(live.all.failure(),
              "input standard input: not a media file or stream that FFmpeg can read");
}

TEST(IngestLive, ANamedPipeTakesOneWriterAfterTheOther)
{
    auto const path =
        std::filesystem::path{PPSP_BINARY_DIR} / ("ingest-pipe-" + std::to_string(::getpid()));
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    Live live{path.string()};
    for (int writer = 0; writer < 2; ++writer) {
        Process sender{publisher(ts_clip(), "mpegts", path.string())};
        ASSERT_TRUE(live.pictures(30)) << writer;
    }
    EXPECT_EQ(live.all.ts.faults, no_faults);
    EXPECT_LT(live.stop(), 1s);
    std::filesystem::remove(path);
}

TEST(IngestLive, UdpWaitsForItsSenderAndResumes)
{
    std::string const address = "udp://127.0.0.1:" + std::to_string(test::free_udp_port());
    Live live{address};
    {
        Process sender{publisher(ts_clip(), "mpegts", address + "?pkt_size=1316")};
        ASSERT_TRUE(live.pictures(30));
    }
    ASSERT_TRUE(live.event<SourceWaiting>());
    Process sender{publisher(ts_clip(), "mpegts", address + "?pkt_size=1316")};
    ASSERT_TRUE(live.event<SourceResumed>()) << live.all.failure();
    ASSERT_TRUE(live.pictures(30));
    EXPECT_LT(live.stop(), 1s);
    EXPECT_EQ(live.all.ts.faults, no_faults);
    EXPECT_GE(live.all.ts.longest_picture_step(), 2.0) << "the pause is kept";
}

TEST(IngestLive, RtmpPublishersComeOneAfterTheOther)
{
    std::string const address =
        "rtmp://127.0.0.1:" + std::to_string(test::free_tcp_port()) + "/live/secret";
    Live live{address};
    // The listener may need a moment before it listens: publishers try again, as OBS does.
    auto const publish = [&](std::string const& clip, std::string const& to) {
        return std::vector<std::string>{
            "sh", "-c",
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ffmpeg -v quiet "
            "-nostdin -re -i " +
                clip + " -c copy -f flv " + to + " && exit; sleep 0.2; done"};
    };
    {
        Process first{publish(test::mp4_clip().string(), address)};
        ASSERT_TRUE(live.pictures(60));
        ASSERT_TRUE(live.event<SourceWaiting>());
    }
    std::size_t const key_frames = live.all.ts.key_frames();
    // Another picture size: the muxer starts anew, its counters do not.
    auto const other = test::clip(
        "other.mp4", "2", "-vf scale=320:180 -c:v libx264 -preset ultrafast -g 30 -c:a aac");
    Process second{publish(other.string(), address)};
    ASSERT_TRUE(live.event<SourceResumed>());
    ASSERT_TRUE(live.pictures(30));
    EXPECT_LT(live.stop(), 1s);
    EXPECT_EQ(live.all.ts.faults, no_faults);
    EXPECT_GT(live.all.ts.key_frames(), key_frames);
    EXPECT_GE(live.all.count<SourceOpened>(), 2U);
}

TEST(IngestLive, RtmpRefusesAWrongKey)
{
    std::string const server = "rtmp://127.0.0.1:" + std::to_string(test::free_tcp_port());
    Live live{server + "/live/secret"};
    Process guesser{{"sh", "-c",
                     "for i in 1 2 3 4 5 6 7 8 9 10; do ffmpeg -v quiet -nostdin -re -i " +
                         test::mp4_clip().string() + " -c copy -f flv " + server +
                         "/live/guess; sleep 0.2; done"}};
    ASSERT_TRUE(live.event<SourceWarning>());
    EXPECT_EQ(std::get<SourceWarning>(live.all.events.front()).sentence,
              "input " + server +
                  "/live/secret: a publisher came with another stream key and was refused");
    EXPECT_TRUE(live.all.stream.empty());
    EXPECT_LT(live.stop(), 1s);
}

TEST(IngestLive, SrtPublishersComeOneAfterTheOther)
{
    std::string const port = std::to_string(test::free_udp_port());
    Live live{"srt://127.0.0.1:" + port + "?mode=listener&latency=50000"};
    auto const publish = [&] {
        return std::vector<std::string>{
            "sh", "-c",
            "for i in 1 2 3 4 5 6 7 8 9 10; do ffmpeg -v quiet -nostdin -re -i " +
                ts_clip().string() + " -c copy -f mpegts 'srt://127.0.0.1:" + port +
                "?latency=50000' && exit; sleep 0.2; done"};
    };
    {
        Process first{publish()};
        ASSERT_TRUE(live.pictures(30)) << live.all.failure();
        ASSERT_TRUE(live.event<SourceWaiting>());
    }
    Process second{publish()};
    ASSERT_TRUE(live.event<SourceResumed>());
    ASSERT_TRUE(live.pictures(20));
    EXPECT_LT(live.stop(), 1s);
    EXPECT_EQ(live.all.ts.faults, no_faults);
}

TEST(IngestLive, StopsAtOnceWhileItWaitsForSomebody)
{
    std::string const tcp = std::to_string(test::free_tcp_port());
    std::string const udp = std::to_string(test::free_udp_port());
    for (std::string const& input :
         {"rtmp://127.0.0.1:" + tcp + "/live/key", "udp://127.0.0.1:" + udp,
          "srt://127.0.0.1:" + udp + "?mode=listener", std::string{"testsrc:"}}) {
        Live live{input};
        EXPECT_FALSE(live.source->wait(100ms) && input != "testsrc:") << input;
        EXPECT_LT(live.stop(), 1s) << input;
    }
}

TEST(IngestLive, SaysThatAPortIsTaken)
{
    TakenPort const tcp{SOCK_STREAM};
    TakenPort const udp{SOCK_DGRAM};
    for (std::string const& input :
         {"rtmp://127.0.0.1:" + tcp.text() + "/live/key", "udp://127.0.0.1:" + udp.text(),
          "srt://127.0.0.1:" + udp.text() + "?mode=listener"}) {
        Live live{input};
        ASSERT_TRUE(live.failed()) << input;
        EXPECT_EQ(live.all.failure(),
                  "input " + input +
                      ": the port is in use by another program; stop that or choose "
                      "another port");
    }
}

TEST(IngestLive, SaysThatNobodyIsThere)
{
    std::string const input =
        "tcp://127.0.0.1:" + std::to_string(test::free_tcp_port()) + "?timeout=1000000";
    Live live{input};
    ASSERT_TRUE(live.failed());
    EXPECT_EQ(live.all.failure(), "input " + input + ": Connection refused");
}

} // namespace
} // namespace ppsp::ingest
