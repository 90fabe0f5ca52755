#include "peer/chunker/ts_packet.hpp"
#include "peer/ingest/continuity.hpp"
#include "peer/ingest/demuxer.hpp"
#include "peer/ingest/interleaver.hpp"
#include "peer/ingest/item_queue.hpp"
#include "peer/ingest/key_frame_watch.hpp"
#include "peer/ingest/pacer.hpp"
#include "peer/ingest/pixel_clock.hpp"
#include "peer/ingest/timeline.hpp"
#include "tests/peer/ts_stream.hpp"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <thread>

namespace ppsp::ingest {
namespace {

using Follow = Timeline::Follow;

TimePoint at(std::int64_t millis)
{
    return TimePoint{std::chrono::milliseconds{millis}};
}

TEST(IngestTimeline, StartsAtOneSecondWhateverTheInputSays)
{
    Timeline line;
    line.begin_session(Follow::after_pause, at(0));
    auto const first = line.place(at(0), 0, 1'000'000, 1'003'000, 3000);
    EXPECT_EQ(first.dts, Timeline::start);
    EXPECT_EQ(first.pts, Timeline::start + 3000);
    EXPECT_TRUE(first.restarted);
    auto const next = line.place(at(33), 0, 1'003'000, 1'009'000, 3000);
    EXPECT_EQ(next.dts, Timeline::start + 3000);
    EXPECT_FALSE(next.restarted);
    // Sound that begins a little before the picture keeps its place.
    EXPECT_EQ(line.place(at(33), 1, 998'000, 998'000, 1920).dts, Timeline::start - 2000);
    EXPECT_EQ(line.end(), Timeline::start + 6000);
}

TEST(IngestTimeline, ALoopFollowsWithTheSmallestOffsetThatOverlapsNothing)
{
    Timeline line;
    line.begin_session(Follow::after_pause, at(0));
    static_cast<void>(line.place(at(0), 0, -6000, 0, 3000));
    static_cast<void>(line.place(at(0), 1, -1000, -1000, 1920));
    static_cast<void>(line.place(at(0), 1, 920, 920, 1920));
    static_cast<void>(line.place(at(0), 0, -3000, 6000, 3000));
    line.begin_session(Follow::at_once, at(0));
    // Picture lasts 6000, sound 3840: the loop is 6000 long, whatever the clock says.
    EXPECT_EQ(line.place(at(9000), 0, -6000, 0, 3000).dts, Timeline::start + 6000);
    EXPECT_EQ(line.place(at(9000), 1, -1000, -1000, 1920).dts, Timeline::start + 11'000);
}

TEST(IngestTimeline, APublisherThatComesAgainIsAsMuchLater)
{
    Timeline line;
    line.begin_session(Follow::after_pause, at(0));
    static_cast<void>(line.place(at(0), 0, 500, 500, 3000));
    // Came in time, but was given away only when the publisher had been silent for 3 s.
    static_cast<void>(line.place(at(3033), 0, 3500, 3500, 3000));
    // The next one came at 10 s and was probed for a second.
    line.begin_session(Follow::after_pause, at(10'000));
    auto const again = line.place(at(11'000), 0, 70, 70, 3000);
    EXPECT_NEAR(static_cast<double>(again.dts),
                static_cast<double>(Timeline::start + 10 * ticks_per_second), 5);
    EXPECT_TRUE(again.restarted);
    line.begin_session(Follow::after_pause, at(10'000));
    // At once: not before the end of what was there.
    EXPECT_EQ(line.place(at(10'000), 0, 70, 70, 3000).dts, again.dts + 3000);
}

TEST(IngestTimeline, AJumpInsideASessionCarriesAllStreams)
{
    Timeline line;
    line.begin_session(Follow::after_pause, at(0));
    static_cast<void>(line.place(at(0), 0, 9'000'000, 9'000'000, 3000));
    static_cast<void>(line.place(at(0), 1, 9'000'000, 9'000'000, 1920));
    auto const jumped = line.place(at(40), 0, 100, 100, 3000);
    EXPECT_TRUE(jumped.restarted);
    EXPECT_NEAR(static_cast<double>(jumped.dts),
                static_cast<double>(Timeline::start + to_ticks(40ms)), 5);
    // A late packet of the other stream from before the jump, then one from after it.
    auto const late = line.place(at(41), 1, 9'001'920, 9'001'920, 1920);
    EXPECT_EQ(late.dts, Timeline::start + 1920);
    EXPECT_FALSE(late.restarted);
    auto const follows = line.place(at(42), 1, 500, 500, 1920);
    EXPECT_TRUE(follows.restarted);
    EXPECT_EQ(follows.dts, jumped.dts + 400);
    // Forward, too.
    auto const ahead = line.place(at(80), 0, 50'000'000, 50'000'000, 3000);
    EXPECT_TRUE(ahead.restarted);
    EXPECT_LT(ahead.dts, jumped.dts + ticks_per_second);
}

TEST(IngestTimeline, NeverGoesBackAndFillsMissingTimes)
{
    Timeline line;
    line.begin_session(Follow::after_pause, at(0));
    auto const first = line.place(at(0), 0, 1000, 1000, 3000);
    auto const same = line.place(at(0), 0, 1000, 1000, 3000);
    EXPECT_EQ(same.dts, first.dts + 1);
    EXPECT_GE(same.pts, same.dts);
    auto const back = line.place(at(0), 0, 0, 0, 3000);
    EXPECT_EQ(back.dts, first.dts + 2);
    auto const none = line.place(at(0), 0, std::nullopt, std::nullopt, 3000);
    EXPECT_EQ(none.dts, first.dts + 2000) << "3000 after the one before, which said 0";
    EXPECT_EQ(line.place(at(0), 0, std::nullopt, 9000, 0).dts, first.dts + 8000);
}

TEST(IngestPacer, HoldsPacketsToTheirTimeAndDoesNotHurryAfterAHoldUp)
{
    StopSignal stop;
    Pacer pacer{stop, Duration{0}};
    EXPECT_EQ(pacer.due(at(1000), 0), at(1000));
    EXPECT_EQ(pacer.due(at(1000), ticks_per_second), at(2000));
    EXPECT_EQ(pacer.due(at(2900), ticks_per_second), at(2000)) << "late, but in the old rhythm";
    EXPECT_EQ(pacer.due(at(3001), ticks_per_second), at(3001)) << "too late: a rhythm of its own";
    EXPECT_EQ(pacer.due(at(3001), 2 * ticks_per_second), at(4001));
    Pacer early{stop, 2s};
    EXPECT_LE(early.due(at(1000), 0), at(1000));
    EXPECT_EQ(early.due(at(1000), 5 * ticks_per_second), at(4000));
    stop.request();
    EXPECT_FALSE(pacer.wait(0));
    EXPECT_FALSE(pacer.wait(1000 * ticks_per_second)) << "and does not wait for it";
}

TEST(IngestInterleaver, OrdersByTimeAndHoldsALimitedNumber)
{
    auto const packet = [](int stream, std::int64_t dts) {
        PacketPtr made = make_packet();
        made->stream_index = stream;
        made->dts = dts;
        return made;
    };
    Interleaver both{2};
    both.push(packet(0, 10));
    both.push(packet(0, 20));
    EXPECT_FALSE(both.pop()) << "the other stream may have an earlier one";
    both.push(packet(1, 15));
    EXPECT_EQ(both.pop()->dts, 10);
    EXPECT_EQ(both.pop()->dts, 15);
    EXPECT_FALSE(both.pop());
    EXPECT_EQ(both.pop(true)->dts, 20);
    EXPECT_FALSE(both.pop(true));
    for (std::size_t i = 0; i < Interleaver::held_max; ++i) {
        both.push(packet(0, static_cast<std::int64_t>(i)));
        EXPECT_FALSE(both.pop());
    }
    both.push(packet(0, 1000));
    EXPECT_TRUE(both.pop());
    EXPECT_FALSE(both.pop());
}

TEST(IngestContinuity, SeveralMuxersLookLikeOne)
{
    ContinuityCounters counters;
    std::map<ts::Pid, unsigned> last;
    for (int muxer = 0; muxer < 3; ++muxer) {
        test::TsStream stream; // begins at 0 again
        for (int i = 0; i < 20; ++i) {
            ByteVector bytes = test::concat({stream.audio(), stream.video_rest()});
            counters.renumber(bytes);
            for (std::size_t begin : {std::size_t{0}, ts::packet_size}) {
                auto const packet = ts::parse_packet(Bytes{bytes}.subspan(begin, ts::packet_size));
                if (last.contains(packet->pid)) {
                    EXPECT_EQ(packet->continuity, (last[packet->pid] + 1) & 15U);
                }
                last[packet->pid] = packet->continuity;
            }
        }
    }
    // Without payload the counter stands still; null packets and rubbish are left alone.
    ByteVector clock(ts::packet_size, 0xff);
    ByteVector const head{0x47, 0x01, 0x01, 0x20, 183, 0};
    std::copy(head.begin(), head.end(), clock.begin());
    counters.renumber(clock);
    EXPECT_EQ(clock[3] & 15U, last[test::TsStream::audio_pid]);
    ByteVector null{ts::null_packet().begin(), ts::null_packet().end()};
    counters.renumber(null);
    EXPECT_TRUE(std::equal(null.begin(), null.end(), ts::null_packet().begin()));
    ByteVector rubbish(ts::packet_size + 5, 0x12);
    counters.renumber(rubbish);
    EXPECT_EQ(rubbish, ByteVector(ts::packet_size + 5, 0x12));
}

TEST(IngestKeyFrameWatch, WarnsOnceWithTheTimeViewersWait)
{
    KeyFrameWatch fine;
    for (Ticks time = 0; time < 20 * ticks_per_second; time += ticks_per_second / 10) {
        EXPECT_FALSE(fine.note(time, time % (2 * ticks_per_second) == 0));
    }
    KeyFrameWatch slow;
    EXPECT_FALSE(slow.note(0, true));
    EXPECT_FALSE(slow.note(4 * ticks_per_second, false));
    auto const warning = slow.note(4 * ticks_per_second + 1, true);
    ASSERT_TRUE(warning);
    EXPECT_EQ(*warning, "key frames are up to 5 s apart: viewers wait up to 5 s for a picture; "
                        "--encode fixes it, or a shorter key frame interval in the encoder");
    EXPECT_FALSE(slow.note(40 * ticks_per_second, true));
    KeyFrameWatch never;
    EXPECT_FALSE(never.note(0, true));
    EXPECT_FALSE(never.note(KeyFrameWatch::patience - 1, false));
    EXPECT_TRUE(never.note(KeyFrameWatch::patience, false));
    KeyFrameWatch interrupted;
    EXPECT_FALSE(interrupted.note(0, true));
    interrupted.restart();
    EXPECT_FALSE(interrupted.note(30 * ticks_per_second, true));
}

/// Whether a push of `item` waits for room; closes the queue to find out.
bool push_waits(ItemQueue& queue, SourceItem item)
{
    std::promise<bool> pushed;
    auto result = pushed.get_future();
    std::thread writer{[&] { pushed.set_value(queue.push(std::move(item))); }};
    static_cast<void>(result.wait_for(50ms)); // a push that does not wait is done by then
    queue.close();
    writer.join();
    return !result.get();
}

TEST(IngestQueue, IsLimitedInBytes)
{
    ItemQueue queue{1000, 100, {}};
    EXPECT_TRUE(queue.push(TsBytes{ByteVector(5000)})) << "a large one alone passes";
    EXPECT_TRUE(queue.pop());
    EXPECT_TRUE(queue.push(TsBytes{ByteVector(600)}));
    EXPECT_TRUE(queue.push(TsBytes{ByteVector(400)}));
    EXPECT_TRUE(push_waits(queue, TsBytes{ByteVector(1)}));
    EXPECT_FALSE(queue.pop()) << "closed";
}

TEST(IngestQueue, IsLimitedInItems)
{
    ItemQueue queue{1000, 3, {}};
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(queue.push(SourceResumed{}));
    }
    EXPECT_TRUE(push_waits(queue, SourceEnded{}));
}

TEST(IngestQueue, ReadingMakesRoomAndEveryFirstItemCalls)
{
    int calls = 0;
    ItemQueue queue{1000, 3, [&] { ++calls; }};
    EXPECT_FALSE(queue.pop());
    EXPECT_FALSE(queue.pop_within(1ms));
    EXPECT_TRUE(queue.push(TsBytes{ByteVector(1000)}));
    EXPECT_EQ(calls, 1);
    std::thread writer{[&] {
        for (int i = 0; i < 50; ++i) {
            EXPECT_TRUE(queue.push(TsBytes{ByteVector(600)}));
        }
    }};
    for (int i = 0; i < 51; ++i) {
        EXPECT_TRUE(queue.pop_within(5s));
    }
    writer.join();
    EXPECT_FALSE(queue.pop());
    EXPECT_GE(calls, 2);
    queue.close();
    EXPECT_FALSE(queue.push(SourceEnded{}));
}

TEST(IngestPixelClock, IsReadBackAndNoticesDamage)
{
    constexpr int width = 700;
    constexpr int height = 48;
    ByteVector luma(std::size_t{width} * height, 128);
    LumaPlane const plane{.data = luma.data(), .stride = width, .width = width, .height = height};
    LumaView const view{.data = luma.data(), .stride = width, .width = width, .height = height};
    EXPECT_FALSE(read_pixel_clock(view)) << "grey";
    for (std::uint64_t const value :
         {std::uint64_t{0}, std::uint64_t{0xff'ffff'ffff}, std::uint64_t{0x12'3456'789a}}) {
        ASSERT_TRUE(draw_pixel_clock(plane, value));
        EXPECT_EQ(read_pixel_clock(view), value);
    }
    EXPECT_EQ(luma[0], 16) << "0x12 begins with three zeros";
    EXPECT_EQ(luma[3 * 16], 235);
    EXPECT_EQ(luma[std::size_t{16} * width], 235) << "the complement below";
    EXPECT_EQ(luma[std::size_t{32} * width], 128) << "the picture below stays";
    // What an encoder does: weaker contrast is fine, one grey block is not.
    for (std::uint8_t& sample : luma) {
        sample = static_cast<std::uint8_t>(100 + (sample > 128 ? 40 : -40));
    }
    EXPECT_EQ(read_pixel_clock(view), std::uint64_t{0x12'3456'789a});
    for (int y = 0; y < 16; ++y) {
        std::fill_n(luma.begin() + y * width + 5 * 16, 16, std::uint8_t{100});
    }
    EXPECT_FALSE(read_pixel_clock(view));
    EXPECT_FALSE(draw_pixel_clock({luma.data(), width, 639, height}, 1));
    EXPECT_FALSE(read_pixel_clock({luma.data(), width, width, 31}));
    EXPECT_EQ(pixel_clock_difference(5, 3), 2);
    EXPECT_EQ(pixel_clock_difference(3, 5), -2);
    EXPECT_EQ(pixel_clock_difference(1, 0xff'ffff'ffff), 2);
}

TEST(IngestDemuxer, HasASentenceForEveryError)
{
    InputSpec input;
    input.name = "x";
    EXPECT_EQ(open_error_sentence(input, AVERROR(EACCES)),
              "input x: permission denied; make it readable for this user");
    EXPECT_EQ(open_error_sentence(input, AVERROR(EADDRNOTAVAIL)),
              "input x: this machine does not have that address");
    EXPECT_EQ(open_error_sentence(input, AVERROR_PROTOCOL_NOT_FOUND),
              "input x: the FFmpeg of this machine does not know this kind of input");
    EXPECT_EQ(open_error_sentence(input, AVERROR(ECONNREFUSED)), "input x: Connection refused");
}

} // namespace
} // namespace ppsp::ingest
