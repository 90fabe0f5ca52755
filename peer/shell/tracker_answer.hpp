#pragma once

#include "peer/engine/io.hpp"
#include "protocol/ppstp/messages.hpp"

/// What a tracker's answer tells the engine beside addresses; pure.
namespace ppsp::peer {

/// Proven uplinks of the peers in the list and of the neighbours that were asked about; `peers` is
/// empty when the answer has none.
[[nodiscard]] UplinksProven uplinks_of(SwarmId const& swarm, ppstp::SwarmResult const& result);

/// nullopt where the answer has no certificate.
[[nodiscard]] std::optional<MembershipIssued> membership_of(SwarmId const& swarm,
                                                            ppstp::SwarmResult const& result);

/// Only a tracker that nobody can imitate on the way says whose certificates are good (RFC 7574
/// §3.10.1): over HTTPS, or on this machine.
[[nodiscard]] bool may_certify(std::string_view host, bool is_tls);

[[nodiscard]] LiveEdgeFound edge_of(SwarmId const& swarm, ppstp::LiveEdge const& live);

} // namespace ppsp::peer
