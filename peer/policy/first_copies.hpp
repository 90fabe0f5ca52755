#pragma once

#include "peer/content/unit_grid.hpp"
#include "peer/policy/upload_slots.hpp"
#include "protocol/base/time.hpp"

#include <deque>
#include <map>
#include <optional>
#include <span>

namespace ppsp::peer {

/// Who gets the only copy of a unit from its source, and whether it goes on from there.
///
/// A source with little uplink gives some units to a single neighbour. One that passes nothing on,
/// because it lies, because others cannot reach it or because it is gone, would be the end of
/// them: whoever pulls such a unit waits behind the second copies of others. So the first who pulls
/// a chunk that the neighbour has been sent gets it before all second copies, and whose units are
/// pulled again and again gets none for a while.
/// Units that went to several neighbours are left to those: sent once more so early they would
/// make the second copies of all others late.
class FirstCopies {
public:
    /// Newest units that are remembered; what is pulled later is of no use to those that play.
    static constexpr std::size_t units_max = 32;
    /// Share of all chunks that may leave once more so early: an eighth of the stream
    /// is one substream, and the newcomer to one needs room to begin with.
    static constexpr double share = 0.25;
    static constexpr double saved_units_max = 4;
    /// Units in a row of one neighbour that were pulled; a loss is no failure, nor is one asker
    /// enough, who could make others look bad.
    static constexpr std::uint32_t failures_max = 3;
    static constexpr Duration distrust = std::chrono::seconds{30};
    /// Neighbours whose failures are remembered.
    static constexpr std::size_t children_max = 128;

    /// `unit` of so many chunks is on its way to `children`, which may be none. Names the one that
    /// is to get no more first copies for a while, if an earlier unit was its last chance.
    std::optional<PeerKey> placed(TimePoint now, UnitIndex unit, std::span<PeerKey const> children,
                                  std::uint32_t chunks);
    /// Who got the unit's only copy; nullopt if nobody did or several, or it is not remembered.
    [[nodiscard]] std::optional<PeerKey> child(UnitIndex unit);
    /// `asker` pulls a chunk that was sent to the only child of its unit. True for the first time
    /// that somebody else does, while the share lasts: the chunk is to leave before second
    /// copies. It counts against the child if the asker `blames` it: the child had time, and the
    /// asker was there.
    [[nodiscard]] bool replace(UnitIndex unit, ChunkMask chunk, PeerKey asker, bool blames);
    [[nodiscard]] bool distrusts(TimePoint now, PeerKey peer) const;
    void forget(PeerKey peer);
    /// Neighbours that failed.
    [[nodiscard]] std::size_t remembered() const { return records_.size(); }

private:
    struct Unit {
        UnitIndex unit = 0;
        std::optional<PeerKey> child; ///< if it is the only one
        bool safe = false;            ///< there are several
        std::uint32_t chunks = 0;
        ChunkMask replaced = 0;
        ChunkMask blamed = 0;
        PeerKey asker{}; ///< the first that blames
    };
    struct Record {
        std::uint32_t failures = 0;
        PeerKey asker{}; ///< of the last failure
        TimePoint distrusted_until{};
    };

    [[nodiscard]] Unit* find(UnitIndex unit);
    [[nodiscard]] std::optional<PeerKey> settle(TimePoint now, Unit const& unit);

    std::deque<Unit> units_; ///< newest last
    std::map<PeerKey, Record> records_;
    double credit_ = 0; ///< chunks
};

} // namespace ppsp::peer
