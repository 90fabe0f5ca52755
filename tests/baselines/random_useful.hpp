#pragma once

#include "tests/baselines/pull_picker.hpp"

namespace ppsp::baselines {

/// Random peer, latest useful chunk: the newest unit that somebody holds, of any that does
/// (Bonald et al.: optimal rate and delay up to a constant). With servers that serve who holds
/// least first it is the deprived peer's variant (Massoulie et al.).
class RandomUseful final : public PullPicker {
public:
    using PullPicker::PullPicker;

protected:
    [[nodiscard]] std::size_t choose(std::span<Offer const> offers) override
    {
        return offers.size() - 1; // they come by number
    }
    [[nodiscard]] std::size_t choose_holder(Offer const& offer) override
    {
        return rng().below(offer.holders.size());
    }
};

} // namespace ppsp::baselines
