#include "peer/recording/slab_table.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

/// Slabs that are looked at for a rare one.
constexpr int looks = 16;
/// Slabs that are looked at one by one, so that a large recording costs no more than a small one.
constexpr int looks_in_order_max = 1024;

} // namespace

void SlabTable::set_chunk_count(std::uint64_t count)
{
    chunk_count_ = count;
    holders_.assign(slab_count(), 0);
    asked_.erase(asked_.lower_bound(slab_count()), asked_.end());
}

ChunkRange SlabTable::chunks(std::uint64_t slab) const
{
    std::uint64_t const first = slab * slab_chunks;
    return {ChunkId{first}, ChunkId{std::min(first + slab_chunks, chunk_count_) - 1}};
}

void SlabTable::count(ChunkRange range, int step)
{
    std::uint64_t const first = (to_number(range.first) + slab_chunks - 1) / slab_chunks;
    std::uint64_t const end = std::min(slab_of(range.last) + 1, slab_count());
    for (std::uint64_t slab = first; slab < end; ++slab) {
        holders_[slab] += step;
    }
}

/// The neighbour holds something of it that we lack, and nobody was asked.
bool SlabTable::can_ask(RangeSet const& have, RangeSet const& has, std::uint64_t slab) const
{
    if (asked_.contains(slab)) {
        return false;
    }
    bool offers_some = false;
    have.visit_missing(chunks(slab),
                       [&](ChunkRange gap) { offers_some = offers_some || has.overlaps(gap); });
    return offers_some;
}

std::optional<std::uint64_t> SlabTable::next_for_player(RangeSet const& have,
                                                        RangeSet const& has) const
{
    if (!play_from_) {
        return std::nullopt;
    }
    std::uint64_t const first = slab_of(*play_from_);
    std::uint64_t const end = std::min(first + urgent_slabs, slab_count());
    for (std::uint64_t slab = first; slab < end; ++slab) {
        if (can_ask(have, has, slab)) {
            return slab;
        }
    }
    return std::nullopt;
}

/// Few are left, or the neighbour holds little: one by one.
std::optional<std::uint64_t> SlabTable::next_in_order(RangeSet const& have,
                                                      RangeSet const& has) const
{
    int left = looks_in_order_max;
    ChunkId const end{chunk_count_};
    for (ChunkRange const& held : has.intervals()) {
        if (held.first >= end) {
            break;
        }
        for (ChunkRange const& gap : have.missing({held.first, std::min(held.last, end - 1)})) {
            for (std::uint64_t slab = slab_of(gap.first); slab <= slab_of(gap.last); ++slab) {
                if (can_ask(have, has, slab)) {
                    return slab;
                }
                if (--left == 0) {
                    return std::nullopt;
                }
            }
        }
    }
    return std::nullopt;
}

std::optional<std::uint64_t> SlabTable::next(RangeSet const& have, RangeSet const& has,
                                             std::optional<std::uint64_t> last)
{
    std::uint64_t const count = slab_count();
    if (count == 0) {
        return std::nullopt;
    }
    if (auto const urgent = next_for_player(have, has)) {
        return urgent;
    }
    std::optional<std::uint64_t> best;
    if (last && *last + 1 < count && can_ask(have, has, *last + 1)) {
        best = *last + 1;
    }
    for (int look = 0; look < looks; ++look) {
        std::uint64_t const slab =
            static_cast<std::uint64_t>(rng_.between(0, static_cast<std::int64_t>(count) - 1));
        if (can_ask(have, has, slab) && (!best || holders_[slab] < holders_[*best])) {
            best = slab;
        }
    }
    if (best) {
        return best;
    }
    return next_in_order(have, has);
}

std::optional<std::uint64_t> SlabTable::next_shared(RangeSet const& have, RangeSet const& has,
                                                    PeerKey peer, TimePoint before,
                                                    Share which) const
{
    if (which == Share::urgent && !play_from_) {
        return std::nullopt;
    }
    for (auto at = asked_.begin(); at != asked_.end(); at = asked_.upper_bound(at->first)) {
        auto const [first, end] = asked_.equal_range(at->first);
        bool const fits = std::all_of(first, end, [&](auto const& entry) {
            return entry.second.peer != peer && entry.second.progress < before;
        });
        auto const missing = have.missing(chunks(at->first));
        bool const held = std::any_of(missing.begin(), missing.end(),
                                      [&](ChunkRange const& gap) { return has.overlaps(gap); });
        bool const wanted = which == Share::any || is_urgent(at->first);
        if (fits && held && wanted) {
            return at->first;
        }
    }
    return std::nullopt;
}

bool SlabTable::is_urgent(std::uint64_t slab) const
{
    return play_from_ && slab >= slab_of(*play_from_) && slab < slab_of(*play_from_) + urgent_slabs;
}

std::vector<std::uint64_t> SlabTable::stalled(PeerKey peer, TimePoint before) const
{
    std::vector<std::uint64_t> slabs;
    for (auto const& [slab, asked] : asked_) {
        if (asked.peer == peer && asked.progress < before) {
            slabs.push_back(slab);
        }
    }
    return slabs;
}

void SlabTable::on_asked(TimePoint now, std::uint64_t slab, PeerKey peer)
{
    asked_.emplace(slab, Asked{peer, now});
}

void SlabTable::on_progress(TimePoint now, std::uint64_t slab, PeerKey peer)
{
    auto const [first, end] = asked_.equal_range(slab);
    for (auto at = first; at != end; ++at) {
        if (at->second.peer == peer) {
            at->second.progress = now;
        }
    }
}

std::vector<PeerKey> SlabTable::on_whole(std::uint64_t slab)
{
    std::vector<PeerKey> peers;
    auto const [first, end] = asked_.equal_range(slab);
    for (auto at = first; at != end; ++at) {
        peers.push_back(at->second.peer);
    }
    asked_.erase(first, end);
    return peers;
}

void SlabTable::release(std::uint64_t slab, PeerKey peer)
{
    auto const [first, end] = asked_.equal_range(slab);
    for (auto at = first; at != end; ++at) {
        if (at->second.peer == peer) {
            asked_.erase(at);
            return;
        }
    }
}

void SlabTable::release_all(PeerKey peer)
{
    std::erase_if(asked_, [peer](auto const& entry) { return entry.second.peer == peer; });
}

} // namespace ppsp::peer
