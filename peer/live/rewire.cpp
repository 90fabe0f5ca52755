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
/// ... which is who uploads so many streams as far as the tracker believes it, ...
constexpr double able_streams = 2;
/// ... and calls so many of them: its own places are fewer. Nobody uploads more than `kbps_max`.
constexpr std::size_t able_max = 30;
constexpr double kbps_max = 1e9;
/// Who had no place for that long gives way to another one.
constexpr Duration able_age_min = 10s;

} // namespace

std::size_t LiveSwarm::calls_max() const
{
    return is_source() ? std::min<std::size_t>(able_max, services_.config.neighbours_max / 3)
                       : Swarm::calls_max();
}

/// A source waits to be found, but not by those who pass most on: what it sends first should go to
/// them (design §5.1), and the tracker knows who they are long before each of them hears of it.
/// Only a tracker's word counts, not that of peers.
void LiveSwarm::seek_able(TimePoint now)
{
    if (!store_) {
        return;
    }
    bool const is_due = now >= next_candidates_wanted_;
    if (is_due) {
        want_candidates(now);
        next_candidates_wanted_ = now + able_gap;
    }
    auto own = static_cast<std::size_t>(std::ranges::count_if(channels_, [](auto const& channel) {
        return channel->initiator && channel->state != ChannelState::closed;
    }));
    double const kbps = able_streams * substreams * place_bps() / 1000;
    auto const kbps_min = static_cast<std::uint32_t>(std::min(kbps, kbps_max));
    std::vector<Endpoint> connected = connected_endpoints();
    auto const next = [&] { return choice_.next(now, connected, false, kbps_min); };
    if (is_due && own >= calls_max() && next() && make_room_for_able(now)) {
        --own;
    }
    for (; own < calls_max(); ++own) {
        auto const endpoint = next();
        if (!endpoint) {
            return;
        }
        call(now, *endpoint);
        connected.push_back(*endpoint);
    }
}

/// Of those whom the source called, the one of least worth without a place.
bool LiveSwarm::make_room_for_able(TimePoint now)
{
    Channel* least = nullptr;
    for (auto const& channel : channels_) {
        bool const gives_way = channel->initiator && channel->is_open() &&
                               now - channel->opened_at >= able_age_min && is_idle(now, *channel);
        if (gives_way && (least == nullptr || channel->rank() < least->rank())) {
            least = channel.get();
        }
    }
    if (least == nullptr) {
        return false;
    }
    choice_.on_left(now, least->endpoint);
    close(now, *least, "others pass more on", true);
    return true;
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
        want_candidates(now);
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
