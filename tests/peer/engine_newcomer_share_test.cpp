#include "peer/policy/newcomer_share.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

constexpr TimePoint start{100s};
constexpr std::uint32_t chunks = 8;
/// 20 units a second; places for ten copies of them, of which newcomers get 1.5: 30 units a second.
constexpr NewcomerShare::Stream stream{50ms, chunks, 10};

class NewcomerShareTest : public ::testing::Test {
protected:
    static NewcomerShare::Asker newcomer(std::uint32_t number)
    {
        return {PeerKey{number}, 200ms, 0s};
    }
    bool asks(TimePoint now, NewcomerShare::Asker const& asker, UnitIndex unit)
    {
        return share_.helps(now, asker, unit, stream);
    }
    /// Chunks of the unit that go like new ones, of all that are asked for.
    std::uint32_t unit_of(TimePoint now, NewcomerShare::Asker const& asker, UnitIndex unit)
    {
        std::uint32_t helped = 0;
        for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
            helped += asks(now, asker, unit) ? 1 : 0;
        }
        return helped;
    }
    NewcomerShare share_;
};

TEST_F(NewcomerShareTest, a_newcomer_gets_whole_units)
{
    EXPECT_EQ(unit_of(start, newcomer(1), 700), chunks);
}

TEST_F(NewcomerShareTest, and_no_more_than_three)
{
    for (UnitIndex unit = 0; unit < NewcomerShare::units_max; ++unit) {
        EXPECT_EQ(unit_of(start + unit * 1s, newcomer(1), unit), chunks);
    }
    EXPECT_EQ(unit_of(start + 10s, newcomer(1), 10), 0u);
    EXPECT_EQ(unit_of(start + 10s, newcomer(2), 10), chunks);
}

TEST_F(NewcomerShareTest, who_was_here_for_long_is_none)
{
    auto asker = newcomer(1);
    asker.known_for = NewcomerShare::newcomer_time;
    EXPECT_TRUE(asks(start, asker, 1));
    asker = newcomer(2);
    asker.known_for = NewcomerShare::newcomer_time + 1ms;
    EXPECT_FALSE(asks(start, asker, 1));
}

TEST_F(NewcomerShareTest, who_holds_more_than_a_second_is_none_however_new_the_conversation)
{
    auto asker = newcomer(1);
    asker.holds = NewcomerShare::held_max;
    EXPECT_TRUE(asks(start, asker, 1));
    asker = newcomer(2);
    asker.holds = NewcomerShare::held_max + 50ms;
    EXPECT_FALSE(asks(start, asker, 1));
}

TEST_F(NewcomerShareTest, a_unit_that_was_begun_is_finished)
{
    EXPECT_TRUE(asks(start, newcomer(1), 7));
    auto later = newcomer(1);
    later.known_for = 10s;
    later.holds = 10s;
    EXPECT_FALSE(asks(start + 10s, later, 8));
    EXPECT_EQ(unit_of(start + 10s, later, 7), chunks - 1);
}

TEST_F(NewcomerShareTest, at_most_three_units_are_saved_and_then_it_is_a_share_of_the_places)
{
    std::uint32_t number = 0;
    while (asks(start, newcomer(number), 1)) {
        ++number;
    }
    EXPECT_EQ(number, NewcomerShare::units_max);
    std::uint32_t helped = 0;
    for (TimePoint now = start; now < start + 10s; now += 10ms) {
        helped += asks(now, newcomer(++number), 1) ? 1 : 0;
    }
    EXPECT_NEAR(helped, 10 * 20 * stream.copies * NewcomerShare::share, 3);
}

TEST_F(NewcomerShareTest, without_places_there_is_nothing_to_give)
{
    EXPECT_FALSE(share_.helps(start, newcomer(1), 1, {50ms, chunks, 0}));
    EXPECT_FALSE(share_.helps(start + 100s, newcomer(1), 1, {50ms, chunks, 0}));
}

TEST_F(NewcomerShareTest, remembers_whom_it_helped_until_they_leave)
{
    for (std::uint32_t number = 0; number < 2 * NewcomerShare::units_max; ++number) {
        static_cast<void>(asks(start, newcomer(number), 1));
    }
    EXPECT_EQ(share_.remembered(), NewcomerShare::units_max);
    for (std::uint32_t number = 0; number < NewcomerShare::units_max; ++number) {
        share_.forget(PeerKey{number});
    }
    EXPECT_EQ(share_.remembered(), 0u);
}

} // namespace
} // namespace ppsp::peer
