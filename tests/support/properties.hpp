#pragma once

#include <cstdlib>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace ppsp::test {

/// RapidCheck draws its seed from the system unless told otherwise; a test must not depend on
/// luck. RC_PARAMS="seed=..." in the environment still chooses another one.
inline int const fixed_property_seed = setenv("RC_PARAMS", "seed=7574", 0);

} // namespace ppsp::test
