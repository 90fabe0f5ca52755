#pragma once

#include "peer/content/unit_grid.hpp"
#include "peer/policy/upload_slots.hpp"
#include "protocol/base/time.hpp"

#include <optional>
#include <span>
#include <vector>

/// Which units to ask of whom: RFC 7574 §9.1 leaves it open, so it is a policy behind an interface.
namespace ppsp::peer {

/// A neighbour that may be asked.
struct ParentView {
    PeerKey key{};
    bool is_source = false;
    bool usable = false;   ///< open, not choking us, answering
    bool doubtful = false; ///< what it announced did not come lately
    Duration rtt{};
    std::uint32_t outstanding_chunks = 0; ///< pulled and not arrived
    double bytes_per_second = 0;          ///< measured, 0 = unknown
    TimePoint heard{};                    ///< when any datagram came from it
};

/// What a picker may know about its swarm.
class PickerView {
public:
    virtual ~PickerView() = default;
    [[nodiscard]] virtual std::span<ParentView const> parents() const = 0;
    /// Chunks of the unit that the neighbour is known to hold.
    [[nodiscard]] virtual ChunkMask held_by(PeerKey parent, UnitIndex unit) const = 0;
    /// Chunks of the unit came from the neighbour that nobody can verify yet.
    [[nodiscard]] virtual bool awaits_hashes(PeerKey parent, UnitIndex unit) const = 0;
    [[nodiscard]] virtual ChunkMask missing(UnitIndex unit) const = 0;
    /// Newest unit of which there is any sign, and the first one that the playout still wants.
    [[nodiscard]] virtual UnitIndex edge() const = 0;
    [[nodiscard]] virtual UnitIndex first_wanted() const = 0;
    /// When the unit could have been here at the earliest: signing time plus the shortest way seen,
    /// guessed from the pace of the stream while its signing time is unknown.
    [[nodiscard]] virtual TimePoint expected(UnitIndex unit) const = 0;
    /// When the first sign of the unit was seen; nullopt for units that do not exist yet.
    [[nodiscard]] virtual std::optional<TimePoint> first_sign(UnitIndex unit) const = 0;
    /// Substreams that we can pass on, over all children.
    [[nodiscard]] virtual std::uint32_t places() const = 0;
    /// Whether we mean to pass the substream on to many.
    [[nodiscard]] virtual bool passes_on(std::uint32_t substream) const = 0;
    /// Whether there is a picture already.
    [[nodiscard]] virtual bool playing() const = 0;
    /// When the playout needs the unit; nullopt while unknown.
    [[nodiscard]] virtual std::optional<TimePoint> due(UnitIndex unit) const = 0;
};

struct Ask {
    PeerKey parent{};
    UnitIndex unit = 0;
    ChunkMask chunks = 0;
};

struct Withdrawal {
    PeerKey parent{};
    UnitIndex unit = 0;
};

struct Plan {
    std::vector<Ask> asks;
    std::vector<Withdrawal> withdrawals;
};

/// Hears what arrives and says what to ask. After any of the `on_` calls and at `deadline`, `plan`
/// is called soon.
class Picker {
public:
    virtual ~Picker() = default;

    /// `parent` announced the unit, the last one of its HAVE; `offered` = it has a place free in
    /// the unit's substream.
    virtual void on_announced(TimePoint now, PeerKey parent, UnitIndex unit, bool offered,
                              PickerView const& view) = 0;
    /// `parent` announced it once more: the answer of one who has no place in its substream, or no
    /// room for a newcomer's pull.
    virtual void on_repeated(TimePoint now, PeerKey parent, UnitIndex unit,
                             PickerView const& view) = 0;
    /// A verified chunk came.
    virtual void on_chunk(TimePoint now, PeerKey from, UnitIndex unit, PickerView const& view) = 0;
    /// A chunk came that was here.
    virtual void on_duplicate(TimePoint, PeerKey, UnitIndex, PickerView const&) {}
    /// A chunk came that cannot be verified yet: a datagram with hashes is late or lost.
    virtual void on_pending(TimePoint now, PeerKey from, UnitIndex unit) = 0;
    /// A chunk came that is not of the unit: whoever sent it need not be waited for.
    virtual void on_wrong(TimePoint now, PeerKey from, UnitIndex unit) = 0;
    /// The unit is whole.
    virtual void on_complete(TimePoint now, UnitIndex unit, PickerView const& view) = 0;
    /// The unit is fetched from elsewhere than a neighbour, or came from there: nobody else is to
    /// be asked for it.
    virtual void on_rescued(TimePoint now, UnitIndex unit) = 0;
    /// It did not come from there.
    virtual void on_not_rescued(TimePoint now, UnitIndex unit) = 0;
    virtual void on_parent_gone(PeerKey parent) = 0;
    /// What to ask and to withdraw now.
    virtual void plan(TimePoint now, PickerView const& view, Plan& plan) = 0;
    /// When there is something to plan even if nothing arrives.
    [[nodiscard]] virtual TimePoint deadline() const = 0;
    /// The parent that the unit was asked of.
    [[nodiscard]] virtual std::optional<PeerKey> asked(UnitIndex unit) const = 0;
    /// Substreams or units that the neighbour feeds: it is worth keeping.
    [[nodiscard]] virtual std::uint32_t fed_by(PeerKey parent) const = 0;
    /// It seems to have places free for us in some substream.
    [[nodiscard]] virtual bool offers(TimePoint now, PeerKey parent) const = 0;
    /// Units of the substream are pushed to us: we can push them on.
    [[nodiscard]] virtual bool fed(TimePoint now, std::uint32_t substream) const = 0;
    /// Who pushes them, or was asked to.
    [[nodiscard]] virtual std::optional<PeerKey> parent_of(std::uint32_t substream) const = 0;
    /// Asks a parent again for what is missing of a unit that it pushes, as soon as that shows.
    [[nodiscard]] virtual bool asks_for_gaps() const { return false; }
    /// Substreams without a parent: other neighbours are needed.
    [[nodiscard]] virtual std::uint32_t orphans() const = 0;
};

} // namespace ppsp::peer
