#include "peer/shell/carrier_watch.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;

/// A viewer that is looked at once a second.
class CarrierWatchTest : public testing::Test {
protected:
    /// What came in each second, in any unit; the sentences said meanwhile.
    std::vector<std::string> pass(int seconds, std::uint64_t peers, std::uint64_t cache,
                                  std::uint64_t cdn = 0)
    {
        std::vector<std::string> said;
        for (int i = 0; i < seconds; ++i) {
            now += 1s;
            figures.from_peers_bytes += peers;
            figures.from_cache_bytes += cache;
            figures.from_cdn_bytes += cdn;
            if (auto sentence = watch.observe(now, figures)) {
                said.push_back(*std::move(sentence));
            }
        }
        return said;
    }

    using Said = std::vector<std::string>;

    CarrierWatch watch;
    SwarmStatistics figures;
    TimePoint now{};
};

TEST_F(CarrierWatchTest, peers_from_the_start_are_no_news)
{
    EXPECT_EQ(pass(20, 100, 0), Said{});
    EXPECT_EQ(watch.carrier(), Carrier::peers);
}

TEST_F(CarrierWatchTest, the_way_to_the_cache_and_back_is_told_once_each)
{
    EXPECT_EQ(pass(10, 100, 0), Said{});
    figures.last_rescue_cause = "no neighbour is connected";
    EXPECT_EQ(pass(1, 0, 100), Said{}); // a third of the window
    EXPECT_EQ(pass(1, 0, 100), Said{"living from the cache: no neighbour is connected"});
    EXPECT_EQ(pass(20, 0, 100), Said{});
    EXPECT_EQ(watch.carrier(), Carrier::cache);
    EXPECT_EQ(pass(2, 100, 0), Said{});
    EXPECT_EQ(pass(1, 100, 0), Said{"peers carry the picture again"});
    EXPECT_EQ(pass(20, 100, 0), Said{});
}

TEST_F(CarrierWatchTest, who_never_had_peers_is_told_what_it_lives_from)
{
    figures.last_rescue_cause = "no neighbour is connected";
    EXPECT_EQ(pass(3, 0, 0, 100), Said{}); // the window is not full
    EXPECT_EQ(pass(1, 0, 0, 100), Said{"living from the CDN: no neighbour is connected"});
}

TEST_F(CarrierWatchTest, a_source_counts_as_a_peer)
{
    for (int i = 0; i < 10; ++i) {
        figures.from_source_bytes += 100;
        EXPECT_EQ(pass(1, 0, 40), Said{});
    }
    EXPECT_EQ(watch.carrier(), Carrier::peers);
}

TEST_F(CarrierWatchTest, a_share_about_one_half_is_told_once)
{
    EXPECT_EQ(pass(10, 60, 40), Said{});
    EXPECT_EQ(pass(4, 40, 60), Said{"living from the cache"});
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(pass(3, 70, 30), Said{});
        EXPECT_EQ(pass(3, 30, 70), Said{});
    }
    EXPECT_EQ(pass(5, 80, 20), Said{"peers carry the picture again"});
}

TEST_F(CarrierWatchTest, one_kind_of_storage_takes_over_from_the_other)
{
    EXPECT_EQ(pass(10, 0, 100), Said{"living from the cache"});
    EXPECT_EQ(pass(10, 0, 40, 60), Said{});
    EXPECT_EQ(pass(10, 0, 10, 90), Said{"living from the CDN"});
    EXPECT_EQ(pass(10, 0, 90, 10), Said{"living from the cache"});
}

TEST_F(CarrierWatchTest, seconds_in_which_nothing_comes_change_nothing)
{
    EXPECT_EQ(pass(10, 0, 0), Said{});
    EXPECT_EQ(watch.carrier(), Carrier::none);
    EXPECT_EQ(pass(10, 0, 100), Said{"living from the cache"});
    EXPECT_EQ(pass(10, 0, 0), Said{});
    EXPECT_EQ(watch.carrier(), Carrier::cache);
    EXPECT_EQ(pass(10, 100, 0), Said{"peers carry the picture again"});
}

TEST_F(CarrierWatchTest, the_window_is_a_time_and_no_number_of_calls)
{
    EXPECT_EQ(pass(10, 100, 0), Said{});
    for (int i = 0; i < 100; ++i) { // a second of calls
        now += 10ms;
        figures.from_cache_bytes += 1;
        EXPECT_EQ(watch.observe(now, figures), std::nullopt);
    }
    EXPECT_EQ(pass(2, 0, 100), Said{"living from the cache"});
}

} // namespace
} // namespace ppsp::peer
