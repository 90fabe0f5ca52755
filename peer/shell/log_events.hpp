#pragma once

#include "peer/engine/io.hpp"

namespace ppsp::peer {

/// Writes what the engine tells as log lines.
class LogEvents final : public EventSink {
public:
    void on_event(TimePoint now, SwarmId const& swarm, Event const& event) override;
};

/// Log lines go to stderr, one format for all programs. False for an unknown level; `levels_text`
/// has the known ones.
[[nodiscard]] bool start_logging(std::string const& level);
inline constexpr char const* log_levels_text = "trace, debug, info, warn, error, off";

} // namespace ppsp::peer
