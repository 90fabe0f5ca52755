#include "peer/content/live_clock.hpp"
#include "peer/content/live_store.hpp"
#include "peer/swarm/unit_signs.hpp"
#include "protocol/integrity/openssl_hasher.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

constexpr std::uint32_t chunk_size = 1024;

TimePoint at(Duration time)
{
    return TimePoint{time};
}

class LiveStoreTest : public ::testing::Test {
protected:
    StoredUnit* open(UnitIndex unit)
    {
        ByteVector const payload(std::size_t{8} * chunk_size, static_cast<std::uint8_t>(unit));
        auto tree =
            integrity::UnitTree::build(*hasher_, grid_.first_chunk(unit), 8, chunk_size, payload);
        return store_.open(unit, std::move(tree), NtpTime{}, {});
    }

    UnitGrid grid_{8};
    std::unique_ptr<integrity::Hasher> hasher_ = integrity::make_hasher(wire::HashFunction::sha256);
    LiveStore store_{grid_, chunk_size, 4};
};

TEST_F(LiveStoreTest, keeps_the_window_and_discards_what_is_older)
{
    for (UnitIndex unit = 0; unit < 10; ++unit) {
        StoredUnit* const stored = open(unit);
        ASSERT_NE(stored, nullptr);
        store_.put_all(*stored, ByteVector(std::size_t{8} * chunk_size));
    }
    EXPECT_EQ(store_.oldest_kept(), 6u);
    EXPECT_EQ(store_.find(5), nullptr);
    EXPECT_NE(store_.find(6), nullptr);
    EXPECT_EQ(store_.have().chunk_count(), 4u * 8);
    EXPECT_EQ(open(5), nullptr);
    EXPECT_TRUE(store_.chunk(grid_.first_chunk(5)).empty());
}

TEST_F(LiveStoreTest, knows_which_chunks_are_missing)
{
    StoredUnit* const unit = open(3);
    ByteVector const chunk(chunk_size, 7);
    EXPECT_TRUE(store_.put(*unit, ChunkId{25}, chunk));
    EXPECT_FALSE(store_.put(*unit, ChunkId{25}, chunk));
    EXPECT_EQ(store_.missing(3), ChunkMask{0xfd});
    EXPECT_TRUE(store_.has(ChunkId{25}));
    EXPECT_FALSE(store_.complete(3));
    EXPECT_EQ(store_.missing(2), grid_.full());
    EXPECT_EQ(store_.chunk(ChunkId{25})[0], 7);
    EXPECT_FALSE(store_.newest_complete().has_value());
}

TEST(UnitGridTest, runs_of_a_mask_are_ranges)
{
    UnitGrid const grid{64};
    std::vector<ChunkRange> runs;
    grid.for_each_run(2, grid.full(), [&](ChunkRange range) { runs.push_back(range); });
    ASSERT_EQ(runs.size(), 1u);
    EXPECT_EQ(runs[0], (ChunkRange{ChunkId{128}, ChunkId{191}}));
    runs.clear();
    grid.for_each_run(0, 0b1101, [&](ChunkRange range) { runs.push_back(range); });
    ASSERT_EQ(runs.size(), 2u);
    EXPECT_EQ(runs[0], single(ChunkId{0}));
    EXPECT_EQ(runs[1], (ChunkRange{ChunkId{2}, ChunkId{3}}));
}

TEST(LiveClockTest, a_wrong_wall_clock_does_not_matter)
{
    LiveClock clock;
    UnixMicros const far_off = 5'000'000'000'000;
    clock.on_munro(at(100ms), 1, far_off);
    clock.on_munro(at(170ms), 2, far_off + 50'000); // 20 ms later than the first: a queue
    EXPECT_EQ(clock.local_time(far_off + 50'000), at(150ms));
    EXPECT_EQ(clock.unit_duration(), Duration{50ms});
}

TEST(LiveClockTest, a_minimum_is_forgotten_after_ten_minutes)
{
    LiveClock clock;
    clock.on_munro(at(0ms), 1, 0);
    for (int minute = 1; minute <= 10; ++minute) {
        Duration const now = std::chrono::minutes{minute};
        clock.on_munro(at(now), static_cast<UnitIndex>(minute + 1), now.count() - 30'000);
    }
    EXPECT_EQ(clock.local_time(0), at(30ms));
}

TEST(UnitSignsTest, the_first_sign_counts_and_old_units_are_forgotten)
{
    UnitSigns signs;
    signs.note(at(1s), 10);
    signs.note(at(2s), 12); // 11 was never mentioned: now is its first sign
    signs.note(at(3s), 11);
    EXPECT_EQ(signs.first(10), at(1s));
    EXPECT_EQ(signs.first(11), at(2s));
    EXPECT_EQ(signs.edge(), UnitIndex{12});
    EXPECT_FALSE(signs.first(13).has_value());
    signs.note(at(4s), 12 + UnitSigns::remembered);
    EXPECT_FALSE(signs.first(12).has_value());
    signs.note(at(5s), 12);
    EXPECT_FALSE(signs.first(12).has_value());
}

} // namespace
} // namespace ppsp::peer
