#pragma once

#include "player/app/glass_to_glass.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

namespace ppsp::player {

/// What the player adds to the node's figures.
struct PlayStatistics {
    /// Join to the first decoded picture; takes the place of the node's `startup_ms`.
    std::optional<std::chrono::milliseconds> startup;
    std::uint64_t frames_shown = 0;
    std::uint64_t frames_dropped = 0;
    std::optional<GlassToGlass::Summary> glass_to_glass;
    bool is_final = false;
};

/// One line of JSON for `--stats-json`: the node's object with the player's keys on top. A node
/// that says nothing readable yet gives the player's keys alone.
[[nodiscard]] std::string statistics_line(std::string const& node_json,
                                          PlayStatistics const& statistics);

/// Where the lines go. Nothing is written if the path is empty.
class StatisticsOutput {
public:
    /// `-` means `standard_output`. Check `error` before use.
    StatisticsOutput(std::string const& path, std::ostream& standard_output);
    ~StatisticsOutput();
    StatisticsOutput(StatisticsOutput const&) = delete;
    StatisticsOutput& operator=(StatisticsOutput const&) = delete;

    /// A sentence if the file cannot be written, else empty.
    [[nodiscard]] std::string const& error() const { return error_; }
    [[nodiscard]] bool is_wanted() const { return stream_ != nullptr; }
    void write(std::string const& line);

private:
    std::unique_ptr<std::ostream> file_;
    std::ostream* stream_ = nullptr;
    std::string error_;
};

} // namespace ppsp::player
