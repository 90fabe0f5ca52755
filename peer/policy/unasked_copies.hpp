#pragma once

#include "peer/content/unit_grid.hpp"
#include "peer/policy/upload_slots.hpp"
#include "protocol/base/time.hpp"

#include <deque>
#include <map>
#include <utility>

namespace ppsp::peer {

/// Copies that a source sends unasked, and who has no use for them.
///
/// Copies that nobody subscribed to go to those that pass most on. One that gets the substream
/// from a peer, sooner than second copies leave a busy source, takes each of them back with a
/// CANCEL that comes too late: it is left alone in that substream for a while, and the next one is
/// tried. A few that it takes back are none too many: a source that is late for a second is of use
/// again in the next one.
class UnaskedCopies {
public:
    /// Copies that may be taken back, more than are kept.
    static constexpr std::uint32_t declined_max = 3;
    /// It doubles with every further one.
    static constexpr Duration pause_min = std::chrono::seconds{10};
    static constexpr Duration pause_max = std::chrono::seconds{160};

    /// A CANCEL of a copy may come while the next ones are sent: so many of a substream may still
    /// be taken back, more than a second of 50 ms units.
    static constexpr std::size_t open_max = 3;

    /// `unit` goes to a neighbour that did not ask for it.
    void give(PeerKey peer, UnitIndex unit);
    /// It takes units back; true if copies in the substream are among them, and too many were.
    [[nodiscard]] bool decline(TimePoint now, PeerKey peer, std::uint32_t substream,
                               UnitIndex first, UnitIndex last);
    /// It subscribed: what it gets from now on is asked for.
    void wanted(PeerKey peer, std::uint32_t substream);
    [[nodiscard]] bool may_give(TimePoint now, PeerKey peer, std::uint32_t substream) const;
    void forget(PeerKey peer);
    /// Neighbours times substreams that something is known of.
    [[nodiscard]] std::size_t remembered() const { return records_.size(); }

private:
    struct Record {
        std::deque<UnitIndex> open; ///< given, and not taken back
        std::uint32_t declined = 0; ///< taken back, less those that were kept
        TimePoint declined_until{};
        Duration pause{};
    };
    using Key = std::pair<PeerKey, std::uint32_t>; ///< neighbour, substream

    std::map<Key, Record> records_;
};

} // namespace ppsp::peer
