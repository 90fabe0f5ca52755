#pragma once

namespace ppsp {

/// One visitor made of several lambdas, for std::visit.
template <typename... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};

} // namespace ppsp
