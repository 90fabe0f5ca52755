#pragma once

#include "peer/content/live_store.hpp"

#include <cstdint>
#include <map>

namespace ppsp::peer {

/// The units that a picture begins with, among those that are held. Who has none yet needs these
/// before all others, so whoever is asked for one has to know it; the asker only guesses.
class StartUnits {
public:
    /// Units whose answer is remembered: those that newcomers ask for lie close together.
    static constexpr std::size_t remembered_max = 32;

    /// Whether a random access point is in the unit, or so close to its ends that it takes the
    /// unit: its PAT may end the unit before, and the key frame goes on in the next one.
    [[nodiscard]] bool contains(LiveStore const& store, UnitIndex unit);
    /// Units of which the answer is known.
    [[nodiscard]] std::size_t remembered() const { return answers_.size(); }

private:
    struct Answer {
        std::uint32_t complete = 0; ///< which of the units around it were whole then, as bits
        bool begins = false;
    };

    std::map<UnitIndex, Answer> answers_;
};

} // namespace ppsp::peer
