#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavcodec/packet.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
}

#include "protocol/base/result.hpp"

#include <memory>
#include <string>
#include <vector>

/// Owners of FFmpeg's objects, its error texts, and its log. Included by .cpp files of this room
/// and by its internal headers only.
namespace ppsp::ingest {

struct FreeAv {
    void operator()(AVPacket* packet) const noexcept { av_packet_free(&packet); }
    void operator()(AVFrame* frame) const noexcept { av_frame_free(&frame); }
    void operator()(AVCodecContext* codec) const noexcept { avcodec_free_context(&codec); }
    void operator()(AVFilterGraph* graph) const noexcept { avfilter_graph_free(&graph); }
    void operator()(AVCodecParameters* parameters) const noexcept
    {
        avcodec_parameters_free(&parameters);
    }
};

using PacketPtr = std::unique_ptr<AVPacket, FreeAv>;
using FramePtr = std::unique_ptr<AVFrame, FreeAv>;
using CodecPtr = std::unique_ptr<AVCodecContext, FreeAv>;
using FilterGraphPtr = std::unique_ptr<AVFilterGraph, FreeAv>;
using ParametersPtr = std::unique_ptr<AVCodecParameters, FreeAv>;

[[nodiscard]] PacketPtr make_packet();
[[nodiscard]] FramePtr make_frame();
[[nodiscard]] ParametersPtr copy_of(AVCodecParameters const& parameters);

[[nodiscard]] std::string error_text(int error);

/// Options for FFmpeg as an owner of an AVDictionary.
class Options {
public:
    Options() = default;
    Options(Options const&) = delete;
    Options& operator=(Options const&) = delete;
    ~Options() { av_dict_free(&dictionary_); }

    void set(std::string const& key, std::string const& value)
    {
        av_dict_set(&dictionary_, key.c_str(), value.c_str(), 0);
    }
    [[nodiscard]] AVDictionary** get() noexcept { return &dictionary_; }

private:
    AVDictionary* dictionary_ = nullptr;
};

/// FFmpeg writes to stderr by itself; we keep its lines instead, and only those of the calling
/// thread, to look for what its error codes do not say. Call once before anything else.
void quiet_ffmpeg();
/// Lines of level warning and worse that FFmpeg logged on this thread since the last call.
[[nodiscard]] std::vector<std::string> take_ffmpeg_log();

} // namespace ppsp::ingest
