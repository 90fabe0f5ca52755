#pragma once

#include "protocol/base/result.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ppsp::ingest {

enum class InputKind : std::uint8_t {
    file,         ///< has an end; played at its own speed
    test_picture, ///< made here
    pipe,         ///< standard input; ends when it is closed
    fifo,         ///< a named pipe; writers come and go
    datagrams,    ///< udp://, senders come and go
    listener,     ///< publishers connect to us, one after the other
    remote,       ///< we connect to somebody
};

/// What `--input` said, in FFmpeg's terms.
struct InputSpec {
    InputKind kind = InputKind::file;
    std::string name; ///< as the user wrote it, for messages
    std::string url;  ///< as FFmpeg opens it; a filter graph for the test picture
    std::vector<std::pair<std::string, std::string>> options;

    /// Packets are held back to their own speed: the other side does not do it.
    [[nodiscard]] bool is_paced() const noexcept;
    /// After a loss of input the source waits for more instead of ending.
    [[nodiscard]] bool resumes() const noexcept;
    /// Nobody speaks before we do, or somebody comes to us: waiting at the start is normal.
    [[nodiscard]] bool waits_for_sender() const noexcept;
};

/// Understands `PATH`, `testsrc:[WIDTHxHEIGHT][@FPS]`, `-`, `udp://HOST:PORT`,
/// `rtmp://HOST:PORT/APP/KEY` (a listener when HOST is unspecified or loopback, or with
/// `?listen=1`), `srt://HOST:PORT?mode=listener`, and any other URL FFmpeg opens. The error is a
/// sentence for the user. Looks at the file system only to tell a named pipe from a file.
[[nodiscard]] Result<InputSpec, std::string> parse_input(std::string const& text);

struct HostPort {
    std::string host;
    std::uint16_t port = 0;
};

/// Host (without brackets) and port of `scheme://[user@]host:port/...`; port 0 if there is none.
[[nodiscard]] Result<HostPort, std::string> host_and_port(std::string const& url);

} // namespace ppsp::ingest
