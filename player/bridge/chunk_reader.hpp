#pragma once

#include "player/bridge/delay_tracker.hpp"
#include "player/bridge/media_source.hpp"

#include <cstdint>
#include <memory>
#include <mutex>

namespace ppsp::player {

/// Stands between the node's thread and a streaming thread of a media framework.
///
/// `next` belongs to the streaming thread; every other call may come from any thread, also while
/// `next` waits. `start` and `stop` must not overlap each other, nor `stop` a running `next`:
/// call `interrupt` and let `next` return first.
class ChunkReader {
public:
    explicit ChunkReader(MediaSourceFactory open);

    /// Opens the source; false and a sentence in `error` when that fails.
    [[nodiscard]] bool start(ViewerOptions options, std::string& error);
    /// Leaves the swarm (at most 2 s). The last statistics stay readable.
    void stop();

    enum class Outcome : std::uint8_t {
        media,    ///< the piece was filled
        flushing, ///< `interrupt` was called, or nothing is open
        ended,    ///< the stream is over
        failed,   ///< `error` says why
    };
    /// Waits for the next piece, as long as it takes.
    [[nodiscard]] Outcome next(MediaPiece& piece);
    /// Makes a waiting `next`, and every later one until `resume`, return `flushing`.
    void interrupt();
    void resume();
    /// The next piece is the newest one there is and a discontinuity: what piled up while nobody
    /// was watching is no longer live.
    void skip_backlog();

    /// How much later than at the first piece media comes out of the node (see `DelayTracker`).
    /// The delay before the first piece is not in it: whoever stamps pieces with their arrival has
    /// waited for that one already. Never negative.
    [[nodiscard]] std::chrono::milliseconds extra_delay() const;
    [[nodiscard]] std::chrono::milliseconds latency_target() const;

    [[nodiscard]] std::string error() const;
    [[nodiscard]] std::string statistics_json() const;
    [[nodiscard]] std::string swarm() const;
    [[nodiscard]] std::string udp_address() const;

private:
    [[nodiscard]] std::shared_ptr<MediaSource> source() const;
    [[nodiscard]] bool take_skip_request();
    void note_delay(MediaSource const& source, MediaPiece const& piece);

    MediaSourceFactory open_;
    mutable std::mutex mutex_; ///< guards what follows; never held while the source waits
    std::shared_ptr<MediaSource> source_;
    std::string last_statistics_;
    DelayTracker delay_;
    bool skip_backlog_ = false;
};

} // namespace ppsp::player
