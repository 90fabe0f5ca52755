#include "player/bridge/chunk_reader.hpp"

#include <utility>

namespace ppsp::player {
namespace {

/// An interrupted read returns at once; this only bounds one wait inside the source.
constexpr std::chrono::milliseconds read_wait{500};

/// Replaces `piece` by the newest one that is ready.
void skip_to_newest(MediaSource& source, MediaPiece& piece)
{
    MediaPiece newer;
    while (source.read(newer, std::chrono::milliseconds{0}) == ReadStatus::media) {
        piece = std::move(newer);
        newer = MediaPiece{};
    }
    piece.discontinuity = true;
}

} // namespace

ChunkReader::ChunkReader(MediaSourceFactory open) : open_(std::move(open)) {}

bool ChunkReader::start(ViewerOptions options, std::string& error)
{
    std::shared_ptr<MediaSource> opened = open_(std::move(options), error);
    if (!opened) {
        return false;
    }
    std::scoped_lock const lock{mutex_};
    source_ = std::move(opened);
    delay_ = DelayTracker{};
    skip_backlog_ = false;
    return true;
}

void ChunkReader::stop()
{
    std::shared_ptr<MediaSource> leaving;
    {
        std::scoped_lock const lock{mutex_};
        leaving.swap(source_);
    }
    if (leaving) {
        auto statistics = leaving->statistics_json();
        std::scoped_lock const lock{mutex_};
        last_statistics_ = std::move(statistics);
    }
}

ChunkReader::Outcome ChunkReader::next(MediaPiece& piece)
{
    auto const from = source();
    while (from) {
        switch (from->read(piece, read_wait)) {
        case ReadStatus::media:
            if (take_skip_request()) {
                skip_to_newest(*from, piece);
            }
            note_delay(*from, piece);
            return Outcome::media;
        case ReadStatus::timed_out:
            break;
        case ReadStatus::interrupted:
            return Outcome::flushing;
        case ReadStatus::failed:
            return Outcome::failed;
        case ReadStatus::ended:
            return Outcome::ended;
        }
    }
    return Outcome::flushing;
}

void ChunkReader::interrupt()
{
    if (auto const from = source()) {
        from->interrupt();
    }
}

void ChunkReader::resume()
{
    if (auto const from = source()) {
        from->resume();
    }
}

void ChunkReader::skip_backlog()
{
    std::scoped_lock const lock{mutex_};
    skip_backlog_ = true;
}

std::chrono::milliseconds ChunkReader::extra_delay() const
{
    std::scoped_lock const lock{mutex_};
    return delay_.extra();
}

std::chrono::milliseconds ChunkReader::latency_target() const
{
    auto const from = source();
    return from ? from->latency_target() : std::chrono::milliseconds{0};
}

std::string ChunkReader::error() const
{
    auto const from = source();
    return from ? from->error() : std::string{};
}

std::string ChunkReader::statistics_json() const
{
    if (auto const from = source()) {
        return from->statistics_json();
    }
    std::scoped_lock const lock{mutex_};
    return last_statistics_;
}

std::string ChunkReader::swarm() const
{
    auto const from = source();
    return from ? from->swarm() : std::string{};
}

std::string ChunkReader::udp_address() const
{
    auto const from = source();
    return from ? from->udp_address() : std::string{};
}

std::shared_ptr<MediaSource> ChunkReader::source() const
{
    std::scoped_lock const lock{mutex_};
    return source_;
}

bool ChunkReader::take_skip_request()
{
    std::scoped_lock const lock{mutex_};
    return std::exchange(skip_backlog_, false);
}

void ChunkReader::note_delay(MediaSource const& source, MediaPiece const& piece)
{
    auto const target = source.latency_target();
    std::scoped_lock const lock{mutex_};
    delay_.note(DelayTracker::Clock::now(), piece.signed_at_us, target);
}

} // namespace ppsp::player
