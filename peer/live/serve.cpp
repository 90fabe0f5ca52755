#include "peer/live/live_swarm.hpp"

#include <algorithm>

/// Who gets which unit from us.
namespace ppsp::peer {
namespace {

/// A subscription may reach that far beyond our newest unit.
constexpr UnitIndex subscription_ahead_max = 160;
/// Units on their way through us at the same time: three seconds of 50 ms.
constexpr std::size_t spreading_max = 64;
/// A copy for who does not pass the substream on counts as that much younger: where copies wait for
/// the uplink, those that many wait for go before those that one waits for. Less than the time
/// between two units of a substream.
constexpr Duration leaf_delay = 300ms;
/// HAVEs to those that get the stream elsewhere wait that long for others: two units.
constexpr Duration have_delay = 100ms;
/// Of the units of a home substream one of so many is told to everybody: every two seconds.
constexpr UnitIndex home_sample = 5;
/// Who asks again for a chunk did not have it a round trip ago; that much later it should have.
constexpr Duration again_margin = 5ms;
/// Units that are refused in one go: a joiner asks one neighbour for a few.
constexpr std::size_t refusals_max = 16;
/// More than any window of units that a neighbour can hold.
constexpr std::uint64_t held_units_max = 1'000'000;
/// A refusal names a held unit of the substream, no further back than this.
constexpr UnitIndex refusal_reach = 10 * substreams;

} // namespace

void LiveSwarm::on_request(TimePoint now, Channel& channel, ChunkRange chunks)
{
    if (!uploads()) {
        channel.control.choke = true; // the neighbour missed it (trap T21)
        return;
    }
    channel.peer_wants_stream = true;
    if (!store_) {
        return;
    }
    UnitGrid const& grid = store_->grid();
    UnitIndex const reach = store_->newest().value_or(next_own_unit_) + subscription_ahead_max;
    ChunkId const first = std::max(chunks.first, grid.first_chunk(store_->oldest_kept()));
    ChunkId const last = std::min(chunks.last, grid.chunks(reach).last);
    if (first > last) {
        return;
    }
    for (ChunkRange const& fresh : channel.requests.want({first, last})) {
        for (ChunkId chunk = fresh.first; chunk <= fresh.last; chunk = chunk + 1) {
            if (store_->newest() && chunk > grid.chunks(*store_->newest()).last) {
                subscribe(now, channel, grid.unit_of(chunk));
                return;
            }
            if (request_budget_ == 0) {
                channel.requests.cancel({chunk, last});
                return;
            }
            request_budget_ -= 1;
            request_chunk(now, channel, chunk);
        }
    }
}

/// Who has to fetch a substream's units late itself is no parent for it.
bool LiveSwarm::can_push(TimePoint now, std::uint32_t substream) const
{
    return is_source() || picker_->fed(now, substream);
}

/// A neighbour wants units that do not exist yet. Without a place for it the answer goes at once: a
/// HAVE of the newest unit of the substream, of which a child with a place never hears.
void LiveSwarm::subscribe(TimePoint now, Channel& channel, UnitIndex unit)
{
    auto const substream = static_cast<std::uint32_t>(unit % substreams);
    bool const may_have =
        can_push(now, substream) && !first_copies_.distrusts(now, key_of(channel));
    if (may_have &&
        slots_.admit(now, key_of(channel), substream, rank_of_asker(now, channel, substream))) {
        unasked_.wanted(key_of(channel), substream);
        // What waits to be announced would sound like a refusal now.
        drop_substream(channel.control.haves, substream);
        drop_substream(channel.control.offers, substream);
        waiting_.remove(key_of(channel), substream);
        return;
    }
    waiting_.note(now, key_of(channel), substream);
    slots_.note_refused(substream);
    refuse_place(now, channel, substream);
}

/// The units of one substream leave the ranges.
void LiveSwarm::drop_substream(std::vector<ChunkRange>& ranges, std::uint32_t substream) const
{
    UnitGrid const& grid = store_->grid();
    std::vector<ChunkRange> rest;
    for (ChunkRange const& range : ranges) {
        UnitIndex const last = grid.unit_of(range.last);
        for (UnitIndex unit = grid.unit_of(range.first); unit <= last; ++unit) {
            if (unit % substreams == substream) {
                continue;
            }
            ChunkRange const whole = grid.chunks(unit);
            bool const continues =
                !rest.empty() && to_number(rest.back().last) + 1 == to_number(whole.first);
            if (continues) {
                rest.back().last = whole.last;
            } else {
                rest.push_back(whole);
            }
        }
    }
    ranges = std::move(rest);
}

/// Whoever lost its place hears of it while it is still served.
void LiveSwarm::tell_leavers(TimePoint now)
{
    for (UploadSlots::Notice const& notice : slots_.take_notices()) {
        if (Channel* const channel = channel_of(notice.peer)) {
            refuse_place(now, *channel, notice.substream);
        }
    }
}

void LiveSwarm::refuse_place(TimePoint now, Channel& channel, std::uint32_t substream)
{
    UnitIndex const newest = store_->newest_complete().value_or(0);
    for (UnitIndex back = 0; back < refusal_reach && back <= newest; ++back) {
        UnitIndex const held = newest - back;
        if (held % substreams == substream && store_->complete(held)) {
            channel.control.haves.push_back(store_->grid().chunks(held));
            channel.haves_due = now;
            touch(channel);
            return;
        }
    }
}

/// Whether the neighbour still wants this unit or a later one of its substream.
bool LiveSwarm::wants_later(Channel const& channel, UnitIndex unit) const
{
    UnitIndex const end = unit + subscription_ahead_max;
    for (; unit < end; unit += substreams) {
        if (channel.requests.wants_any(store_->grid().chunks(unit))) {
            return true;
        }
    }
    return false;
}

/// Who takes a subscription back gives its place away, too; so does who takes back what was
/// sent unasked.
void LiveSwarm::on_cancel(TimePoint now, Channel& channel, ChunkRange chunks)
{
    channel.requests.cancel(chunks);
    if (!store_ || !store_->newest()) {
        return;
    }
    UnitGrid const& grid = store_->grid();
    UnitIndex const first_whole = grid.unit_of(chunks.first + (grid.chunks_per_unit() - 1));
    UnitIndex const last_whole = grid.unit_of(chunks.last);
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        if (unasked_.decline(now, key_of(channel), substream, first_whole, last_whole)) {
            slots_.release(key_of(channel), substream);
        }
    }
    UnitIndex const next = *store_->newest() + 1;
    UnitIndex const first = std::max(grid.unit_of(chunks.first), next);
    UnitIndex const last = std::min(grid.unit_of(chunks.last), next + subscription_ahead_max);
    for (UnitIndex unit = first; unit <= last && unit < first + substreams; ++unit) {
        // The range holds a unit of each substream once by then.
        if (!wants_later(channel, next + (unit - next) % substreams)) {
            slots_.release(key_of(channel), static_cast<std::uint32_t>(unit % substreams));
        }
    }
}

void LiveSwarm::request_chunk(TimePoint now, Channel& channel, ChunkId chunk)
{
    UnitIndex const unit = store_->grid().unit_of(chunk);
    if (!store_->complete(unit)) {
        // It is on its way through us: the neighbour joins those that get it, if there is a place.
        // What does not come, whoever asks for it, must not push out what does.
        auto const at = std::find_if(spreading_.rbegin(), spreading_.rend(),
                                     [unit](Spreading const& s) { return s.unit == unit; });
        if (at == spreading_.rend() || !adopt(now, *at, channel)) {
            return;
        }
    }
    if (!store_->has(chunk)) {
        return;
    }
    bool const flies = channel.flow.in_flight().contains(chunk);
    if (flies && !channel.flow.take(now, chunk, channel.flow.rtt().smoothed() + again_margin)) {
        channel.requests.cancel(single(chunk));
        return;
    }
    // Asked again although it was sent: it got lost, perhaps with hashes of its unit.
    if (channel.flow.in_flight().was_lost(chunk)) {
        channel.hashes.doubt(store_->grid().chunks(unit));
        send_again(now, channel, chunk);
    } else {
        make_pull_ready(now, channel, chunk);
    }
    note_sending(channel);
}

/// What somebody asks for by itself waits for what is pushed, with two exceptions.
void LiveSwarm::make_pull_ready(TimePoint now, Channel& channel, ChunkId chunk)
{
    using enum RequestQueue::Urgency;
    if (replaces_first_copy(now, channel, chunk)) {
        channel.requests.make_ready({chunk, TimePoint{}, 0, now}, push); // before second copies
        return;
    }
    UnitIndex const unit = store_->grid().unit_of(chunk);
    bool const helps = helps_newcomer(now, channel, unit);
    channel.requests.make_ready({chunk, now, 0, now}, helps ? push : pull);
    if (!helps) {
        tell_no_room(now, channel, unit);
    }
}

/// What a place is worth with the neighbour: little in a substream that is not one of its homes,
/// nothing with one that does not pass on what it gets.
double LiveSwarm::rank(TimePoint now, Channel const& channel, std::uint32_t substream) const
{
    PeerKey const key = key_of(channel);
    if (first_copies_.distrusts(now, key)) {
        return 0.0;
    }
    return neighbour_homes_.weigh(now, key, substream, channel.rank());
}

/// The same of one that asks for the place. What a source pushes becomes a home with who asked for
/// it, so that a source presumes that of who has not had the substream yet.
double LiveSwarm::rank_of_asker(TimePoint now, Channel const& channel,
                                std::uint32_t substream) const
{
    PeerKey const key = key_of(channel);
    bool const presumed =
        is_source() && trials_.is_open(now, key, substream) && !first_copies_.distrusts(now, key);
    return presumed ? channel.rank() : rank(now, channel, substream);
}

bool LiveSwarm::helps_newcomer(TimePoint now, Channel& channel, UnitIndex unit)
{
    std::uint32_t const chunks_per_unit = store_->grid().chunks_per_unit();
    Duration const duration = clock_.unit_duration().value_or(config_.unit_duration);
    Duration const known_for = now - channel.opened_at;
    bool const is_new = NewcomerShare::is_new(known_for);
    if (is_new && !starts_.contains(*store_, unit)) {
        return false;
    }
    // Counted for those alone who may be newcomers: it takes a look at all intervals.
    std::uint64_t const units = is_new ? channel.has.chunks().chunk_count() / chunks_per_unit : 0;
    Duration const holds =
        duration * static_cast<Duration::rep>(std::min<std::uint64_t>(units, held_units_max));
    return newcomers_.helps(now, {key_of(channel), known_for, holds}, unit,
                            {.unit_duration = duration,
                             .chunks_per_unit = chunks_per_unit,
                             .copies = static_cast<double>(slots_.budget()) / substreams});
}

/// A newcomer hears at once that its pull has to wait, by another HAVE: it can ask somebody else
/// before its patience ends.
void LiveSwarm::tell_no_room(TimePoint now, Channel& channel, UnitIndex unit)
{
    bool const has_room = slots_.free(now) > 0 && !data_waits_;
    // A child hears nothing of the substream in which it has a place: it would be a notice.
    bool const may_hear = NewcomerShare::is_new(now - channel.opened_at) &&
                          store_->complete(unit) &&
                          !slots_.serves(now, key_of(channel), unit % substreams);
    if (is_source() || has_room || !may_hear) {
        return;
    }
    ChunkRange const whole = store_->grid().chunks(unit);
    auto& haves = channel.control.haves;
    bool const is_said = !haves.empty() && haves.back().first == whole.first;
    if (!is_said && haves.size() < refusals_max) {
        haves.push_back(whole);
    }
    channel.haves_due = now;
    touch(channel);
}

/// The record of a unit that is on its way through us; made when its first chunk comes, with those
/// neighbours that subscribed to it, in the order of what they pass on.
LiveSwarm::Spreading& LiveSwarm::spreading_of(TimePoint now, UnitIndex unit)
{
    auto const at = std::find_if(spreading_.rbegin(), spreading_.rend(),
                                 [unit](Spreading const& s) { return s.unit == unit; });
    if (at != spreading_.rend()) {
        return *at;
    }
    if (spreading_.size() >= spreading_max) {
        spreading_.pop_front();
    }
    Spreading& spreading = spreading_.emplace_back(Spreading{unit, now, {}});
    ChunkRange const whole = store_->grid().chunks(unit);
    auto const substream = static_cast<std::uint32_t>(unit % substreams);
    std::vector<Channel*> subscribers;
    for (auto const& channel : channels_) {
        if (channel->is_open() && !channel->choked_by_us && channel->responds(now) &&
            channel->requests.wants_any(whole)) {
            subscribers.push_back(channel.get());
        }
    }
    std::sort(subscribers.begin(), subscribers.end(), [&](Channel const* a, Channel const* b) {
        return std::pair{rank_of_asker(now, *b, substream), to_number(a->own_id)} <
               std::pair{rank_of_asker(now, *a, substream), to_number(b->own_id)};
    });
    for (Channel* const channel : subscribers) {
        adopt(now, spreading, *channel);
    }
    return spreading;
}

/// The neighbour gets the unit's chunks as they come; false if there is no place for it.
bool LiveSwarm::adopt(TimePoint now, Spreading& spreading, Channel& channel)
{
    PeerKey const key = key_of(channel);
    if (std::find(spreading.children.begin(), spreading.children.end(), key) !=
        spreading.children.end()) {
        return true;
    }
    auto const substream = static_cast<std::uint32_t>(spreading.unit % substreams);
    // Children stay while their parent looks for a new one: a branch that moves as a whole is whole
    // again at once.
    bool const serves = slots_.serves(now, key, substream) || can_push(now, substream);
    if (!serves || first_copies_.distrusts(now, key) ||
        !slots_.admit(now, key, substream, rank_of_asker(now, channel, substream))) {
        return false;
    }
    unasked_.wanted(key, substream);
    add_child(now, spreading, channel);
    return true;
}

/// What the children of a unit get, the first one before the others. Without the first copy from
/// its source a unit reaches nobody; who misses another one finds it at a neighbour.
RequestQueue::Urgency LiveSwarm::urgency_of(std::uint32_t order) const
{
    return is_source() && order == 0 ? RequestQueue::Urgency::first_copy
                                     : RequestQueue::Urgency::push;
}

/// From when on the child's copy of the unit waits, as it were.
TimePoint LiveSwarm::waits_since(TimePoint now, Spreading const& spreading,
                                 Channel const& child) const
{
    auto const substream = static_cast<std::uint32_t>(spreading.unit % substreams);
    bool const is_leaf = !is_source() && !neighbour_homes_.passes_on(now, key_of(child), substream);
    return spreading.began + (is_leaf ? leaf_delay : Duration::zero());
}

void LiveSwarm::add_child(TimePoint now, Spreading& spreading, Channel& channel)
{
    ChunkRange const whole = store_->grid().chunks(spreading.unit);
    auto const order = static_cast<std::uint32_t>(spreading.children.size());
    spreading.children.push_back(key_of(channel));
    if (is_source()) {
        trials_.note_given(now, key_of(channel),
                           static_cast<std::uint32_t>(spreading.unit % substreams));
    }
    channel.pushing.add(whole);
    TimePoint const since = waits_since(now, spreading, channel);
    for (ChunkId chunk = whole.first; chunk <= whole.last; chunk = chunk + 1) {
        if (store_->has(chunk) && channel.requests.wants(chunk)) {
            channel.requests.make_ready({chunk, since, order, now}, urgency_of(order));
        }
    }
    note_sending(channel);
}

/// A chunk became available: to the children that get its unit.
void LiveSwarm::offer_chunk(TimePoint now, ChunkId chunk)
{
    UnitIndex const unit = store_->grid().unit_of(chunk);
    auto const at = std::find_if(spreading_.rbegin(), spreading_.rend(),
                                 [unit](Spreading const& s) { return s.unit == unit; });
    if (at == spreading_.rend()) {
        spreading_of(now, unit); // makes ready what is held, this chunk included
        return;
    }
    for (std::uint32_t order = 0; order < at->children.size(); ++order) {
        Channel* const channel = channel_of(at->children[order]);
        if (channel != nullptr && channel->requests.wants(chunk)) {
            channel->requests.make_ready({chunk, waits_since(now, *at, *channel), order, now},
                                         urgency_of(order));
            note_sending(*channel);
        }
    }
}

/// Those to whom alone so many free places of the unit's substream are offered; nobody if nobody
/// waits. The places of a source go to whom it chooses.
std::vector<PeerKey> LiveSwarm::invite(TimePoint now, UnitIndex unit, std::uint32_t places)
{
    if (is_source() || places == 0) {
        return {};
    }
    ChunkRange const whole = store_->grid().chunks(unit);
    auto const substream = static_cast<std::uint32_t>(unit % substreams);
    return waiting_.invite(now, substream, places, [&](PeerKey peer) -> std::optional<double> {
        Channel const* const channel = channel_of(peer);
        bool const lacks = channel != nullptr && channel->is_open() && !channel->has.has(whole) &&
                           !slots_.holds(peer, substream);
        return lacks ? std::optional(rank(now, *channel, substream)) : std::nullopt;
    });
}

/// A unit is whole: HAVE to those who may want it and do not get it pushed. To one who subscribed
/// without finding a place it is the answer: fetch it, here or elsewhere. To the others it waits
/// for company.
void LiveSwarm::announce(TimePoint now, UnitIndex unit)
{
    ChunkRange const whole = store_->grid().chunks(unit);
    bool const few = open_count() <= services_.config.neighbours_target;
    auto const substream = static_cast<std::uint32_t>(unit % substreams);
    std::uint32_t const places = can_push(now, substream) ? slots_.room(now, substream) : 0;
    std::vector<PeerKey> const invited = few ? std::vector<PeerKey>{} : invite(now, unit, places);
    bool const at_home = !is_source() && slots_.passes_on(substream);
    for (auto const& channel : channels_) {
        bool const is_invited = invited.empty() || std::find(invited.begin(), invited.end(),
                                                             key_of(*channel)) != invited.end();
        bool const is_offered = places > 0 && is_invited;
        // That we pass the substream on is told to those as well who have the unit: it is what our
        // place with them is worth (NeighbourHomes).
        bool const shows =
            at_home && (unit / substreams + to_number(channel->own_id)) % home_sample == 0;
        // Who just came may have nothing yet, whoever of us called.
        bool const is_new = NewcomerShare::is_new(now - channel->opened_at);
        bool const follows = !channel->profile.is_source() && !channel->has.has(whole) &&
                             (few || is_offered || is_source() || is_new || channel->follows_us());
        bool const concerned = channel->is_open() && !channel->choked_by_us && (follows || shows);
        if (!concerned || channel->pushing.contains(whole)) {
            continue;
        }
        bool const refused = channel->requests.wants_any(whole);
        if (!refused && slots_.serves(now, key_of(*channel), unit % substreams)) {
            continue;
        }
        // Who is full does not advertise, but where it passes units on.
        if (!refused && !is_offered && !few && !shows && !is_new) {
            continue;
        }
        if (refused) {
            channel->requests.cancel(whole);
        }
        auto& haves = is_offered && !refused ? channel->control.offers : channel->control.haves;
        bool const continues =
            !haves.empty() && to_number(haves.back().last) + 1 == to_number(whole.first);
        if (continues) {
            haves.back().last = whole.last;
        } else {
            haves.push_back(whole);
        }
        // A handful of neighbours costs little, and a small swarm lives on who has what first.
        TimePoint const due = refused || few ? now : now + have_delay;
        channel->haves_due = std::min(channel->haves_due.value_or(due), due);
        touch(*channel);
    }
    release_unwanted(unit);
    std::erase_if(spreading_, [unit](Spreading const& s) { return s.unit == unit; });
}

/// Who wants no later unit of the substream has no use for its place. Those of a source go to whom
/// it chooses, unasked.
void LiveSwarm::release_unwanted(UnitIndex unit)
{
    auto const at = std::find_if(spreading_.begin(), spreading_.end(),
                                 [unit](Spreading const& s) { return s.unit == unit; });
    if (is_source() || at == spreading_.end()) {
        return;
    }
    for (PeerKey const child : at->children) {
        Channel const* const channel = channel_of(child);
        if (channel == nullptr || !wants_later(*channel, unit + substreams)) {
            slots_.release(child, static_cast<std::uint32_t>(unit % substreams));
        }
    }
}

} // namespace ppsp::peer
