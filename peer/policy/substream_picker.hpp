#pragma once

#include "peer/policy/picker.hpp"
#include "protocol/base/rng.hpp"

#include <array>
#include <map>

namespace ppsp::peer {

struct SubstreamPickerConfig {
    /// Units beyond the edge that are subscribed to: a key frame of a variable bit rate makes many
    /// units at once, and each must find its request in place.
    std::uint32_t horizon_units = 24;
    /// A unit that its parent did not begin by then, counted from the first sign of it plus the
    /// parent's usual lag, is fetched elsewhere. Covers reordering and one lost datagram.
    Duration patience = std::chrono::milliseconds{60};
    /// A unit that began and then stood still for that long plus two round trips is asked again.
    Duration stall = std::chrono::milliseconds{30};
    /// How long a parent that refused or failed a substream is not asked for it again; random
    /// within [1, 2] x this, so that refused neighbours do not come back together.
    Duration block = std::chrono::seconds{2};
    /// The source serves first copies; whoever else holds a unit is preferred by that much.
    Duration source_handicap = std::chrono::milliseconds{40};
    /// While there are other neighbours, a unit that only the source holds is not pulled before
    /// this, plus a random time up to twice this: if nobody got a first copy, one does so first
    /// and serves the rest, instead of all of them at once overloading the source.
    Duration source_hold_off = std::chrono::milliseconds{80};
    /// Subscriptions are repeated that often: a lost REQUEST must not cost a parent.
    Duration refresh = std::chrono::milliseconds{400};
    /// Units in a row that a parent did not begin, without saying no, before it is given up.
    std::uint32_t misses_max = 2;
    /// A missing unit that is due within this time is asked of anybody.
    Duration urgent = std::chrono::milliseconds{250};
    /// A unit nobody announced is asked of the source after this: announcements get lost.
    Duration silence = std::chrono::milliseconds{300};
};

/// Subscribed push first, receiver-driven pull for repair (design §5.3, §5.4; GridMedia's
/// "pull discovers, push exploits").
///
/// For each substream one parent gets the requests for units that do not exist yet. A parent that
/// announces such a unit instead of sending it has no place for us: the unit is pulled, the
/// substream moves to the neighbour that had units earliest lately.
class SubstreamPicker final : public Picker {
public:
    SubstreamPicker(SubstreamPickerConfig const& config, Rng rng)
        : config_(config), rng_(rng), salt_(rng_.next())
    {}

    void on_announced(TimePoint now, PeerKey parent, UnitIndex unit,
                      PickerView const& view) override;
    void on_chunk(TimePoint now, PeerKey from, UnitIndex unit, PickerView const& view) override;
    void on_parent_gone(PeerKey parent) override;
    void plan(TimePoint now, PickerView const& view, Plan& plan) override;
    [[nodiscard]] std::optional<PeerKey> asked(UnitIndex unit) const override;

private:
    struct UnitState {
        PeerKey parent{};
        TimePoint asked{};
        TimePoint progress{};
        bool started = false; ///< the parent sent some chunk of it
        bool refused = false; ///< the parent announced it instead
        bool pull = false;    ///< asked when it existed
        std::uint8_t tries = 1;
    };
    struct ParentState {
        Duration lag = std::chrono::milliseconds{150}; ///< after the first sign of a unit, smoothed
        bool lag_known = false;
        std::array<TimePoint, substreams> blocked_until{};
        std::array<std::uint32_t, substreams> misses{};
    };

    [[nodiscard]] static std::uint32_t substream_of(UnitIndex unit) { return unit % substreams; }
    void note_lag(PeerKey parent, Duration lag);
    void block(TimePoint now, PeerKey parent, std::uint32_t substream);
    [[nodiscard]] ParentView const* usable(PickerView const& view, PeerKey parent) const;
    [[nodiscard]] std::optional<PeerKey> subscription_parent(TimePoint now, PickerView const& view,
                                                             std::uint32_t substream);
    [[nodiscard]] std::optional<PeerKey> holder(TimePoint now, PickerView const& view,
                                                UnitIndex unit, std::optional<PeerKey> avoid);
    void subscribe(TimePoint now, PickerView const& view, Plan& plan);
    [[nodiscard]] bool source_may_be_asked(TimePoint now, PickerView const& view,
                                           UnitIndex unit) const;
    void repair(TimePoint now, PickerView const& view, Plan& plan, UnitIndex unit);
    void pull(TimePoint now, PickerView const& view, Plan& plan, UnitIndex unit,
              std::optional<PeerKey> avoid);
    [[nodiscard]] bool overdue(TimePoint now, PickerView const& view, UnitIndex unit,
                               UnitState const& state) const;

    SubstreamPickerConfig config_;
    Rng rng_;
    std::uint64_t salt_; ///< spreads hold-offs over the nodes of a swarm
    TimePoint refreshed_{};
    std::vector<Withdrawal> withdrawals_; ///< for the next plan; one per unit at most
    std::map<UnitIndex, UnitState> units_;
    std::map<PeerKey, ParentState> parents_;
    std::array<std::optional<PeerKey>, substreams> subscribed_{};
};

} // namespace ppsp::peer
