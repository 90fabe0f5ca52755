#pragma once

#include "protocol/base/time.hpp"
#include "protocol/wire/options.hpp"

#include <cstdint>

namespace ppsp::peer {

/// How many signatures are checked in a second, so that a flood of bad ones takes less than a tenth
/// of a core. Who never showed a good one shares half of that with all others of its kind: what
/// the stream needs comes from those who did. What is too much is dropped; a good munro is shown
/// again until it is known.
class SignatureBudget {
public:
    /// A check takes 0.1 ms (P-256), 0.2 ms (Ed25519), 0.03 to 0.1 ms (RSA), but 1.2 ms with P-384
    /// (`openssl speed`, 2.5 GHz). A stream has 20 units a second.
    static constexpr std::uint32_t per_second_max = 200;
    static constexpr std::uint32_t per_second_max_p384 = 80;

    explicit SignatureBudget(wire::SignatureAlgorithm algorithm)
        : max_(algorithm == wire::SignatureAlgorithm::ecdsa_p384_sha384 ? per_second_max_p384
                                                                        : per_second_max)
    {}

    /// Whether one more may be checked. `has_proved`: it comes from a neighbour that showed a good
    /// one before.
    [[nodiscard]] bool take(TimePoint now, bool has_proved)
    {
        auto const second =
            std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
        if (second != second_) {
            second_ = second;
            strangers_ = 0;
            all_ = 0;
        }
        if (all_ == max_ || (!has_proved && strangers_ == max_ / 2)) {
            return false;
        }
        strangers_ += has_proved ? 0 : 1;
        all_ += 1;
        return true;
    }

private:
    std::uint32_t max_;
    std::int64_t second_ = -1;
    std::uint32_t strangers_ = 0; ///< of this second
    std::uint32_t all_ = 0;       ///< of this second
};

} // namespace ppsp::peer
