#pragma once

#include "tests/baselines/pull_picker.hpp"

#include <algorithm>

namespace ppsp::baselines {

/// Whole segments in the order in which the player needs them, each of one holder (what P2P in
/// browsers does with HLS). A segment exists when its last unit does, and is held by who holds all
/// of it.
class DeadlineSegments final : public PullPicker {
public:
    /// Three seconds of 50 ms.
    static constexpr std::uint32_t segment_units = 60;

    explicit DeadlineSegments(Rng rng) : PullPicker(config(), rng) {}

protected:
    [[nodiscard]] std::size_t choose(std::span<Offer const>) override { return 0; }
    [[nodiscard]] std::size_t choose_holder(Offer const& offer) override
    {
        // The one with the least to send us; by chance among equals.
        auto const least = std::min_element(offer.holders.begin(), offer.holders.end(),
                                            [](ParentView const& a, ParentView const& b) {
                                                return a.outstanding_chunks < b.outstanding_chunks;
                                            })
                               ->outstanding_chunks;
        std::vector<std::size_t> idle;
        for (std::size_t i = 0; i < offer.holders.size(); ++i) {
            if (offer.holders[i].outstanding_chunks == least) {
                idle.push_back(i);
            }
        }
        return idle[rng().below(idle.size())];
    }

private:
    [[nodiscard]] static PullConfig config()
    {
        PullConfig config;
        config.group_units = segment_units;
        config.in_flight_max = 3;
        config.per_parent_max = 1;
        config.patience = std::chrono::seconds{1};
        config.source_hold_off = std::chrono::seconds{1};
        return config;
    }
};

} // namespace ppsp::baselines
