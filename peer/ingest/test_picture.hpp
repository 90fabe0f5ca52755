#pragma once

#include "peer/ingest/ffmpeg.hpp"

#include <memory>
#include <string>

namespace ppsp::ingest {

/// Makes a moving picture with a running clock and a tone that beeps every second, without end.
/// Takes the place of a demuxer: gives raw pictures and sound as packets. (FFmpeg's own "lavfi"
/// input loses a picture whenever it is closed.)
class TestPicture {
public:
    /// `graph` ends in filters `buffersink@picture` (4:2:0) and `abuffersink@sound` (16 bit). Adds
    /// a stream for each to `format`, which must outlive this. Null when FFmpeg refuses the graph.
    [[nodiscard]] static std::unique_ptr<TestPicture> open(std::string const& graph,
                                                           AVFormatContext& format);

    /// The next packet in the order of time; null when FFmpeg refuses.
    [[nodiscard]] PacketPtr next();

private:
    struct Output {
        AVFilterContext* sink = nullptr;
        AVStream* stream = nullptr;
        std::int64_t end = 0; ///< of what was given out, in the stream's time base
    };

    TestPicture() = default;
    void add_picture(AVFormatContext& format);
    void add_sound(AVFormatContext& format);

    FilterGraphPtr graph_;
    Output picture_;
    Output sound_;
};

} // namespace ppsp::ingest
