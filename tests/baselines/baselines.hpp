#pragma once

#include "peer/engine/config.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ppsp::baselines {

/// What a picker's name stands for in the simulator.
struct Baseline {
    std::string_view name;
    peer::PickerMaker picker;     ///< empty = the engine's own
    bool deprived_first = false;  ///< who holds least is served first
    bool ignores_uplinks = false; ///< neighbours at random, equal places for children
};

/// Nullopt for names that are not known.
[[nodiscard]] std::optional<Baseline> find(std::string_view name);
/// All names, for error messages: "substream, random-overlay, ...".
[[nodiscard]] std::string names();

} // namespace ppsp::baselines
