#pragma once

#include <ppsp/peer.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace ppsp::player {

/// What the command line of ppsp-play says.
struct PlayOptions {
    ViewerOptions node;
    /// No window and no sound; pictures are decoded and timed all the same.
    bool headless = false;
    /// PNG of the newest shown picture; empty = none.
    std::string snapshot_path;
    /// Counted from the first picture; without it the snapshot is taken at the end.
    std::optional<std::chrono::milliseconds> snapshot_after;
    /// Ends the program this long after its start.
    std::optional<std::chrono::milliseconds> run_time;
    /// File for one JSON object per second, `-` = standard output; empty = none.
    std::string statistics_path;
    /// Reads the pixel clock in every shown picture; needs `headless`.
    bool measure_clock = false;
};

} // namespace ppsp::player
