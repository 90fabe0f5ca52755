#pragma once

#include "peer/engine/config.hpp"
#include "peer/engine/statistics.hpp"
#include "protocol/ppstp/messages.hpp"

#include <map>

namespace ppsp::peer {

/// What the engine knows about one swarm.
struct SwarmFigures {
    SwarmStatistics swarm;
    std::vector<NeighbourStatistics> neighbours;
};

/// Makes the STAT_REPORTs of one swarm (RFC 7846 §4.1.3 and our stat types).
class TrackerReports {
public:
    explicit TrackerReports(std::string swarm_id) : swarm_id_(std::move(swarm_id)) {}

    /// Statistics, content map, status, receipts, and of whom we would like to know the proven
    /// uplink. Receipts count bytes since the last full report, most first.
    [[nodiscard]] ppstp::StatReport full(SwarmFigures const& figures);
    /// Only where the stream is, and whose uplinks we ask for: what a source tells every second.
    [[nodiscard]] ppstp::StatReport content_only(SwarmFigures const& figures) const;

private:
    [[nodiscard]] std::vector<ppstp::Receipt>
    receipts(std::vector<NeighbourStatistics> const& neighbours);

    std::string swarm_id_;
    /// Bytes already reported per neighbour; follows the neighbours, so it is as bounded as they.
    std::map<Endpoint, std::uint64_t> reported_;
};

} // namespace ppsp::peer
