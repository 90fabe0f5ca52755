#pragma once

#include "peer/shell/channel_link.hpp"
#include "peer/shell/recording_file.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace ppsp::peer {

/// Keeps a live stream as it is cut, and makes a recording of it: a file and the link with the root
/// of its hash tree (RFC 7574 §5). Chunks are hashed as they pass, so the end takes no time. The
/// disk has a thread of its own: a slow one must not hold up the stream.
class StreamRecorder {
public:
    /// Chunks that may wait for the disk (16 s of 16 Mbit/s); then the recording ends.
    static constexpr std::size_t waiting_bytes_max = std::size_t{32} << 20;

    /// Makes the folder if it is missing. The recording is `YYYYMMDD-HHMMSS.ts` there, in UTC, and
    /// ends in `.part` until it is finished. The error is a sentence.
    [[nodiscard]] static Result<std::unique_ptr<StreamRecorder>, std::string>
    open(std::string const& folder, std::vector<TrackerTier> trackers);
    ~StreamRecorder();

    /// Whole chunks. False if they could not be kept: `error` says why, and nothing more is taken.
    [[nodiscard]] bool add(Bytes chunks);
    [[nodiscard]] std::string error() const;

    struct Recording {
        std::string file;
        /// Also in `file` with `.link` at its end; empty without a tracker, then who seeds it
        /// gets a link that names his node.
        std::string link;
    };
    /// Names file and link; nullopt if nothing was recorded, and then there is no file. The error
    /// is a sentence.
    [[nodiscard]] Result<std::optional<Recording>, std::string> finish();

private:
    StreamRecorder(std::string path, std::vector<TrackerTier> trackers,
                   std::unique_ptr<RecordingFile> file);
    void work();
    [[nodiscard]] bool keep(Bytes chunks);
    void end_work();

    std::string path_;
    std::vector<TrackerTier> trackers_;
    // Of the worker, until it has ended:
    std::unique_ptr<RecordingFile> file_;
    std::unique_ptr<integrity::Hasher> hasher_;
    std::vector<integrity::Hash> leaves_; ///< 64 bytes a chunk, at most static_chunks_max

    mutable std::mutex mutex_; ///< for what follows
    std::condition_variable changed_;
    std::deque<ByteVector> waiting_;
    std::size_t waiting_bytes_ = 0;
    bool is_over_ = false;
    std::string error_;
    std::thread thread_;
};

} // namespace ppsp::peer
