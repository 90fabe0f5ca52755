#include "protocol/base/range_set.hpp"
#include "tests/support/properties.hpp"

#include <limits>
#include <set>

namespace ppsp {
namespace {

constexpr std::uint64_t universe = 48;
constexpr ChunkId highest{std::numeric_limits<std::uint64_t>::max()};

ChunkRange range(std::uint64_t first, std::uint64_t last)
{
    return {ChunkId{first}, ChunkId{last}};
}

/// The same promises, kept the slow way: one element per chunk.
class Model {
public:
    void add(ChunkRange added)
    {
        for (auto id = to_number(added.first); id <= to_number(added.last); ++id) {
            ids_.insert(id);
        }
    }
    void remove(ChunkRange removed)
    {
        for (auto id = to_number(removed.first); id <= to_number(removed.last); ++id) {
            ids_.erase(id);
        }
    }
    void trim_below(ChunkId first) { ids_.erase(ids_.begin(), ids_.lower_bound(to_number(first))); }
    [[nodiscard]] bool contains(std::uint64_t id) const { return ids_.contains(id); }
    [[nodiscard]] std::size_t size() const { return ids_.size(); }
    [[nodiscard]] std::size_t count_in(ChunkRange part) const
    {
        return static_cast<std::size_t>(std::distance(ids_.lower_bound(to_number(part.first)),
                                                      ids_.upper_bound(to_number(part.last))));
    }
    [[nodiscard]] std::vector<ChunkRange> runs(ChunkRange part, bool present) const
    {
        std::vector<ChunkRange> found;
        for (auto id = to_number(part.first); id <= to_number(part.last); ++id) {
            if (contains(id) != present) {
                continue;
            }
            if (!found.empty() && found.back().last + 1 == ChunkId{id}) {
                found.back().last = ChunkId{id};
            } else {
                found.push_back(single(ChunkId{id}));
            }
        }
        return found;
    }

private:
    std::set<std::uint64_t> ids_;
};

ChunkRange any_range()
{
    auto const a = *rc::gen::inRange<std::uint64_t>(0, universe);
    auto const b = *rc::gen::inRange<std::uint64_t>(0, universe);
    return range(std::min(a, b), std::max(a, b));
}

void change_both(RangeSet& set, Model& model)
{
    auto const changed = any_range();
    switch (*rc::gen::inRange(0, 5)) {
    case 0:
        set.remove(changed);
        model.remove(changed);
        return;
    case 1:
        set.trim_below(changed.first);
        model.trim_below(changed.first);
        return;
    default: // adds more often, so that there is something to take away
        set.add(changed);
        model.add(changed);
        return;
    }
}

void compare(RangeSet const& set, Model const& model)
{
    auto const all = model.runs(range(0, universe), true);
    auto const intervals = set.intervals();
    RC_ASSERT(std::equal(all.begin(), all.end(), intervals.begin(), intervals.end()));
    RC_ASSERT(set.interval_count() == all.size());
    RC_ASSERT(set.chunk_count() == model.size());
    RC_ASSERT(set.empty() == all.empty());
    if (!all.empty()) {
        RC_ASSERT(set.first() == all.front().first);
        RC_ASSERT(set.last() == all.back().last);
    }
    for (std::uint64_t id = 0; id <= universe; ++id) {
        RC_ASSERT(set.contains(ChunkId{id}) == model.contains(id));
        auto const around = set.interval_around(ChunkId{id});
        RC_ASSERT(around.has_value() == model.contains(id));
        if (around) {
            RC_ASSERT(std::find(all.begin(), all.end(), *around) != all.end());
            RC_ASSERT(around->contains(ChunkId{id}));
        }
    }
    auto const part = any_range();
    RC_ASSERT(set.contains(part) == (model.count_in(part) == part.count()));
    RC_ASSERT(set.overlaps(part) == (model.count_in(part) > 0));
    RC_ASSERT(set.missing(part) == model.runs(part, false));
    RC_ASSERT(set.common(part) == model.runs(part, true));
    std::vector<ChunkRange> touched;
    std::copy_if(all.begin(), all.end(), std::back_inserter(touched),
                 [&part](ChunkRange const& interval) { return interval.overlaps(part); });
    auto const touching = set.touching(part);
    RC_ASSERT(std::equal(touched.begin(), touched.end(), touching.begin(), touching.end()));
}

/// The same chunks at the upper end of all numbers.
ChunkRange lifted(ChunkRange low)
{
    constexpr std::uint64_t lift = to_number(highest) - (universe - 1);
    return {low.first + lift, low.last + lift};
}

std::vector<ChunkRange> lifted(std::vector<ChunkRange> ranges)
{
    std::transform(ranges.begin(), ranges.end(), ranges.begin(),
                   [](ChunkRange const& low) { return lifted(low); });
    return ranges;
}

RC_GTEST_PROP(BaseRangeSetProperty, behaves_like_a_set_of_chunks, ())
{
    RangeSet set;
    Model model;
    int const steps = *rc::gen::inRange(0, 24);
    for (int i = 0; i < steps; ++i) {
        change_both(set, model);
        compare(set, model);
    }
    set.clear();
    RC_ASSERT(set.empty());
}

RC_GTEST_PROP(BaseRangeSetProperty, the_highest_numbers_are_like_all_others, ())
{
    RangeSet low;
    RangeSet high;
    int const steps = *rc::gen::inRange(0, 24);
    for (int i = 0; i < steps; ++i) {
        auto const changed = any_range();
        if (*rc::gen::inRange(0, 4) == 0) {
            low.remove(changed);
            high.remove(lifted(changed));
        } else {
            low.add(changed);
            high.add(lifted(changed));
        }
        auto const part = any_range();
        RC_ASSERT(high.contains(lifted(part)) == low.contains(part));
        RC_ASSERT(high.overlaps(lifted(part)) == low.overlaps(part));
        RC_ASSERT(high.missing(lifted(part)) == lifted(low.missing(part)));
        RC_ASSERT(high.common(lifted(part)) == lifted(low.common(part)));
        RC_ASSERT(high.touching(lifted(part)).size() == low.touching(part).size());
    }
}

TEST(RangeSetTest, intervals_that_touch_a_range_are_whole)
{
    RangeSet set;
    EXPECT_TRUE(set.touching({ChunkId{0}, ChunkId{100}}).empty());
    set.add({ChunkId{2}, ChunkId{5}});
    set.add({ChunkId{8}, ChunkId{8}});
    set.add({ChunkId{10}, ChunkId{20}});
    auto const touching = set.touching({ChunkId{5}, ChunkId{9}});
    ASSERT_EQ(touching.size(), 2u);
    EXPECT_EQ(touching[0], (ChunkRange{ChunkId{2}, ChunkId{5}}));
    EXPECT_EQ(touching[1], single(ChunkId{8}));
    EXPECT_TRUE(set.touching({ChunkId{6}, ChunkId{7}}).empty());
    EXPECT_EQ(set.touching({ChunkId{0}, ChunkId{2}}).size(), 1u);
    EXPECT_EQ(set.touching({ChunkId{20}, ChunkId{30}}).size(), 1u);
    EXPECT_TRUE(set.touching({ChunkId{21}, ChunkId{30}}).empty());
}

TEST(Ppspp, S4_3_1_a_interval_around_a_chunk)
{
    RangeSet set;
    set.add(range(3, 4));
    set.add(range(6, 9));
    EXPECT_EQ(set.interval_around(ChunkId{6}), range(6, 9));
    EXPECT_EQ(set.interval_around(ChunkId{5}), std::nullopt);
    set.add(single(ChunkId{5})); // touches both neighbours
    EXPECT_EQ(set.interval_around(ChunkId{5}), range(3, 9));
    EXPECT_EQ(set.interval_count(), 1u);
}

TEST(BaseRangeSet, ends_of_the_number_space)
{
    RangeSet set;
    set.add(single(highest));
    set.add(single(ChunkId{0}));
    EXPECT_EQ(set.interval_count(), 2u);
    EXPECT_EQ(set.missing({ChunkId{0}, highest}), (std::vector{range(1, to_number(highest) - 1)}));
    set.add(single(highest - 1));
    EXPECT_EQ(set.interval_count(), 2u);
    EXPECT_EQ(set.interval_around(highest), (ChunkRange{highest - 1, highest}));
    set.remove(single(highest));
    EXPECT_FALSE(set.contains(highest));
    EXPECT_TRUE(set.contains(highest - 1));
    set.trim_below(highest);
    EXPECT_TRUE(set.empty());
}

} // namespace
} // namespace ppsp
