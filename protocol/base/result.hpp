#pragma once

#include <tl/expected.hpp>

namespace ppsp {

/// A value, or the room's error enum. Has the calls of std::expected.
template <typename T, typename E>
using Result = tl::expected<T, E>;

template <typename E>
[[nodiscard]] constexpr tl::unexpected<E> failure(E error)
{
    return tl::unexpected<E>(std::move(error));
}

} // namespace ppsp
