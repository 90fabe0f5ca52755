#pragma once

#include "peer/ingest/timeline.hpp"

#include <optional>
#include <string>

namespace ppsp::ingest {

/// Notices key frames that are too far apart for quick joining.
class KeyFrameWatch {
public:
    static constexpr Ticks interval_max = 2 * ticks_per_second;
    /// Without a key frame for this long the warning does not wait for the next one.
    static constexpr Ticks patience = 10 * ticks_per_second;

    /// Takes a video packet's time. Returns one warning, the first time it is due.
    [[nodiscard]] std::optional<std::string> note(Ticks dts, bool is_key);
    /// The next packet does not follow from the one before.
    void restart() { last_key_.reset(); }

private:
    std::optional<Ticks> last_key_;
    bool warned_ = false;
};

} // namespace ppsp::ingest
