#pragma once

#include "tests/sim/scenario.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ppsp::sim {

/// Counts of values in steps of a fixed size; what never came counts as larger than everything.
class Distribution {
public:
    /// `step` is the width of a bin, `bins` how many there are.
    explicit Distribution(double step = 0.05, std::size_t bins = 8000) : step_(step), bins_(bins) {}

    void add(double value)
    {
        auto const bin = static_cast<std::size_t>(value < 0 ? 0 : value / step_);
        counts_.resize(counts_.empty() ? bins_ + 1 : counts_.size());
        counts_[bin < bins_ ? bin : bins_] += 1;
        count_ += 1;
        sum_ += value;
    }
    void add_missing(std::uint64_t how_many) { missing_ += how_many; }
    void add(Distribution const& other);
    [[nodiscard]] std::uint64_t count() const { return count_ + missing_; }
    [[nodiscard]] std::uint64_t missing() const { return missing_; }
    [[nodiscard]] double mean() const
    {
        return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
    }
    /// Upper edge of the bin in which the share lies; nullopt when it lies among the missing.
    [[nodiscard]] std::optional<double> percentile(double share) const;
    /// (value, share not above it) for plotting; at most `points`.
    [[nodiscard]] std::vector<std::pair<double, double>> curve(std::size_t points) const;

private:
    double step_;
    std::size_t bins_;
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    std::uint64_t missing_ = 0;
    double sum_ = 0;
};

/// p50, p95 and p99 of one figure over the peers of a class.
struct Percentiles {
    double p50 = 0;
    double p95 = 0;
    double p99 = 0;
};

/// The figures of the peers of one class; names as in `--stats-json`.
struct ClassResult {
    std::uint32_t peers = 0;
    double uplink_streams = 0; ///< after scaling, media
    double uplink_used = 0;    ///< share of the link's rate, mean
    double continuity = 0;     ///< mean
    double orphans = 0;        ///< substreams without a parent at the end, mean
    double slots = 0;          ///< places for children at the end, mean
    double free_slots = 0;
    std::map<std::string, Percentiles> figures;
    Distribution delay_units;
};

/// One second of one group of peers.
struct Second {
    std::uint32_t at = 0; ///< s
    std::uint32_t peers = 0;
    std::uint64_t chunks_due = 0;
    std::uint64_t chunks_in_time = 0;
    std::uint64_t from_peers_bytes = 0;
    std::uint64_t from_source_bytes = 0;
};

struct OverlayEdge {
    std::uint32_t from = 0; ///< numbers of nodes, 0 = source
    std::uint32_t to = 0;
    std::uint32_t kbps = 0;
};
struct OverlayNode {
    std::uint32_t number = 0;
    std::string peer_class;
    double depth_ms = 0; ///< mean delay of its units
};

struct RunResult {
    Scenario scenario;
    std::uint64_t seed = 0;

    // bounds
    double bound_rate_bps = 0;    ///< fluid bound r*
    double bound_rate_ratio = 0;  ///< media delivered in time per peer and second / r*
    double bound_delay_units = 0; ///< ceil(log2 N) + 1
    double offload_bound = 0;
    double snowball_delay_units_p99 = 0; ///< what a central planner reaches

    // what came out
    double continuity = 0;
    double continuity_worst_class = 0;
    double delay_units_p50 = 0;
    double delay_units_p95 = 0;
    std::optional<double> delay_units_p99; ///< nullopt: more than 1 % never came
    std::optional<double> delay_over_log2n;
    double units_missing_ratio = 0;
    double offload = 0;
    double storage_ratio = 0; ///< bodies that caches and CDN sent / media
    double duplicate_ratio = 0;
    double wasted_ratio = 0; ///< bytes of wrong or never proven chunks / media, honest viewers
    double overhead_ratio = 0;
    double cross_pid_ratio = 0;
    Percentiles startup_ms;
    std::uint32_t never_started = 0;
    double startup_max_ms = 0;
    double live_latency_ms_p50 = 0;
    double live_latency_ms_p95 = 0;
    double stalls_per_viewer_minute = 0;
    std::uint64_t polluted_bytes_out = 0;
    std::uint64_t bad_chunks = 0;
    std::uint64_t banned_peers = 0;
    std::map<std::string, double> group_continuity; ///< "first", "crowd", "survivors", "joined"

    std::map<std::string, ClassResult> classes;
    std::map<std::string, std::vector<Second>> timeline; ///< by group
    Distribution delay_units;
    std::vector<OverlayNode> overlay_nodes;
    std::vector<OverlayEdge> overlay_edges;

    // the run
    std::string digest;
    std::uint64_t events = 0;
    std::uint64_t datagrams = 0;
    std::uint64_t dropped_in_queues = 0;
    std::uint64_t lost = 0;
    std::uint64_t hashes = 0;
    std::uint64_t signature_checks = 0;
    double wall_s = 0;
    std::uint64_t rss_bytes = 0;
    std::vector<std::string> violations; ///< of what must never happen, and of liveness
};

/// One JSON object, scalars at the top level (design.md §7).
[[nodiscard]] std::string to_json(RunResult const& result);
/// A page with everything inside it: figures, plots, overlay.
[[nodiscard]] std::string to_html(RunResult const& result);

} // namespace ppsp::sim
