#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/base/result.hpp"

#include <functional>
#include <memory>
#include <string>

namespace ppsp::peer {

/// Where `--output` sends the stream: `-` (stdout), a file, or `udp://HOST:PORT`.
class MediaOutput {
public:
    /// Looks at a blocked write this often whether to go on.
    using StopAsked = std::function<bool()>;

    virtual ~MediaOutput() = default;
    /// Writes all of it; waits for a slow reader until `is_stop_asked`. The error is a sentence.
    [[nodiscard]] virtual Result<void, std::string> write(Bytes media) = 0;
    /// After a gap in the stream.
    virtual void discontinuity() {}

    /// The error is a sentence.
    [[nodiscard]] static Result<std::unique_ptr<MediaOutput>, std::string>
    open(std::string const& target, StopAsked is_stop_asked);
};

} // namespace ppsp::peer
