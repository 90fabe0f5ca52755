#include "peer/chunker/chunker.hpp"

#include "tests/peer/ts_stream.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

using test::concat;
using test::TsStream;

constexpr std::size_t unit_bytes = 8 * chunk_bytes;

TimePoint at(std::int64_t millis)
{
    return TimePoint{std::chrono::milliseconds{millis}};
}

ChunkerConfig eight()
{
    return {.chunks_per_unit = 8, .first = ChunkId{0}, .unit_time = 50ms};
}

TEST(Chunker, UnitSizeFollowsTheRate)
{
    EXPECT_EQ(choose_chunks_per_unit(0), 8U);
    EXPECT_EQ(choose_chunks_per_unit(500'000), 8U);
    EXPECT_EQ(choose_chunks_per_unit(1'300'000), 8U);
    EXPECT_EQ(choose_chunks_per_unit(2'500'000), 16U);
    EXPECT_EQ(choose_chunks_per_unit(5'000'000), 32U);
    EXPECT_EQ(choose_chunks_per_unit(20'000'000), 64U);
    EXPECT_EQ(choose_chunks_per_unit(~std::uint64_t{0}), 64U);
    EXPECT_EQ(choose_chunks_per_unit(5'000'000, 100ms), 64U);
    // 12 chunks in 50 ms: 8 and 16 are equally near.
    EXPECT_EQ(choose_chunks_per_unit(1'966'080), 8U);
    EXPECT_EQ(unit_duration(32, 5'242'880), 50ms);
    EXPECT_EQ(unit_duration(8, 0), 1h);
}

TEST(Chunker, RestartsWherePacketsAndUnitsBeginTogether)
{
    for (std::size_t const chunks : {8U, 16U, 32U, 64U}) {
        std::uint64_t const step = 47 * chunks;
        EXPECT_EQ(restart_chunk(ChunkId{0}, chunks), ChunkId{0});
        EXPECT_EQ(restart_chunk(ChunkId{1}, chunks), ChunkId{step});
        EXPECT_EQ(restart_chunk(ChunkId{step}, chunks), ChunkId{step});
        EXPECT_EQ(restart_chunk(ChunkId{step + 1}, chunks), ChunkId{2 * step});
        EXPECT_EQ(first_packet_offset(restart_chunk(ChunkId{77'777}, chunks)), 0U);
    }
    EXPECT_EQ(first_packet_offset(ChunkId{1}), 188U * 6 - 1024);
    EXPECT_EQ(first_packet_offset(ChunkId{~std::uint64_t{0} / 1024}),
              (188 - (~std::uint64_t{0} / 1024 * 1024) % 188) % 188);
}

TEST(Chunker, AFullUnitLeavesAtOnceAndThePacketGoesOnInTheNext)
{
    Chunker chunker{eight()};
    TsStream stream;
    ByteVector all;
    for (int i = 0; i < 44; ++i) { // 8272 bytes: 80 more than a unit
        ByteVector const packet = stream.audio();
        all.insert(all.end(), packet.begin(), packet.end());
    }
    chunker.append(at(0), Bytes{all}.first(unit_bytes - 1));
    EXPECT_FALSE(chunker.poll(at(0)));
    chunker.append(at(1), Bytes{all}.subspan(unit_bytes - 1));
    auto const unit = chunker.poll(at(1));
    ASSERT_TRUE(unit);
    EXPECT_EQ(unit->first, ChunkId{0});
    EXPECT_EQ(unit->payload, ByteVector(all.begin(), all.begin() + unit_bytes));
    EXPECT_FALSE(unit->random_access);
    EXPECT_FALSE(chunker.poll(at(1)));
    EXPECT_EQ(chunker.next_chunk(), ChunkId{8});
    EXPECT_EQ(chunker.deadline(), at(201)) << "80 bytes wait, from the moment they came";
}

TEST(Chunker, SilenceClosesAUnitWithNullPacketsToTheByte)
{
    Chunker chunker{{.chunks_per_unit = 8, .first = ChunkId{0}, .unit_time = 1s}};
    TsStream stream;
    ByteVector const packet = stream.audio();
    chunker.append(at(10), packet);
    EXPECT_EQ(chunker.deadline(), at(260));
    EXPECT_FALSE(chunker.poll(at(259)));
    auto const first = chunker.poll(at(260));
    ASSERT_TRUE(first);
    ByteVector expected = packet;
    while (expected.size() < 44 * ts::packet_size) {
        expected.insert(expected.end(), ts::null_packet().begin(), ts::null_packet().end());
    }
    EXPECT_EQ(first->payload, ByteVector(expected.begin(), expected.begin() + unit_bytes));
    EXPECT_EQ(chunker.padding_bytes(), 43 * ts::packet_size);
    // The tail of the straddling null packet alone is no reason to send a unit.
    EXPECT_FALSE(chunker.deadline());
    EXPECT_FALSE(chunker.poll(at(100'000)));
    chunker.finish();
    EXPECT_FALSE(chunker.poll(at(100'000)));
    ByteVector const next = stream.audio();
    chunker.append(at(100'000), next);
    chunker.finish();
    auto const second = chunker.poll(at(100'000));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->first, ChunkId{8});
    EXPECT_EQ(Bytes{second->payload}.first(80).back(), 0xff);
    EXPECT_EQ(ByteVector(second->payload.begin() + 80, second->payload.begin() + 80 + 188), next);
    EXPECT_EQ(first_packet_offset(second->first), 80U);
}

TEST(Chunker, AgeClosesAUnitThatGrowsTooSlowly)
{
    Chunker chunker{eight()};
    TsStream stream;
    for (int time = 0; time < 200; time += 20) {
        chunker.append(at(time), stream.audio());
        EXPECT_FALSE(chunker.poll(at(time)));
        EXPECT_EQ(chunker.deadline(), at(200));
    }
    EXPECT_TRUE(chunker.poll(at(200)));
    EXPECT_FALSE(chunker.deadline());
}

TEST(Chunker, MarksPatPmtKeyFrame)
{
    Chunker chunker{eight()};
    TsStream stream;
    ByteVector all = concat({stream.audio(), stream.audio()});
    ByteVector const start = concat({stream.pat(), stream.pmt(0x1b), stream.video(true)});
    all.insert(all.end(), start.begin(), start.end());
    chunker.append(at(0), all);
    chunker.append(at(1), concat({stream.pat(), stream.pmt(0x1b), stream.video(true)}));
    chunker.finish();
    auto const unit = chunker.poll(at(1));
    ASSERT_TRUE(unit);
    EXPECT_TRUE(unit->random_access);
    EXPECT_EQ(unit->random_access_offset, 2 * ts::packet_size) << "the first of two";
}

TEST(Chunker, TheUnitWithThePatIsMarkedEvenIfTheKeyFrameBeginsInTheNext)
{
    Chunker chunker{eight()};
    TsStream stream;
    ByteVector all;
    for (int i = 0; i < 43; ++i) {
        ByteVector const packet = stream.audio();
        all.insert(all.end(), packet.begin(), packet.end());
    }
    ByteVector const start = concat({stream.pat(), stream.pmt(0x24), stream.video(true)});
    all.insert(all.end(), start.begin(), start.end());
    chunker.append(at(0), all);
    chunker.finish();
    auto const first = chunker.poll(at(0));
    auto const second = chunker.poll(at(0));
    ASSERT_TRUE(first && second);
    EXPECT_TRUE(first->random_access);
    EXPECT_EQ(first->random_access_offset, 43 * ts::packet_size);
    EXPECT_FALSE(second->random_access);
}

TEST(Chunker, NoMarkWithoutPatPmtOrKeyFrame)
{
    TsStream stream;
    auto const marked = [](std::initializer_list<ByteVector> packets) {
        Chunker chunker{eight()};
        chunker.append(at(0), concat(packets));
        chunker.finish();
        return chunker.poll(at(0))->random_access;
    };
    EXPECT_TRUE(marked({stream.pat(), stream.pmt(0x1b), stream.video(false), stream.video(true)}));
    EXPECT_FALSE(marked({stream.pmt(0x1b), stream.video(true)}));
    EXPECT_FALSE(marked({stream.pat(), stream.video(true)}));
    EXPECT_FALSE(marked({stream.pat(), stream.pmt(0x1b), stream.video(false), stream.audio()}));
    // A PAT after the PMT does not make the pair.
    EXPECT_FALSE(marked({stream.pmt(0x1b), stream.pat(), stream.video(true)}));
}

TEST(Chunker, RubbishIsSkippedAndCounted)
{
    Chunker chunker{eight()};
    TsStream stream;
    ByteVector const rubbish(1000, 0x12);
    ByteVector broken = stream.audio();
    broken[1] |= 0x80;
    ByteVector const good = concat({stream.audio(), stream.audio()});
    chunker.append(at(0), concat({rubbish, good, broken, good}));
    chunker.append(at(0), Bytes{good}.first(100));
    chunker.finish();
    auto const unit = chunker.poll(at(0));
    ASSERT_TRUE(unit);
    ByteVector const expected = concat({good, good});
    EXPECT_EQ(ByteVector(unit->payload.begin(),
                         unit->payload.begin() + static_cast<std::ptrdiff_t>(expected.size())),
              expected);
    EXPECT_EQ(chunker.skipped_bytes(), 1000U + 188 + 100);
}

TEST(Chunker, UnpolledUnitsAreLimited)
{
    Chunker chunker{eight()};
    TsStream stream;
    std::size_t const packets = Chunker::ready_units_max * unit_bytes / ts::packet_size + 100;
    for (std::size_t i = 0; i < packets; ++i) {
        chunker.append(at(0), stream.audio());
    }
    EXPECT_EQ(chunker.dropped_packets(), 99U);
    std::size_t units = 0;
    while (chunker.poll(at(0))) {
        ++units;
    }
    EXPECT_EQ(units, Chunker::ready_units_max);
    chunker.append(at(1), stream.audio());
    EXPECT_EQ(chunker.dropped_packets(), 99U);
}

} // namespace
} // namespace ppsp::peer
