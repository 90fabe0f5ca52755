#pragma once

#include "peer/ingest/decoder.hpp"
#include "peer/ingest/demuxer.hpp"
#include "peer/ingest/encoder.hpp"
#include "peer/ingest/filters.hpp"

#include <memory>

namespace ppsp::ingest {

/// What happens to one stream between demuxer and muxer: passed on, or decoded and encoded.
/// Packets have 90 kHz times on both sides.
class StreamPath {
public:
    virtual ~StreamPath() = default;

    /// Takes on another input for the same output. False when this path cannot.
    [[nodiscard]] virtual bool resume(AVCodecParameters const& input) = 0;
    virtual void push(AVPacket& packet, PacketSink const& sink) = 0;
    /// What follows does not continue what was before.
    virtual void interrupt(PacketSink const& sink) = 0;
    virtual void finish(PacketSink const& sink) = 0;

    [[nodiscard]] virtual AVCodecParameters const& output() const = 0;
    [[nodiscard]] virtual bool encodes() const = 0;
};

struct EncodeOptions {
    unsigned video_kbps = 2500;
    bool stamp_clock = false;
    bool is_live = false;
};

/// True for codecs that MPEG-TS and common players take as they are.
[[nodiscard]] bool can_pass_on(AVCodecID codec) noexcept;

[[nodiscard]] std::unique_ptr<StreamPath> pass_on(AVCodecParameters const& input);
[[nodiscard]] Result<std::unique_ptr<StreamPath>, std::string>
encode_video(AVCodecParameters const& input, AVRational rate, EncodeOptions const& options);
[[nodiscard]] Result<std::unique_ptr<StreamPath>, std::string>
encode_audio(AVCodecParameters const& input, EncodeOptions const& options);

} // namespace ppsp::ingest
