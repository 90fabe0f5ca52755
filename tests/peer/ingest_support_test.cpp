#include "tests/peer/ingest_support.hpp"

#include "tests/peer/ts_stream.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

extern char** environ; // NOLINT(readability-redundant-declaration)

namespace ppsp::test {
namespace {

/// Decoding time of a PES packet: its own field, or the presentation time.
std::int64_t decoding_time(ts::Packet const& packet)
{
    auto const pts = static_cast<std::int64_t>(ts::presentation_time(packet).value_or(0));
    Bytes const pes = packet.payload;
    bool const has_dts = (pes[7] & 0x40) != 0 && pes.size() >= 19;
    if (!has_dts) {
        return pts;
    }
    return (std::int64_t{pes[14] >> 1 & 7} << 30) | (std::int64_t{pes[15]} << 22) |
           (std::int64_t{pes[16] >> 1} << 15) | (std::int64_t{pes[17]} << 7) | (pes[18] >> 1);
}

double longest_step(std::vector<std::int64_t> times)
{
    std::sort(times.begin(), times.end());
    std::int64_t longest = 0;
    for (std::size_t i = 1; i < times.size(); ++i) {
        longest = std::max(longest, times[i] - times[i - 1]);
    }
    return static_cast<double>(longest) / 90'000;
}

/// Below the ports that the system gives to whoever asks for any: those that others use may be
/// taken between now and the test's own use.
std::uint16_t free_port(int type)
{
    constexpr unsigned first = 20'000;
    constexpr unsigned count = 12'000;
    std::random_device random;
    for (int tries = 0; tries < 100; ++tries) {
        int const descriptor = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<std::uint16_t>(first + random() % count));
        int const failed =
            ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address);
        ::close(descriptor);
        if (failed == 0) {
            return ntohs(address.sin_port);
        }
    }
    ADD_FAILURE() << "no free port";
    return 0;
}

} // namespace

void TsInspector::feed(Bytes piece)
{
    if (piece.size() % ts::packet_size != 0) {
        fault("a piece is not whole packets");
    }
    bytes += piece.size();
    for (; piece.size() >= ts::packet_size; piece = piece.subspan(ts::packet_size)) {
        auto const packet = ts::parse_packet(piece.first(ts::packet_size));
        if (packet) {
            look(*packet);
        } else {
            fault("no packet");
        }
    }
}

void TsInspector::look(ts::Packet const& packet)
{
    auto const last = continuity_.find(packet.pid);
    if (last != continuity_.end()) {
        unsigned const expected = (last->second + (packet.has_payload ? 1U : 0U)) & 15U;
        if (packet.continuity != expected) {
            fault("continuity of pid " + std::to_string(static_cast<unsigned>(packet.pid)));
        }
    }
    continuity_[packet.pid] = packet.continuity;
    pcr_count += packet.pcr ? 1U : 0U;
    auto const seen = program.learn(packet);
    if (program.video_pid() == packet.pid && packet.payload_start) {
        note_picture(packet);
    } else if (program.audio_pid() == packet.pid && packet.payload_start) {
        auto const time = static_cast<std::int64_t>(ts::presentation_time(packet).value_or(0));
        if (!sounds.empty() && time <= sounds.back()) {
            fault("sound goes back from " + std::to_string(sounds.back()) + " to " +
                  std::to_string(time));
        }
        sounds.push_back(time);
    }
    before_that_ = std::exchange(before_, seen);
}

void TsInspector::note_picture(ts::Packet const& packet)
{
    using Seen = ts::ProgramMap::Seen;
    Picture const picture{.pts =
                              static_cast<std::int64_t>(ts::presentation_time(packet).value_or(0)),
                          .dts = decoding_time(packet),
                          .is_key = packet.random_access,
                          .tables_before = before_that_ == Seen::pat && before_ == Seen::pmt};
    if (!pictures.empty() && picture.dts <= pictures.back().dts) {
        fault("picture goes back from " + std::to_string(pictures.back().dts) + " to " +
              std::to_string(picture.dts));
    }
    if (picture.pts < picture.dts) {
        fault("picture is shown before it is decoded");
    }
    if (picture.is_key && !picture.tables_before) {
        fault("key frame without PAT and PMT before it");
    }
    pictures.push_back(picture);
}

void TsInspector::fault(std::string text)
{
    constexpr std::size_t faults_max = 20;
    if (faults.size() < faults_max) {
        faults.push_back(std::move(text));
    }
}

std::size_t TsInspector::key_frames() const
{
    return static_cast<std::size_t>(
        std::count_if(pictures.begin(), pictures.end(), [](auto const& p) { return p.is_key; }));
}

double TsInspector::longest_picture_step() const
{
    std::vector<std::int64_t> times;
    for (Picture const& picture : pictures) {
        times.push_back(picture.pts);
    }
    return longest_step(std::move(times));
}

double TsInspector::longest_sound_step() const
{
    return longest_step(sounds);
}

bool Collected::has_ended() const
{
    return count<ingest::SourceEnded>() > 0;
}

std::string Collected::failure() const
{
    for (auto const& event : events) {
        if (auto const* const failed = std::get_if<ingest::SourceFailed>(&event)) {
            return failed->sentence;
        }
    }
    return {};
}

void collect(ingest::MediaSource& source, Collected& into,
             std::function<bool(Collected const&)> const& enough, std::chrono::milliseconds limit)
{
    auto const until = std::chrono::steady_clock::now() + limit;
    while (!enough(into) && std::chrono::steady_clock::now() < until) {
        auto item = source.wait(std::chrono::milliseconds{50});
        if (!item) {
            continue;
        }
        if (auto* const media = std::get_if<ingest::TsBytes>(&*item)) {
            into.last_bytes = std::chrono::steady_clock::now();
            into.ts.feed(media->bytes);
            into.stream.insert(into.stream.end(), media->bytes.begin(), media->bytes.end());
            continue;
        }
        into.events.push_back(std::move(*item));
        if (into.has_ended() || !into.failure().empty()) {
            return;
        }
    }
}

ingest::SourceOptions options_for(std::string const& input)
{
    auto spec = ingest::parse_input(input);
    EXPECT_TRUE(spec) << spec.error();
    ingest::SourceOptions options;
    options.input = *spec;
    return options;
}

std::filesystem::path clip(std::string const& file, std::string const& seconds,
                           std::string const& arguments)
{
    auto const folder = std::filesystem::path{PPSP_BINARY_DIR} / "ingest-clips";
    std::filesystem::create_directories(folder);
    auto const path = folder / file;
    if (std::filesystem::exists(path)) {
        return path;
    }
    // Tests may run side by side: each makes its own file, the last one stays.
    auto const own = folder / (std::to_string(::getpid()) + "-" + file);
    std::string const command =
        "ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=640x360:rate=30 -f lavfi -i "
        "sine=frequency=440:sample_rate=48000 -t " +
        seconds + " " + arguments + " " + own.string();
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    std::filesystem::rename(own, path);
    return path;
}

std::filesystem::path mp4_clip()
{
    return clip("clip.mp4", "3",
                "-c:v libx264 -preset ultrafast -bf 2 -b_strategy 0 -g 30 -b:v 600k -c:a aac "
                "-af pan=5.1\\|c0=c0\\|c1=c0 -b:a 192k");
}

std::filesystem::path ts_clip()
{
    return clip(
        "clip.ts", "2",
        "-c:v libx264 -preset ultrafast -bf 2 -b_strategy 0 -g 30 -b:v 600k -c:a aac -ac 2");
}

Process::Process(std::vector<std::string> command)
{
    std::vector<char*> arguments;
    for (std::string& word : command) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP); // a group of its own
    EXPECT_EQ(::posix_spawnp(&id_, arguments[0], nullptr, &attributes, arguments.data(), environ),
              0)
        << command[0];
    ::posix_spawnattr_destroy(&attributes);
}

Process::~Process()
{
    kill();
}

void Process::kill()
{
    if (id_ > 0) {
        ::kill(-id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
        id_ = -1;
    }
}

bool Process::wait(std::chrono::milliseconds limit)
{
    auto const until = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < until) {
        if (::waitpid(id_, nullptr, WNOHANG) == id_) {
            id_ = -1;
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
}

std::vector<std::string> publisher(std::filesystem::path const& clip, std::string const& format,
                                   std::string const& url, bool loop)
{
    return {"ffmpeg",
            "-v",
            "quiet",
            "-nostdin",
            "-y",
            "-re",
            "-stream_loop",
            loop ? "-1" : "0",
            "-i",
            clip.string(),
            "-c",
            "copy",
            "-f",
            format,
            url};
}

std::uint16_t free_tcp_port()
{
    return free_port(SOCK_STREAM);
}

std::uint16_t free_udp_port()
{
    return free_port(SOCK_DGRAM);
}

namespace {

TEST(TsInspector, NoticesWhatIsWrong)
{
    TsStream stream;
    ByteVector const tables = concat({stream.pat(), stream.pmt(0x1b)});
    auto const faults = [&](std::initializer_list<ByteVector> pieces) {
        TsInspector inspector;
        for (ByteVector const& piece : pieces) {
            inspector.feed(piece);
        }
        return inspector.faults;
    };
    ByteVector const key = stream.video(true, 9000);
    ByteVector const next = stream.video(false, 12'000);
    ByteVector const after = stream.video(false, 15'000);
    EXPECT_EQ(faults({tables, key, next, after}), std::vector<std::string>{});
    EXPECT_EQ(faults({tables, next, after}), std::vector<std::string>{});
    EXPECT_EQ(faults({tables, key, after}), std::vector<std::string>{"continuity of pid 256"});
    EXPECT_EQ(faults({tables, key, ByteVector(100)}),
              std::vector<std::string>{"a piece is not whole packets"});
    EXPECT_EQ(faults({tables, ByteVector(188)}), std::vector<std::string>{"no packet"});
    ByteVector const late = stream.video(false, 14'000);
    EXPECT_EQ(faults({tables, after, late}),
              std::vector<std::string>{"picture goes back from 15000 to 14000"});
    ByteVector const naked = stream.video(true, 20'000);
    EXPECT_EQ(faults({tables, late, naked}),
              std::vector<std::string>{"key frame without PAT and PMT before it"});
}

} // namespace
} // namespace ppsp::test
