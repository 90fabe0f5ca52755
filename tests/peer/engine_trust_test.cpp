#include "peer/channel/trust.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

constexpr Duration round_trip = 50ms;

TimePoint at(Duration time)
{
    return TimePoint{time};
}

/// Asks for units one after the other and takes each back after `wait`.
void break_word(Trust& trust, Duration from, std::uint32_t times, Duration wait = 1s)
{
    for (std::uint32_t i = 0; i < times; ++i) {
        trust.asked(at(from), i);
        trust.released(at(from + wait), i, round_trip);
    }
}

TEST(TrustTest, who_does_not_send_what_it_announced_becomes_doubtful_for_a_while)
{
    Trust trust;
    break_word(trust, 10s, Trust::broken_max - 1);
    EXPECT_FALSE(trust.is_doubtful(at(11s)));
    break_word(trust, 10s, 1);
    EXPECT_TRUE(trust.is_doubtful(at(11s)));
    EXPECT_TRUE(trust.is_doubtful(at(11s + Trust::doubt - 1us)));
    EXPECT_FALSE(trust.is_doubtful(at(11s + Trust::doubt)));
    EXPECT_FALSE(trust.is_liar()) << "it may only be overloaded";
}

TEST(TrustTest, one_failure_after_a_doubtful_time_is_enough_and_lasts_longer)
{
    Trust trust;
    break_word(trust, 10s, Trust::broken_max);
    break_word(trust, 20s, 1);
    EXPECT_TRUE(trust.is_doubtful(at(21s + Trust::doubt * 2 - 1us)));
    EXPECT_FALSE(trust.is_doubtful(at(21s + Trust::doubt * 2)));
    for (int i = 2; i < 20; ++i) {
        break_word(trust, 1000s * i, 1);
    }
    Duration const longest = Trust::doubt * (1 << Trust::doublings_max);
    EXPECT_FALSE(trust.is_doubtful(at(19'001s + longest))) << "there is a limit";
}

TEST(TrustTest, one_word_kept_in_two_is_enough)
{
    Trust trust;
    for (int i = 0; i < 20; ++i) {
        break_word(trust, 10s * i, 1);
        trust.kept(at(10s * i + 2s), 1000);
        EXPECT_FALSE(trust.is_doubtful(at(10s * i + 2s)));
    }
}

TEST(TrustTest, who_had_no_time_to_send_is_not_to_blame)
{
    Trust trust;
    break_word(trust, 10s, 20, round_trip + Trust::release_patience - 1us);
    EXPECT_FALSE(trust.is_doubtful(at(10s + 200ms)));
    break_word(trust, 10s, Trust::broken_max, round_trip + Trust::release_patience);
    EXPECT_TRUE(trust.is_doubtful(at(10s + 200ms)));
}

TEST(TrustTest, who_sends_other_units_meanwhile_is_busy)
{
    Trust trust;
    for (UnitIndex unit = 100; unit < 120; ++unit) {
        trust.asked(at(1s), unit);
    }
    trust.kept(at(3s), 1000);
    for (UnitIndex unit = 100; unit < 120; ++unit) {
        trust.released(at(3s + 100ms), unit, round_trip);
    }
    EXPECT_FALSE(trust.is_doubtful(at(3s + 100ms)));
    for (UnitIndex unit = 0; unit < 10; ++unit) {
        trust.asked(at(4s), unit);
    }
    for (UnitIndex unit = 0; unit < 10; ++unit) {
        TimePoint const now = at(4s + 500ms * static_cast<std::int64_t>(unit + 1));
        trust.expire(now, round_trip);
        trust.kept(now, unit);
        EXPECT_FALSE(trust.is_doubtful(now));
    }
}

TEST(TrustTest, what_is_not_taken_back_has_its_time_too)
{
    Trust trust;
    Duration const time = Trust::patience + 2 * round_trip;
    for (UnitIndex unit = 0; unit < 2 * Trust::broken_max; unit += 2) {
        Duration const now = 10s * static_cast<std::int64_t>(unit + 1);
        trust.asked(at(now), unit);
        trust.asked(at(now), unit + 1); // together they are one failure
        trust.expire(at(now + time - 1us), round_trip);
        EXPECT_FALSE(trust.is_doubtful(at(now + time)));
        trust.expire(at(now + time), round_trip);
        bool const last = unit + 2 == 2 * Trust::broken_max;
        EXPECT_EQ(trust.is_doubtful(at(now + time)), last) << unit;
    }
}

TEST(TrustTest, remembers_a_limited_number_of_units)
{
    Trust trust;
    break_word(trust, 1s, Trust::broken_max - 1);
    for (UnitIndex unit = 0; unit <= Trust::asked_max; ++unit) {
        trust.asked(at(8s), unit);
    }
    trust.released(at(9s), 0, round_trip);
    EXPECT_FALSE(trust.is_doubtful(at(9s))) << "the first one is forgotten";
    trust.released(at(9s), 1, round_trip);
    EXPECT_TRUE(trust.is_doubtful(at(9s)));
}

TEST(TrustTest, who_never_proves_what_it_sends_is_a_liar)
{
    Trust trust;
    for (UnitIndex unit = 0; unit < Trust::unproven_max; ++unit) {
        EXPECT_FALSE(trust.is_liar());
        for (int chunk = 0; chunk < 8; ++chunk) {
            trust.unproven(unit);
        }
    }
    EXPECT_TRUE(trust.is_liar());
}

TEST(TrustTest, who_lost_the_munros_of_two_units_that_came_by_turns_is_none)
{
    Trust trust;
    for (int chunk = 0; chunk < 8; ++chunk) {
        trust.unproven(1875);
        trust.unproven(1886);
    }
    EXPECT_FALSE(trust.is_liar());
    for (UnitIndex unit = 0; unit < Trust::unproven_max - 2; ++unit) {
        EXPECT_FALSE(trust.is_liar());
        trust.unproven(2000 + unit);
        trust.unproven(1875);
    }
    EXPECT_TRUE(trust.is_liar());
}

TEST(TrustTest, remembers_a_limited_number_of_unproven_units)
{
    Trust trust;
    auto const unproven_but_trusted = [&](UnitIndex unit) {
        trust.unproven(unit);
        trust.proved();
        trust.proved();
        EXPECT_FALSE(trust.is_liar());
    };
    for (UnitIndex unit = 0; unit <= Trust::unproven_units_max; ++unit) {
        unproven_but_trusted(unit);
    }
    for (UnitIndex unit = 1; unit <= Trust::unproven_units_max; ++unit) {
        trust.unproven(unit); // remembered
    }
    EXPECT_FALSE(trust.is_liar());
    for (UnitIndex unit = 0; unit < Trust::unproven_max; ++unit) {
        trust.unproven(unit); // forgotten, and each pushes the next one out
    }
    EXPECT_TRUE(trust.is_liar());
}

TEST(TrustTest, who_loses_a_munro_in_two_is_none)
{
    Trust trust;
    for (UnitIndex unit = 0; unit < 100; ++unit) {
        trust.unproven(unit);
        trust.proved();
        EXPECT_FALSE(trust.is_liar());
    }
}

TEST(TrustTest, who_announces_what_does_not_exist_yet_is_a_liar)
{
    Trust trust;
    for (std::uint32_t i = 1; i <= Trust::invented_max; ++i) {
        EXPECT_FALSE(trust.is_liar());
        Duration const now = 10s * std::int64_t{i};
        trust.announced_early(at(now), 100 * i);
        trust.announced_early(at(now), 100 * i + 50); // one at a time
        trust.settle(at(now + Trust::early_max), 100 * i - 5, at(now + Trust::early_max));
        // A unit before it is made a second later: it cannot have existed.
        Duration const later = now + Trust::early_max + 1us;
        trust.settle(at(later), 100 * i - 4, at(later));
        trust.settle(at(later), 100 * i - 4, at(later));
    }
    EXPECT_TRUE(trust.is_liar());
}

TEST(TrustTest, who_tells_of_a_stream_that_became_faster_is_none)
{
    Trust trust;
    for (UnitIndex unit = 0; unit < 10; ++unit) {
        Duration const now = 10s * static_cast<std::int64_t>(unit + 1);
        trust.announced_early(at(now), unit);
        trust.settle(at(now + 3s), unit, at(now - 50ms)); // it only came here late
        trust.announced_early(at(now), unit);
        trust.settle(at(now + 100ms), unit, at(now + 5s)); // the source's clock was set forward
        trust.announced_early(at(now), unit);
        trust.settle(at(now + 5s), unit + 1, at(now + 5s)); // its own munro did not come
    }
    EXPECT_FALSE(trust.is_liar());
}

} // namespace
} // namespace ppsp::peer
