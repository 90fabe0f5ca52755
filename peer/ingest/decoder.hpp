#pragma once

#include "peer/ingest/ffmpeg.hpp"

#include <functional>

namespace ppsp::ingest {

using FrameSink = std::function<void(AVFrame&)>;

/// Packets with 90 kHz times in, frames out. Damaged packets are skipped: a decoder finds back by
/// itself at the next key frame.
class Decoder {
public:
    /// `is_live`: no frame may wait for threads working on later ones.
    [[nodiscard]] static Result<Decoder, std::string> open(AVCodecParameters const& parameters,
                                                           bool is_live);

    void decode(AVPacket const& packet, FrameSink const& sink);
    /// The frames that the decoder still holds; afterwards it can start anew at a key frame.
    void drain(FrameSink const& sink);

private:
    explicit Decoder(CodecPtr codec) : codec_(std::move(codec)), frame_(make_frame()) {}
    void receive(FrameSink const& sink);

    CodecPtr codec_;
    FramePtr frame_;
};

} // namespace ppsp::ingest
