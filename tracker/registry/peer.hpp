#pragma once

#include "tracker/registry/address_policy.hpp"
#include "tracker/registry/connect_rules.hpp"
#include "tracker/registry/holding.hpp"
#include "tracker/registry/rate_limit.hpp"
#include "tracker/registry/uplink.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ppsp::tracker {

enum class PeerIndex : std::uint32_t {};
enum class SwarmIndex : std::uint32_t {};
enum class MemberIndex : std::uint32_t {};

inline constexpr PeerIndex no_peer{~std::uint32_t{0}};

/// Peers wait in one of these, each in the order in which they were heard, so that the next to
/// expire is always the first.
enum class Queue : std::uint8_t { registering, active, silent };

struct Peer {
    std::string const* id = nullptr; ///< lives in the registry's map
    Endpoint source;                 ///< of the connection that registered
    std::vector<ListedAddress> addresses;
    std::vector<MemberIndex> memberships;
    TimePoint heard;
    PeerState state = PeerState::start;
    Queue queue = Queue::registering;
    PeerIndex before = no_peer;
    PeerIndex after = no_peer;
    TokenBucket requests;
    UplinkMeter uplink;
    ReceiptBudget vouches; ///< for others
};

/// Which peers are worth asking first, told by mode and by distance behind the live edge.
enum class Tier : std::uint8_t { near, mid, unknown, far, seeder, hidden };
inline constexpr std::size_t tier_count = 6;

/// A peer in a swarm.
struct Member {
    PeerIndex peer = no_peer;
    SwarmIndex swarm{};
    ppstp::PeerMode mode = ppstp::PeerMode::leech;
    Tier tier = Tier::hidden;
    std::uint32_t position = 0; ///< in its tier
    std::uint32_t claimed_kbps = 0;
    std::uint16_t free_slots = 0;
    bool has_status = false; ///< claimed_kbps and free_slots were reported
    std::unique_ptr<Holding> holding;
};

} // namespace ppsp::tracker
