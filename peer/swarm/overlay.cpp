#include "peer/swarm/swarm.hpp"

#include <algorithm>

/// Whom we talk to: candidates, dialling, peer exchange, and who gives way to whom (design §5.2).
namespace ppsp::peer {
namespace {

/// A neighbour of our choice gives way to a candidate that often: design §5.2, and sooner while
/// there are substreams without a parent.
constexpr Duration rewire_gap = 8s;
constexpr Duration rewire_gap_orphan = 1s;
/// Nobody is dropped before it could show what it is good for.
constexpr Duration rewire_age_min = 3s;
/// Candidates are asked for that often although there are enough.
constexpr Duration candidates_gap = 20s;
constexpr Duration candidates_gap_orphan = 3s;
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
        for (auto const& channel : channels_) {
            if (channel->endpoint == proven.endpoint) {
                channel->proven_kbps = proven.kbps;
            }
        }
    }
}

void Swarm::dial(TimePoint now)
{
    if (is_source()) {
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
        channel.state = ChannelState::wait_reply;
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

void Swarm::ask_pex(TimePoint now, Channel& channel)
{
    bool const enough = open_count() >= services_.config.neighbours_target;
    if (!services_.config.pex || is_source() || enough || now < channel.pex_ask_at ||
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

/// The overlay is never finished: the neighbour of our own choice that is of least use gives way to
/// a candidate, at leisure while all is well and soon while substreams lack a parent (design §5.2).
void Swarm::rewire(TimePoint now)
{
    if (is_source() || !playout_.begun() || now < next_rewiring_) {
        return;
    }
    std::uint32_t const orphans = picker_->orphans();
    Duration const gap = orphans > 0 ? rewire_gap_orphan : rewire_gap;
    next_rewiring_ = now + gap + Duration{rng_.between(0, gap.count())};
    if (now >= next_candidates_wanted_) {
        services_.outbox.push(CandidatesWanted{id()});
        Duration const wait = orphans > 0 ? candidates_gap_orphan : candidates_gap;
        next_candidates_wanted_ = now + wait + Duration{rng_.between(0, wait.count())};
    }
    Channel* least = nullptr;
    std::size_t own = 0;
    for (auto const& channel : channels_) {
        if (!channel->initiator || !channel->is_open()) {
            continue;
        }
        ++own;
        if (channel->profile.is_source()) {
            continue;
        }
        PeerKey const key = key_of(*channel);
        bool const gives =
            !channel->chokes_us && (picker_->fed_by(key) > 0 || picker_->offers(now, key));
        bool const useful =
            !channel->trust.is_doubtful(now) &&
            (gives || slots_.places_of(key) > 0 || now - channel->opened_at < rewire_age_min);
        if (!useful && (least == nullptr || channel->rank() < least->rank())) {
            least = channel.get();
        }
    }
    if (least != nullptr && own >= services_.config.neighbours_target &&
        choice_.next(now, connected_endpoints())) {
        choice_.on_left(now, least->endpoint);
        close(now, *least, "others are of more use", true);
    }
}

/// Who is full lets somebody in for one who holds no place at it.
bool Swarm::make_room(TimePoint now)
{
    Channel* least = nullptr;
    for (auto const& channel : channels_) {
        bool const idle = channel->is_open() && !channel->initiator &&
                          slots_.places_of(key_of(*channel)) == 0 &&
                          now - channel->opened_at >= rewire_age_min;
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
