#include "peer/decade/byte_range.hpp"
#include "tests/support/properties.hpp"

namespace ppsp::peer {
namespace {

TEST(ByteRange, RFC9110_S14_1_2_examples)
{
    auto const part = [](std::uint64_t first, std::uint64_t size) {
        return RangeAnswer{RangeKind::part, {first, size}};
    };
    EXPECT_EQ(parse_range("bytes=0-499", 10'000), part(0, 500));
    EXPECT_EQ(parse_range("bytes=500-999", 10'000), part(500, 500));
    EXPECT_EQ(parse_range("bytes=-500", 10'000), part(9500, 500));
    EXPECT_EQ(parse_range("bytes=9500-", 10'000), part(9500, 500));
    EXPECT_EQ(parse_range("bytes=0-0", 10'000), part(0, 1));
    EXPECT_EQ(parse_range("bytes=0-99999", 10'000), part(0, 10'000));
    EXPECT_EQ(parse_range("bytes=-99999", 10'000), part(0, 10'000));
}

TEST(ByteRange, what_is_not_understood_asks_for_the_whole)
{
    for (auto const* header :
         {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-a", "bytes=2-1", "bytes=0-1,3-4",
          "lines=0-1", "bytes=0-1x", "bytes=+1-2", "bytes=1--2", "bytes=99999999999999999999-"}) {
        EXPECT_EQ(parse_range(header, 100).kind, RangeKind::whole) << header;
    }
}

TEST(ByteRange, ranges_beyond_the_end)
{
    EXPECT_EQ(parse_range("bytes=100-", 100).kind, RangeKind::unsatisfiable);
    EXPECT_EQ(parse_range("bytes=100-200", 100).kind, RangeKind::unsatisfiable);
    EXPECT_EQ(parse_range("bytes=-0", 100).kind, RangeKind::unsatisfiable);
    EXPECT_EQ(parse_range("bytes=0-", 0).kind, RangeKind::unsatisfiable);
    EXPECT_EQ(parse_range("bytes=-5", 0).kind, RangeKind::unsatisfiable);
    EXPECT_EQ(parse_range("bytes=99-18446744073709551615", 100),
              (RangeAnswer{RangeKind::part, {99, 1}}));
}

RC_GTEST_PROP(ByteRangeProperty, a_part_lies_within, (std::uint64_t first, std::uint64_t last))
{
    auto const size = *rc::gen::inRange<std::uint64_t>(0, 1000);
    for (auto const& header : {std::to_string(first) + "-" + std::to_string(last),
                               "-" + std::to_string(last), std::to_string(first) + "-"}) {
        auto const answer = parse_range("bytes=" + header, size);
        if (answer.kind == RangeKind::part) {
            RC_ASSERT(answer.range.size > 0);
            RC_ASSERT(answer.range.first < size);
            RC_ASSERT(answer.range.size <= size - answer.range.first);
        }
    }
}

TEST(EntityTag, RFC9110_S13_1_2_lists_and_weak_tags)
{
    EXPECT_TRUE(matches_tag("\"a\"", "\"a\""));
    EXPECT_TRUE(matches_tag("\"b\", W/\"a\"", "\"a\""));
    EXPECT_TRUE(matches_tag("*", "\"a\""));
    EXPECT_FALSE(matches_tag("\"b\"", "\"a\""));
    EXPECT_FALSE(matches_tag("a", "\"a\""));
    EXPECT_FALSE(matches_tag("", "\"a\""));
    EXPECT_FALSE(matches_tag(",,", "\"a\""));
}

} // namespace
} // namespace ppsp::peer
