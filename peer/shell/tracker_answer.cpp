#include "peer/shell/tracker_answer.hpp"

namespace ppsp::peer {

UplinksProven uplinks_of(SwarmId const& swarm, ppstp::SwarmResult const& result)
{
    UplinksProven proven{swarm, {}};
    for (ppstp::PeerInfo const& info : result.peers) {
        if (info.proven_kbps > 0) {
            proven.peers.push_back({info.address.endpoint, info.proven_kbps});
        }
    }
    for (ppstp::ProvenUplink const& uplink : result.proven) {
        proven.peers.push_back({uplink.endpoint, uplink.kbps});
    }
    return proven;
}

std::optional<MembershipIssued> membership_of(SwarmId const& swarm,
                                              ppstp::SwarmResult const& result)
{
    if (!result.membership) {
        return std::nullopt;
    }
    return MembershipIssued{swarm, result.membership->issuer, result.membership->certificate};
}

bool may_certify(std::string_view host, bool is_tls)
{
    auto const address = Endpoint::parse_address(host, 1);
    return is_tls || host == "localhost" || (address && address->scope() == AddressScope::loopback);
}

LiveEdgeFound edge_of(SwarmId const& swarm, ppstp::LiveEdge const& live)
{
    return {swarm, live.newest, live.chunks_per_unit, live.random_access,
            std::chrono::milliseconds{live.age_ms}};
}

} // namespace ppsp::peer
