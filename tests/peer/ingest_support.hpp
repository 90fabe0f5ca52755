#pragma once

#include "peer/chunker/ts_packet.hpp"
#include "peer/ingest/media_source.hpp"

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

/// Helpers for tests of the ingest room: clips, other programs, and an eye on transport streams.
namespace ppsp::test {

/// Reads a transport stream as a demuxer would and writes down what is wrong with it.
class TsInspector {
public:
    void feed(Bytes piece);

    struct Picture {
        std::int64_t pts = 0;
        std::int64_t dts = 0;
        bool is_key = false;
        bool tables_before = false; ///< PAT and PMT are the two packets before
    };

    std::vector<std::string> faults;  ///< sync, continuity, order of time
    std::vector<Picture> pictures;    ///< of the video stream, in order of arrival
    std::vector<std::int64_t> sounds; ///< pts of the audio PES packets
    std::uint64_t pcr_count = 0;
    std::size_t bytes = 0;
    ts::ProgramMap program;

    [[nodiscard]] std::size_t key_frames() const;
    /// Longest step between two pictures or two sounds, in seconds.
    [[nodiscard]] double longest_picture_step() const;
    [[nodiscard]] double longest_sound_step() const;

private:
    void look(ts::Packet const& packet);
    void note_picture(ts::Packet const& packet);
    void fault(std::string text);

    std::map<ts::Pid, unsigned> continuity_;
    ts::ProgramMap::Seen before_ = ts::ProgramMap::Seen::other;
    ts::ProgramMap::Seen before_that_ = ts::ProgramMap::Seen::other;
};

/// Everything a source gave.
struct Collected {
    TsInspector ts;
    ByteVector stream;
    std::vector<ingest::SourceItem> events; ///< all items but bytes
    /// Taken before the source starts: time measured from here cannot be too short by bad luck.
    std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point last_bytes = started;

    [[nodiscard]] bool has_ended() const;
    [[nodiscard]] std::string failure() const;
    template <typename Event>
    [[nodiscard]] std::size_t count() const
    {
        std::size_t found = 0;
        for (auto const& event : events) {
            found += std::holds_alternative<Event>(event) ? 1U : 0U;
        }
        return found;
    }
    [[nodiscard]] double seconds() const
    {
        return std::chrono::duration<double>(last_bytes - started).count();
    }
};

/// Reads until `enough`, until the source has ended or failed, or for `limit` at most.
void collect(ingest::MediaSource& source, Collected& into,
             std::function<bool(Collected const&)> const& enough,
             std::chrono::milliseconds limit = std::chrono::seconds{40});

[[nodiscard]] ingest::SourceOptions options_for(std::string const& input);

/// A clip made by the `ffmpeg` program once and kept in the build directory. `arguments` follow
/// the inputs testsrc2 (640x360, 30/s) and sine, `seconds` long.
[[nodiscard]] std::filesystem::path clip(std::string const& file, std::string const& seconds,
                                         std::string const& arguments);
/// 3 s: H.264 with B-frames, a key frame per second, AAC 5.1, in MP4.
[[nodiscard]] std::filesystem::path mp4_clip();
/// 2 s: the same as MPEG-TS with stereo.
[[nodiscard]] std::filesystem::path ts_clip();

/// Another program, with its children; ended by its id at the latest when this goes out of scope.
class Process {
public:
    explicit Process(std::vector<std::string> command);
    Process(Process const&) = delete;
    Process& operator=(Process const&) = delete;
    ~Process();

    void kill();
    [[nodiscard]] bool wait(std::chrono::milliseconds limit);

private:
    pid_t id_ = -1;
};

/// `ffmpeg -re -i CLIP -c copy -f FORMAT URL`, over and over unless `loop` is false.
[[nodiscard]] std::vector<std::string> publisher(std::filesystem::path const& clip,
                                                 std::string const& format, std::string const& url,
                                                 bool loop = true);

[[nodiscard]] std::uint16_t free_tcp_port();
[[nodiscard]] std::uint16_t free_udp_port();

} // namespace ppsp::test
