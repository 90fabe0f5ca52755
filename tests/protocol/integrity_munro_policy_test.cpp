#include "integrity_vectors.hpp"

#include "protocol/integrity/munro_policy.hpp"
#include "protocol/integrity/unit_tree.hpp"

#include <gtest/gtest.h>

#include <set>

namespace ppsp::integrity {
namespace {

constexpr UnixMicros now = 1'700'000'000'000'000;

UnixMicros micros(Duration duration)
{
    return duration.count();
}

Hash hash(std::uint8_t value)
{
    return Hash(ByteVector(32, value));
}

ChunkRange range(std::uint64_t first, std::uint64_t last)
{
    return {ChunkId{first}, ChunkId{last}};
}

class MunroPolicyTest : public testing::Test {
protected:
    MunroVerdict check(ChunkRange chunks, Duration age = 0s, MunroUse use = MunroUse::verification,
                       std::uint8_t munro = 1) const
    {
        return policy.check(chunks, to_ntp(now - micros(age)), hash(munro), now, use);
    }
    void accept(ChunkRange chunks, Duration age = 0s, std::uint8_t munro = 1)
    {
        ASSERT_EQ(check(chunks, age, MunroUse::verification, munro), MunroVerdict::acceptable);
        policy.accept(chunks, to_ntp(now - micros(age)), hash(munro));
    }

    MunroPolicy policy{60s};
};

TEST_F(MunroPolicyTest, S6_1_2_1_a_width_is_a_power_of_two_above_one)
{
    for (std::uint64_t const width : {2U, 4U, 64U, unit_chunks_max}) {
        EXPECT_EQ(check(range(width * 3, width * 4 - 1)), MunroVerdict::acceptable) << width;
    }
    for (std::uint64_t const width : {1U, 3U, 5U, 12U, 65U, 2 * unit_chunks_max}) {
        EXPECT_EQ(check(range(0, width - 1)), MunroVerdict::bad_width) << width;
    }
    EXPECT_EQ(check(range(0, ~std::uint64_t{0})), MunroVerdict::bad_width);
    EXPECT_EQ(check(range(4, 3)), MunroVerdict::bad_width);
    // Reversed so that first and last wrap to a count of 4.
    EXPECT_EQ(check(range(~std::uint64_t{0} - 1, 1)), MunroVerdict::bad_width);
}

TEST_F(MunroPolicyTest, units_are_aligned)
{
    EXPECT_EQ(check(range(2, 5)), MunroVerdict::misaligned); // negative of live_umt.json
    EXPECT_EQ(check(range(1, 2)), MunroVerdict::misaligned);
    EXPECT_EQ(check(range(4, 7)), MunroVerdict::acceptable);
}

TEST_F(MunroPolicyTest, T10_the_width_is_learned_from_the_first_munro)
{
    EXPECT_FALSE(policy.width().has_value());
    EXPECT_EQ(check(range(4, 5)), MunroVerdict::acceptable);
    accept(range(0, 3));
    EXPECT_EQ(policy.width(), 4U);
    EXPECT_EQ(check(range(4, 5)), MunroVerdict::width_changed); // negative of live_umt.json
    EXPECT_EQ(check(range(8, 15)), MunroVerdict::width_changed);
    EXPECT_EQ(check(range(4, 7)), MunroVerdict::acceptable);
}

TEST_F(MunroPolicyTest, D8_tune_in_wants_munros_of_the_last_seconds)
{
    auto const at = [&](Duration age) { return check(range(4, 7), age, MunroUse::tune_in); };
    EXPECT_EQ(at(0s), MunroVerdict::acceptable);
    EXPECT_EQ(at(15s - 1ms), MunroVerdict::acceptable);
    EXPECT_EQ(at(15s + 1ms), MunroVerdict::too_old);
    EXPECT_EQ(at(-5s + 1ms), MunroVerdict::acceptable);
    EXPECT_EQ(at(-5s - 1ms), MunroVerdict::from_future);
    EXPECT_EQ(at(24h * 365 * 20), MunroVerdict::too_old);
    EXPECT_EQ(at(-24h * 365 * 20), MunroVerdict::from_future);
}

TEST_F(MunroPolicyTest, D8_verification_takes_munros_of_the_discard_window)
{
    auto const at = [&](Duration age) { return check(range(4, 7), age); };
    EXPECT_EQ(at(90s - 1ms), MunroVerdict::acceptable);
    EXPECT_EQ(at(90s + 1ms), MunroVerdict::too_old);
    EXPECT_EQ(at(-30s + 1ms), MunroVerdict::acceptable);
    EXPECT_EQ(at(-30s - 1ms), MunroVerdict::from_future);
}

TEST_F(MunroPolicyTest, T26_who_keeps_everything_takes_munros_of_any_age)
{
    policy = MunroPolicy(std::nullopt);
    EXPECT_EQ(check(range(4, 7), 24h * 365), MunroVerdict::acceptable);
    EXPECT_EQ(check(range(4, 7), 24h * 365, MunroUse::tune_in), MunroVerdict::too_old);
    EXPECT_EQ(check(range(4, 7), -31s), MunroVerdict::from_future);
    policy = MunroPolicy(Duration::max());
    EXPECT_EQ(check(range(4, 7), 24h * 365), MunroVerdict::acceptable);
}

TEST_F(MunroPolicyTest, T7_the_era_of_ntp_wraps)
{
    UnixMicros const wrap = 2'085'978'496'000'000; // 2036-02-07 06:28:16
    auto const check_at = [&](UnixMicros clock, UnixMicros signed_at) {
        return policy.check(range(4, 7), to_ntp(signed_at), hash(1), clock, MunroUse::tune_in);
    };
    EXPECT_EQ(check_at(wrap + micros(1s), wrap - micros(1s)), MunroVerdict::acceptable);
    EXPECT_EQ(check_at(wrap - micros(1s), wrap + micros(1s)), MunroVerdict::acceptable);
    EXPECT_EQ(check_at(wrap + micros(10s), wrap - micros(10s)), MunroVerdict::too_old);
}

TEST_F(MunroPolicyTest, D8_time_does_not_decrease_with_the_chunks)
{
    accept(range(8, 11), 10s);
    accept(range(16, 19), 6s);
    EXPECT_EQ(check(range(12, 15), 11s), MunroVerdict::time_reversed);
    EXPECT_EQ(check(range(12, 15), 10s), MunroVerdict::acceptable);
    EXPECT_EQ(check(range(12, 15), 6s), MunroVerdict::acceptable);
    EXPECT_EQ(check(range(12, 15), 5s), MunroVerdict::time_reversed);
    EXPECT_EQ(check(range(20, 23), 7s), MunroVerdict::time_reversed);
    EXPECT_EQ(check(range(20, 23), 6s), MunroVerdict::acceptable);
    EXPECT_EQ(check(range(4, 7), 9s), MunroVerdict::time_reversed);
    EXPECT_EQ(check(range(4, 7), 10s), MunroVerdict::acceptable);
}

TEST_F(MunroPolicyTest, an_accepted_munro_is_known_and_keeps_its_hash_and_time)
{
    accept(range(4, 7), 12s);
    EXPECT_EQ(check(range(4, 7), 12s), MunroVerdict::known);
    EXPECT_EQ(check(range(4, 7), 12s, MunroUse::verification, 2), MunroVerdict::other_hash);
    // T6: another time on the same munro must not make it fresh.
    policy = MunroPolicy(60s);
    accept(range(4, 7), 40s);
    EXPECT_EQ(check(range(4, 7), 1s, MunroUse::tune_in), MunroVerdict::too_old);
    EXPECT_EQ(check(range(4, 7), 1s), MunroVerdict::known);
    policy.accept(range(4, 7), to_ntp(now), hash(2));
    EXPECT_EQ(check(range(4, 7)), MunroVerdict::known);
}

TEST_F(MunroPolicyTest, the_earliest_munros_are_forgotten)
{
    for (std::uint64_t i = 0; i < MunroPolicy::munros_max + 10; ++i) {
        policy.accept(range(i * 4, i * 4 + 3), to_ntp(now), hash(1));
        EXPECT_LE(policy.remembered(), MunroPolicy::munros_max);
    }
    EXPECT_EQ(policy.remembered(), MunroPolicy::munros_max);
    EXPECT_EQ(check(range(36, 39)), MunroVerdict::acceptable);
    EXPECT_EQ(check(range(40, 43)), MunroVerdict::known);
}

TEST_F(MunroPolicyTest, S6_1_2_4_d_the_vectors_are_accepted_in_any_order)
{
    auto const live = vectors::load("live_umt.json");
    for (auto const& set : live.at("sets").as_array()) {
        auto const& munros = set.at("munros").as_array();
        policy = MunroPolicy(60s);
        for (std::size_t i = munros.size(); i-- > 0;) {
            auto const& munro = munros[i];
            ChunkRange const chunks = range(vectors::number(munro.at("first_chunk")),
                                            vectors::number(munro.at("last_chunk")));
            NtpTime const time{std::stoull(vectors::text(munro.at("ntp64")), nullptr, 16)};
            EXPECT_EQ(policy.check(chunks, time, vectors::hash(munro.at("munro_hash")),
                                   from_ntp(time, now) + 1'000'000, MunroUse::tune_in),
                      MunroVerdict::acceptable);
            policy.accept(chunks, time, vectors::hash(munro.at("munro_hash")));
        }
        EXPECT_EQ(policy.width(), vectors::number(set.at("nchunks_per_sig")));
    }
}

TEST(MunroVerdict, all_have_names)
{
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(MunroVerdict::other_hash); ++i) {
        names.insert(to_string(static_cast<MunroVerdict>(i)));
    }
    EXPECT_EQ(names.size(), 9U);
}

} // namespace
} // namespace ppsp::integrity
