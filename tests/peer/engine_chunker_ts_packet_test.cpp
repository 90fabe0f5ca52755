#include "peer/chunker/ts_packet.hpp"

#include "tests/peer/ts_stream.hpp"

#include <gtest/gtest.h>

namespace ppsp::ts {
namespace {

using test::concat;
using test::TsStream;

TEST(TsPacket, NullPacketIsTheOneOfTheStandard)
{
    auto const packet = parse_packet(null_packet());
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->pid, null_pid);
    EXPECT_EQ(to_hex(Bytes{null_packet()}.first(6)), "471fff10ffff");
}

TEST(TsPacket, TakesAHeaderApart)
{
    ByteVector bytes(packet_size, 0xaa);
    // PID 0x100, payload start, adaptation of 7 bytes with RAI and PCR 0x1fe000001 * 300 + 0x101.
    ByteVector const head{0x47, 0x41, 0x00, 0x3c, 0x07, 0xd0, 0xff, 0x00, 0x00, 0x00, 0xff, 0x01};
    std::copy(head.begin(), head.end(), bytes.begin());
    auto const packet = parse_packet(bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->pid, Pid{0x100});
    EXPECT_TRUE(packet->payload_start);
    EXPECT_TRUE(packet->has_payload);
    EXPECT_TRUE(packet->random_access);
    EXPECT_TRUE(packet->discontinuity);
    EXPECT_EQ(packet->continuity, 12);
    EXPECT_EQ(packet->pcr, 0x1fe000001ULL * 300 + 0x101);
    EXPECT_EQ(packet->payload.size(), packet_size - 12);
}

TEST(TsPacket, RefusesWhatIsNoPacket)
{
    ByteVector const good = TsStream{}.audio();
    EXPECT_TRUE(parse_packet(good));
    EXPECT_FALSE(parse_packet(Bytes{}));
    EXPECT_FALSE(parse_packet(Bytes{good}.first(187)));
    auto with = [&](std::size_t at, std::uint8_t value) {
        ByteVector bad = good;
        bad[at] = value;
        return bad;
    };
    EXPECT_FALSE(parse_packet(with(0, 0x46)));
    EXPECT_FALSE(parse_packet(with(1, 0xc1))) << "transport error";
    EXPECT_FALSE(parse_packet(with(3, 0x00))) << "neither payload nor adaptation";
    ByteVector bad = with(3, 0x30);
    bad[4] = 184;
    EXPECT_FALSE(parse_packet(bad)) << "adaptation field longer than the packet";
    bad[4] = 6;
    bad[5] = 0x10;
    EXPECT_FALSE(parse_packet(bad)) << "PCR flag without room for a PCR";
    bad[4] = 183;
    bad[5] = 0;
    ASSERT_TRUE(parse_packet(bad));
    EXPECT_TRUE(parse_packet(bad)->payload.empty());
}

TEST(TsPacket, ReadsPresentationTime)
{
    TsStream stream;
    std::uint64_t const time = 0x1'2345'6789;
    ByteVector const bytes = stream.video(true, time);
    EXPECT_EQ(presentation_time(*parse_packet(bytes)), time);
    EXPECT_FALSE(presentation_time(*parse_packet(stream.audio())));
    EXPECT_FALSE(presentation_time(*parse_packet(stream.pat())));
}

TEST(TsProgramMap, LearnsVideoFromPatAndPmt)
{
    TsStream stream;
    ProgramMap map;
    EXPECT_EQ(map.learn(*parse_packet(stream.pmt(0x1b))), ProgramMap::Seen::other) << "before PAT";
    EXPECT_EQ(map.learn(*parse_packet(stream.pat())), ProgramMap::Seen::pat);
    EXPECT_EQ(map.pmt_pid(), TsStream::pmt_pid);
    EXPECT_EQ(map.learn(*parse_packet(stream.video(true))), ProgramMap::Seen::other);
    EXPECT_EQ(map.learn(*parse_packet(stream.pmt(0x1b))), ProgramMap::Seen::pmt);
    EXPECT_EQ(map.video_pid(), TsStream::video_pid);
    EXPECT_EQ(map.audio_pid(), TsStream::audio_pid);
    EXPECT_EQ(map.video_kind(), StreamKind::h264);
    EXPECT_EQ(map.learn(*parse_packet(stream.video(true))), ProgramMap::Seen::key_stream);
    EXPECT_EQ(map.learn(*parse_packet(stream.audio())), ProgramMap::Seen::other);
    EXPECT_EQ(map.learn(*parse_packet(stream.pmt(0x24))), ProgramMap::Seen::pmt);
    EXPECT_EQ(map.video_kind(), StreamKind::hevc);
    EXPECT_EQ(map.learn(*parse_packet(stream.pmt(0x02))), ProgramMap::Seen::pmt);
    EXPECT_EQ(map.video_kind(), StreamKind::mpeg2_video);
}

TEST(TsProgramMap, AudioCountsWhereThereIsNoVideo)
{
    TsStream stream;
    ProgramMap map;
    map.learn(*parse_packet(stream.pat()));
    map.learn(*parse_packet(stream.pmt(0x05)));
    EXPECT_FALSE(map.video_pid());
    EXPECT_EQ(map.key_pid(), TsStream::audio_pid);
}

TEST(TsProgramMap, EveryDamagedTableIsIgnored)
{
    TsStream stream;
    ByteVector const pat = stream.pat();
    ByteVector const pmt = stream.pmt(0x1b);
    // Bytes 4.. of the packet up to the end of the section, bit by bit.
    for (std::size_t at = 5; at < 4 + 1 + 16; ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            ByteVector bad = pat;
            bad[at] ^= static_cast<std::uint8_t>(1 << bit);
            ProgramMap map;
            EXPECT_EQ(map.learn(*parse_packet(bad)), ProgramMap::Seen::other) << at << ' ' << bit;
        }
    }
    for (std::size_t at = 5; at < 4 + 1 + 26; ++at) {
        ByteVector bad = pmt;
        bad[at] ^= 0x20;
        ProgramMap map;
        map.learn(*parse_packet(pat));
        EXPECT_EQ(map.learn(*parse_packet(bad)), ProgramMap::Seen::other) << at;
        EXPECT_FALSE(map.key_pid());
    }
}

TEST(TsPacketAligner, FindsPacketsInAnyPieces)
{
    TsStream stream;
    ByteVector const all = concat({stream.pat(), stream.video(true), stream.audio()});
    for (std::size_t const step : {1U, 7U, 187U, 188U, 189U, 1000U}) {
        PacketAligner aligner;
        ByteVector seen;
        for (std::size_t at = 0; at < all.size(); at += step) {
            aligner.push(Bytes{all}.subspan(at, std::min(step, all.size() - at)));
            while (auto packet = aligner.next()) {
                seen.insert(seen.end(), packet->begin(), packet->end());
            }
        }
        EXPECT_EQ(seen, all) << step;
        EXPECT_EQ(aligner.skipped_bytes(), 0U);
    }
}

TEST(TsPacketAligner, SkipsRubbishAndCountsIt)
{
    TsStream stream;
    ByteVector const rubbish{1, 2, 0x47, 4, 5};
    ByteVector const pat = stream.pat();
    ByteVector const all = concat({pat, rubbish, pat, pat, stream.audio()});
    PacketAligner aligner;
    aligner.push(all);
    std::size_t packets = 0;
    while (aligner.next()) {
        ++packets;
    }
    EXPECT_EQ(packets, 4U);
    EXPECT_EQ(aligner.skipped_bytes(), rubbish.size());
    aligner.push(Bytes{pat}.first(100));
    aligner.reset();
    EXPECT_EQ(aligner.skipped_bytes(), rubbish.size() + 100);
    aligner.push(pat);
    EXPECT_TRUE(aligner.next());
}

} // namespace
} // namespace ppsp::ts
