#include "peer/shell/piece_queue.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;
using Status = Viewer::ReadStatus;

MediaPiece piece_of(std::size_t size, std::uint8_t value)
{
    return {std::vector<std::uint8_t>(size, value), value, false};
}

TEST(PieceQueue, gives_pieces_in_order)
{
    PieceQueue queue;
    queue.push(piece_of(10, 1));
    queue.push(piece_of(10, 2));
    MediaPiece piece;
    EXPECT_EQ(queue.pop(piece, 0ms), Status::media);
    EXPECT_EQ(piece.signed_at_us, 1);
    EXPECT_EQ(queue.pop(piece, 0ms), Status::media);
    EXPECT_EQ(piece.signed_at_us, 2);
    EXPECT_FALSE(piece.discontinuity);
    EXPECT_EQ(queue.pop(piece, 0ms), Status::timed_out);
}

TEST(PieceQueue, drops_the_oldest_and_marks_the_gap)
{
    PieceQueue queue;
    std::size_t const size = PieceQueue::unread_bytes_max / 16;
    for (std::uint8_t i = 0; i < 20; ++i) {
        queue.push(piece_of(size, i));
    }
    MediaPiece piece;
    ASSERT_EQ(queue.pop(piece, 0ms), Status::media);
    EXPECT_EQ(piece.signed_at_us, 4); // 16 of 20 fit
    EXPECT_TRUE(piece.discontinuity);
    ASSERT_EQ(queue.pop(piece, 0ms), Status::media);
    EXPECT_FALSE(piece.discontinuity);
}

TEST(PieceQueue, a_piece_above_the_limit_is_kept_alone)
{
    PieceQueue queue;
    queue.push(piece_of(10, 1));
    queue.push(piece_of(PieceQueue::unread_bytes_max + 1, 2));
    MediaPiece piece;
    ASSERT_EQ(queue.pop(piece, 0ms), Status::media);
    EXPECT_EQ(piece.signed_at_us, 2);
}

TEST(PieceQueue, the_end_wakes_a_waiting_reader)
{
    PieceQueue queue;
    std::thread other([&queue] { queue.end(); });
    MediaPiece piece;
    EXPECT_EQ(queue.pop(piece, 30s), Status::ended);
    other.join();
}

TEST(PieceQueue, the_first_error_stays)
{
    PieceQueue queue;
    queue.fail("first");
    queue.fail("second");
    MediaPiece piece;
    EXPECT_EQ(queue.pop(piece, 0ms), Status::failed);
    EXPECT_EQ(queue.error(), "first");
}

} // namespace
} // namespace ppsp::peer
