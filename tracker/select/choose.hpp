#pragma once

#include "protocol/base/rng.hpp"
#include "tracker/registry/registry.hpp"

#include <vector>

namespace ppsp::tracker {

/// RFC 7846 §3.2.2 wants fewer than 30.
inline constexpr std::size_t peer_count_max = 29;
/// Without a wish: a reply stays below 2 kB, and it is what an overlay of 14 in-edges needs.
inline constexpr std::size_t peer_count_default = 12;

struct Asker {
    PeerIndex peer = no_peer;
    SwarmIndex swarm{};
    std::size_t count = peer_count_default;
};

/// Chooses peers for one asker (protocols.md §4.3): a SEEDER first, at least a fifth by chance, the
/// others by what they hold of what the asker needs next, proven uplink, free slots, and chance.
/// In a swarm with few SEEDERs for its size they are told only to those with the most proven
/// uplink, and to whom nobody else can be told.
/// Never the asker, nobody who went silent, only addresses that it can reach. Costs O(count): it
/// looks at a sample, taken from those that hold the newest units first. A peer with several
/// addresses comes once per address family (multi-homed, protocols.md §4.3).
[[nodiscard]] std::vector<ppstp::PeerInfo>
choose_peers(Registry const& registry, Asker const& asker, TimePoint now, Rng& rng);

} // namespace ppsp::tracker
