#include "peer/shell/candidates.hpp"

#include <algorithm>
#include <map>

namespace ppsp::peer {
namespace {

struct Peer {
    std::vector<ppstp::PeerAddress> addresses; ///< best first
};

/// Behind those of the same priority, so that the tracker's order decides among equals.
void insert_by_priority(std::vector<ppstp::PeerAddress>& list, ppstp::PeerAddress const& address)
{
    auto const place =
        std::find_if(list.begin(), list.end(), [&address](ppstp::PeerAddress const& other) {
            return other.priority < address.priority;
        });
    list.insert(place, address);
}

bool contains(std::vector<Endpoint> const& list, Endpoint const& endpoint)
{
    return std::find(list.begin(), list.end(), endpoint) != list.end();
}

} // namespace

std::vector<Endpoint> Candidates::choose(std::vector<ppstp::PeerInfo> const& infos,
                                         std::vector<Endpoint> const& own)
{
    std::vector<Peer> peers;
    std::map<std::string, std::size_t> by_id;
    for (ppstp::PeerInfo const& info : infos) {
        Endpoint const& endpoint = info.address.endpoint;
        if (info.peer_id == own_peer_id_ || contains(own, endpoint) || !reachable_(endpoint)) {
            continue;
        }
        auto const [place, is_new] = by_id.try_emplace(info.peer_id, peers.size());
        if (is_new) {
            peers.emplace_back();
        }
        insert_by_priority(peers[place->second].addresses, info.address);
    }
    std::vector<Endpoint> chosen;
    for (Peer const& peer : peers) {
        Endpoint const& endpoint = peer.addresses[round_ % peer.addresses.size()].endpoint;
        if (!contains(chosen, endpoint)) {
            chosen.push_back(endpoint);
        }
    }
    ++round_;
    return chosen;
}

} // namespace ppsp::peer
