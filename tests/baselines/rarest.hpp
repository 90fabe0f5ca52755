#pragma once

#include "tests/baselines/pull_picker.hpp"

#include <algorithm>

namespace ppsp::baselines {

/// Rarest first (CoolStreaming, Chainsaw): the unit that the fewest neighbours hold, the older one
/// among equals, of the holder that delivers fastest.
class RarestFirst final : public PullPicker {
public:
    using PullPicker::PullPicker;

protected:
    [[nodiscard]] std::size_t choose(std::span<Offer const> offers) override
    {
        auto const rarest =
            std::min_element(offers.begin(), offers.end(), [](Offer const& a, Offer const& b) {
                return a.holders.size() < b.holders.size();
            });
        return static_cast<std::size_t>(rarest - offers.begin());
    }
    [[nodiscard]] std::size_t choose_holder(Offer const& offer) override
    {
        // Who was not measured yet is tried by chance.
        if (rng().chance(0.1)) {
            return rng().below(offer.holders.size());
        }
        auto const fastest =
            std::max_element(offer.holders.begin(), offer.holders.end(),
                             [](ParentView const& a, ParentView const& b) {
                                 return a.bytes_per_second / (1 + a.outstanding_chunks) <
                                        b.bytes_per_second / (1 + b.outstanding_chunks);
                             });
        return static_cast<std::size_t>(fastest - offer.holders.begin());
    }
};

} // namespace ppsp::baselines
