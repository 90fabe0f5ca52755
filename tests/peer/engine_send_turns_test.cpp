#include "peer/live/send_turns.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

using enum RequestQueue::Urgency;

class SendTurnsTest : public testing::Test {
protected:
    static constexpr TimePoint early{std::chrono::seconds{1}};
    static constexpr TimePoint late{std::chrono::seconds{2}};

    congestion::LedbatConfig ledbat_{};
    Channel one_{ChannelId{1}, Endpoint{}, ledbat_};
    Channel two_{ChannelId{2}, Endpoint{}, ledbat_};
    Channel three_{ChannelId{3}, Endpoint{}, ledbat_};
    SendTurns turns_;
};

TEST_F(SendTurnsTest, NobodyWaits)
{
    EXPECT_TRUE(turns_.empty());
    EXPECT_EQ(turns_.next(), nullptr);
    turns_.remove(one_);
    EXPECT_TRUE(turns_.empty());
}

TEST_F(SendTurnsTest, FirstCopiesGoBeforePushesAndThoseBeforePulls)
{
    turns_.set({&one_, pull, early, 0});
    turns_.set({&two_, push, late, 1});
    EXPECT_EQ(turns_.next()->channel, &two_);
    turns_.set({&three_, first_copy, late, 2});
    EXPECT_EQ(turns_.next()->channel, &three_);
}

TEST_F(SendTurnsTest, OfTheSameUrgencyTheOldestGoesFirstAndThenTheBetterPlace)
{
    turns_.set({&one_, push, late, 0});
    turns_.set({&two_, push, early, 4});
    turns_.set({&three_, push, early, 3});
    EXPECT_EQ(turns_.next()->channel, &three_);
    turns_.remove(three_);
    EXPECT_EQ(turns_.next()->channel, &two_);
    turns_.remove(two_);
    EXPECT_EQ(turns_.next()->channel, &one_);
}

TEST_F(SendTurnsTest, ANewTurnTakesThePlaceOfTheOneBefore)
{
    turns_.set({&one_, push, early, 0});
    turns_.set({&two_, push, early, 1});
    turns_.set({&one_, pull, late, 0});
    EXPECT_EQ(turns_.all().size(), 2U);
    EXPECT_EQ(turns_.next()->channel, &two_);
    turns_.remove(two_);
    EXPECT_EQ(turns_.next()->urgency, pull);
    EXPECT_FALSE(turns_.empty());
}

} // namespace
} // namespace ppsp::peer
