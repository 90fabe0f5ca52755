#include "protocol/base/rng.hpp"

#include <array>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

// The expected numbers come from an independent implementation: every compiler and standard
// library must agree on them, or the same seed would mean different swarms.
namespace ppsp {
namespace {

std::array<std::uint64_t, 4> first_four(Rng rng)
{
    std::array<std::uint64_t, 4> numbers{};
    for (auto& number : numbers) {
        number = rng.next();
    }
    return numbers;
}

TEST(BaseRng, known_numbers)
{
    EXPECT_EQ(first_four(Rng{0}),
              (std::array<std::uint64_t, 4>{0x99ec5f36cb75f2b4, 0xbf6e1f784956452a,
                                            0x1a5f849d4933e6e0, 0x6aa594f1262d2d2c}));
    EXPECT_EQ(first_four(Rng{1}),
              (std::array<std::uint64_t, 4>{0xb3f2af6d0fc710c5, 0x853b559647364cea,
                                            0x92f89756082a4514, 0x642e1c7bc266a3a7}));
    EXPECT_EQ(first_four(Rng{0x5eed}),
              (std::array<std::uint64_t, 4>{0xef33f17055244b74, 0xe1f591112fb5051b,
                                            0xd8ab05640214863a, 0xf985e1f2fb897b03}));
}

TEST(BaseRng, forks_depend_on_seed_name_and_index)
{
    EXPECT_EQ(Rng{1}.fork("picker").next(), 0x1602abe621b3228eu);
    EXPECT_EQ(Rng{1}.fork("picker", 1).next(), 0x2be0988a84e07ecau);
    EXPECT_EQ(Rng{1}.fork("pickes").next(), 0x0586c261b96ba00bu);
    EXPECT_EQ(Rng{2}.fork("picker").next(), 0x8146df123fe534bau);
}

TEST(BaseRng, forks_do_not_depend_on_draws)
{
    Rng drawn{1};
    (void)drawn.next();
    EXPECT_EQ(first_four(drawn.fork("picker")), first_four(Rng{1}.fork("picker")));
}

TEST(BaseRng, known_numbers_below_a_limit)
{
    Rng rng{42};
    std::vector<std::uint64_t> dice;
    for (int i = 0; i < 12; ++i) {
        dice.push_back(rng.below(6));
    }
    EXPECT_EQ(dice, (std::vector<std::uint64_t>{0, 0, 5, 5, 4, 0, 4, 3, 4, 5, 1, 1}));
    EXPECT_EQ(Rng{42}.below(1), 0u);

    Rng rejecting{42}; // a quarter of the draws lies in the sliver that is thrown away
    EXPECT_EQ(rejecting.below(std::uint64_t{3} << 62), 6'990'951'692'964'543'102u);
    EXPECT_EQ(rejecting.below(std::uint64_t{3} << 62), 12'544'586'762'248'559'009u);
    EXPECT_EQ(rejecting.below(std::uint64_t{3} << 62), 3'222'516'053'899'960'481u);
}

TEST(BaseRng, known_numbers_in_an_interval)
{
    Rng rng{42};
    std::vector<std::int64_t> numbers;
    for (int i = 0; i < 8; ++i) {
        numbers.push_back(rng.between(-3, 3));
    }
    EXPECT_EQ(numbers, (std::vector<std::int64_t>{-1, -2, 2, 1, 1, -2, -1, -3}));
    EXPECT_EQ(rng.between(5, 5), 5);
}

TEST(BaseRng, the_widest_interval_is_every_number)
{
    auto const low = std::numeric_limits<std::int64_t>::min();
    auto const high = std::numeric_limits<std::int64_t>::max();
    auto const offset =
        static_cast<std::uint64_t>(Rng{42}.between(low, high)) - static_cast<std::uint64_t>(low);
    EXPECT_EQ(offset, Rng{42}.next());
    EXPECT_LT(Rng{42}.between(low, high - 1), high);
}

TEST(BaseRng, known_fractions)
{
    Rng rng{42};
    EXPECT_EQ(rng.unit(), 0.08386297105988216);
    EXPECT_EQ(rng.unit(), 0.3789802506626686);
    EXPECT_EQ(rng.unit(), 0.6800434110281394);
    Rng words{42};
    EXPECT_EQ(words.next_u32(), 360'188'718u);
    EXPECT_EQ(words.next_u32(), 1'627'707'782u);
}

TEST(BaseRng, chance_at_its_ends)
{
    Rng rng{3};
    for (int i = 0; i < 1'000; ++i) {
        EXPECT_FALSE(rng.chance(0.0));
        EXPECT_TRUE(rng.chance(1.0));
    }
}

TEST(BaseRng, known_shuffle)
{
    std::vector<int> items{0, 1, 2, 3, 4, 5, 6, 7};
    Rng rng{7};
    rng.shuffle(std::span(items));
    EXPECT_EQ(items, (std::vector<int>{1, 3, 7, 5, 4, 0, 6, 2}));
    std::vector<int> none;
    rng.shuffle(std::span(none));
    EXPECT_TRUE(none.empty());
}

} // namespace
} // namespace ppsp
