#pragma once

#include "peer/ingest/ffmpeg.hpp"
#include "peer/ingest/timeline.hpp"

#include <functional>
#include <optional>
#include <string>

namespace ppsp::ingest {

using PacketSink = std::function<void(AVPacket&)>;

struct VideoFormat {
    int width = 0;  ///< even
    int height = 0; ///< even
    AVRational rate{25, 1};
    unsigned kbps = 2500;
};

inline constexpr int audio_rate = 48'000;
inline constexpr unsigned audio_kbps = 128;

/// Frames in, packets with 90 kHz times out. H.264 4:2:0 without B-frames, a key frame with its
/// headers at least every second, at most half a second of rate in the decoder's buffer; or AAC
/// stereo. Nothing waits inside for later frames (except the AAC transform's own delay).
class Encoder {
public:
    [[nodiscard]] static Result<Encoder, std::string> video(VideoFormat const& format);
    [[nodiscard]] static Result<Encoder, std::string> audio();

    /// False when the encoder refused the frame.
    bool encode(AVFrame& frame, PacketSink const& sink);
    void drain(PacketSink const& sink);

    [[nodiscard]] AVCodecParameters const& parameters() const noexcept { return *parameters_; }
    [[nodiscard]] int width() const noexcept { return codec_->width; }
    [[nodiscard]] int height() const noexcept { return codec_->height; }
    [[nodiscard]] int frame_samples() const noexcept { return codec_->frame_size; }

private:
    explicit Encoder(CodecPtr codec);
    void receive(PacketSink const& sink);
    void force_key_frame_when_due(AVFrame& frame);

    CodecPtr codec_;
    ParametersPtr parameters_;
    PacketPtr packet_;
    std::optional<Ticks> last_pts_;
    std::optional<Ticks> last_key_;
};

} // namespace ppsp::ingest
