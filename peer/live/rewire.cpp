#include "peer/live/live_swarm.hpp"

#include <algorithm>

/// Who gives way to whom (design §5.2).
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
/// A source asks that often for those who pass much on, ...
constexpr Duration able_gap = 5s;
/// ... which is who was proven to upload so many streams, ...
constexpr double able_streams = 2;
/// ... and keeps so many conversations with them: a source of three streams has 24 places.
constexpr std::size_t able_max = 30;

} // namespace

/// A source waits to be found, but not by those who pass most on: what it sends first should go to
/// them (design §5.1), and the tracker knows who they are long before each of them hears of it.
void LiveSwarm::seek_able(TimePoint now)
{
    if (!store_) {
        return;
    }
    if (now >= next_candidates_wanted_) {
        services_.outbox.push(CandidatesWanted{id()});
        next_candidates_wanted_ = now + able_gap;
    }
    auto own = static_cast<std::size_t>(std::ranges::count_if(channels_, [](auto const& channel) {
        return channel->initiator && channel->state != ChannelState::closed;
    }));
    auto const kbps_min =
        static_cast<std::uint32_t>(able_streams * substreams * place_bps() / 1000);
    std::vector<Endpoint> connected = connected_endpoints();
    for (; own < able_max; ++own) {
        auto const endpoint = choice_.next(now, connected, true, kbps_min);
        if (!endpoint) {
            return;
        }
        call(now, *endpoint);
        connected.push_back(*endpoint);
    }
}

/// The overlay is never finished: the neighbour of our own choice that is of least use gives way to
/// a candidate, at leisure while all is well and soon while substreams lack a parent (design §5.2).
void LiveSwarm::rewire(TimePoint now)
{
    if (!playout_.begun() || now < next_rewiring_) {
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
            (gives || slots_.serves(now, key) || now - channel->opened_at < rewire_age_min);
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

bool LiveSwarm::is_idle(TimePoint now, Channel const& channel) const
{
    PeerKey const key = key_of(channel);
    return !slots_.serves(now, key) && picker_->fed_by(key) == 0 &&
           now - channel.opened_at >= rewire_age_min;
}

} // namespace ppsp::peer
