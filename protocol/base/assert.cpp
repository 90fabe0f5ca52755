#include "protocol/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace ppsp {

void assertion_failed(char const* condition, char const* file, int line) noexcept
{
    std::fprintf(stderr, "ppsp: broken promise: %s (%s:%d)\n", condition, file, line);
    std::abort();
}

} // namespace ppsp
