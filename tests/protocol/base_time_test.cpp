#include "protocol/base/time.hpp"
#include "tests/support/properties.hpp"
#include "tests/support/vectors.hpp"

#include <cstdio>

namespace ppsp {
namespace {

constexpr std::int64_t second = 1'000'000;
/// 2036-02-07T06:28:16Z, when the seconds of NTP start again at 0.
constexpr UnixMicros era_end = 2'085'978'496 * second;

/// `2026-01-01T00:00:00.250Z`
UnixMicros parse_utc(std::string const& text)
{
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int hour = 0;
    int minute = 0;
    double seconds = 0;
    EXPECT_EQ(std::sscanf(text.c_str(), "%d-%u-%uT%d:%d:%lfZ", &year, &month, &day, &hour, &minute,
                          &seconds),
              6);
    using namespace std::chrono;
    auto const date = sys_days{std::chrono::year{year} / month / day};
    auto const time = date + hours{hour} + minutes{minute} +
                      microseconds{static_cast<std::int64_t>(seconds * 1e6)};
    return microseconds{time.time_since_epoch()}.count();
}

TEST(Ppspp, S8_8_ntp_times_of_the_vectors)
{
    auto const vectors = test::load_vectors("ppspp_wire.json");
    ASSERT_EQ(vectors.at("ntp").as_array().size(), 3u);
    for (auto const& row : vectors.at("ntp").as_array()) {
        UnixMicros const utc = parse_utc(test::text_of(row, "utc"));
        NtpTime const ntp{std::stoull(test::text_of(row, "ntp64"), nullptr, 16)};
        EXPECT_EQ(to_ntp(utc), ntp);
        EXPECT_EQ(from_ntp(ntp, utc), utc);
        EXPECT_EQ(from_ntp(ntp, utc + 3'600 * second), utc);
        EXPECT_EQ(from_ntp(ntp, utc - 3'600 * second), utc);
    }
}

TEST(BaseTime, differences_are_right_across_the_era_wrap)
{
    NtpTime const before = to_ntp(era_end - second);
    NtpTime const after = to_ntp(era_end + second);
    EXPECT_LT(static_cast<std::uint64_t>(after), static_cast<std::uint64_t>(before));
    EXPECT_EQ(ntp_difference(after, before), 2s);
    EXPECT_EQ(ntp_difference(before, after), -2s);
    EXPECT_EQ(ntp_difference(before, before), 0s);
    EXPECT_EQ(from_ntp(before, era_end + second), era_end - second);
    EXPECT_EQ(from_ntp(after, era_end - second), era_end + second);
}

TEST(BaseTime, times_before_1970_have_a_fraction_too)
{
    EXPECT_EQ(from_ntp(to_ntp(-250'000), 0), -250'000);
    EXPECT_EQ(ntp_difference(to_ntp(0), to_ntp(-1)), 1us);
}

RC_GTEST_PROP(BaseTimeProperty, microseconds_survive_the_way_through_ntp, ())
{
    auto const time = *rc::gen::inRange<UnixMicros>(-era_end, 3 * era_end);
    auto const skew = *rc::gen::inRange<std::int64_t>(-60LL * 365 * 86'400 * second,
                                                      60LL * 365 * 86'400 * second);
    RC_ASSERT(from_ntp(to_ntp(time), time) == time);
    RC_ASSERT(from_ntp(to_ntp(time), time + skew) == time);
}

RC_GTEST_PROP(BaseTimeProperty, differences_are_antisymmetric_within_a_microsecond, ())
{
    NtpTime const a{*rc::gen::arbitrary<std::uint64_t>()};
    NtpTime const b{*rc::gen::arbitrary<std::uint64_t>()};
    RC_PRE(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b) != std::uint64_t{1} << 63);
    auto const sum = (ntp_difference(a, b) + ntp_difference(b, a)).count();
    RC_ASSERT(sum >= 0);
    RC_ASSERT(sum <= 1);
}

} // namespace
} // namespace ppsp
