#pragma once

#include <chrono>
#include <cstdint>

namespace ppsp {

/// Time as the engine knows it: a count of microseconds that somebody else measures.
/// There is no now(): time is handed in.
struct Clock {
    using rep = std::int64_t;
    using period = std::micro;
    using duration = std::chrono::duration<rep, period>;
    using time_point = std::chrono::time_point<Clock>;
    static constexpr bool is_steady = true;
};

using Duration = Clock::duration;
using TimePoint = Clock::time_point;

using namespace std::chrono_literals;

/// Microseconds since 1970-01-01 UTC, as DATA timestamps carry them (RFC 7574 §8.6).
using UnixMicros = std::int64_t;

/// NTP timestamp, 32.32 fixed point since 1900, as SIGNED_INTEGRITY carries it (RFC 7574 §8.8).
enum class NtpTime : std::uint64_t {};

/// Converts UTC to NTP time; the era wraps in 2036, so compare with `ntp_difference` only.
[[nodiscard]] NtpTime to_ntp(UnixMicros time) noexcept;

/// Converts NTP time to UTC, taking the era that lies nearest to `around`.
[[nodiscard]] UnixMicros from_ntp(NtpTime time, UnixMicros around) noexcept;

/// `later - earlier` as a signed duration; right as long as they lie within 68 years of each other.
[[nodiscard]] Duration ntp_difference(NtpTime later, NtpTime earlier) noexcept;

} // namespace ppsp
