#pragma once

#include "player/app/play_options.hpp"

#include <ostream>

namespace ppsp::player {

/// Plays until the stream, the time or the user ends it, and returns the exit code: 0 done,
/// 1 failed. Sentences for people go to `err`; `out` gets the line
/// `ppsp-play playing SWARM udp=H:P` (or `err` does, if statistics go to `out`).
///
/// Needs gst_init and `register_ppspsrc`. Uses the default GLib main context and takes over
/// SIGINT and SIGTERM while it runs, so only one call at a time.
[[nodiscard]] int play(PlayOptions const& options, std::ostream& out, std::ostream& err);

} // namespace ppsp::player
