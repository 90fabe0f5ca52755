#include "tracker/registry/live_edge.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

namespace ppsp::tracker {
namespace {

/// Two claims confirm each other when they lie this close: reports come every 10 s +- 20 %, so
/// honest ones differ by less even before the speed of the stream is known.
constexpr std::uint64_t confirm_units = 512;
/// Shorter spans measure the jitter of reports.
constexpr Duration measure_span_min = 2s;
/// 200 Mbit/s in chunks of 1 KiB; who claims more is lying or not live.
constexpr double chunks_per_second_max = 25'000;

std::uint64_t distance(ChunkId a, ChunkId b)
{
    return a > b ? to_number(a) - to_number(b) : to_number(b) - to_number(a);
}

} // namespace

void LiveEdge::claim(std::uint64_t claimant, bool is_seeder, Holding const& holding)
{
    auto const now = holding.reported();
    auto slot = std::find_if(claims_.begin(), claims_.end(),
                             [claimant](Claim const& known) { return known.claimant == claimant; });
    if (slot == claims_.end() && claims_.size() < claims_max) {
        slot = claims_.emplace(claims_.end());
    } else if (slot == claims_.end()) {
        // Seeders stay: the source's word is what newcomers need most.
        slot = std::min_element(claims_.begin(), claims_.end(), [](auto const& a, auto const& b) {
            return std::pair(a.is_seeder, a.reported) < std::pair(b.is_seeder, b.reported);
        });
    }
    *slot = Claim{
        claimant, is_seeder, holding.newest(), holding.chunks_per_unit(), holding.random_access(),
        now};
    accept(choose(now));
}

void LiveEdge::expire(TimePoint now, Duration age_max)
{
    auto const removed =
        std::erase_if(claims_, [&](Claim const& claim) { return now - claim.reported > age_max; });
    if (removed > 0) {
        accept(choose(now));
    }
}

ChunkId LiveEdge::projected(Claim const& claim, TimePoint now) const
{
    double const seconds = std::chrono::duration<double>(now - claim.reported).count();
    return claim.newest + static_cast<std::uint64_t>(std::max(0.0, seconds * chunks_per_second_));
}

bool LiveEdge::is_confirmed(Claim const& claim, TimePoint now) const
{
    auto const reach = confirm_units * claim.chunks_per_unit;
    auto const where = projected(claim, now);
    return std::any_of(claims_.begin(), claims_.end(), [&](Claim const& other) {
        return other.claimant != claim.claimant && distance(projected(other, now), where) <= reach;
    });
}

/// Confirmed ones first, then seeders, then the farthest ahead.
std::optional<LiveEdge::Claim> LiveEdge::choose(TimePoint now) const
{
    auto const rank = [&](Claim const& claim) {
        return std::tuple(is_confirmed(claim, now), claim.is_seeder && claims_.size() <= 2,
                          projected(claim, now));
    };
    auto const best =
        std::max_element(claims_.begin(), claims_.end(),
                         [&](auto const& a, auto const& b) { return rank(a) < rank(b); });
    return best == claims_.end() ? std::nullopt : std::optional(*best);
}

void LiveEdge::accept(std::optional<Claim> const& claim)
{
    if (!claim) {
        best_.reset();
        measured_from_.reset();
        chunks_per_second_ = 0;
        return;
    }
    if (!best_ || claim->reported > best_->reported || claim->claimant != best_->claimant) {
        measure(*claim);
    }
    best_ = claim;
}

void LiveEdge::measure(Claim const& claim)
{
    if (!measured_from_ || claim.newest < measured_from_->newest) {
        measured_from_ = claim;
        return;
    }
    auto const span = claim.reported - measured_from_->reported;
    if (span < measure_span_min) {
        return;
    }
    double const seconds = std::chrono::duration<double>(span).count();
    double const rate =
        static_cast<double>(to_number(claim.newest) - to_number(measured_from_->newest)) / seconds;
    measured_from_ = claim;
    if (rate <= chunks_per_second_max) {
        chunks_per_second_ = chunks_per_second_ > 0 ? 0.7 * chunks_per_second_ + 0.3 * rate : rate;
    }
}

std::optional<ppstp::LiveEdge> LiveEdge::reported(TimePoint now) const
{
    if (!best_) {
        return std::nullopt;
    }
    ppstp::LiveEdge edge;
    edge.newest = best_->newest;
    edge.chunks_per_unit = best_->chunks_per_unit;
    for (auto const& claim : claims_) {
        if (claim.random_access && *claim.random_access <= best_->newest &&
            (!edge.random_access || *claim.random_access > *edge.random_access)) {
            edge.random_access = claim.random_access;
        }
    }
    auto const age = std::chrono::duration_cast<std::chrono::milliseconds>(now - best_->reported);
    edge.age_ms = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(age.count(), 0, std::numeric_limits<std::uint32_t>::max()));
    return edge;
}

std::optional<ChunkId> LiveEdge::newest_at(TimePoint now) const
{
    return best_ ? std::optional(projected(*best_, now)) : std::nullopt;
}

} // namespace ppsp::tracker
