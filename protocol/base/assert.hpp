#pragma once

/// Checks of our own promises: always on, in every build. Input from outside is never asserted.

namespace ppsp {

[[noreturn]] void assertion_failed(char const* condition, char const* file, int line) noexcept;

} // namespace ppsp

// NOLINTBEGIN(cppcoreguidelines-macro-usage)
#define PPSP_ASSERT(condition)                                                                     \
    ((condition) ? static_cast<void>(0) : ::ppsp::assertion_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define PPSP_DEBUG_ASSERT(condition) static_cast<void>(0)
#else
#define PPSP_DEBUG_ASSERT(condition) PPSP_ASSERT(condition)
#endif
// NOLINTEND(cppcoreguidelines-macro-usage)
