#pragma once

#include "tests/bottleneck/conversations.hpp"

#include <string>

namespace ppsp::bottleneck {

/// What a case found, by name.
using Figures = std::vector<std::pair<std::string, double>>;

struct CaseSetup {
    congestion::LedbatConfig ledbat;
    std::uint64_t seed = 1;
    Duration hiccup_max{0}; ///< as in LinkConfig, in every case
};

struct Case {
    std::string name;
    Figures (*run)(CaseSetup const& setup);
};

/// Every case of the bed, in virtual time.
[[nodiscard]] std::vector<Case> const& cases();
/// The figure of that name; fails the program if there is none.
[[nodiscard]] double figure(Figures const& figures, std::string const& name);

} // namespace ppsp::bottleneck
