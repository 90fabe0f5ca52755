#pragma once

#include "peer/ingest/continuity.hpp"
#include "peer/ingest/ffmpeg.hpp"
#include "peer/ingest/timeline.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ppsp::ingest {

/// Writes MPEG-TS without holding anything back: every packet becomes one piece of whole transport
/// packets. PAT and PMT come right before every key frame, and every quarter of a second.
class TsMuxer {
public:
    using Sink = std::function<void(ByteVector)>;

    /// `streams` in the order of their numbers; their packets have 90 kHz timestamps. `counters`
    /// outlives the muxer and makes it follow the one before. `version` is that of PAT and PMT,
    /// 0..31, and must change with the streams. The error is a sentence.
    [[nodiscard]] static Result<std::unique_ptr<TsMuxer>, std::string>
    open(std::vector<AVCodecParameters const*> const& streams, int version,
         ContinuityCounters& counters, Sink sink);

    TsMuxer(TsMuxer const&) = delete;
    TsMuxer& operator=(TsMuxer const&) = delete;
    ~TsMuxer();

    /// Takes the packet's content. False for a packet that the muxer refused; it is left out.
    bool write(AVPacket& packet, int stream);

private:
    TsMuxer(ContinuityCounters& counters, Sink sink) : counters_(&counters), sink_(std::move(sink))
    {}

    [[nodiscard]] int start(std::vector<AVCodecParameters const*> const& streams, int version);
    static int collect(void* self, std::uint8_t* bytes, int size);
    void hand_out();

    ContinuityCounters* counters_;
    Sink sink_;
    ByteVector collected_;
    AVIOContext* output_ = nullptr;
    AVFormatContext* format_ = nullptr;
    bool header_written_ = false;
};

} // namespace ppsp::ingest
