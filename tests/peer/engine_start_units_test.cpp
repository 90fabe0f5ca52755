#include "peer/playout/start_units.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "tests/support/test_media.hpp"

#include <gtest/gtest.h>

#include <set>

namespace ppsp::peer {
namespace {

constexpr std::uint32_t chunk_size = 1024;
constexpr std::uint32_t chunks_per_unit = 8;
constexpr UnitIndex key_interval = 20;
constexpr UnitIndex units = 3 * key_interval;

/// Three seconds of a stream, of which nothing is held yet.
class StartUnitsTest : public ::testing::Test {
protected:
    StartUnitsTest()
    {
        for (UnitIndex unit = 0; unit < units; ++unit) {
            bool random_access = false;
            media_.push_back(maker_.next_unit(unit % key_interval == 0, random_access));
            if (random_access) {
                starts_.insert(unit);
            }
        }
    }
    void hold(UnitIndex unit)
    {
        auto tree = integrity::UnitTree::build(*hasher_, grid_.first_chunk(unit), chunks_per_unit,
                                               chunk_size, media_[unit]);
        store_.put_all(*store_.open(unit, std::move(tree), {}, {}), media_[unit]);
    }
    std::set<UnitIndex> found()
    {
        std::set<UnitIndex> found;
        for (UnitIndex unit = 0; unit < units; ++unit) {
            if (start_units_.contains(store_, unit)) {
                found.insert(unit);
            }
        }
        return found;
    }

    UnitGrid grid_{chunks_per_unit};
    std::unique_ptr<integrity::Hasher> hasher_ = integrity::make_hasher(wire::HashFunction::sha256);
    LiveStore store_{grid_, chunk_size, 400};
    test::TestMedia maker_{chunks_per_unit, chunk_size};
    std::vector<ByteVector> media_;
    std::set<UnitIndex> starts_;
    StartUnits start_units_;
};

TEST_F(StartUnitsTest, are_those_at_a_random_access_point_and_beside_it)
{
    for (UnitIndex unit = 0; unit < units; ++unit) {
        hold(unit);
    }
    ASSERT_EQ(starts_.size(), units / key_interval);
    std::set<UnitIndex> expected;
    for (UnitIndex const start : starts_) {
        for (UnitIndex unit = start > 0 ? start - 1 : 0; unit <= start + 1; ++unit) {
            expected.insert(unit);
        }
    }
    EXPECT_EQ(found(), expected);
}

TEST_F(StartUnitsTest, are_known_as_soon_as_they_are_whole_in_whatever_order)
{
    UnitIndex const start = *starts_.rbegin();
    hold(start + 1);
    EXPECT_FALSE(start_units_.contains(store_, start + 1)) << "nothing tells";
    hold(start);
    hold(start - 1);
    EXPECT_TRUE(start_units_.contains(store_, start - 1));
    EXPECT_TRUE(start_units_.contains(store_, start));
    EXPECT_TRUE(start_units_.contains(store_, start + 1)) << "now it does";
}

TEST_F(StartUnitsTest, remembers_few)
{
    for (UnitIndex unit = 0; unit < units; ++unit) {
        static_cast<void>(start_units_.contains(store_, unit));
        EXPECT_LE(start_units_.remembered(), StartUnits::remembered_max);
    }
    EXPECT_EQ(start_units_.remembered(), StartUnits::remembered_max);
}

} // namespace
} // namespace ppsp::peer
