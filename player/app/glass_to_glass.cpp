#include "player/app/glass_to_glass.hpp"

#include <algorithm>

namespace ppsp::player {

GlassToGlass::GlassToGlass() : count_by_ms_(static_cast<std::size_t>(delay_ms_max) + 1) {}

void GlassToGlass::observe(ingest::LumaView const& luma, std::uint64_t now)
{
    auto const drawn = ingest::read_pixel_clock(luma);
    auto const delay_ms = drawn ? ingest::pixel_clock_difference(now, *drawn) / 10 : -1;
    if (delay_ms < 0 || delay_ms > delay_ms_max) {
        observe_unreadable();
        return;
    }
    std::scoped_lock const lock{mutex_};
    ++count_by_ms_[static_cast<std::size_t>(delay_ms)];
    ++readable_;
    max_ms_ = std::max(max_ms_, delay_ms);
}

void GlassToGlass::observe_unreadable()
{
    std::scoped_lock const lock{mutex_};
    ++unreadable_;
}

GlassToGlass::Summary GlassToGlass::summary() const
{
    std::scoped_lock const lock{mutex_};
    return {quantile(50, 100), quantile(95, 100), max_ms_, readable_ + unreadable_, unreadable_};
}

/// The smallest delay that at least this part of the pictures keeps (nearest rank).
std::int64_t GlassToGlass::quantile(std::uint64_t numerator, std::uint64_t denominator) const
{
    auto const rank = (readable_ * numerator + denominator - 1) / denominator;
    std::uint64_t seen = 0;
    for (std::size_t ms = 0; ms < count_by_ms_.size(); ++ms) {
        seen += count_by_ms_[ms];
        if (seen > 0 && seen >= rank) {
            return static_cast<std::int64_t>(ms);
        }
    }
    return 0;
}

} // namespace ppsp::player
