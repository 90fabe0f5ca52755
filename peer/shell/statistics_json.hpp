#pragma once

#include "peer/engine/statistics.hpp"
#include "protocol/base/result.hpp"

#include <cstdio>
#include <memory>
#include <string>

namespace ppsp::peer {

/// What the program itself used so far.
struct ProcessUsage {
    double cpu_seconds = 0.0;
    std::uint64_t rss_bytes = 0;
};

[[nodiscard]] ProcessUsage process_usage();

struct StatisticsRecord {
    Duration uptime{};
    SwarmStatistics swarm;
    ProcessUsage usage;
    std::string living_from; ///< who carries the picture: peers, cache, CDN
    bool is_final = false;
};

/// One line of `--stats-json`, without a line break. Keys are a contract: extend, never rename.
[[nodiscard]] std::string to_json(StatisticsRecord const& record);

/// The numbers of such a line in the text format of Prometheus, named `PREFIX_KEY`.
[[nodiscard]] std::string to_prometheus(std::string const& statistics_json,
                                        std::string const& prefix);

/// Where `--stats-json` writes.
class StatisticsFile {
public:
    /// `-` is stdout. The error is a sentence.
    [[nodiscard]] static Result<StatisticsFile, std::string> open(std::string const& path);
    /// Appends a line and hands it to the system. False if it could not be written.
    [[nodiscard]] bool write_line(std::string const& line);

private:
    struct Close {
        void operator()(std::FILE* file) const;
    };
    explicit StatisticsFile(std::FILE* file) : file_(file) {}
    std::unique_ptr<std::FILE, Close> file_;
};

} // namespace ppsp::peer
