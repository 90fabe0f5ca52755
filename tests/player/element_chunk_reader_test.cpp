#include "fake_channel.hpp"
#include "player/bridge/chunk_reader.hpp"

#include <gtest/gtest.h>

#include <future>

namespace ppsp::player {
namespace {

using namespace std::chrono_literals;
using test::FakeChannel;

struct ChunkReaderTest : testing::Test {
    std::shared_ptr<FakeChannel> channel = FakeChannel::make();
    ChunkReader reader{channel->factory()};
    std::string error;

    MediaPiece next_media()
    {
        MediaPiece piece;
        EXPECT_EQ(reader.next(piece), ChunkReader::Outcome::media);
        return piece;
    }
};

std::string text(MediaPiece const& piece)
{
    return {piece.bytes.begin(), piece.bytes.end()};
}

TEST_F(ChunkReaderTest, hands_out_pieces_in_order)
{
    ASSERT_TRUE(reader.start({}, error));
    channel->push("one");
    channel->push("two", true);
    EXPECT_EQ(text(next_media()), "one");
    auto const second = next_media();
    EXPECT_EQ(text(second), "two");
    EXPECT_TRUE(second.discontinuity);
}

TEST_F(ChunkReaderTest, waits_longer_than_one_read)
{
    ASSERT_TRUE(reader.start({}, error));
    channel->time_out(3);
    channel->push("late");
    EXPECT_EQ(text(next_media()), "late");
}

TEST_F(ChunkReaderTest, interrupt_wakes_a_waiting_read_and_resume_lets_it_go_on)
{
    ASSERT_TRUE(reader.start({}, error));
    auto waiting = std::async(std::launch::async, [this] {
        MediaPiece piece;
        return reader.next(piece);
    });
    ASSERT_TRUE(channel->wait_until_starved());
    reader.interrupt();
    EXPECT_EQ(waiting.get(), ChunkReader::Outcome::flushing);

    channel->push("kept");
    MediaPiece piece;
    EXPECT_EQ(reader.next(piece), ChunkReader::Outcome::flushing);
    reader.resume();
    EXPECT_EQ(text(next_media()), "kept");
}

TEST_F(ChunkReaderTest, says_how_it_ended)
{
    ASSERT_TRUE(reader.start({}, error));
    MediaPiece piece;
    channel->end();
    EXPECT_EQ(reader.next(piece), ChunkReader::Outcome::ended);
    channel->fail("nobody has this channel");
    EXPECT_EQ(reader.next(piece), ChunkReader::Outcome::failed);
    EXPECT_EQ(reader.error(), "nobody has this channel");
}

TEST_F(ChunkReaderTest, a_refused_link_gives_the_sentence)
{
    channel->refuse("the swarm id is too short");
    EXPECT_FALSE(reader.start({}, error));
    EXPECT_EQ(error, "the swarm id is too short");
    MediaPiece piece;
    EXPECT_EQ(reader.next(piece), ChunkReader::Outcome::flushing);
}

TEST_F(ChunkReaderTest, everything_is_answered_without_a_source)
{
    reader.interrupt();
    reader.resume();
    reader.stop();
    EXPECT_EQ(reader.swarm(), "");
    EXPECT_EQ(reader.udp_address(), "");
    EXPECT_EQ(reader.error(), "");
    EXPECT_EQ(reader.statistics_json(), "");
    EXPECT_EQ(reader.latency_target(), 0ms);
}

TEST_F(ChunkReaderTest, the_last_statistics_outlive_the_source)
{
    ASSERT_TRUE(reader.start({}, error));
    channel->set_statistics(R"({"stalls":7})");
    reader.stop();
    EXPECT_EQ(channel->sources_alive(), 0);
    EXPECT_EQ(reader.statistics_json(), R"({"stalls":7})");
}

TEST_F(ChunkReaderTest, skips_what_piled_up_while_nobody_watched)
{
    ASSERT_TRUE(reader.start({}, error));
    channel->push("old");
    channel->push("older than live");
    channel->push("live");
    reader.skip_backlog();
    auto const piece = next_media();
    EXPECT_EQ(text(piece), "live");
    EXPECT_TRUE(piece.discontinuity);
    channel->push("on");
    EXPECT_FALSE(next_media().discontinuity);
}

TEST_F(ChunkReaderTest, extra_delay_is_what_the_target_grew_since_the_first_piece)
{
    channel->set_latency_target(800ms);
    ASSERT_TRUE(reader.start({}, error));
    channel->push("a");
    (void)next_media();
    EXPECT_EQ(reader.extra_delay(), 0ms);

    channel->set_latency_target(1500ms);
    channel->push("b");
    (void)next_media();
    EXPECT_EQ(reader.extra_delay(), 700ms);

    channel->set_latency_target(300ms);
    channel->push("c");
    (void)next_media();
    EXPECT_EQ(reader.extra_delay(), 0ms);
}

} // namespace
} // namespace ppsp::player
