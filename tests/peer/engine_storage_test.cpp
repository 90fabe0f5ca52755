#include "peer/content/unit_grid.hpp"
#include "peer/storage/object_map.hpp"
#include "peer/storage/rescue.hpp"
#include "peer/storage/storage_health.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t chunks_per_unit = 16;

decade::LiveIndex index_of(UnitIndex first, std::vector<std::uint32_t> const& lengths)
{
    decade::LiveIndex index;
    index.chunks_per_unit = chunks_per_unit;
    for (std::uint32_t const units : lengths) {
        std::array<std::uint8_t, 32> value{};
        value[0] = static_cast<std::uint8_t>(first);
        decade::IndexedObject object{
            *decade::NiName::from_value(decade::NiAlgorithm::sha256, value),
            UnitGrid{chunks_per_unit}.chunks(first, first + units - 1),
            1,
            0,
            0,
            {}};
        index.objects.push_back(object);
        first += units;
    }
    return index;
}

TimePoint at(Duration time)
{
    return TimePoint{time};
}

TEST(ObjectMap, ForetellsWhatFollowsTheIndex)
{
    ObjectMap map;
    EXPECT_EQ(map.find(100), nullptr);
    map.take(index_of(100, {10, 10, 4}));
    EXPECT_EQ(map.newest(), 123U);
    EXPECT_EQ(map.find(99), nullptr);
    MappedObject const* const known = map.find(115);
    ASSERT_NE(known, nullptr);
    EXPECT_EQ(known->first, 110U);
    EXPECT_TRUE(known->name && known->exists);
    MappedObject const* const next = map.find(140);
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(next->first, 134U);
    EXPECT_EQ(next->units, 10U);
    EXPECT_FALSE(next->name || next->exists);
}

TEST(ObjectMap, ForetellsNothingFarAway)
{
    ObjectMap map;
    map.take(index_of(100, {10}));
    EXPECT_NE(map.find(109 + ObjectMap::foretold_max * 10), nullptr);
    EXPECT_EQ(map.find(110 + ObjectMap::foretold_max * 10), nullptr);
    EXPECT_EQ(map.find(UnitIndex{1} << 60U), nullptr);
}

TEST(ObjectMap, KeepsItsLimitHoweverLongNoIndexComes)
{
    ObjectMap map;
    map.take(index_of(0, std::vector<std::uint32_t>(decade::index_objects_max, 10)));
    UnitIndex unit = map.newest();
    for (std::size_t i = 0; i < 2 * ObjectMap::objects_max; ++i) {
        MappedObject* const next = map.find(++unit);
        ASSERT_NE(next, nullptr);
        next->exists = true;
        unit = next->last();
    }
    EXPECT_EQ(map.find(unit - 10 * ObjectMap::objects_max), nullptr);
    EXPECT_NE(map.find(unit - 10 * (ObjectMap::objects_max - 1)), nullptr);
}

TEST(ObjectMap, ANewIndexCorrectsWhatWasForetoldAndKeepsHeads)
{
    ObjectMap map;
    map.take(index_of(100, {10, 10}));
    map.find(105)->head = {1, 2, 3};
    ASSERT_NE(map.find(125), nullptr);
    map.take(index_of(100, {10, 10, 5}));
    EXPECT_EQ(map.find(105)->head.size(), 3U);
    EXPECT_EQ(map.find(122)->units, 5U);
    EXPECT_EQ(map.find(125)->first, 125U);
}

TEST(ObjectMap, WhatCameAfterTheIndexStays)
{
    ObjectMap map;
    map.take(index_of(100, {10}));
    map.find(115)->exists = true;
    map.take(index_of(100, {10})); // of another server, that is behind
    EXPECT_EQ(map.newest(), 119U);
}

TEST(ObjectMap, HolesAreJumpedOver)
{
    auto index = index_of(100, {10});
    UnitIndex const far = UnitIndex{1} << 40U;
    index.objects.push_back(index_of(far, {10}).objects.front());
    ObjectMap map;
    map.take(index);
    EXPECT_EQ(map.find(110), nullptr);
    EXPECT_EQ(map.next(105), 105U);
    EXPECT_EQ(map.next(110), far);
    EXPECT_EQ(map.next(far + 10), std::nullopt);
}

TEST(ObjectMap, TellsWhenUnitsWereSigned)
{
    auto index = index_of(100, {11});
    index.objects[0].first_signed = 5'000'000;
    index.objects[0].last_signed = 5'500'000;
    index.objects.push_back(index_of(120, {1}).objects.front());
    index.objects[1].first_signed = 6'000'000;
    index.objects[1].last_signed = 6'000'000;
    ObjectMap map;
    EXPECT_EQ(map.signed_at(100), std::nullopt);
    map.take(index);
    EXPECT_EQ(map.signed_at(99), 5'000'000);
    EXPECT_EQ(map.signed_at(103), 5'150'000);
    EXPECT_EQ(map.signed_at(110), 5'500'000);
    EXPECT_EQ(map.signed_at(111), 6'000'000); // lost: not before what follows it
    EXPECT_EQ(map.signed_at(120), 6'000'000);
    ASSERT_NE(map.find(125), nullptr);
    EXPECT_EQ(map.signed_at(125), std::nullopt); // foretold
}

TEST(ObjectMap, PartsOfUnitsAreNoObjects)
{
    auto index = index_of(100, {10});
    index.objects[0].chunks.last = index.objects[0].chunks.last - 1;
    ObjectMap map;
    map.take(index);
    EXPECT_TRUE(map.empty());
}

TEST(RescueFetches, AFetchThatIsNeverAnsweredTakesNoPlaceForEver)
{
    LiveSwarmConfig swarm;
    swarm.id = ByteVector(65);
    swarm.id[0] = static_cast<std::uint8_t>(wire::SignatureAlgorithm::ecdsa_p256_sha256);
    swarm.storage = {{StorageTier::cdn}};
    Rescue rescue{RescueConfig{}, swarm, at(0s), Rng{1}};
    Rescue::Situation situation;
    situation.peers_expected = false;
    situation.unit_duration = 50ms;
    std::vector<FetchWanted> fetches;
    rescue.plan(at(0s), situation, fetches);
    ASSERT_EQ(fetches.size(), 1U);
    Duration const answered_by = fetches.front().timeout;
    fetches.clear();
    rescue.plan(at(answered_by), situation, fetches);
    EXPECT_TRUE(fetches.empty());
    rescue.plan(at(answered_by + 1s), situation, fetches);
    EXPECT_EQ(fetches.size(), 1U);
}

TEST(StorageHealth, LearnsDistanceAndRate)
{
    StorageHealth health;
    for (int i = 0; i < 50; ++i) {
        health.on_answer(20ms, 100);
        health.on_answer(20ms + 50ms, 100'000); // 2 MB/s
    }
    EXPECT_NEAR(static_cast<double>(health.expected(100).count()), 20e3, 3e3);
    EXPECT_NEAR(static_cast<double>(health.expected(200'000).count()), 120e3, 12e3);
    EXPECT_LE(health.safe(100), 60ms);
}

TEST(StorageHealth, WhatIsSafeGrowsWithHowMuchAnswersDiffer)
{
    StorageHealth health;
    for (int i = 0; i < 50; ++i) {
        health.on_answer(20ms, 100);
        health.on_answer(60ms, 100);
    }
    EXPECT_NEAR(static_cast<double>(health.expected(100).count()), 40e3, 5e3);
    EXPECT_GE(health.safe(100), 90ms);
    EXPECT_LE(health.safe(100), 140ms);
}

TEST(StorageHealth, TheFirstAnswerEndsGuessing)
{
    StorageHealth health;
    EXPECT_FALSE(health.measured());
    health.on_answer(30ms, 20'000);
    EXPECT_TRUE(health.measured());
    EXPECT_LE(health.safe(100), 65ms);
    // Nor is it known any more after waiting in vain, however long that was.
    health.on_timeout(3s);
    EXPECT_FALSE(health.measured());
    EXPECT_GE(health.expected(100), 3s);
    health.on_answer(30ms, 20'000);
    EXPECT_TRUE(health.measured());
    EXPECT_LE(health.safe(100), 65ms);
}

TEST(StorageHealth, WhoIsNeededIsTriedAtOnceUnlessItLied)
{
    StorageHealth health;
    for (int i = 0; i < 20; ++i) {
        health.on_failure(at(10s), at(10s));
    }
    EXPECT_FALSE(health.usable(at(12s)));
    health.on_needed(at(12s));
    EXPECT_TRUE(health.usable(at(12s)));
    EXPECT_TRUE(health.on_probation());
    health.on_lie(at(13s), at(13s));
    health.on_needed(at(14s));
    EXPECT_FALSE(health.usable(at(72s)));
}

TEST(StorageHealth, PausesLongerWithEveryFailureAndIsProvenByASuccess)
{
    StorageHealth health;
    EXPECT_TRUE(health.usable(at(0s)));
    health.on_failure(at(1s), at(1s));
    EXPECT_FALSE(health.usable(at(1400ms)));
    EXPECT_TRUE(health.usable(at(1500ms)));
    EXPECT_TRUE(health.on_probation());
    health.on_failure(at(2s), at(2s));
    EXPECT_FALSE(health.usable(at(2900ms)));
    for (int i = 0; i < 20; ++i) {
        health.on_failure(at(10s), at(10s));
    }
    EXPECT_TRUE(health.usable(at(20s)));
    health.on_success();
    EXPECT_FALSE(health.on_probation());
}

TEST(StorageHealth, TheOnlyServerIsTriedAgainSooner)
{
    StorageHealth health;
    for (int i = 0; i < 20; ++i) {
        health.on_failure(at(10s), at(10s), false);
    }
    EXPECT_FALSE(health.usable(at(12400ms)));
    EXPECT_TRUE(health.usable(at(12500ms)));
    health.on_failure(at(13s), at(13s), true);
    EXPECT_FALSE(health.usable(at(22900ms)));
}

TEST(StorageHealth, WhatWasAskedBeforeAFailureWasKnownIsTheSameFailure)
{
    StorageHealth health;
    health.on_failure(at(2s), at(1s));
    health.on_failure(at(2100ms), at(1s));
    EXPECT_TRUE(health.usable(at(2500ms)));
    health.on_lie(at(3s), at(2600ms));
    health.on_lie(at(3100ms), at(2600ms));
    EXPECT_TRUE(health.usable(at(63s)));
}

TEST(StorageHealth, AProbeEndsProbationAndForgetsNoFailure)
{
    StorageHealth health;
    health.on_failure(at(1s), at(1s));
    health.on_probe();
    EXPECT_FALSE(health.on_probation());
    health.on_failure(at(10s), at(9s));
    EXPECT_FALSE(health.usable(at(10900ms)));
}

TEST(StorageHealth, LiesAreNotForgottenByASuccess)
{
    StorageHealth health;
    health.on_lie(at(1s), at(1s));
    health.on_success();
    EXPECT_FALSE(health.usable(at(60s)));
    EXPECT_TRUE(health.usable(at(61s)));
    health.on_lie(at(61s), at(61s));
    EXPECT_FALSE(health.usable(at(180s)));
}

} // namespace
} // namespace ppsp::peer
