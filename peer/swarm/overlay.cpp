#include "peer/swarm/swarm.hpp"

#include <algorithm>

/// Whom we talk to: candidates, dialling, peer exchange, and who gives way to whom (design §5.2).
namespace ppsp::peer {
namespace {

constexpr Duration pex_gap = 10s;
constexpr Duration pex_recent = 60s;
constexpr std::size_t pex_peers_max = 10;
/// Candidates are looked through again that long after there was none to dial.
constexpr Duration dial_retry = 500ms;

} // namespace

void Swarm::on_candidates(TimePoint now, std::span<Endpoint const> endpoints)
{
    for (Endpoint const& endpoint : endpoints) {
        choice_.add(now, endpoint);
    }
    next_dial_ = now;
}

void Swarm::on_uplinks_proven(std::span<ProvenUplink const> peers)
{
    for (ProvenUplink const& proven : peers) {
        choice_.note_proven(proven.endpoint, proven.kbps);
        auto const [first, last] = census_.of(proven.endpoint);
        for (auto at = first; at != last; ++at) {
            at->second->proven_kbps = proven.kbps;
        }
    }
}

void Swarm::dial(TimePoint now)
{
    if (!seeks()) {
        return; // the injector is found, it does not look for anybody
    }
    // Only conversations that we began count: those that strangers began must not keep us from
    // choosing neighbours ourselves (PP-12.6.1-a).
    std::vector<Endpoint> connected = connected_endpoints();
    std::size_t own = 0;
    for (auto const& channel : channels_) {
        own += channel->initiator && channel->state != ChannelState::closed ? 1 : 0;
    }
    while (own < services_.config.neighbours_target) {
        auto const endpoint = choice_.next(now, connected);
        if (!endpoint) {
            break;
        }
        Channel& channel = add_channel(now, *endpoint);
        channel.initiator = true;
        send_handshake(now, channel, true, handshake_size_max);
        connected.push_back(*endpoint);
        ++own;
    }
    bool const lonely = open_count() < services_.config.neighbours_target / 2U;
    if (lonely && now >= next_candidates_wanted_) {
        services_.outbox.push(CandidatesWanted{id()});
        next_candidates_wanted_ = now + 2s;
    }
    next_dial_ = now + dial_retry;
}

/// Peers that exchanged messages lately (PP-3.10.1-a), and to a public asker only public ones
/// (PP-8.13-a).
void Swarm::answer_pex(TimePoint now, Channel& channel)
{
    if (!services_.config.pex || now < channel.pex_answer_at) {
        return;
    }
    channel.pex_answer_at = now + pex_gap;
    bool const asker_is_public = channel.endpoint.scope() == AddressScope::global;
    std::vector<Endpoint> peers;
    for (auto const& other : channels_) {
        bool const recent = other->is_open() && now - other->liveness.received <= pex_recent;
        AddressScope const scope = other->endpoint.scope();
        bool const private_scope = scope != AddressScope::global;
        bool const local_only =
            scope == AddressScope::link_local ||
            (scope == AddressScope::loopback && channel.endpoint.scope() != AddressScope::loopback);
        if (other.get() != &channel && recent && !local_only &&
            !(asker_is_public && private_scope)) {
            peers.push_back(other->endpoint);
        }
    }
    rng_.shuffle(std::span{peers});
    peers.resize(std::min(peers.size(), pex_peers_max));
    channel.control.pex_peers = std::move(peers);
}

void Swarm::on_peer_named(TimePoint now, Channel& channel, Endpoint const& peer)
{
    // A private address from the public Internet leads nowhere, or to a victim.
    bool const foreign =
        channel.endpoint.scope() == AddressScope::global && peer.scope() != AddressScope::global;
    if (services_.config.pex && !foreign) {
        choice_.add(now, peer);
        next_dial_ = std::min(next_dial_, now + dial_gap);
    }
}

void Swarm::ask_pex(TimePoint now, Channel& channel)
{
    bool const enough = open_count() >= services_.config.neighbours_target;
    if (!services_.config.pex || !seeks() || enough || now < channel.pex_ask_at ||
        !channel.profile.supports(wire::MessageType::pex_req)) {
        return;
    }
    channel.control.pex_request = true;
    channel.pex_ask_at = now + pex_gap + Duration{rng_.between(0, pex_gap.count())};
}

std::vector<Endpoint> Swarm::connected_endpoints() const
{
    std::vector<Endpoint> endpoints;
    for (auto const& channel : channels_) {
        endpoints.push_back(channel->endpoint);
    }
    return endpoints;
}

/// Who is full lets somebody in for one who holds no place at it.
bool Swarm::make_room(TimePoint now)
{
    Channel* least = nullptr;
    for (auto const& channel : channels_) {
        bool const idle = channel->is_open() && !channel->initiator && is_idle(now, *channel);
        if (idle && (least == nullptr || channel->rank() < least->rank())) {
            least = channel.get();
        }
    }
    if (least == nullptr) {
        return false;
    }
    close(now, *least, "gives way to another", true);
    return true;
}

} // namespace ppsp::peer
