#pragma once

#include "peer/ingest/ffmpeg.hpp"
#include "peer/ingest/interrupt.hpp"

#include <functional>
#include <string>

namespace ppsp::ingest {

/// Feeds FFmpeg from standard input or a named pipe. FFmpeg's own reader cannot be interrupted
/// while it waits for a silent writer.
class PipeReader {
public:
    /// `path` empty: standard input, which is not closed at the end.
    PipeReader(std::string const& path, Interrupt const& interrupt);
    PipeReader(PipeReader const&) = delete;
    PipeReader& operator=(PipeReader const&) = delete;
    ~PipeReader();

    /// 0, or an errno value that says why the pipe cannot be read.
    [[nodiscard]] int error() const noexcept { return error_; }
    [[nodiscard]] AVIOContext* context() noexcept { return context_; }
    /// Called on the reading thread once per silence that lasts `idle`.
    void on_idle(Interrupt::Time::duration idle, std::function<void()> report);

private:
    static int read(void* self, std::uint8_t* buffer, int size);
    int read_some(std::uint8_t* buffer, int size);

    Interrupt const* interrupt_;
    int descriptor_;
    bool owns_descriptor_;
    int error_ = 0;
    AVIOContext* context_ = nullptr;
    Interrupt::Time::duration idle_{};
    std::function<void()> report_idle_;
};

} // namespace ppsp::ingest
