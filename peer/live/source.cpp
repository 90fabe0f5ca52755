#include "peer/live/live_swarm.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>
#include <tuple>

/// Units of a source: how they come into being, who gets the first copies.
namespace ppsp::peer {
namespace {

/// A unit that is pulled sooner after it was cut may still be on its way to who asks.
constexpr Duration spreading_time = 100ms;
/// Who came later than that is not asked whether others pass units on.
constexpr Duration joining_time = 1s;

} // namespace

void LiveSwarm::on_unit_cut(TimePoint now, Bytes payload, bool random_access)
{
    PPSP_ASSERT(is_source() && signer_ != nullptr && store_);
    UnitGrid const& grid = store_->grid();
    UnitIndex const unit = next_own_unit_++;
    ChunkRange const chunks = grid.chunks(unit);
    auto tree = integrity::UnitTree::build(services_.ports.hasher, chunks.first,
                                           grid.chunks_per_unit(), config_.chunk_size, payload);
    NtpTime const signed_at = to_ntp(utc(now));
    ByteVector const signature = signer_->sign(
        integrity::munro_signature_input(format().addressing, chunks, signed_at, tree.munro()));
    StoredUnit* const stored = store_->open(unit, std::move(tree), signed_at, signature);
    PPSP_ASSERT(stored != nullptr);
    store_->put_all(*stored, payload);
    clock_.on_munro(now, unit, utc(now));
    signs_.note(now, unit);
    figures_.media_bytes += payload.size();
    if (random_access) {
        newest_random_access_ = unit;
    }
    place_copies(now, spreading_of(now, unit));
    note_first_copy(now, unit);
    announce(now, unit);
}

/// A new unit must leave the source at once, whoever asked: copies that no subscriber gets go to
/// those neighbours that pass most on, to the children of the substream and to those with the
/// fewest places first among equals. RFC 7574 §3.7 allows DATA without a REQUEST in a live swarm.
void LiveSwarm::place_copies(TimePoint now, Spreading& spreading)
{
    UnitIndex const unit = spreading.unit;
    ChunkRange const whole = store_->grid().chunks(unit);
    auto const substream = static_cast<std::uint32_t>(unit % substreams);
    struct Taker {
        double rank;
        bool stranger; ///< has no place in this substream
        std::uint32_t places;
        std::uint64_t lot; ///< decides among equals
        Channel* channel;
    };
    std::vector<Taker> takers;
    for (auto const& channel : channels_) {
        PeerKey const key = key_of(*channel);
        bool const served = std::find(spreading.children.begin(), spreading.children.end(), key) !=
                            spreading.children.end();
        if (!served && unasked_.may_give(now, key, substream) && channel->is_open() &&
            !channel->choked_by_us && channel->responds(now) && channel->peer_wants_stream &&
            !channel->profile.is_source()) {
            takers.push_back({rank(now, *channel, substream), !slots_.holds(key, substream),
                              slots_.places_of(key), rng_.next(), channel.get()});
        }
    }
    std::sort(takers.begin(), takers.end(), [](Taker const& a, Taker const& b) {
        return std::tuple{b.rank, a.stranger, a.places, a.lot} <
               std::tuple{a.rank, b.stranger, b.places, b.lot};
    });
    for (Taker const& taker : takers) {
        if (spreading.children.size() >= slots_.limit(substream)) {
            return;
        }
        if (slots_.admit(now, key_of(*taker.channel), substream, taker.rank)) {
            static_cast<void>(taker.channel->requests.want(whole));
            unasked_.give(key_of(*taker.channel), unit);
            add_child(now, spreading, *taker.channel);
        }
    }
}

/// A child that did not pass its units on gives its places to others.
void LiveSwarm::note_first_copy(TimePoint now, UnitIndex unit)
{
    if (auto const failed = first_copies_.placed(now, unit, spreading_of(now, unit).children,
                                                 store_->grid().chunks_per_unit())) {
        slots_.release(*failed);
    }
}

/// The chunk was sent to the only child of its unit, and is asked for here all the same: it was
/// not passed on. While first copies are late that proves nothing.
bool LiveSwarm::replaces_first_copy(TimePoint now, Channel const& channel, ChunkId chunk)
{
    if (!is_source() || now < first_copies_late_until_) {
        return false;
    }
    UnitIndex const unit = store_->grid().unit_of(chunk);
    auto const child = first_copies_.child(unit);
    Channel const* const first = child ? channel_of(*child) : nullptr;
    bool const is_to_come = first != nullptr && first->is_open() && first->requests.wants(chunk);
    // Joiners ask for what was passed on well; so does who asks before that can have happened.
    StoredUnit const* const stored = store_->find(unit);
    bool const is_young = stored == nullptr || now - expected(unit) < spreading_time;
    bool const blames = !is_young && now - channel.opened_at > joining_time;
    return !is_to_come &&
           first_copies_.replace(unit, store_->grid().bit(chunk), key_of(channel), blames);
}

} // namespace ppsp::peer
