#pragma once

#include "peer/ingest/decoder.hpp"

#include <optional>
#include <string>

namespace ppsp::ingest {

/// Brings frames of any format into the one that an encoder was opened with. The graph is built
/// anew whenever the incoming format changes.
class Filters {
public:
    struct Picture {
        int width = 0;
        int height = 0;
    };
    struct Sound {
        int sample_rate = 0;
        int frame_samples = 0; ///< every frame has as many
    };

    /// Pictures are fitted in, with black bars where the shape differs; 4:2:0.
    explicit Filters(Picture picture) : picture_(picture) {}
    /// Stereo float planes; small gaps and drifts of timestamps are evened out.
    explicit Filters(Sound sound) : sound_(sound) {}

    /// Times stay 90 kHz. False when FFmpeg refuses the frame.
    bool filter(AVFrame& frame, FrameSink const& sink);
    /// Forgets unfinished sound: what follows has other times.
    void reset() { graph_.reset(); }

private:
    [[nodiscard]] bool build();
    [[nodiscard]] std::string source_of(AVFrame const& frame) const;
    [[nodiscard]] std::string conversion() const;

    std::optional<Picture> picture_;
    std::optional<Sound> sound_;
    FilterGraphPtr graph_;
    AVFilterContext* input_ = nullptr;
    AVFilterContext* output_ = nullptr;
    std::string source_;
};

} // namespace ppsp::ingest
