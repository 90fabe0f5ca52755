#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <ppsp/peer.hpp>

namespace ppsp::peer {

/// Media between the node's thread and the reader's. When the reader is too slow the oldest pieces
/// are dropped and the next one is marked.
class PieceQueue {
public:
    /// 13 s of 10 Mbit/s; the newest piece is kept whatever its size.
    static constexpr std::size_t unread_bytes_max = std::size_t{16} << 20;

    void push(MediaPiece piece);
    /// Waits for the next piece, an interruption or the end.
    [[nodiscard]] Viewer::ReadStatus pop(MediaPiece& piece, std::chrono::milliseconds timeout);
    void set_interrupted(bool is_interrupted);
    void end();
    /// The first error stays.
    void fail(std::string error);
    [[nodiscard]] std::string error() const;

private:
    [[nodiscard]] bool is_over() const { return is_ended_ || !error_.empty(); }
    void drop_oldest();

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<MediaPiece> pieces_;
    std::size_t bytes_ = 0;
    bool is_interrupted_ = false;
    bool is_ended_ = false;
    std::string error_;
};

} // namespace ppsp::peer
