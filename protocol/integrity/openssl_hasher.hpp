#pragma once

#include "protocol/integrity/hasher.hpp"
#include "protocol/wire/options.hpp"

#include <memory>

namespace ppsp::integrity {

/// The hash functions of RFC 7574 §7.6. Not thread-safe: one per engine.
[[nodiscard]] std::unique_ptr<Hasher> make_hasher(wire::HashFunction function);

} // namespace ppsp::integrity
