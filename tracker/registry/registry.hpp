#pragma once

#include "tracker/registry/swarm.hpp"

#include <optional>
#include <unordered_map>

namespace ppsp::tracker {

enum class RegistryError : std::uint8_t {
    too_many_peers,
    too_many_from_address,
    /// The peer id belongs to a peer that spoke lately from another address.
    id_in_use,
};

struct ActionOutcome {
    ConnectVerdict verdict; ///< of the rules; `allowed` also says no where a limit does
    bool hit_limit = false; ///< nothing was wrong but the tracker is full
};

/// Who is in which swarm, and who has what (RFC 7846 §2.3). Pure: time is handed in and never goes
/// back. All calls cost the size of the request, not of the swarm.
class Registry {
public:
    explicit Registry(Limits const& limits) : limits_(limits) {}

    /// START -> PEER REGISTERED with the init timer; a peer that is tracked is returned as it is,
    /// its addresses renewed (a re-JOIN is a refresh).
    [[nodiscard]] Result<PeerIndex, RegistryError>
    register_peer(TimePoint now, std::string const& peer_id, Endpoint const& source,
                  std::vector<ppstp::PeerAddress> const& addresses);
    /// Carries out what Table 6 allows. The peer is gone afterwards when `verdict.next` is
    /// terminate.
    ActionOutcome connect(TimePoint now, PeerIndex peer,
                          std::vector<ppstp::SwarmAction> const& actions);
    /// A valid FIND or STAT_REPORT restarts the track timer (RFC 7846 §2.3.1).
    void touch(TimePoint now, PeerIndex peer);

    void report(TimePoint now, MemberIndex member, ppstp::ContentMap const& map);
    void report(MemberIndex member, ppstp::PeerStatus const& status);
    /// Ignored where nobody is known at the address, and between peers of one public address.
    void report(TimePoint now, PeerIndex receiver, ppstp::Receipt const& receipt);
    /// What the peer says its uplink is; counts until it is proven.
    void claim_uplink(MemberIndex member, std::uint64_t kbps);

    /// Forgets peers whose init or track timer ran out, hides silent ones.
    void expire(TimePoint now);

    [[nodiscard]] PeerIndex find_peer(std::string const& peer_id) const;
    [[nodiscard]] std::optional<SwarmIndex> find_swarm(std::string const& swarm_id) const;
    [[nodiscard]] std::optional<MemberIndex> find_member(PeerIndex peer,
                                                         std::string const& swarm_id) const;

    [[nodiscard]] Peer const& peer(PeerIndex index) const { return peers_[index]; }
    [[nodiscard]] Peer& peer(PeerIndex index) { return peers_[index]; }
    [[nodiscard]] Member const& member(MemberIndex index) const { return members_[index]; }
    [[nodiscard]] Swarm const& swarm(SwarmIndex index) const { return swarms_[index]; }

    /// What receivers testify to about the peer that is listed under the address (as receipts name
    /// it), if it is in the swarm; 0 = unknown.
    [[nodiscard]] std::uint32_t proven_kbps(SwarmIndex swarm, Endpoint const& listed) const;

    /// How many of the first `count_max` visible members hold the chunk by now.
    [[nodiscard]] std::size_t holder_count(SwarmIndex swarm, ChunkId chunk, TimePoint now,
                                           std::size_t count_max) const;
    [[nodiscard]] std::size_t peer_count() const { return peers_.size(); }
    [[nodiscard]] std::size_t swarm_count() const { return swarms_.size(); }
    [[nodiscard]] std::unordered_map<std::string, SwarmIndex> const& swarm_ids() const
    {
        return swarm_ids_;
    }
    [[nodiscard]] std::uint64_t expired_count() const { return expired_; }

private:
    struct Ends {
        PeerIndex first = no_peer;
        PeerIndex last = no_peer;
    };

    [[nodiscard]] Result<PeerIndex, RegistryError>
    add_peer(TimePoint now, std::string const& peer_id, Endpoint const& source);
    [[nodiscard]] bool may_renew(TimePoint now, Peer const& peer, Endpoint const& source) const;
    void set_addresses(PeerIndex index, std::vector<ppstp::PeerAddress> const& addresses);
    void change_source(PeerIndex index, Endpoint const& source);
    [[nodiscard]] bool join(PeerIndex peer, ppstp::SwarmAction const& action);
    void leave(PeerIndex peer, MemberIndex member);
    void remove_peer(PeerIndex index);
    [[nodiscard]] std::vector<Membership> memberships_of(Peer const& peer) const;

    [[nodiscard]] Tier tier_of(Member const& member, TimePoint now) const;
    void place(MemberIndex member, TimePoint now);
    void place_all(PeerIndex peer, TimePoint now);

    void enqueue(PeerIndex index, Queue queue);
    void unlink(PeerIndex index);
    [[nodiscard]] Ends& ends(Queue queue) { return queues_[static_cast<std::size_t>(queue)]; }

    Limits const& limits_;
    Slab<Peer, PeerIndex> peers_;
    Slab<Swarm, SwarmIndex> swarms_;
    Members members_;
    std::unordered_map<std::string, PeerIndex> peer_ids_;
    std::unordered_map<std::string, SwarmIndex> swarm_ids_;
    std::unordered_map<Endpoint, PeerIndex> by_address_; ///< listed addresses, for receipts
    std::unordered_map<std::uint64_t, std::uint32_t> per_address_; ///< peers of a source address
    std::array<Ends, 3> queues_;
    std::uint64_t expired_ = 0;
};

} // namespace ppsp::tracker
