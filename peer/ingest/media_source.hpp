#pragma once

#include "peer/ingest/input_spec.hpp"
#include "protocol/base/bytes.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

/// Media in, MPEG-TS out: files, a test picture, pipes, and what OBS or FFmpeg send over the
/// network. No FFmpeg type appears in this header.
namespace ppsp::ingest {

struct SourceOptions {
    InputSpec input;
    bool loop = false;   ///< a file starts again at its end
    bool encode = false; ///< encode anew even where the input could be passed on
    /// Video rate when encoding, in kbit/s; default 2500, test picture 1050 (1.3 Mbit/s in all).
    std::optional<unsigned> video_kbps;
    /// Draws the pixel clock into every picture; needs `encode` or the test picture.
    bool stamp_clock = false;
};

/// Whole transport packets; PAT and PMT come right before every key frame and in the same piece.
struct TsBytes {
    ByteVector bytes;
};

/// The input is understood and its bytes follow.
struct SourceOpened {
    std::string description; ///< "h264 854x480, aac 48 kHz; passed on as they are"
    bool has_video = false;
    /// What the output will have on average, where an encoder keeps it.
    std::optional<std::uint64_t> bits_per_second;
};

/// Something the broadcaster should know; the source goes on.
struct SourceWarning {
    std::string sentence;
};

/// There is no input for the moment; the source waits for it. `SourceResumed` follows.
struct SourceWaiting {
    std::string sentence;
};

struct SourceResumed {};

/// End of stream; nothing follows.
struct SourceEnded {};

/// The input cannot be used; nothing follows.
struct SourceFailed {
    std::string sentence; ///< names the input and what to do
};

using SourceItem = std::variant<TsBytes, SourceOpened, SourceWarning, SourceWaiting, SourceResumed,
                                SourceEnded, SourceFailed>;

/// Runs on a thread of its own from construction until `stop`.
class MediaSource {
public:
    /// Bytes waiting for the reader; then the input is read no further (13 s of 5 Mbit/s).
    static constexpr std::size_t queue_bytes_max = std::size_t{8} << 20;
    static constexpr std::size_t queue_items_max = 8192;

    virtual ~MediaSource() = default;

    /// The next item if there is one; never waits.
    [[nodiscard]] virtual std::optional<SourceItem> poll() = 0;
    /// The next item; waits for at most `time`.
    [[nodiscard]] virtual std::optional<SourceItem> wait(std::chrono::milliseconds time) = 0;
    /// Ends the source; returns within a second whatever it is doing. Items not read are lost.
    virtual void stop() = 0;
};

/// Starts reading. `on_ready` is called on the source's thread when an item comes into the empty
/// queue: post to the reader's own thread and poll until empty there.
[[nodiscard]] std::unique_ptr<MediaSource> start_source(SourceOptions options,
                                                        std::function<void()> on_ready = {});

} // namespace ppsp::ingest
