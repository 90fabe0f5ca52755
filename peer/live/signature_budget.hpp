#pragma once

#include "protocol/base/time.hpp"
#include "protocol/wire/options.hpp"

#include <cstdint>

namespace ppsp::peer {

/// How many signatures are checked in a second, so that a flood of bad ones takes less than a tenth
/// of a core. Neighbours that never were the first with a good one share the smaller part: what
/// the stream needs comes from the others, and three bad ones end a conversation. What is too much
/// is dropped.
class SignatureBudget {
public:
    /// The finest stream that a source makes has 190 units a second.
    static constexpr std::uint32_t known_per_second_max = 200;
    /// A check takes 0.1 ms (P-256), 0.2 ms (Ed25519), 0.03 to 0.1 ms (RSA), but 1.2 ms with P-384
    /// (`openssl speed`, 2.5 GHz).
    static constexpr std::uint32_t strangers_per_second_max = 100;
    static constexpr std::uint32_t strangers_per_second_max_p384 = 40;

    explicit SignatureBudget(wire::SignatureAlgorithm algorithm)
        : strangers_max_(algorithm == wire::SignatureAlgorithm::ecdsa_p384_sha384
                             ? strangers_per_second_max_p384
                             : strangers_per_second_max)
    {}

    /// Whether one more may be checked. `has_proved`: it comes from a neighbour that was the first
    /// with a good one before.
    [[nodiscard]] bool take(TimePoint now, bool has_proved)
    {
        auto const second =
            std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
        if (second != second_) {
            second_ = second;
            strangers_ = 0;
            known_ = 0;
        }
        std::uint32_t& taken = has_proved ? known_ : strangers_;
        if (taken == (has_proved ? known_per_second_max : strangers_max_)) {
            return false;
        }
        taken += 1;
        return true;
    }

private:
    std::uint32_t strangers_max_;
    std::int64_t second_ = -1;
    std::uint32_t strangers_ = 0; ///< of this second
    std::uint32_t known_ = 0;     ///< of this second
};

} // namespace ppsp::peer
