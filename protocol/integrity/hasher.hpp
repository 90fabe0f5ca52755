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

    /// Most chunks that `expect` makes use of; 0 = it makes none.
    [[nodiscard]] virtual std::size_t ahead_max() const { return 0; }
    /// These chunks are likely to be hashed soon, in this order, and their bytes stay where they
    /// are until the next `expect`: somebody else may begin. Changes no hash.
    virtual void expect(std::span<Bytes const>) {}

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
