#pragma once

#include "peer/policy/picker.hpp"
#include "protocol/base/rng.hpp"

#include <array>
#include <deque>
#include <map>

namespace ppsp::peer {

struct SubstreamPickerConfig {
    /// Units beyond the edge that a subscription reaches at least and at most. It is renewed when
    /// it gets shorter than the first: a REQUEST of 9 bytes a unit, many to a datagram.
    std::uint32_t horizon_units_min = 24;
    std::uint32_t horizon_units_max = 64;
    /// The same while the parent has not shown that it has a place: what is asked in vain is small.
    std::uint32_t horizon_units_trial = 16;
    /// A unit that its parent did not begin that long after it usually does, beside four mean
    /// deviations, is fetched elsewhere.
    Duration patience = std::chrono::milliseconds{250};
    /// A tenth of the time until the unit is due, within these two.
    Duration patience_min = std::chrono::milliseconds{40};
    /// A subscription is said twice, so far apart: a lost REQUEST would cost several units.
    Duration repeat = std::chrono::milliseconds{300};
    /// However late a parent usually is, its units are waited for no longer than that.
    Duration wait_max = std::chrono::milliseconds{1200};
    /// A unit that began and then stood still for that long is asked again. Covers reordering and
    /// the pace of a slow uplink.
    Duration stall = std::chrono::milliseconds{35};
    /// What nobody is known to have is looked for that often.
    Duration search_gap = std::chrono::milliseconds{150};
    /// A pull that brought nothing for that long beside a round trip goes to somebody else.
    Duration pull_patience = std::chrono::milliseconds{400};
    /// Near by less patience does: this and three round trips.
    Duration pull_patience_near = std::chrono::milliseconds{100};
    /// What a pull in vain counts against the neighbour in the next one, and for how long: those
    /// who have no room are many and hold the same units, and a branch that misses one asks all at
    /// once.
    Duration vain_handicap = std::chrono::milliseconds{500};
    Duration vain_fresh = std::chrono::seconds{2};
    /// Whoever offers places has room; what the lack of such an offer counts in a pull.
    Duration full_handicap = std::chrono::milliseconds{300};
    /// Who has no place for a substream has little room for pulls of its units.
    Duration refusal_handicap = std::chrono::milliseconds{300};
    /// What it counts against a neighbour that what it announced did not come lately.
    Duration doubt_handicap = std::chrono::milliseconds{600};
    /// Units that are pulled at the same time, but for urgent ones: whoever has room to serve them
    /// has little of it.
    std::uint32_t pulls_max = 6;
    /// The first units of a joiner are asked of two: the random access point and the PAT before it.
    std::uint32_t hedged_units = 2;
    /// Who announced a unit of the substream within this time has a place free in it: whoever has
    /// none rarely does.
    Duration offer_gap = std::chrono::milliseconds{700};
    /// A substream of which nothing was pushed for that long does not come any more: three units.
    Duration fed_max = std::chrono::milliseconds{1300};
    /// A parent that neither pushed nor refused by then: two units and a little.
    Duration trial_max = std::chrono::milliseconds{1000};
    /// A refusal that recent counts more than an offer, and than what is pushed all the same.
    Duration refusal_fresh = std::chrono::milliseconds{500};
    /// Who gave notice and pushes that much later has a place for us again: parents go on for 1.3
    /// s.
    Duration notice_max = std::chrono::seconds{2};
    /// What the lack of such an offer counts against a parent.
    Duration no_offer_handicap = std::chrono::milliseconds{1000};
    /// How long a parent that refused or failed a substream is not asked for it again; doubles with
    /// every refusal in a row, random within [1, 2] x this.
    Duration block = std::chrono::milliseconds{700};
    Duration block_max = std::chrono::seconds{30};
    /// The source serves first copies; whoever else holds a unit is preferred by that much, however
    /// urgent it is: a joiner's first second would delay the next one of everybody.
    Duration source_handicap = std::chrono::milliseconds{500};
    /// While there are other neighbours, a unit that only the source holds is not pulled before
    /// this, plus a random time up to twice this: if nobody got a first copy, one does so first
    /// and serves the rest, instead of all of them at once overloading the source.
    Duration source_hold_off = std::chrono::milliseconds{80};
    /// Units in a row of a substream that a parent did not begin, without saying no, before it is
    /// given up: two seconds of 50 ms units. Where somebody high up has to find another parent, all
    /// behind it miss units at once; if they leave, too, the branch falls apart instead of coming
    /// back with its top.
    std::uint32_t misses_max = 5;
    /// A parent that misses a unit and said nothing at all for that long is gone: all its
    /// substreams look for others.
    Duration silent_max = std::chrono::milliseconds{1200};
    /// A missing unit that is due within this time is asked of anybody.
    Duration urgent = std::chrono::milliseconds{250};
    /// A unit nobody announced is asked of the source after this: announcements get lost.
    Duration silence = std::chrono::milliseconds{300};
    /// One substream at a time moves to a parent that had its units earlier by at least `gain`.
    Duration improve_gap = std::chrono::seconds{2};
    /// Who can pass that much on, two streams, also asks full parents in its home substreams: the
    /// place of a child that passes less on is worth more with it. Full sources it asks as if they
    /// had places.
    std::uint32_t climb_places = 2 * substreams;
    /// So often, up to twice that: what all behind them gain is worth a unit that comes twice, and
    /// who refuses is left alone for longer each time.
    Duration climb_gap = std::chrono::milliseconds{500};
    Duration improve_gap_max = std::chrono::seconds{40};
    Duration improve_gain = std::chrono::milliseconds{60};
};

/// Subscribed push first, receiver-driven pull for repair (design §5.3, §5.4; GridMedia's
/// "pull discovers, push exploits").
///
/// For each substream one parent gets the requests for units that do not exist yet. A parent that
/// announces such a unit instead of sending it has no place for us: the unit is pulled, the
/// substream moves to the neighbour that had its units earliest lately.
class SubstreamPicker final : public Picker {
public:
    SubstreamPicker(SubstreamPickerConfig const& config, Rng rng)
        : config_(config), rng_(rng), salt_(rng_.next())
    {}

    void on_announced(TimePoint now, PeerKey parent, UnitIndex unit, bool offered,
                      PickerView const& view) override;
    void on_repeated(TimePoint now, PeerKey parent, UnitIndex unit,
                     PickerView const& view) override;
    void on_chunk(TimePoint now, PeerKey from, UnitIndex unit, PickerView const& view) override;
    void on_duplicate(TimePoint now, PeerKey from, UnitIndex unit, PickerView const& view) override;
    void on_pending(TimePoint now, PeerKey from, UnitIndex unit) override;
    void on_wrong(TimePoint now, PeerKey from, UnitIndex unit) override;
    void on_complete(TimePoint now, UnitIndex unit, PickerView const& view) override;
    void on_rescued(TimePoint now, UnitIndex unit) override;
    void on_not_rescued(TimePoint now, UnitIndex unit) override;
    void on_parent_gone(PeerKey parent) override;
    void plan(TimePoint now, PickerView const& view, Plan& plan) override;
    [[nodiscard]] TimePoint deadline() const override { return next_check_; }
    [[nodiscard]] std::optional<PeerKey> asked(UnitIndex unit) const override;
    [[nodiscard]] std::uint32_t fed_by(PeerKey parent) const override;
    [[nodiscard]] bool offers(TimePoint now, PeerKey parent) const override;
    [[nodiscard]] bool offers(TimePoint now, PeerKey parent, std::uint32_t substream) const;
    [[nodiscard]] bool fed(TimePoint now, std::uint32_t substream) const override;
    [[nodiscard]] std::optional<PeerKey> parent_of(std::uint32_t substream) const override
    {
        return substreams_[substream].parent;
    }
    [[nodiscard]] bool asks_for_gaps() const override { return true; }
    [[nodiscard]] std::uint32_t orphans() const override;

private:
    /// A unit that exists and is not whole.
    struct UnitState {
        bool open = false;
        std::optional<PeerKey> parent;
        /// The parent of its substream, while somebody else is asked as well: whatever it gets late
        /// it passes on to all its children.
        std::optional<PeerKey> subscribed;
        bool started = false; ///< the parent sent some chunk of it
        bool pull = false;    ///< asked when it existed
        bool held = false;    ///< of one known to hold some of it
        std::uint8_t tries = 0;
        TimePoint progress{}; ///< asked, or the last chunk came
        TimePoint check{};    ///< when to look at it again
    };
    /// How late units come, smoothed as in RFC 6298.
    struct Lag {
        bool known = false;
        Duration mean{};
        Duration deviation{};
        void note(Duration value);
    };
    struct ParentState {
        TimePoint since{}; ///< when it was first heard of
        Lag any;
        std::array<Lag, substreams> lag{};
        std::array<TimePoint, substreams> blocked_until{};
        std::array<TimePoint, substreams> refused_at{};
        std::array<std::uint8_t, substreams> refusals{};
        std::array<std::uint8_t, substreams> misses{};
        std::array<TimePoint, substreams> announced{}; ///< when it last announced a unit
        std::optional<TimePoint> vain_at;              ///< when a pull was last given up
    };
    struct Substream {
        std::optional<PeerKey> parent;
        UnitIndex asked_from = 0; ///< units in [from, until) are requested from the parent
        UnitIndex asked_until = 0;
        std::optional<PeerKey> rival; ///< asked for the next units too: it may be earlier
        TimePoint rival_at{};
        UnitIndex rival_from = 0;
        UnitIndex again_from = 0; ///< units from here on are asked for once more at `again_at`
        TimePoint again_at = TimePoint::max();
        /// When the parent said that it goes on for a little while only.
        std::optional<TimePoint> notice;
        bool confirmed = false; ///< the parent has pushed something
        TimePoint next_try{};
        TimePoint pushed_at{}; ///< when a unit was last begun by its parent
        TimePoint asked_at{};  ///< when the parent was asked first
        Lag own;               ///< how late its units are whole here
    };

    [[nodiscard]] static std::uint32_t substream_of(UnitIndex unit) { return unit % substreams; }
    [[nodiscard]] static UnitIndex next_of(std::uint32_t substream, UnitIndex from);
    [[nodiscard]] UnitState* state_of(UnitIndex unit);
    void open_units(TimePoint now, PickerView const& view);
    void adopt(PeerKey parent, UnitIndex unit, PickerView const& view);
    void note_lag(TimePoint now, PeerKey parent, UnitIndex unit, PickerView const& view);
    [[nodiscard]] Lag usual_lag(PeerKey parent, std::uint32_t substream) const;
    [[nodiscard]] Duration wait(PickerView const& view, UnitIndex unit, Lag const& lag) const;
    void note_miss(TimePoint now, ParentView const& parent, std::uint32_t substream);
    void block(TimePoint now, PeerKey parent, std::uint32_t substream);
    void refuse(TimePoint now, PeerKey parent, std::uint32_t substream);
    void release_units(TimePoint now, PeerKey parent, std::uint32_t substream);
    void on_no_place(TimePoint now, PeerKey parent, UnitIndex unit, PickerView const& view);
    void on_no_room(TimePoint now, PeerKey parent, UnitIndex unit, PickerView const& view);
    [[nodiscard]] bool was_vain(TimePoint now, PeerKey parent) const;
    void challenge(TimePoint now, PickerView const& view, Plan& plan, std::uint32_t substream,
                   PeerKey rival);
    void withdraw_from(PeerKey parent, UnitIndex unit, std::uint32_t substream);
    void unsubscribe(Substream& substream);
    [[nodiscard]] bool was_given_up(TimePoint now, PeerKey parent, std::uint32_t substream) const;
    [[nodiscard]] bool blocked(TimePoint now, PeerKey parent, std::uint32_t substream) const;
    [[nodiscard]] std::optional<PeerKey> likely_holder(TimePoint now, PickerView const& view,
                                                       UnitIndex unit) const;
    [[nodiscard]] ParentView const* usable(PickerView const& view, PeerKey parent) const;
    [[nodiscard]] Duration round_trip(PickerView const& view, PeerKey parent) const;
    [[nodiscard]] std::optional<PeerKey> best_parent(TimePoint now, PickerView const& view,
                                                     std::uint32_t substream);
    [[nodiscard]] std::optional<PeerKey> holder(TimePoint now, PickerView const& view,
                                                UnitIndex unit, std::optional<PeerKey> avoid);
    [[nodiscard]] Duration handicap(TimePoint now, ParentView const& parent,
                                    std::uint32_t substream, bool urgent) const;
    [[nodiscard]] bool source_may_be_asked(TimePoint now, PickerView const& view,
                                           UnitIndex unit) const;
    void subscribe(TimePoint now, PickerView const& view, Plan& plan);
    struct Move {
        std::uint32_t substream;
        PeerKey parent;
    };
    [[nodiscard]] std::optional<Move> best_move(TimePoint now, PickerView const& view,
                                                bool climb) const;
    void improve(TimePoint now, PickerView const& view, Plan& plan);
    void examine(TimePoint now, PickerView const& view, Plan& plan, UnitIndex unit,
                 UnitState& state);
    [[nodiscard]] std::uint32_t outstanding(ParentView const& parent) const;
    void pull(TimePoint now, PickerView const& view, Plan& plan, UnitIndex unit, UnitState& state);

    SubstreamPickerConfig config_;
    Rng rng_;
    std::uint64_t salt_; ///< spreads hold-offs over the nodes of a swarm
    TimePoint next_check_{};
    TimePoint next_improvement_{};
    TimePoint next_climb_{};
    bool climbs_ = false;                 ///< can pass much on, as of the last plan
    Duration improve_gap_{};              ///< grows while attempts fail
    std::vector<Withdrawal> withdrawals_; ///< for the next plan; a unit may be there twice
    UnitIndex first_ = 0;                 ///< of `units_`
    std::deque<UnitState> units_;
    /// Those of them that are open, in order; what is open no more leaves with the next plan.
    std::vector<UnitIndex> open_;
    std::map<PeerKey, ParentState> parents_;
    std::map<PeerKey, std::uint32_t> planned_; ///< chunks that the running plan pulls
    std::array<Substream, substreams> substreams_{};
};

} // namespace ppsp::peer
