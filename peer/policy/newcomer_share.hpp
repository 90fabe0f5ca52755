#pragma once

#include "peer/content/unit_grid.hpp"
#include "peer/policy/upload_slots.hpp"
#include "protocol/base/time.hpp"

#include <cstdint>
#include <map>

namespace ppsp::peer {

/// Uplink that goes to those who just came and have nothing to show yet.
///
/// The first units of a newcomer, of those that a picture begins with (StartUnits), go like new
/// ones, as long as that takes little of the uplink: a picture at once is worth a little delay of
/// the others. Whole units, because nothing can be shown
/// of a part. A new conversation alone makes no newcomer: viewers look for better neighbours all
/// the time, and in a large swarm nearly all that are new to one another have had their picture
/// for long.
class NewcomerShare {
public:
    /// Who came in within this time is new here.
    static constexpr Duration newcomer_time = std::chrono::seconds{3};
    /// Whoever holds more of the stream than this has its picture.
    static constexpr Duration held_max = std::chrono::seconds{1};
    /// Share of the places' rate that first units may take from the others.
    static constexpr double share = 0.15;
    /// Units that go to one newcomer like new ones, and that may be saved for the next ones.
    static constexpr std::uint32_t units_max = 3;

    /// Who asks.
    struct Asker {
        PeerKey peer{};
        Duration known_for{}; ///< how long the conversation is open
        Duration holds{};     ///< of the stream, as far as it said
    };
    /// What there is to give.
    struct Stream {
        Duration unit_duration{};
        std::uint32_t chunks_per_unit = 0;
        double copies = 0; ///< of the stream that our places carry
    };

    [[nodiscard]] static bool is_new(Duration known_for) { return known_for <= newcomer_time; }
    /// Whether a chunk of the unit, which is asked for now, goes like a new one.
    [[nodiscard]] bool helps(TimePoint now, Asker const& asker, UnitIndex unit,
                             Stream const& stream);
    void forget(PeerKey peer) { helped_.erase(peer); }
    /// Neighbours that something is known of.
    [[nodiscard]] std::size_t remembered() const { return helped_.size(); }

private:
    /// What one neighbour got.
    struct Help {
        std::uint32_t units = 0;
        UnitIndex unit = 0;            ///< the newest
        std::uint32_t chunks_left = 0; ///< of it
    };
    std::map<PeerKey, Help> helped_; ///< as many as there are conversations at most: `forget`
    double saved_ = 0;               ///< units
    TimePoint refilled_{};
};

} // namespace ppsp::peer
