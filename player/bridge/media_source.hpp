#pragma once

#include <ppsp/peer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace ppsp::player {

using ReadStatus = Viewer::ReadStatus;

/// Where media comes from, as the player needs it: `Viewer` in programs, a script in tests.
/// The meaning of every call is that of the call of the same name in `Viewer`; every call may
/// come from any thread.
class MediaSource {
public:
    virtual ~MediaSource() = default;
    MediaSource(MediaSource const&) = delete;
    MediaSource& operator=(MediaSource const&) = delete;

    [[nodiscard]] virtual ReadStatus read(MediaPiece& piece, std::chrono::milliseconds timeout) = 0;
    virtual void interrupt() = 0;
    virtual void resume() = 0;

    [[nodiscard]] virtual std::string error() const = 0;
    [[nodiscard]] virtual std::string statistics_json() const = 0;
    [[nodiscard]] virtual std::string swarm() const = 0;
    [[nodiscard]] virtual std::string udp_address() const = 0;
    [[nodiscard]] virtual std::chrono::milliseconds latency_target() const = 0;

protected:
    MediaSource() = default;
};

/// Opens a source without waiting for the swarm; nullptr and a sentence in `error` when it cannot.
using MediaSourceFactory =
    std::function<std::unique_ptr<MediaSource>(ViewerOptions options, std::string& error)>;

} // namespace ppsp::player
