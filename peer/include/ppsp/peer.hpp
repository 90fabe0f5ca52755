#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Watching a channel from another program: one object, no Boost, no exceptions.
namespace ppsp {

struct ViewerOptions {
    /// Channel link (`ppsp://...`, `ppsps://...`) or path of a channel file (`*.ppsp`).
    std::string link;
    /// Signing to output; nullopt = auto.
    std::optional<std::chrono::milliseconds> latency;
    /// kbit/s of upload; nullopt = unlimited, 0 = never upload.
    std::optional<std::uint64_t> upload_kbps;
    /// Give up when nothing was played by then.
    std::chrono::seconds join_timeout{30};
    /// UDP address to listen on, `HOST:PORT`; port 0 = any.
    std::string listen = "0.0.0.0:0";
    bool strict = false;
    /// Losses while the queue is short are taken for the link's and do not halve the rate.
    bool forgive_link_loss = false;
    /// False: caches and CDN of the link only.
    bool peers = true;
    /// Access token that the link's caches ask for; empty = none.
    std::string cache_token;
    /// Called from the viewer's thread with sentences for people ("waiting for the channel to
    /// start").
    std::function<void(std::string const&)> on_message;
};

/// A piece of the stream, in order.
struct MediaPiece {
    std::vector<std::uint8_t> bytes; ///< MPEG-TS
    std::int64_t signed_at_us = 0;   ///< UTC microseconds at the source
    bool discontinuity = false;
};

/// Runs a node on a thread of its own. Every call may come from any thread.
class Viewer {
public:
    /// Nullptr and a sentence in `error` for a bad link, a bad listen address or a taken port;
    /// does not wait for the swarm.
    [[nodiscard]] static std::unique_ptr<Viewer> open(ViewerOptions options, std::string& error);
    /// Leaves the swarm (at most 2 s).
    ~Viewer();
    Viewer(Viewer const&) = delete;
    Viewer& operator=(Viewer const&) = delete;

    enum class ReadStatus : std::uint8_t {
        media,       ///< `piece` was filled
        timed_out,   ///< nothing within the time given
        interrupted, ///< `interrupt` was called
        failed,      ///< `error()` says why; final
        ended,       ///< `stop` was called; final
    };
    /// Waits for the next piece. Unread pieces are kept up to 16 MiB, then the oldest are dropped
    /// and the next piece is marked as a discontinuity.
    [[nodiscard]] ReadStatus read(MediaPiece& piece, std::chrono::milliseconds timeout);
    /// Wakes a waiting `read`, and every later one until `resume`.
    void interrupt();
    void resume();
    void stop();

    [[nodiscard]] std::string error() const;
    /// One line of JSON with the keys of `--stats-json`.
    [[nodiscard]] std::string statistics_json() const;
    /// Swarm id in hex and the UDP address in use.
    [[nodiscard]] std::string swarm() const;
    [[nodiscard]] std::string udp_address() const;
    /// The latency the engine aims at now.
    [[nodiscard]] std::chrono::milliseconds latency_target() const;

private:
    struct Parts;
    explicit Viewer(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

} // namespace ppsp
