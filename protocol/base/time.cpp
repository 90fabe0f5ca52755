#include "protocol/base/time.hpp"

namespace ppsp {
namespace {

constexpr std::int64_t micros_per_second = 1'000'000;
/// Seconds from 1900-01-01 to 1970-01-01 (RFC 5905 §6).
constexpr std::uint64_t unix_epoch_in_ntp = 2'208'988'800;

std::int64_t fixed_to_micros(std::int64_t fixed) noexcept
{
    std::int64_t const seconds = fixed >> 32;
    auto const fraction = static_cast<std::uint64_t>(fixed) & 0xffff'ffffU;
    // Rounded up by half a unit so that micros -> ntp -> micros is the identity.
    auto const micros =
        (fraction * static_cast<std::uint64_t>(micros_per_second) + 0x8000'0000U) >> 32;
    return seconds * micros_per_second + static_cast<std::int64_t>(micros);
}

} // namespace

NtpTime to_ntp(UnixMicros time) noexcept
{
    std::int64_t seconds = time / micros_per_second;
    std::int64_t micros = time % micros_per_second;
    if (micros < 0) {
        micros += micros_per_second;
        seconds -= 1;
    }
    auto const era_seconds =
        (static_cast<std::uint64_t>(seconds) + unix_epoch_in_ntp) & 0xffff'ffffU;
    auto const fraction =
        (static_cast<std::uint64_t>(micros) << 32) / static_cast<std::uint64_t>(micros_per_second);
    return NtpTime{(era_seconds << 32) | fraction};
}

UnixMicros from_ntp(NtpTime time, UnixMicros around) noexcept
{
    return around + ntp_difference(time, to_ntp(around)).count();
}

Duration ntp_difference(NtpTime later, NtpTime earlier) noexcept
{
    auto const fixed = static_cast<std::int64_t>(static_cast<std::uint64_t>(later) -
                                                 static_cast<std::uint64_t>(earlier));
    return Duration{fixed_to_micros(fixed)};
}

} // namespace ppsp
