#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/result.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace ppsp::peer {

class RecordingReader;

struct GatewayOptions {
    Endpoint listen;
    std::string swarm; ///< hex; shown on the page
    /// A line of `--stats-json`; called on the gateway's thread.
    std::function<std::string()> statistics;
    /// mpegts.js, if it is installed; without it the page has links for players.
    std::filesystem::path player_script;
    /// Instead of a live stream; must outlive the gateway. Called on the gateway's thread.
    RecordingReader* recording = nullptr;
};

/// A recording as the gateway reads it.
class RecordingReader {
public:
    virtual ~RecordingReader() = default;
    /// Bytes, while known.
    [[nodiscard]] virtual std::optional<std::uint64_t> length() = 0;
    /// Bytes from `position` on that are there, at most `size`; empty while there are none.
    [[nodiscard]] virtual ByteVector read(std::uint64_t position, std::size_t size) = 0;
    /// A player waits for what follows `position`.
    virtual void play_from(std::uint64_t position) = 0;
};

/// Local HTTP for any player: `/` a page, `/stream.ts` endless MPEG-TS that begins at a key frame
/// for every client, `/status` JSON, `/metrics`. A recording is at `/recording`, with ranges
/// (RFC 9110 §14), so that players can seek. Runs on a thread of its own.
class Gateway {
public:
    /// Clients of `/stream.ts`; more get status 503.
    static constexpr std::size_t clients_max = 64;
    /// Connections of any kind; more are closed at once.
    static constexpr std::size_t connections_max = 256;
    /// Bytes a slow client may be behind (16 s of 8 Mbit/s); then it is dropped.
    static constexpr std::size_t client_backlog_max = std::size_t{16} << 20;

    /// The error is a sentence.
    [[nodiscard]] static Result<std::unique_ptr<Gateway>, std::string> open(GatewayOptions options);
    ~Gateway();
    Gateway(Gateway const&) = delete;
    Gateway& operator=(Gateway const&) = delete;

    [[nodiscard]] Endpoint local_endpoint() const;
    /// The next bytes of the stream. Any thread.
    void push(ByteVector media, bool discontinuity);

private:
    struct Parts;
    explicit Gateway(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

} // namespace ppsp::peer
