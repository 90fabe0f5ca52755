#include "peer/content/live_clock.hpp"
#include "peer/content/live_store.hpp"
#include "peer/live/unit_signs.hpp"
#include "protocol/integrity/openssl_hasher.hpp"

#include <gtest/gtest.h>

#include <map>

namespace ppsp::peer {
namespace {

constexpr std::uint32_t chunk_size = 1024;

TimePoint at(Duration time)
{
    return TimePoint{time};
}

/// One memory per unit for all who ask.
class SharedMemory final : public PayloadMemory {
public:
    std::shared_ptr<std::uint8_t[]> room(UnitIndex unit, std::size_t bytes) override
    {
        auto& room = rooms[unit];
        if (!room) {
            room = std::make_shared<std::uint8_t[]>(bytes);
            room_bytes = bytes;
        }
        return room;
    }
    std::map<UnitIndex, std::shared_ptr<std::uint8_t[]>> rooms;
    std::size_t room_bytes = 0;
};

class LiveStoreTest : public ::testing::Test {
protected:
    StoredUnit* open(UnitIndex unit) { return open(store_, unit); }
    StoredUnit* open(LiveStore& store, UnitIndex unit)
    {
        ByteVector const payload(std::size_t{8} * chunk_size, static_cast<std::uint8_t>(unit));
        auto tree =
            integrity::UnitTree::build(*hasher_, grid_.first_chunk(unit), 8, chunk_size, payload);
        return store.open(unit, std::move(tree), NtpTime{}, {});
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

TEST_F(LiveStoreTest, nodes_of_one_process_share_the_memory_of_a_unit)
{
    SharedMemory memory;
    LiveStore left{grid_, chunk_size, 4, &memory};
    LiveStore right{grid_, chunk_size, 4, &memory};
    StoredUnit* const there = open(left, 3);
    StoredUnit* const here = open(right, 3);
    EXPECT_EQ(memory.room_bytes, std::size_t{8} * chunk_size);
    EXPECT_EQ(there->payload.data(), memory.rooms[3].get());
    EXPECT_EQ(here->payload.data(), there->payload.data());
    EXPECT_TRUE(left.put(*there, ChunkId{25}, ByteVector(chunk_size, 7)));
    EXPECT_FALSE(right.has(ChunkId{25})) << "what a node holds is its own affair";
    EXPECT_TRUE(right.chunk(ChunkId{25}).empty());
    EXPECT_TRUE(right.put(*here, ChunkId{25}, ByteVector(chunk_size, 7)));
    EXPECT_EQ(right.chunk(ChunkId{25}).data(), left.chunk(ChunkId{25}).data());
}

TEST_F(LiveStoreTest, the_shared_memory_of_a_discarded_unit_is_let_go)
{
    SharedMemory memory;
    LiveStore store{grid_, chunk_size, 4, &memory};
    (void)open(store, 3);
    EXPECT_EQ(memory.rooms[3].use_count(), 2);
    (void)open(store, 7); // takes its place in the ring
    EXPECT_EQ(memory.rooms[3].use_count(), 1);
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

TEST(LiveClockTest, expects_units_at_the_pace_of_the_stream)
{
    LiveClock clock;
    EXPECT_FALSE(clock.expected(5, 40ms).has_value());
    clock.on_munro(at(100ms), 5, 1'000'000);
    EXPECT_EQ(clock.expected(5, 40ms), at(100ms));
    EXPECT_EQ(clock.expected(8, 40ms), at(220ms)) << "nominal while the pace is unknown";
    EXPECT_EQ(clock.expected(4, 40ms), at(60ms)) << "a unit that was before";
    clock.on_munro(at(170ms), 6, 1'050'000); // 20 ms late
    EXPECT_EQ(clock.expected(6, 40ms), at(150ms)) << "at the earliest";
    EXPECT_EQ(clock.expected(8, 40ms), at(250ms)) << "measured: 50 ms a unit";
    EXPECT_EQ(clock.expected(4, 40ms), at(50ms));
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
