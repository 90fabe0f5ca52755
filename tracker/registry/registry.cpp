#include "tracker/registry/registry.hpp"

#include <algorithm>
#include <limits>

namespace ppsp::tracker {
namespace {

/// Two seconds at 50 ms per unit: where viewers of a live stream are.
constexpr std::uint64_t near_units_max = 40;
/// Within some seconds: still of use to most, and the measured speed is off by less.
constexpr std::uint64_t mid_units_max = 256;

/// Who cannot easily be two: on public networks an address, on private ones only a peer.
std::uint64_t claimant_of(Peer const& peer)
{
    return is_private(peer.source) ? std::hash<std::string>{}(*peer.id) : address_key(peer.source);
}

} // namespace

Result<PeerIndex, RegistryError>
Registry::register_peer(TimePoint now, std::string const& peer_id, Endpoint const& source,
                        std::vector<ppstp::PeerAddress> const& addresses)
{
    auto index = find_peer(peer_id);
    if (index == no_peer) {
        auto const added = add_peer(now, peer_id, source);
        if (!added) {
            return added;
        }
        index = *added;
    } else if (!may_renew(now, peers_[index], source)) {
        return failure(RegistryError::id_in_use);
    } else {
        change_source(index, source);
    }
    set_addresses(index, addresses);
    return index;
}

Result<PeerIndex, RegistryError> Registry::add_peer(TimePoint now, std::string const& peer_id,
                                                    Endpoint const& source)
{
    if (peers_.size() >= limits_.peers_max) {
        return failure(RegistryError::too_many_peers);
    }
    bool const is_limited = source.scope() != AddressScope::loopback || limits_.limits_loopback;
    auto const found = per_address_.find(address_key(source));
    if (is_limited && found != per_address_.end() &&
        found->second >= limits_.peers_per_address_max) {
        return failure(RegistryError::too_many_from_address);
    }
    auto const index = peers_.add({});
    auto& peer = peers_[index];
    peer.id = &peer_ids_.emplace(peer_id, index).first->first;
    peer.source = source;
    peer.heard = now;
    peer.uplink = UplinkMeter(now);
    peer.state = PeerState::peer_registered;
    ++per_address_[address_key(source)];
    enqueue(index, Queue::registering);
    return index;
}

bool Registry::may_renew(TimePoint now, Peer const& peer, Endpoint const& source) const
{
    return peer.source.same_address(source) || now - peer.heard >= limits_.takeover_after;
}

void Registry::change_source(PeerIndex index, Endpoint const& source)
{
    auto& peer = peers_[index];
    auto const old = per_address_.find(address_key(peer.source));
    if (--old->second == 0) {
        per_address_.erase(old);
    }
    ++per_address_[address_key(source)];
    peer.source = source;
}

void Registry::set_addresses(PeerIndex index, std::vector<ppstp::PeerAddress> const& addresses)
{
    auto& peer = peers_[index];
    if (addresses.empty()) {
        return; // a CONNECT that only leaves or refreshes names none
    }
    auto const forget = [&](ListedAddress const& address) {
        auto const found = by_address_.find(address.endpoint);
        if (found != by_address_.end() && found->second == index) {
            by_address_.erase(found);
        }
    };
    std::for_each(peer.addresses.begin(), peer.addresses.end(), forget);
    peer.addresses = listed_addresses(peer.source, addresses, limits_.addresses_per_peer_max);
    for (auto const& address : peer.addresses) {
        if (!address.is_local) {
            by_address_[address.endpoint] = index;
        }
    }
}

std::vector<Membership> Registry::memberships_of(Peer const& peer) const
{
    std::vector<Membership> memberships;
    for (auto const index : peer.memberships) {
        memberships.push_back({*swarms_[members_[index].swarm].id, members_[index].mode});
    }
    return memberships;
}

ActionOutcome Registry::connect(TimePoint now, PeerIndex index,
                                std::vector<ppstp::SwarmAction> const& actions)
{
    auto& peer = peers_[index];
    auto const state = peer.state == PeerState::tracking ? PeerState::tracking : PeerState::start;
    ActionOutcome outcome{judge_connect(state, memberships_of(peer), actions, limits_), false};
    auto& verdict = outcome.verdict;
    bool did_any = false;
    for (auto const kind : {ppstp::Action::leave, ppstp::Action::join}) {
        for (std::size_t i = 0; i < actions.size(); ++i) {
            if (!verdict.allowed[i] || actions[i].action != kind) {
                continue;
            }
            if (kind == ppstp::Action::leave) {
                leave(index, *find_member(index, actions[i].swarm_id));
            } else if (!join(index, actions[i])) {
                outcome.hit_limit = true;
                verdict.allowed[i] = false;
                continue;
            }
            did_any = true;
        }
    }
    bool const stays = verdict.next == PeerState::tracking && !peer.memberships.empty();
    verdict.is_valid = did_any;
    verdict.next = stays ? PeerState::tracking : PeerState::terminate;
    if (!stays) {
        remove_peer(index);
        return outcome;
    }
    peer.state = PeerState::tracking;
    if (did_any) {
        touch(now, index);
        place_all(index, now);
    }
    return outcome;
}

bool Registry::join(PeerIndex index, ppstp::SwarmAction const& action)
{
    if (auto const known = find_member(index, action.swarm_id)) {
        auto& member = members_[*known];
        auto& swarm = swarms_[member.swarm];
        swarm.seeder_count -= member.mode == ppstp::PeerMode::seeder;
        swarm.seeder_count += action.peer_mode == ppstp::PeerMode::seeder;
        member.mode = action.peer_mode;
        return true;
    }
    auto found = swarm_ids_.find(action.swarm_id);
    if (found == swarm_ids_.end()) {
        if (swarms_.size() >= limits_.swarms_max) {
            return false;
        }
        found = swarm_ids_.emplace(action.swarm_id, swarms_.add({})).first;
        swarms_[found->second].id = &found->first;
    }
    Member member;
    member.peer = index;
    member.swarm = found->second;
    member.mode = action.peer_mode;
    auto const added = members_.add(std::move(member));
    auto& swarm = swarms_[found->second];
    swarm.seeder_count += action.peer_mode == ppstp::PeerMode::seeder;
    swarm.add(members_, added, Tier::hidden);
    peers_[index].memberships.push_back(added);
    return true;
}

void Registry::leave(PeerIndex index, MemberIndex left)
{
    auto const swarm_index = members_[left].swarm;
    auto& swarm = swarms_[swarm_index];
    swarm.seeder_count -= members_[left].mode == ppstp::PeerMode::seeder;
    swarm.remove(members_, left);
    members_.remove(left);
    std::erase(peers_[index].memberships, left);
    if (swarm.size() == 0) {
        std::string const id = *swarm.id;
        swarms_.remove(swarm_index);
        swarm_ids_.erase(id);
    }
}

void Registry::remove_peer(PeerIndex index)
{
    auto& peer = peers_[index];
    while (!peer.memberships.empty()) {
        leave(index, peer.memberships.back());
    }
    for (auto const& address : peer.addresses) {
        auto const found = by_address_.find(address.endpoint);
        if (found != by_address_.end() && found->second == index) {
            by_address_.erase(found);
        }
    }
    auto const count = per_address_.find(address_key(peer.source));
    if (--count->second == 0) {
        per_address_.erase(count);
    }
    unlink(index);
    std::string const id = *peer.id;
    peers_.remove(index);
    peer_ids_.erase(id);
}

void Registry::touch(TimePoint now, PeerIndex index)
{
    auto& peer = peers_[index];
    bool const was_silent = peer.queue == Queue::silent;
    peer.heard = now;
    unlink(index);
    enqueue(index, Queue::active);
    if (was_silent) {
        place_all(index, now);
    }
}

void Registry::report(TimePoint now, MemberIndex index, ppstp::ContentMap const& map)
{
    auto holding = Holding::from(map, now);
    if (!holding) {
        return;
    }
    auto& member = members_[index];
    auto& swarm = swarms_[member.swarm];
    swarm.edge.expire(now, limits_.silent_after);
    swarm.edge.claim(claimant_of(peers_[member.peer]), member.mode == ppstp::PeerMode::seeder,
                     *holding);
    member.holding = std::make_unique<Holding>(std::move(*holding));
    place(index, now);
}

void Registry::report(MemberIndex index, ppstp::PeerStatus const& status)
{
    auto& member = members_[index];
    claim_uplink(index, status.uplink_bps / 1000);
    member.free_slots = static_cast<std::uint16_t>(
        std::min<std::uint32_t>(status.free_slots, std::numeric_limits<std::uint16_t>::max()));
    member.has_status = true;
}

void Registry::claim_uplink(MemberIndex index, std::uint64_t kbps)
{
    members_[index].claimed_kbps = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(kbps, std::numeric_limits<std::uint32_t>::max()));
}

void Registry::report(TimePoint now, PeerIndex receiver, ppstp::Receipt const& receipt)
{
    auto const found = by_address_.find(receipt.sender);
    if (found == by_address_.end() || found->second == receiver) {
        return;
    }
    auto& sender = peers_[found->second];
    bool const is_one_host = sender.source.same_address(peers_[receiver].source);
    if (is_one_host && !is_private(sender.source)) {
        return; // one host could vouch for itself without end
    }
    sender.uplink.add_receipt(now, peers_[receiver].vouches, receipt.bytes);
}

void Registry::expire(TimePoint now)
{
    auto const& registering = ends(Queue::registering);
    while (registering.first != no_peer &&
           now - peers_[registering.first].heard >= limits_.init_timer) {
        remove_peer(registering.first);
        ++expired_;
    }
    auto const& active = ends(Queue::active);
    while (active.first != no_peer && now - peers_[active.first].heard >= limits_.silent_after) {
        auto const index = active.first;
        unlink(index);
        enqueue(index, Queue::silent);
        place_all(index, now);
        for (auto const member : peers_[index].memberships) {
            swarms_[members_[member].swarm].edge.expire(now, limits_.silent_after);
        }
    }
    auto const& silent = ends(Queue::silent);
    while (silent.first != no_peer && now - peers_[silent.first].heard >= limits_.track_timer) {
        remove_peer(silent.first);
        ++expired_;
    }
}

Tier Registry::tier_of(Member const& member, TimePoint now) const
{
    auto const& peer = peers_[member.peer];
    if (peer.queue != Queue::active || peer.addresses.empty()) {
        return Tier::hidden;
    }
    if (member.mode == ppstp::PeerMode::seeder) {
        return Tier::seeder;
    }
    auto const& edge = swarms_[member.swarm].edge;
    auto const newest = edge.newest_at(now);
    if (!member.holding || !newest) {
        return Tier::unknown;
    }
    auto const held = member.holding->newest_at(now, edge.chunks_per_second());
    auto const lag_chunks = *newest > held ? to_number(*newest) - to_number(held) : 0;
    auto const lag_units = lag_chunks / member.holding->chunks_per_unit();
    return lag_units <= near_units_max  ? Tier::near
           : lag_units <= mid_units_max ? Tier::mid
                                        : Tier::far;
}

void Registry::place(MemberIndex index, TimePoint now)
{
    auto const tier = tier_of(members_[index], now);
    swarms_[members_[index].swarm].move(members_, index, tier);
}

void Registry::place_all(PeerIndex index, TimePoint now)
{
    for (auto const member : peers_[index].memberships) {
        place(member, now);
    }
}

void Registry::enqueue(PeerIndex index, Queue queue)
{
    auto& peer = peers_[index];
    auto& list = ends(queue);
    peer.queue = queue;
    peer.before = list.last;
    peer.after = no_peer;
    (list.last == no_peer ? list.first : peers_[list.last].after) = index;
    list.last = index;
}

void Registry::unlink(PeerIndex index)
{
    auto const& peer = peers_[index];
    auto& list = ends(peer.queue);
    (peer.before == no_peer ? list.first : peers_[peer.before].after) = peer.after;
    (peer.after == no_peer ? list.last : peers_[peer.after].before) = peer.before;
}

PeerIndex Registry::find_peer(std::string const& peer_id) const
{
    auto const found = peer_ids_.find(peer_id);
    return found == peer_ids_.end() ? no_peer : found->second;
}

std::optional<SwarmIndex> Registry::find_swarm(std::string const& swarm_id) const
{
    auto const found = swarm_ids_.find(swarm_id);
    return found == swarm_ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<MemberIndex> Registry::find_member(PeerIndex index, std::string const& swarm_id) const
{
    auto const swarm = find_swarm(swarm_id);
    for (auto const member : peers_[index].memberships) {
        if (swarm && members_[member].swarm == *swarm) {
            return member;
        }
    }
    return std::nullopt;
}

std::uint32_t Registry::proven_kbps(SwarmIndex swarm, Endpoint const& listed) const
{
    auto const found = by_address_.find(listed);
    if (found == by_address_.end()) {
        return 0;
    }
    auto const& peer = peers_[found->second];
    auto const membership =
        std::find_if(peer.memberships.begin(), peer.memberships.end(),
                     [&](MemberIndex member) { return members_[member].swarm == swarm; });
    return membership == peer.memberships.end()
               ? 0
               : peer.uplink.believable_kbps(members_[*membership].claimed_kbps);
}

std::size_t Registry::holder_count(SwarmIndex index, ChunkId chunk, TimePoint now,
                                   std::size_t count_max) const
{
    auto const& swarm = swarms_[index];
    std::size_t holders = 0;
    for (std::size_t i = 0; i < std::min(count_max, swarm.visible_count()); ++i) {
        auto const& holding = members_[swarm.visible(i)].holding;
        holders += holding && holding->holds(chunk, now, swarm.edge.chunks_per_second());
    }
    return holders;
}

} // namespace ppsp::tracker
