#include "peer/ingest/stream_path.hpp"

#include "peer/ingest/pixel_clock.hpp"

#include <algorithm>
#include <cstring>

namespace ppsp::ingest {
namespace {

/// Whether a muxer that was told of `a` can go on with `b`.
bool same_format(AVCodecParameters const& a, AVCodecParameters const& b)
{
    bool const same_headers =
        a.extradata_size == b.extradata_size &&
        (a.extradata_size == 0 ||
         std::memcmp(a.extradata, b.extradata, static_cast<std::size_t>(a.extradata_size)) == 0);
    return same_headers && a.codec_id == b.codec_id && a.width == b.width && a.height == b.height &&
           a.sample_rate == b.sample_rate && a.ch_layout.nb_channels == b.ch_layout.nb_channels;
}

class PassOn final : public StreamPath {
public:
    explicit PassOn(AVCodecParameters const& input) : parameters_(copy_of(input)) {}

    bool resume(AVCodecParameters const& input) override
    {
        return same_format(*parameters_, input);
    }
    void push(AVPacket& packet, PacketSink const& sink) override { sink(packet); }
    void interrupt(PacketSink const&) override {}
    void finish(PacketSink const&) override {}
    AVCodecParameters const& output() const override { return *parameters_; }
    bool encodes() const override { return false; }

private:
    ParametersPtr parameters_;
};

class Encode final : public StreamPath {
public:
    Encode(Decoder decoder, Filters filters, Encoder encoder, EncodeOptions const& options)
        : decoder_(std::move(decoder)), filters_(std::move(filters)), encoder_(std::move(encoder)),
          options_(options)
    {}

    bool resume(AVCodecParameters const& input) override
    {
        auto decoder = Decoder::open(input, options_.is_live);
        if (!decoder) {
            return false;
        }
        decoder_ = std::move(*decoder);
        return true;
    }

    void push(AVPacket& packet, PacketSink const& sink) override
    {
        decoder_.decode(packet, [&](AVFrame& frame) { filter(frame, sink); });
    }

    void interrupt(PacketSink const& sink) override
    {
        decoder_.drain([&](AVFrame& frame) { filter(frame, sink); });
        filters_.reset();
    }

    void finish(PacketSink const& sink) override
    {
        interrupt(sink);
        encoder_.drain(sink);
    }

    AVCodecParameters const& output() const override { return encoder_.parameters(); }
    bool encodes() const override { return true; }

private:
    void filter(AVFrame& frame, PacketSink const& sink)
    {
        filters_.filter(frame, [&](AVFrame& made) {
            if (options_.stamp_clock) {
                stamp(made);
            }
            encoder_.encode(made, sink);
        });
    }

    static void stamp(AVFrame& frame)
    {
        if (frame.width > 0 && av_frame_make_writable(&frame) >= 0) {
            LumaPlane const plane{.data = frame.data[0],
                                  .stride = frame.linesize[0],
                                  .width = frame.width,
                                  .height = frame.height};
            draw_pixel_clock(plane, pixel_clock_now());
        }
    }

    Decoder decoder_;
    Filters filters_;
    Encoder encoder_;
    EncodeOptions options_;
};

Result<std::unique_ptr<StreamPath>, std::string> join(AVCodecParameters const& input,
                                                      Result<Encoder, std::string> encoder,
                                                      EncodeOptions const& options)
{
    if (!encoder) {
        return failure(encoder.error());
    }
    auto decoder = Decoder::open(input, options.is_live);
    if (!decoder) {
        return failure(decoder.error());
    }
    Filters filters =
        input.codec_type == AVMEDIA_TYPE_VIDEO
            ? Filters{Filters::Picture{.width = encoder->width(), .height = encoder->height()}}
            : Filters{Filters::Sound{.sample_rate = audio_rate,
                                     .frame_samples = encoder->frame_samples()}};
    return std::make_unique<Encode>(std::move(*decoder), std::move(filters), std::move(*encoder),
                                    options);
}

} // namespace

bool can_pass_on(AVCodecID codec) noexcept
{
    switch (codec) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_MPEG2VIDEO:
    case AV_CODEC_ID_AAC:
    case AV_CODEC_ID_AAC_LATM:
    case AV_CODEC_ID_MP2:
    case AV_CODEC_ID_MP3:
    case AV_CODEC_ID_AC3:
    case AV_CODEC_ID_OPUS:
        return true;
    default:
        return false;
    }
}

std::unique_ptr<StreamPath> pass_on(AVCodecParameters const& input)
{
    return std::make_unique<PassOn>(input);
}

Result<std::unique_ptr<StreamPath>, std::string>
encode_video(AVCodecParameters const& input, AVRational rate, EncodeOptions const& options)
{
    VideoFormat const format{.width = std::max(2, input.width & ~1),
                             .height = std::max(2, input.height & ~1),
                             .rate = rate,
                             .kbps = options.video_kbps};
    return join(input, Encoder::video(format), options);
}

Result<std::unique_ptr<StreamPath>, std::string> encode_audio(AVCodecParameters const& input,
                                                              EncodeOptions const& options)
{
    EncodeOptions sound = options;
    sound.stamp_clock = false;
    return join(input, Encoder::audio(), sound);
}

} // namespace ppsp::ingest
