#include "peer/swarm/swarm.hpp"

#include <algorithm>
#include <iterator>

/// Whom we talk to: candidates, dialling, peer exchange, and who gives way to whom (design §5.2).
namespace ppsp::peer {
namespace {

constexpr Duration pex_recent = 60s;
/// Of the conversations that we begin so many are kept for addresses of a tracker or a link: who
/// names peers to us cannot surround us with its own (RFC 7574 §3.10.1, §12.2.3).
constexpr std::size_t trusted_percent_min = 30;
/// A tracker is asked for more candidates that often; while it answers, nobody else names any on
/// the Internet.
constexpr Duration lonely_gap = 2s;
constexpr Duration candidates_gap = 10s;
/// Candidates are looked through again that long after there was none to dial.
constexpr Duration dial_retry = 500ms;
/// Who got no answer for that long is left alone by trackers: they are asked six seconds later at
/// most, and have five to answer.
constexpr Duration unanswered_max = 15s;
/// Who never got one asked at once and wants a picture now. It hears of nobody by this, unless its
/// neighbours are left alone, too.
constexpr Duration unanswered_max_first = 300ms;

} // namespace

void Swarm::on_candidates(TimePoint now, std::span<Endpoint const> endpoints, bool is_answer)
{
    if (is_answer) {
        note_answer();
    }
    for (Endpoint const& endpoint : endpoints) {
        choice_.add(now, endpoint);
    }
    next_dial_ = now;
}

void Swarm::note_answer()
{
    unanswered_since_.reset();
    was_answered_ = true;
}

/// The first question since the last answer is the one that counts.
void Swarm::want_candidates(TimePoint now)
{
    services_.outbox.push(CandidatesWanted{id()});
    unanswered_since_ = unanswered_since_.value_or(now);
}

bool Swarm::is_left_alone(TimePoint now) const
{
    Duration const most = was_answered_ ? unanswered_max : unanswered_max_first;
    return unanswered_since_ && now - *unanswered_since_ >= most;
}

void Swarm::on_uplinks_proven(std::span<ProvenUplink const> peers)
{
    note_answer();
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
        return; // the injector is found; whom it looks for itself: LiveSwarm::seek_able
    }
    // Only conversations that we began count: those that strangers began must not keep us from
    // choosing neighbours ourselves (PP-12.6.1-a).
    std::vector<Endpoint> connected = connected_endpoints();
    std::size_t own = 0;
    std::size_t introduced = 0;
    for (auto const& channel : channels_) {
        bool const ours = channel->initiator && channel->state != ChannelState::closed;
        own += ours ? 1 : 0;
        introduced += ours && channel->is_introduced ? 1 : 0;
    }
    std::size_t const target = services_.config.neighbours_target;
    std::size_t const introduced_max = target - (target * trusted_percent_min + 99) / 100;
    while (own < target) {
        auto const endpoint = choice_.next(now, connected, introduced < introduced_max);
        if (!endpoint) {
            break;
        }
        introduced += call(now, *endpoint).is_introduced ? 1 : 0;
        connected.push_back(*endpoint);
        ++own;
    }
    bool const lonely = open_count() < target / 2;
    if ((lonely || own < target) && now >= next_candidates_wanted_) {
        want_candidates(now);
        next_candidates_wanted_ = now + (lonely ? lonely_gap : candidates_gap);
    }
    next_dial_ = now + dial_retry;
}

Channel& Swarm::call(TimePoint now, Endpoint const& endpoint)
{
    Channel& channel = add_channel(now, endpoint);
    channel.initiator = true;
    channel.is_introduced = choice_.is_introduced(endpoint);
    send_handshake(now, channel, true, handshake_size_max);
    return channel;
}

/// A private address in the public Internet leads nowhere, or to a victim (PP-8.13-a).
bool Swarm::leads_nowhere(Channel const& channel, Endpoint const& peer)
{
    return channel.endpoint.scope() == AddressScope::global && peer.scope() != AddressScope::global;
}

/// Peers are believed on the Internet where somebody decided so, and where nobody else introduces
/// anybody: without new neighbours a swarm falls apart as its members leave.
bool Swarm::believes_peers(TimePoint now) const
{
    return services_.config.pex_plain || (is_left_alone(now) && !services_.config.strict);
}

/// Whether the neighbour may be told this plain address, or believed when it names it. It proves
/// nothing, so that it stays within a private network otherwise (PP-3.10.1-b).
bool Swarm::may_exchange(TimePoint now, Channel const& channel, Endpoint const& peer) const
{
    bool const at_home = peer.scope() != AddressScope::global;
    return services_.config.pex && !leads_nowhere(channel, peer) &&
           (at_home || believes_peers(now));
}

/// Peers that exchanged messages lately (PP-3.10.1-a).
void Swarm::answer_pex(TimePoint now, Channel& channel)
{
    if (!services_.config.pex || now < channel.pex_answer_at) {
        return;
    }
    channel.pex_answer_at = now + pex_gap;
    std::vector<Endpoint> peers;
    std::vector<ByteVector> certificates;
    for (auto const& other : channels_) {
        bool const recent = other->is_open() && now - other->liveness.received <= pex_recent;
        AddressScope const scope = other->endpoint.scope();
        bool const local_only =
            scope == AddressScope::link_local ||
            (scope == AddressScope::loopback && channel.endpoint.scope() != AddressScope::loopback);
        if (other.get() == &channel || !recent || local_only) {
            continue;
        }
        // Who is left alone names both: newcomers know no issuer, and others trust certificates.
        if (may_exchange(now, channel, other->endpoint)) {
            peers.push_back(other->endpoint);
        }
        if (scope == AddressScope::global && may_show(now, channel, *other)) {
            certificates.push_back(other->certificates.own);
        }
    }
    rng_.shuffle(std::span{peers});
    rng_.shuffle(std::span{certificates});
    peers.resize(std::min(peers.size(), pex_peers_max));
    certificates.resize(std::min(certificates.size(), pex_peers_max - peers.size()));
    channel.control.pex_peers = std::move(peers);
    std::ranges::move(certificates, std::back_inserter(channel.control.certificates));
}

void Swarm::on_peer_named(TimePoint now, Channel& channel, Endpoint const& peer)
{
    if (may_exchange(now, channel, peer)) {
        choice_.add(now, peer, NeighbourChoice::Origin::introduced);
        next_dial_ = std::min(next_dial_, now + dial_gap);
    }
}

void Swarm::ask_pex(TimePoint now, Channel& channel)
{
    bool const enough = open_count() >= services_.config.neighbours_target;
    bool const useful = believes_peers(now) || trusts_an_issuer() ||
                        channel.endpoint.scope() != AddressScope::global;
    if (!services_.config.pex || !useful || !seeks() || enough || now < channel.pex_ask_at ||
        !channel.profile.supports(wire::MessageType::pex_req)) {
        return;
    }
    channel.control.pex_request = true;
    channel.pex_ask_at = now + pex_gap + Duration{rng_.between(0, pex_gap.count())};
    channel.certificates.checks_left = pex_peers_max;
    channel.certificates.refill_at = now + pex_gap;
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
