#include "peer/policy/home_substreams.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>

namespace ppsp::peer {
namespace {

/// Of what was asked in vain before the last review so much still counts.
constexpr double refused_memory = 0.7;

} // namespace

HomeSubstreams::HomeSubstreams()
{
    std::iota(order_.begin(), order_.end(), 0U);
}

HomeSubstreams::HomeSubstreams(Rng rng) : HomeSubstreams()
{
    for (std::uint32_t rest = substreams; rest > 1; --rest) {
        std::swap(order_[rest - 1], order_[rng.below(rest)]);
    }
}

void HomeSubstreams::set(std::uint32_t places, std::size_t neighbours)
{
    places_ = places;
    auto const by_places =
        static_cast<std::uint32_t>(std::lround(std::sqrt(static_cast<double>(places)) * per_root));
    auto const by_neighbours = static_cast<std::uint32_t>(std::min<std::size_t>(
        places, neighbours == 0 ? places : (places + neighbours - 1) / neighbours));
    homes_by_places_ = std::clamp<std::uint32_t>(std::max(by_places, by_neighbours), 1, substreams);
    resize();
}

/// There are more of them where the source pushes more, while each has places for two: what comes
/// once has to go on twice at least, or it comes to few.
void HomeSubstreams::resize()
{
    auto const by_source = std::min(static_cast<std::uint32_t>(firsthand_.count()), places_ / 2);
    homes_ = std::max(homes_by_places_, by_source);
    extra_ = std::min(extra_, substreams - homes_);
    take_firsthand();
}

void HomeSubstreams::note_fed(TimePoint now, SubstreamSet fed, SubstreamSet firsthand)
{
    for (std::uint32_t substream = 0; substream < substreams; ++substream) {
        if (fed_[substream] && !fed[substream]) {
            barren_since_[substream] = now;
        }
    }
    fed_ = fed;
    if (firsthand_ != firsthand) {
        firsthand_ = firsthand;
        resize();
    }
}

/// In the place of the homes that are wanted least.
void HomeSubstreams::take_firsthand()
{
    auto const others = order_.begin() + homes_;
    auto const is_less_wanted = [this](std::uint32_t a, std::uint32_t b) {
        return std::tuple(firsthand_[a], fed_[a], refused_[a]) <
               std::tuple(firsthand_[b], fed_[b], refused_[b]);
    };
    for (auto at = others; at != order_.end(); ++at) {
        auto const least = std::min_element(order_.begin(), others, is_less_wanted);
        if (firsthand_[*at] && !firsthand_[*least]) {
            std::swap(*least, *at);
        }
    }
}

/// Of those from `first` on.
HomeSubstreams::Order::iterator HomeSubstreams::most_wanted(Order::iterator first)
{
    return std::max_element(first, order_.end(), [this](std::uint32_t a, std::uint32_t b) {
        return std::pair(fed_[a], refused_[a]) < std::pair(fed_[b], refused_[b]);
    });
}

/// One home at a time.
void HomeSubstreams::leave_barren(TimePoint now)
{
    auto const others = order_.begin() + homes_;
    auto const home = std::find_if(order_.begin(), others, [&](std::uint32_t substream) {
        return !fed_[substream] && now - barren_since_[substream] >= barren_max;
    });
    auto const best = most_wanted(others);
    if (home != others && best != order_.end() && fed_[*best]) {
        std::swap(*home, *best);
    }
}

void HomeSubstreams::review(TimePoint now, std::uint32_t taken)
{
    if (taken >= places_) {
        full_at_ = now;
    }
    if (now - reviewed_ < review_gap) {
        return;
    }
    reviewed_ = now;
    leave_barren(now);
    bool const has_room = now - full_at_ >= review_gap;
    if (has_room && homes_ + extra_ < substreams) {
        auto const first = order_.begin() + homes_ + extra_;
        std::swap(*first, *most_wanted(first));
        extra_ += 1;
    } else if (full_at_ == now && extra_ > 0) {
        extra_ -= 1;
    }
    for (double& refused : refused_) {
        refused *= refused_memory;
    }
}

bool HomeSubstreams::contains(std::uint32_t substream) const
{
    auto const homes = std::span{order_}.first(homes_);
    return std::find(homes.begin(), homes.end(), substream) != homes.end();
}

std::uint32_t HomeSubstreams::limit(std::uint32_t substream) const
{
    auto const open = std::span{order_}.first(homes_ + extra_);
    bool const is_open = std::find(open.begin(), open.end(), substream) != open.end();
    return is_open ? static_cast<std::uint32_t>(std::ceil(places_ * slack / homes_)) : 0;
}

} // namespace ppsp::peer
