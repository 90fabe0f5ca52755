#include "peer/ingest/encoder.hpp"

extern "C" {
#include <libavutil/channel_layout.h>
}

#include <algorithm>
#include <cmath>
#include <new>

namespace ppsp::ingest {
namespace {

constexpr AVRational tick{1, static_cast<int>(ticks_per_second)};

/// Above 720p30 the faster preset, so that one core keeps up with 1080p.
constexpr double careful_pixels_per_second = 1280.0 * 720.0 * 31.0;

/// Small pictures do not gain from threads, and every thread costs a slice.
constexpr int one_thread_pixels = 640 * 480;

CodecPtr context_for(AVCodec const* codec)
{
    CodecPtr context{avcodec_alloc_context3(codec)};
    if (!context) {
        throw std::bad_alloc{};
    }
    context->time_base = tick;
    return context;
}

} // namespace

Encoder::Encoder(CodecPtr codec)
    : codec_(std::move(codec)), parameters_(avcodec_parameters_alloc()), packet_(make_packet())
{
    if (!parameters_ || avcodec_parameters_from_context(parameters_.get(), codec_.get()) < 0) {
        throw std::bad_alloc{};
    }
}

Result<Encoder, std::string> Encoder::video(VideoFormat const& format)
{
    AVCodec const* const codec = avcodec_find_encoder_by_name("libx264");
    if (codec == nullptr) {
        return failure("the FFmpeg of this machine has no libx264, which encoding needs");
    }
    CodecPtr context = context_for(codec);
    double const rate = av_q2d(format.rate);
    context->width = format.width;
    context->height = format.height;
    context->pix_fmt = AV_PIX_FMT_YUV420P;
    context->framerate = format.rate;
    context->gop_size = std::max(1, static_cast<int>(std::lround(rate)));
    context->max_b_frames = 0;
    context->bit_rate = std::int64_t{format.kbps} * 1000;
    context->rc_max_rate = context->bit_rate;
    context->rc_buffer_size = static_cast<int>(context->bit_rate / 2);
    context->flags |= AV_CODEC_FLAG_CLOSED_GOP;
    context->thread_count = format.width * format.height <= one_thread_pixels ? 1 : 0;
    bool const is_large = format.width * format.height * rate > careful_pixels_per_second;
    Options options;
    options.set("preset", is_large ? "ultrafast" : "veryfast");
    options.set("tune", "zerolatency");
    options.set("profile", "main");
    options.set("forced-idr", "1");
    options.set("x264-params", "scenecut=0:open-gop=0:repeat-headers=1");
    if (int const error = avcodec_open2(context.get(), codec, options.get()); error < 0) {
        return failure("cannot encode " + std::to_string(format.width) + "x" +
                       std::to_string(format.height) + " at " + std::to_string(format.kbps) +
                       " kbit/s: " + error_text(error));
    }
    return Encoder{std::move(context)};
}

Result<Encoder, std::string> Encoder::audio()
{
    AVCodec const* const codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    if (codec == nullptr) {
        return failure("the FFmpeg of this machine has no AAC encoder, which encoding needs");
    }
    CodecPtr context = context_for(codec);
    context->sample_fmt = AV_SAMPLE_FMT_FLTP;
    context->sample_rate = audio_rate;
    av_channel_layout_default(&context->ch_layout, 2);
    context->bit_rate = std::int64_t{audio_kbps} * 1000;
    if (int const error = avcodec_open2(context.get(), codec, nullptr); error < 0) {
        return failure("cannot encode AAC: " + error_text(error));
    }
    return Encoder{std::move(context)};
}

bool Encoder::encode(AVFrame& frame, PacketSink const& sink)
{
    if (last_pts_ && frame.pts <= *last_pts_) {
        return false; // an encoder wants time to go on
    }
    last_pts_ = frame.pts;
    if (codec_->codec_type == AVMEDIA_TYPE_VIDEO) {
        force_key_frame_when_due(frame);
    }
    if (avcodec_send_frame(codec_.get(), &frame) < 0) {
        return false;
    }
    receive(sink);
    return true;
}

/// The encoder counts frames; a source with an uneven rate would have its key frames late.
void Encoder::force_key_frame_when_due(AVFrame& frame)
{
    Ticks const half_frame = ticks_per_second * codec_->framerate.den / codec_->framerate.num / 2;
    bool const is_due = !last_key_ || frame.pts - *last_key_ >= ticks_per_second - half_frame;
    frame.pict_type = is_due ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
}

void Encoder::drain(PacketSink const& sink)
{
    avcodec_send_frame(codec_.get(), nullptr);
    receive(sink);
}

void Encoder::receive(PacketSink const& sink)
{
    while (avcodec_receive_packet(codec_.get(), packet_.get()) >= 0) {
        if (codec_->codec_type == AVMEDIA_TYPE_VIDEO && (packet_->flags & AV_PKT_FLAG_KEY) != 0) {
            last_key_ = packet_->pts;
        }
        sink(*packet_);
        av_packet_unref(packet_.get());
    }
}

} // namespace ppsp::ingest
