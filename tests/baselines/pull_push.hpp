#pragma once

#include "tests/baselines/pull_picker.hpp"

#include <array>

namespace ppsp::baselines {

/// Pull discovers, push exploits (GridMedia): a unit is pulled of a random holder; who delivered
/// it is subscribed to for the whole substream until it fails, and what it does not push in time
/// is pulled.
class PullPush final : public PullPicker {
public:
    /// A subscription reaches that far beyond the edge; renewed at half of it.
    static constexpr UnitIndex horizon = 64;
    /// What does not come that long after it usually could is pulled.
    static constexpr Duration late = std::chrono::milliseconds{400};
    /// Units in a row that a parent did not push before it is given up.
    static constexpr std::uint32_t misses_max = 2;

    explicit PullPush(Rng rng) : PullPicker(PullConfig{}, rng) {}

    void on_announced(TimePoint now, PeerKey parent, UnitIndex unit, bool offered,
                      PickerView const& view) override;
    void on_chunk(TimePoint now, PeerKey from, UnitIndex unit, PickerView const& view) override;
    void on_parent_gone(PeerKey parent) override;
    void plan(TimePoint now, PickerView const& view, Plan& plan) override;
    [[nodiscard]] std::uint32_t orphans() const override;
    [[nodiscard]] std::uint32_t fed_by(PeerKey parent) const override;

protected:
    [[nodiscard]] std::size_t choose(std::span<Offer const> offers) override
    {
        return offers.size() - 1;
    }
    [[nodiscard]] std::size_t choose_holder(Offer const& offer) override
    {
        return rng().below(offer.holders.size());
    }
    [[nodiscard]] bool comes_by_itself(TimePoint now, UnitIndex unit,
                                       PickerView const& view) override;

private:
    struct Substream {
        std::optional<PeerKey> parent;
        UnitIndex from = 0; ///< units in [from, until) are subscribed to
        UnitIndex until = 0;
        std::uint32_t misses = 0;
        UnitIndex missed = 0; ///< last one that counted
    };
    [[nodiscard]] Substream& substream_of(UnitIndex unit)
    {
        return substreams_[unit % peer::substreams];
    }
    void give_up(Substream& substream);

    std::array<Substream, peer::substreams> substreams_{};
    std::vector<Withdrawal> withdrawals_;
};

} // namespace ppsp::baselines
