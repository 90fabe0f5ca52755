#pragma once

#include "peer/ingest/ffmpeg.hpp"
#include "peer/ingest/input_spec.hpp"
#include "peer/ingest/interrupt.hpp"
#include "peer/ingest/pipe_reader.hpp"
#include "peer/ingest/test_picture.hpp"
#include "protocol/base/time.hpp"

#include <memory>
#include <optional>

namespace ppsp::ingest {

/// Why an input could not be opened.
struct OpenError {
    std::string sentence;
    bool stopped = false; ///< because the source is being stopped
    /// Trying again later may help (a publisher that left while it said hello).
    bool may_pass = false;
};

/// The sentence for an error that FFmpeg gave on opening `input`.
[[nodiscard]] std::string open_error_sentence(InputSpec const& input, int error);

/// An opened input and the streams of it that we use: the best video and the best audio stream.
class Demuxer {
public:
    enum class Ended : std::uint8_t { stopped, end_of_input, lost };

    /// Waits for the sender as long as it takes if the input is one that waits.
    [[nodiscard]] static Result<std::unique_ptr<Demuxer>, OpenError> open(InputSpec const& input,
                                                                          StopSignal const& stop);

    Demuxer(Demuxer const&) = delete;
    Demuxer& operator=(Demuxer const&) = delete;
    ~Demuxer();

    /// The next packet of a used stream; an error is the end of this input.
    [[nodiscard]] Result<PacketPtr, Ended> read();

    [[nodiscard]] AVStream const* video() const noexcept { return video_; }
    [[nodiscard]] AVStream const* audio() const noexcept { return audio_; }
    [[nodiscard]] AVStream const& stream_of(AVPacket const& packet) const noexcept;
    /// Pictures per second as far as known; 25 otherwise.
    [[nodiscard]] AVRational frame_rate() const noexcept;
    /// When the first bytes were there; probing has read on since then.
    [[nodiscard]] TimePoint began() const noexcept { return began_; }
    /// See `PipeReader::on_idle`; nothing for inputs that are no pipes.
    void on_idle(Interrupt::Time::duration idle, std::function<void()> report);

private:
    explicit Demuxer(StopSignal const& stop) : interrupt_(stop) {}

    [[nodiscard]] std::optional<OpenError> open_input(InputSpec const& input);
    [[nodiscard]] std::optional<OpenError> open_with_ffmpeg(InputSpec const& input);
    [[nodiscard]] std::optional<OpenError> find_streams(InputSpec const& input);
    [[nodiscard]] int read_into(PacketPtr& packet);

    Interrupt interrupt_;
    TimePoint began_{};
    std::unique_ptr<PipeReader> pipe_;
    AVFormatContext* format_ = nullptr;
    std::unique_ptr<TestPicture> test_picture_;
    AVStream* video_ = nullptr;
    AVStream* audio_ = nullptr;
};

} // namespace ppsp::ingest
