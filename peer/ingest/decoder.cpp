#include "peer/ingest/decoder.hpp"

#include "peer/ingest/timeline.hpp"

#include <new>

namespace ppsp::ingest {

Result<Decoder, std::string> Decoder::open(AVCodecParameters const& parameters, bool is_live)
{
    AVCodec const* const codec = avcodec_find_decoder(parameters.codec_id);
    std::string const name = avcodec_get_name(parameters.codec_id);
    if (codec == nullptr) {
        return failure("the FFmpeg of this machine cannot decode " + name);
    }
    CodecPtr context{avcodec_alloc_context3(codec)};
    if (!context) {
        throw std::bad_alloc{};
    }
    avcodec_parameters_to_context(context.get(), &parameters);
    context->pkt_timebase = {1, static_cast<int>(ticks_per_second)};
    context->thread_count = 0;
    context->thread_type = is_live ? FF_THREAD_SLICE : FF_THREAD_FRAME | FF_THREAD_SLICE;
    if (int const error = avcodec_open2(context.get(), codec, nullptr); error < 0) {
        return failure("cannot decode " + name + ": " + error_text(error));
    }
    return Decoder{std::move(context)};
}

void Decoder::decode(AVPacket const& packet, FrameSink const& sink)
{
    if (avcodec_send_packet(codec_.get(), &packet) >= 0) {
        receive(sink);
    }
}

void Decoder::drain(FrameSink const& sink)
{
    avcodec_send_packet(codec_.get(), nullptr);
    receive(sink);
    avcodec_flush_buffers(codec_.get());
}

void Decoder::receive(FrameSink const& sink)
{
    while (avcodec_receive_frame(codec_.get(), frame_.get()) >= 0) {
        if (frame_->best_effort_timestamp != AV_NOPTS_VALUE) {
            frame_->pts = frame_->best_effort_timestamp;
            sink(*frame_);
        }
        av_frame_unref(frame_.get());
    }
}

} // namespace ppsp::ingest
