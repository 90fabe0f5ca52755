#include "protocol/base/bins.hpp"
#include "tests/support/properties.hpp"
#include "tests/support/vectors.hpp"

namespace ppsp {
namespace {

using test::number_of;

Bin bin_at(boost::json::value const& row, char const* key)
{
    return Bin{number_of<std::uint64_t>(row, key)};
}

ChunkRange range_at(boost::json::value const& row)
{
    return {ChunkId{number_of<std::uint64_t>(row, "first_chunk")},
            ChunkId{number_of<std::uint64_t>(row, "last_chunk")}};
}

TEST(Ppspp, S4_2_bins_of_the_table)
{
    auto const vectors = test::load_vectors("bins.json");
    ASSERT_EQ(vectors.at("table").as_array().size(), 63u);
    for (auto const& row : vectors.at("table").as_array()) {
        Bin const bin = bin_at(row, "bin");
        SCOPED_TRACE(to_number(bin));
        EXPECT_EQ(layer_of(bin), number_of<unsigned>(row, "layer"));
        EXPECT_EQ(layer_offset_of(bin), number_of<std::uint64_t>(row, "layer_offset"));
        EXPECT_EQ(make_bin(layer_of(bin), layer_offset_of(bin)), bin);
        EXPECT_EQ(chunks_of(bin), range_at(row));
        EXPECT_EQ(bin_of(range_at(row)), bin);
        EXPECT_EQ(parent_of(bin), bin_at(row, "parent"));
        EXPECT_EQ(sibling_of(bin), bin_at(row, "sibling"));
        if (!row.at("left_child").is_null()) {
            EXPECT_EQ(left_child_of(bin), bin_at(row, "left_child"));
            EXPECT_EQ(right_child_of(bin), bin_at(row, "right_child"));
        } else {
            EXPECT_EQ(layer_of(bin), 0u);
        }
    }
}

TEST(Ppspp, S4_2_fewest_bins_of_a_range)
{
    auto const vectors = test::load_vectors("bins.json");
    for (auto const& row : vectors.at("ranges").as_array()) {
        std::vector<Bin> expected;
        for (auto const& bin : row.at("bins").as_array()) {
            expected.push_back(Bin{boost::json::value_to<std::uint64_t>(bin)});
        }
        EXPECT_EQ(cover(range_at(row)), expected);
        EXPECT_EQ(bin_of(range_at(row)),
                  expected.size() == 1 ? std::optional(expected[0]) : std::nullopt);
    }
}

TEST(Ppspp, S4_2_special_values)
{
    auto const vectors = test::load_vectors("bins.json");
    auto const& special = vectors.at("special");
    EXPECT_EQ(to_number(bin_none), std::stoull(test::text_of(special, "none64"), nullptr, 16));
    EXPECT_EQ(to_number(bin_all), std::stoull(test::text_of(special, "all64"), nullptr, 16));
}

RC_GTEST_PROP(BaseBinsProperty, cover_is_the_range_in_order_and_minimal, ())
{
    auto const first = *rc::gen::inRange<std::uint64_t>(0, 5'000);
    auto const count = *rc::gen::inRange<std::uint64_t>(1, 5'000);
    auto const bins = cover({ChunkId{first}, ChunkId{first + count - 1}});
    std::uint64_t next = first;
    for (std::size_t i = 0; i < bins.size(); ++i) {
        auto const chunks = chunks_of(bins[i]);
        RC_ASSERT(to_number(chunks.first) == next);
        next = to_number(chunks.last) + 1;
        bool const are_one_bin = i > 0 && sibling_of(bins[i]) == bins[i - 1];
        RC_ASSERT(!are_one_bin); // two halves of one bin would not be the fewest
    }
    RC_ASSERT(next == first + count);
}

RC_GTEST_PROP(BaseBinsProperty, family_is_consistent, ())
{
    auto const layer = *rc::gen::inRange(1U, 40U);
    auto const offset = *rc::gen::inRange<std::uint64_t>(0, 1U << 20);
    Bin const bin = make_bin(layer, offset);
    RC_ASSERT(parent_of(left_child_of(bin)) == bin);
    RC_ASSERT(parent_of(right_child_of(bin)) == bin);
    RC_ASSERT(sibling_of(left_child_of(bin)) == right_child_of(bin));
    RC_ASSERT(chunks_of(left_child_of(bin)).first == chunks_of(bin).first);
    RC_ASSERT(chunks_of(right_child_of(bin)).last == chunks_of(bin).last);
    RC_ASSERT(chunks_of(bin).count() == std::uint64_t{1} << layer);
    RC_ASSERT(bin_of(chunks_of(bin)) == bin);
}

} // namespace
} // namespace ppsp
