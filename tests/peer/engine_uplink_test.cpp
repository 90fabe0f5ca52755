#include "peer/policy/uplink.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace ppsp::peer {
namespace {

TimePoint at(Duration time)
{
    return TimePoint{time};
}

TEST(UplinkTest, sends_at_its_limit)
{
    Uplink uplink{8'000'000}; // 1 MB/s
    std::size_t sent = 0;
    for (Duration now = 0ms; now < 10s; now += 1ms) {
        while (uplink.may_send_data(at(now))) {
            uplink.on_sent(at(now), 1000);
            sent += 1000;
        }
    }
    EXPECT_NEAR(static_cast<double>(sent), 10e6, 0.03e6);
    EXPECT_NEAR(static_cast<double>(uplink.measured_bps(at(10s))), 8e6, 0.3e6);
    EXPECT_EQ(uplink.measured_bps(at(20s)), 0u);
}

TEST(UplinkTest, zero_never_sends_and_no_limit_always_does)
{
    Uplink silent{0};
    EXPECT_FALSE(silent.may_send_data(at(1h)));
    EXPECT_FALSE(silent.ready_at(at(1h)).has_value());
    Uplink open{std::nullopt};
    open.on_sent(at(0s), 1'000'000'000);
    EXPECT_TRUE(open.may_send_data(at(0s)));
}

TEST(UplinkTest, says_when_it_is_out_of_debt)
{
    Uplink uplink{8'000'000};
    uplink.on_sent(at(1s), 20'000);
    auto const ready = uplink.ready_at(at(1s));
    ASSERT_TRUE(ready.has_value());
    EXPECT_FALSE(uplink.may_send_data(*ready - 100us));
    EXPECT_TRUE(uplink.may_send_data(*ready));
}

/// As many trains of 1000 bytes as asked for, each at that rate.
void measure(Uplink& uplink, std::int64_t mbps, int trains)
{
    for (int i = 0; i < trains; ++i) {
        uplink.on_spread(1000, Duration{8000 / mbps});
    }
}

/// Datagrams of 1200 bytes that go before DATA has to wait.
int send_until_it_waits(Uplink& uplink, Duration now)
{
    int sent = 0;
    while (sent < 1000 && uplink.may_send_data(at(now))) {
        uplink.on_sent(at(now), 1200);
        ++sent;
    }
    return sent;
}

TEST(UplinkTest, too_few_trains_say_nothing)
{
    Uplink uplink{std::nullopt};
    measure(uplink, 8, 2);
    EXPECT_FALSE(uplink.capacity_bps().has_value());
    EXPECT_TRUE(uplink.may_send_data(at(1s)));
    measure(uplink, 8, 1);
    EXPECT_EQ(uplink.capacity_bps(), 8e6);
}

TEST(UplinkTest, its_capacity_is_the_median_of_the_last_trains)
{
    Uplink uplink{std::nullopt};
    measure(uplink, 1, 100);
    measure(uplink, 4, 15);
    EXPECT_EQ(uplink.capacity_bps(), 1e6) << "16 of 31 say so";
    measure(uplink, 4, 1);
    EXPECT_EQ(uplink.capacity_bps(), 4e6);
}

TEST(UplinkTest, its_capacity_is_cut_to_what_the_user_allows)
{
    Uplink uplink{4'000'000};
    EXPECT_EQ(uplink.capacity_bps(), 4e6);
    measure(uplink, 8, 31);
    EXPECT_EQ(uplink.capacity_bps(), 4e6);
    measure(uplink, 2, 31);
    EXPECT_EQ(uplink.capacity_bps(), 2e6);
}

void show(Uplink& uplink, std::initializer_list<Duration> queues)
{
    std::vector<Duration> shown(queues);
    uplink.on_queues(shown, 25ms);
}

TEST(UplinkTest, a_queue_lowers_the_share_that_is_used_and_its_absence_raises_it)
{
    Uplink uplink{std::nullopt};
    measure(uplink, 10, 3);
    show(uplink, {0ms});
    EXPECT_EQ(uplink.capacity_bps(), 10e6) << "no more than all of it";
    show(uplink, {50ms});
    double const lowered = *uplink.capacity_bps();
    EXPECT_NEAR(lowered, 9.9e6, 1);
    show(uplink, {20ms});
    EXPECT_EQ(*uplink.capacity_bps(), lowered) << "near the target it stays";
    show(uplink, {5ms});
    EXPECT_GT(*uplink.capacity_bps(), lowered);
    show(uplink, {10s});
    EXPECT_GT(*uplink.capacity_bps(), 0.9 * lowered) << "one bad moment costs little";
    for (int i = 0; i < 1000; ++i) {
        show(uplink, {10s});
    }
    EXPECT_NEAR(*uplink.capacity_bps(), 3e6, 1) << "never less than that";
}

TEST(UplinkTest, its_queue_is_what_half_of_the_paths_show)
{
    Uplink uplink{std::nullopt};
    measure(uplink, 10, 3);
    show(uplink, {0ms, 500ms}); // one of two: their way
    show(uplink, {0ms, 500ms, 0ms});
    EXPECT_EQ(*uplink.capacity_bps(), 10e6);
    show(uplink, {100ms, 0ms, 110ms}); // the second was measured while the queue stood
    EXPECT_NEAR(*uplink.capacity_bps(), 9.7e6, 1);
    show(uplink, {500ms, 20ms, 0ms, 100ms});
    EXPECT_NEAR(*uplink.capacity_bps(), 9.7e6, 1);
}

TEST(UplinkTest, is_paced_a_little_below_what_it_measured)
{
    Uplink uplink{std::nullopt};
    measure(uplink, 8, 3);
    double sent = 0;
    for (Duration now = 1s; now < 11s; now += 1ms) {
        while (uplink.may_send_data(at(now))) {
            uplink.on_sent(at(now), 1000);
            sent += 1028; // what the wire carries
        }
    }
    EXPECT_LT(sent, 10e6);
    EXPECT_GT(sent, 9.6e6);
}

TEST(UplinkTest, lets_few_go_at_once_and_a_train_now_and_then)
{
    Uplink uplink{std::nullopt};
    measure(uplink, 8, 3);
    EXPECT_EQ(send_until_it_waits(uplink, 1s), 6) << "enough to measure the uplink";
    EXPECT_EQ(send_until_it_waits(uplink, 1500ms), 3);
    EXPECT_EQ(send_until_it_waits(uplink, 1900ms), 3);
    EXPECT_EQ(send_until_it_waits(uplink, 2s), 6) << "a second later";
}

TEST(UplinkTest, what_the_rate_lets_through_between_two_turns_goes_at_once)
{
    Uplink uplink{std::nullopt, 4ms};
    measure(uplink, 8, 3);
    double sent = 0;
    for (Duration now = 1s; now < 11s; now += 4ms) {
        while (uplink.may_send_data(at(now))) {
            uplink.on_sent(at(now), 1000);
            sent += 1028; // what the wire carries
        }
    }
    EXPECT_LT(sent, 10e6);
    EXPECT_GT(sent, 9.6e6) << "as when it is asked each millisecond";
}

TEST(UplinkTest, the_users_limit_lets_ten_go_at_once)
{
    Uplink uplink{8'000'000};
    measure(uplink, 2, 31);
    int const sent = send_until_it_waits(uplink, 1s);
    EXPECT_GE(sent, 10);
    EXPECT_LE(sent, 13);
    EXPECT_EQ(send_until_it_waits(uplink, 1s + 600us), 0) << "still in debt";
    EXPECT_EQ(send_until_it_waits(uplink, 2s), sent) << "however it was measured";
}

TEST(UplinkTest, places_in_a_train_count_headers)
{
    Uplink uplink{std::nullopt};
    EXPECT_EQ(uplink.position_bytes(), 0u);
    uplink.on_sent(at(0s), 1000);
    uplink.on_sent(at(0s), 100);
    EXPECT_EQ(uplink.position_bytes(), 1000u + 100u + 2u * 28u);
}

} // namespace
} // namespace ppsp::peer
