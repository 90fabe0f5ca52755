#include "peer/shell/piece_queue.hpp"

namespace ppsp::peer {

void PieceQueue::push(MediaPiece piece)
{
    {
        std::lock_guard const lock{mutex_};
        bytes_ += piece.bytes.size();
        pieces_.push_back(std::move(piece));
        drop_oldest();
    }
    changed_.notify_all();
}

Viewer::ReadStatus PieceQueue::pop(MediaPiece& piece, std::chrono::milliseconds timeout)
{
    std::unique_lock lock{mutex_};
    auto const is_ready = [this] { return is_over() || is_interrupted_ || !pieces_.empty(); };
    if (!changed_.wait_for(lock, timeout, is_ready)) {
        return Viewer::ReadStatus::timed_out;
    }
    if (is_over()) {
        return error_.empty() ? Viewer::ReadStatus::ended : Viewer::ReadStatus::failed;
    }
    if (is_interrupted_) {
        return Viewer::ReadStatus::interrupted;
    }
    piece = std::move(pieces_.front());
    pieces_.pop_front();
    bytes_ -= piece.bytes.size();
    return Viewer::ReadStatus::media;
}

void PieceQueue::set_interrupted(bool is_interrupted)
{
    {
        std::lock_guard const lock{mutex_};
        is_interrupted_ = is_interrupted;
    }
    changed_.notify_all();
}

void PieceQueue::end()
{
    {
        std::lock_guard const lock{mutex_};
        is_ended_ = true;
    }
    changed_.notify_all();
}

void PieceQueue::fail(std::string error)
{
    {
        std::lock_guard const lock{mutex_};
        if (error_.empty()) {
            error_ = std::move(error);
        }
    }
    changed_.notify_all();
}

std::string PieceQueue::error() const
{
    std::lock_guard const lock{mutex_};
    return error_;
}

void PieceQueue::drop_oldest()
{
    while (bytes_ > unread_bytes_max && pieces_.size() > 1) {
        bytes_ -= pieces_.front().bytes.size();
        pieces_.pop_front();
        pieces_.front().discontinuity = true;
    }
}

} // namespace ppsp::peer
