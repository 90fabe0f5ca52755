#pragma once

#include "peer/policy/picker.hpp"
#include "protocol/base/rng.hpp"

#include <map>

/// Pickers of the literature behind the engine's own interface, to be compared with its own.
namespace ppsp::baselines {

using peer::Ask;
using peer::ParentView;
using peer::PeerKey;
using peer::PickerView;
using peer::Plan;
using peer::UnitIndex;
using peer::Withdrawal;

struct PullConfig {
    /// Units that are asked for together, of one neighbour that holds all of them.
    std::uint32_t group_units = 1;
    /// Groups that are on their way at the same time, and of these from one neighbour: few, so that
    /// who delivers faster is asked more often.
    std::uint32_t in_flight_max = 24;
    std::uint32_t per_parent_max = 2;
    /// Without progress for that long beside a round trip somebody else is asked.
    Duration patience = std::chrono::milliseconds{500};
    /// While there are other neighbours the source is asked for what nobody else holds, that long
    /// after its first sign and a random time up to twice this.
    Duration source_hold_off = std::chrono::milliseconds{150};
    /// Two plans are that far apart.
    Duration plan_gap = std::chrono::milliseconds{20};
};

/// A group that may be asked for.
struct Offer {
    UnitIndex first = 0;
    UnitIndex last = 0;
    std::vector<ParentView> holders; ///< of all that is missing; never empty, by key
};

/// Asks for what somebody announced and nobody was asked for yet. Which group first and of whom is
/// what the baselines differ in. Nothing is subscribed to.
class PullPicker : public peer::Picker {
public:
    PullPicker(PullConfig const& config, Rng rng) : config_(config), rng_(rng) {}

    void on_announced(TimePoint now, PeerKey parent, UnitIndex unit, bool offered,
                      PickerView const& view) override;
    void on_repeated(TimePoint now, PeerKey parent, UnitIndex unit,
                     PickerView const& view) override;
    void on_chunk(TimePoint now, PeerKey from, UnitIndex unit, PickerView const& view) override;
    void on_pending(TimePoint, PeerKey, UnitIndex) override {}
    void on_wrong(TimePoint, PeerKey, UnitIndex) override {}
    void on_complete(TimePoint now, UnitIndex unit, PickerView const& view) override;
    void on_rescued(TimePoint now, UnitIndex unit) override;
    void on_not_rescued(TimePoint now, UnitIndex unit) override;
    void on_parent_gone(PeerKey parent) override;
    void plan(TimePoint now, PickerView const& view, Plan& plan) override;
    [[nodiscard]] TimePoint deadline() const override { return next_plan_; }
    [[nodiscard]] std::optional<PeerKey> asked(UnitIndex unit) const override;
    [[nodiscard]] std::uint32_t fed_by(PeerKey parent) const override;
    [[nodiscard]] bool offers(TimePoint now, PeerKey parent) const override;
    /// What came whole may be announced, whatever way it came.
    [[nodiscard]] bool fed(TimePoint, std::uint32_t) const override { return true; }
    [[nodiscard]] std::optional<PeerKey> parent_of(std::uint32_t) const override
    {
        return std::nullopt;
    }
    [[nodiscard]] std::uint32_t orphans() const override { return 0; }

protected:
    /// Place of the offer to take next.
    [[nodiscard]] virtual std::size_t choose(std::span<Offer const> offers) = 0;
    /// Place of the holder to ask.
    [[nodiscard]] virtual std::size_t choose_holder(Offer const& offer) = 0;
    /// Whether a missing group is left to other means yet.
    [[nodiscard]] virtual bool comes_by_itself(TimePoint, UnitIndex, PickerView const&)
    {
        return false;
    }

    [[nodiscard]] Rng& rng() { return rng_; }
    /// The next plan is made soon.
    void wake() { next_plan_ = TimePoint{}; }

private:
    struct Flight {
        std::optional<PeerKey> parent; ///< nullopt: nobody is asked
        std::optional<PeerKey> failed; ///< asked in vain last
        TimePoint progress{};
    };
    struct Known {
        TimePoint announced{};
        std::uint32_t units = 0; ///< that came from it, fading
    };
    [[nodiscard]] UnitIndex group_of(UnitIndex unit) const { return unit / config_.group_units; }
    [[nodiscard]] bool holds(PickerView const& view, ParentView const& parent,
                             UnitIndex unit) const;
    void give_up_late(TimePoint now, PickerView const& view, Plan& plan);
    [[nodiscard]] std::vector<Offer> offers_of(TimePoint now, PickerView const& view);
    [[nodiscard]] std::optional<Offer> offer_of(TimePoint now, PickerView const& view,
                                                UnitIndex group);
    [[nodiscard]] bool may_ask(TimePoint now, PickerView const& view, ParentView const& parent,
                               UnitIndex last, bool others);
    void take(TimePoint now, PickerView const& view, Plan& plan, Offer const& offer,
              PeerKey parent);

    PullConfig config_;
    Rng rng_;
    TimePoint planned_{};
    TimePoint next_plan_{};
    std::map<UnitIndex, Flight> flights_;               ///< by group
    std::map<UnitIndex, std::vector<PeerKey>> holders_; ///< who announced which unit
    std::map<PeerKey, std::uint32_t> loads_;
    std::map<PeerKey, Known> known_;
};

} // namespace ppsp::baselines
