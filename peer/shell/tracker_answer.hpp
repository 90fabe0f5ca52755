#pragma once

#include "peer/engine/io.hpp"
#include "protocol/ppstp/messages.hpp"

/// What a tracker's answer tells the engine beside addresses; pure.
namespace ppsp::peer {

/// Proven uplinks of the peers in the list and of the neighbours that were asked about; `peers` is
/// empty when the answer has none.
[[nodiscard]] UplinksProven uplinks_of(SwarmId const& swarm, ppstp::SwarmResult const& result);

[[nodiscard]] LiveEdgeFound edge_of(SwarmId const& swarm, ppstp::LiveEdge const& live);

} // namespace ppsp::peer
