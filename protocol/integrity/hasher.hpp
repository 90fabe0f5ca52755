#pragma once

#include "protocol/integrity/hash.hpp"

namespace ppsp::integrity {

/// A hash function, handed to the engine by its shell. Not thread-safe: one per engine.
class Hasher {
public:
    virtual ~Hasher() = default;

    /// Bytes of a hash.
    [[nodiscard]] virtual std::size_t size() const = 0;
    [[nodiscard]] virtual Hash digest(Bytes first, Bytes second) = 0;

    [[nodiscard]] Hash leaf(Bytes chunk) { return digest(chunk, {}); }

    /// Parent of two nodes; the parent of two all-zero nodes is all-zero and never computed
    /// (RFC 7574 §5.1, trap T13).
    [[nodiscard]] Hash parent(Hash const& left, Hash const& right)
    {
        if (left.is_zero() && right.is_zero()) {
            return Hash::zero(size());
        }
        return digest(left.bytes(), right.bytes());
    }
};

} // namespace ppsp::integrity
