#include "peer/ingest/test_picture.hpp"

extern "C" {
#include <libavfilter/buffersink.h>
#include <libavutil/channel_layout.h>
#include <libavutil/imgutils.h>
}

#include <cstring>
#include <new>

namespace ppsp::ingest {
namespace {

AVStream* add_stream(AVFormatContext& format, AVFilterContext const* sink, AVMediaType type,
                     AVCodecID codec)
{
    AVStream* const stream = avformat_new_stream(&format, nullptr);
    if (stream == nullptr) {
        throw std::bad_alloc{};
    }
    stream->time_base = av_buffersink_get_time_base(sink);
    stream->codecpar->codec_type = type;
    stream->codecpar->codec_id = codec;
    stream->codecpar->format = av_buffersink_get_format(sink);
    return stream;
}

PacketPtr picture_packet(AVFrame const& frame)
{
    auto const format = static_cast<AVPixelFormat>(frame.format);
    int const size = av_image_get_buffer_size(format, frame.width, frame.height, 1);
    PacketPtr packet = make_packet();
    if (size <= 0 || av_new_packet(packet.get(), size) < 0 ||
        av_image_copy_to_buffer(packet->data, size, frame.data, frame.linesize, format, frame.width,
                                frame.height, 1) < 0) {
        return nullptr;
    }
    packet->duration = 1;
    return packet;
}

PacketPtr sound_packet(AVFrame const& frame)
{
    int const size = frame.nb_samples * frame.ch_layout.nb_channels * 2;
    PacketPtr packet = make_packet();
    if (av_new_packet(packet.get(), size) < 0) {
        return nullptr;
    }
    std::memcpy(packet->data, frame.data[0], static_cast<std::size_t>(size));
    packet->duration = frame.nb_samples;
    return packet;
}

} // namespace

std::unique_ptr<TestPicture> TestPicture::open(std::string const& graph, AVFormatContext& format)
{
    std::unique_ptr<TestPicture> made{new TestPicture};
    made->graph_.reset(avfilter_graph_alloc());
    if (!made->graph_) {
        throw std::bad_alloc{};
    }
    made->graph_->nb_threads = 1;
    AVFilterInOut* loose_inputs = nullptr;
    AVFilterInOut* loose_outputs = nullptr;
    int const error =
        avfilter_graph_parse2(made->graph_.get(), graph.c_str(), &loose_inputs, &loose_outputs);
    avfilter_inout_free(&loose_inputs);
    avfilter_inout_free(&loose_outputs);
    if (error < 0 || avfilter_graph_config(made->graph_.get(), nullptr) < 0) {
        return nullptr;
    }
    made->picture_.sink = avfilter_graph_get_filter(made->graph_.get(), "buffersink@picture");
    made->sound_.sink = avfilter_graph_get_filter(made->graph_.get(), "abuffersink@sound");
    if (made->picture_.sink == nullptr || made->sound_.sink == nullptr) {
        return nullptr;
    }
    made->add_picture(format);
    made->add_sound(format);
    return made;
}

void TestPicture::add_picture(AVFormatContext& format)
{
    AVStream& stream = *add_stream(format, picture_.sink, AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_RAWVIDEO);
    stream.codecpar->width = av_buffersink_get_w(picture_.sink);
    stream.codecpar->height = av_buffersink_get_h(picture_.sink);
    stream.avg_frame_rate = av_buffersink_get_frame_rate(picture_.sink);
    picture_.stream = &stream;
}

void TestPicture::add_sound(AVFormatContext& format)
{
    AVStream& stream = *add_stream(format, sound_.sink, AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_PCM_S16LE);
    stream.codecpar->sample_rate = av_buffersink_get_sample_rate(sound_.sink);
    av_buffersink_get_ch_layout(sound_.sink, &stream.codecpar->ch_layout);
    sound_.stream = &stream;
}

PacketPtr TestPicture::next()
{
    bool const is_picture = av_compare_ts(picture_.end, picture_.stream->time_base, sound_.end,
                                          sound_.stream->time_base) <= 0;
    Output& output = is_picture ? picture_ : sound_;
    FramePtr const frame = make_frame();
    if (av_buffersink_get_frame(output.sink, frame.get()) < 0) {
        return nullptr;
    }
    PacketPtr packet = is_picture ? picture_packet(*frame) : sound_packet(*frame);
    if (packet) {
        packet->stream_index = output.stream->index;
        packet->pts = frame->pts;
        packet->dts = frame->pts;
        packet->flags |= AV_PKT_FLAG_KEY;
        output.end = frame->pts + packet->duration;
    }
    return packet;
}

} // namespace ppsp::ingest
