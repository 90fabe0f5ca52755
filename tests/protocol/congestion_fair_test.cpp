#include "protocol/congestion/ledbat.hpp"

#include <array>

#include <gtest/gtest.h>

namespace ppsp::congestion {
namespace {

constexpr Duration rtt = 50ms;
constexpr std::size_t mss = 1000;

TimePoint at(Duration since_start)
{
    return TimePoint{} + since_start;
}

LedbatConfig config_of(std::uint32_t window_mss)
{
    LedbatConfig config;
    config.algorithm = Algorithm::fair;
    config.mss_bytes = mss;
    config.init_window_mss = window_mss;
    config.current_filter_max = 1;
    return config;
}

/// A sender that has filled its window for long enough.
Ledbat busy(LedbatConfig const& config)
{
    Ledbat ledbat{config};
    auto const flight = static_cast<std::size_t>(ledbat.window_bytes());
    ledbat.on_ack(at(-config.fills_after), {}, 0, flight, rtt);
    ledbat.on_ack(at(0s), {}, 0, flight, rtt);
    return ledbat;
}

/// One ACK of a sender that fills its window.
void ack(Ledbat& ledbat, Duration when, Duration delay, std::size_t acked = mss)
{
    std::array const delays{delay};
    ledbat.on_ack(at(when), delays, acked, static_cast<std::size_t>(ledbat.window_bytes()), rtt);
}

/// What a round trip of ACKs with the same delay changes, bytes.
double change_in_round_trip(Ledbat& ledbat, Duration when, Duration delay)
{
    double const before = ledbat.window_bytes();
    auto const acks = static_cast<int>(before) / static_cast<int>(mss);
    for (int i = 0; i < acks; ++i) {
        ack(ledbat, when + i * rtt / acks, delay);
    }
    return ledbat.window_bytes() - before;
}

TEST(LedbatFair, small_windows_aim_at_more_delay_than_large_ones)
{
    Ledbat const small = busy(config_of(10));
    Ledbat const middle = busy(config_of(100));
    Ledbat const large = busy(config_of(1000));
    EXPECT_EQ(middle.target_delay(at(0s)), Duration{25ms});
    EXPECT_NEAR(static_cast<double>(small.target_delay(at(0s)).count()), 32'195, 1);
    EXPECT_NEAR(static_cast<double>(large.target_delay(at(0s)).count()), 17'804, 1);
}

TEST(LedbatFair, S2_5_no_window_aims_at_more_than_100_ms)
{
    LedbatConfig config = config_of(2);
    config.target = 90ms;
    EXPECT_EQ(busy(config).target_delay(at(0s)), Duration{100ms});
    EXPECT_LE(busy(config_of(100'000)).target_delay(at(0s)), Duration{12'500us});
}

TEST(LedbatFair, S2_5_c_grows_by_one_segment_per_round_trip_at_most)
{
    for (std::uint32_t const window : {2, 10, 100, 1000}) {
        Ledbat ledbat = busy(config_of(window));
        double const change = change_in_round_trip(ledbat, 0s, 10ms);
        EXPECT_GT(change, 0.0);
        EXPECT_LE(change, 1000.0);
    }
}

TEST(LedbatFair, too_much_delay_takes_the_same_share_of_every_window)
{
    for (std::uint32_t const window : {50, 200}) {
        Ledbat ledbat = busy(config_of(window));
        ack(ledbat, 0ms, 10ms);
        double const before = ledbat.window_bytes();
        // Its own target and 5 ms more, that is 0.2 targets at a round trip of two targets.
        Duration const delay = 10ms + ledbat.target_delay(at(1ms)) + 5ms;
        ack(ledbat, 1ms, delay, static_cast<std::size_t>(before));
        EXPECT_NEAR(ledbat.window_bytes() / before, 1 - 0.5 / 2 * 0.2, 0.001);
    }
}

TEST(LedbatFair, no_delay_takes_more_than_half_of_a_window_in_a_round_trip)
{
    Ledbat ledbat = busy(config_of(100));
    ack(ledbat, 0ms, 10ms);
    double const before = ledbat.window_bytes();
    ack(ledbat, 1ms, 10s, static_cast<std::size_t>(before));
    EXPECT_NEAR(ledbat.window_bytes() / before, 0.5, 0.001);
    ack(ledbat, 2ms, Duration::max(), static_cast<std::size_t>(before));
    EXPECT_GE(ledbat.window_bytes(), 2000.0) << "whatever a peer reports";
}

TEST(LedbatFair, the_mean_of_the_last_delays_counts_not_the_luckiest)
{
    LedbatConfig config = config_of(100);
    config.current_filter_max = 4;
    Ledbat ledbat = busy(config);
    for (int i = 0; i < 4; ++i) {
        ack(ledbat, i * 1ms, 10ms);
    }
    double const before = ledbat.window_bytes();
    for (int i = 4; i < 8; ++i) {
        ack(ledbat, i * 1ms, i == 6 ? 34ms : 37ms); // 24, and a mean of 26.25 ms
    }
    double const middle = ledbat.window_bytes();
    ack(ledbat, 8ms, 37ms);
    EXPECT_EQ(ledbat.queuing_delay(), Duration{24ms});
    EXPECT_LT(ledbat.window_bytes(), middle);
    EXPECT_GT(middle, 0.0);
    EXPECT_GT(before, 0.0);
}

/// Fills the queue until a slowdown begins; the window before it, bytes.
double begin_slowdown(Ledbat& ledbat)
{
    ack(ledbat, 0ms, 10ms);
    double window = 0;
    for (Duration now = 1ms; now < 1'100ms && ledbat.window_bytes() > 2000.0; now += 1ms) {
        window = ledbat.window_bytes();
        ack(ledbat, now, 35ms);
    }
    return window;
}

TEST(LedbatFair, a_queue_of_a_second_is_emptied_and_the_window_comes_back)
{
    Ledbat ledbat = busy(config_of(100));
    double const before = begin_slowdown(ledbat);
    EXPECT_EQ(ledbat.window_bytes(), 2000.0);
    std::array const delays{Duration{30ms}};
    ledbat.on_ack(at(1'110ms), delays, 1000, 90'000, rtt);
    EXPECT_EQ(ledbat.window_bytes(), 2000.0) << "90 kB are still in flight";
    ledbat.on_ack(at(1'150ms), delays, 1000, 5000, rtt);
    EXPECT_NEAR(ledbat.window_bytes(), before * 0.8, 1000.0);
    ledbat.on_ack(at(1'200ms), delays, 1000, static_cast<std::size_t>(before * 0.8), rtt);
    EXPECT_NEAR(ledbat.window_bytes(), before, 1000.0) << "a round trip later all of it";
}

TEST(LedbatFair, a_slowdown_that_finds_a_shorter_path_brings_back_less)
{
    Ledbat ledbat = busy(config_of(100));
    double const before = begin_slowdown(ledbat);
    std::array const delays{Duration{5ms}}; // 10 ms were somebody's queue
    ledbat.on_ack(at(1'150ms), delays, 1000, 5000, rtt);
    ledbat.on_ack(at(1'200ms), delays, 1000, static_cast<std::size_t>(before * 0.8), rtt);
    EXPECT_LT(ledbat.window_bytes(), before * 0.85);
}

TEST(LedbatFair, a_timeout_ends_a_slowdown)
{
    LedbatConfig config = config_of(100);
    Ledbat ledbat = busy(config);
    double const before = begin_slowdown(ledbat);
    ledbat.on_timeout(at(2s));
    EXPECT_EQ(ledbat.window_bytes(), 1000.0);
    ack(ledbat, 2'050ms, 10ms);
    EXPECT_LT(ledbat.window_bytes(), before / 2) << "and nothing comes back later";
}

TEST(LedbatFair, who_does_not_fill_the_window_goes_by_the_rfc)
{
    LedbatConfig config = config_of(100);
    config.allowed_increase_mss = 100; // so that what is in flight is no bound
    Ledbat ours{config};
    config.algorithm = Algorithm::rfc6817;
    Ledbat theirs{config};
    for (Duration now = 0ms; now < 15s; now += 10ms) {
        std::array const delays{now < 100ms ? Duration{10ms} : Duration{50ms}};
        auto const flight = static_cast<std::size_t>(ours.window_bytes() * 0.45);
        ours.on_ack(at(now), delays, 1000, flight, rtt);
        theirs.on_ack(at(now), delays, 1000, flight, rtt);
        ASSERT_EQ(ours.window_bytes(), theirs.window_bytes());
    }
}

TEST(LedbatFair, the_window_must_be_full_for_twelve_seconds_without_a_gap)
{
    Ledbat ledbat{config_of(10)};
    for (Duration const now : {0ms, 11'900ms}) {
        ledbat.on_ack(at(now), {}, 0, 10'000, rtt);
    }
    ledbat.on_ack(at(11'950ms), {}, 0, 4'000, rtt);
    for (Duration const now : {12'000ms, 23'990ms}) {
        ledbat.on_ack(at(now), {}, 0, 10'000, rtt);
        EXPECT_EQ(ledbat.target_delay(at(now)), Duration{25ms});
    }
    ledbat.on_ack(at(24s), {}, 0, 10'000, rtt);
    EXPECT_GT(ledbat.target_delay(at(24s)), Duration{25ms});
}

TEST(LedbatFair, a_queue_that_overflows_below_the_target_is_filled_to_half)
{
    Ledbat ledbat = busy(config_of(100));
    ack(ledbat, 0ms, 10ms);
    ack(ledbat, 1ms, 22ms);
    ledbat.on_loss(at(2ms), rtt);
    EXPECT_EQ(ledbat.target_delay(at(2ms)), Duration{6250us}) << "a quarter of the target at least";
    EXPECT_GT(ledbat.target_delay(at(62s)), Duration{15ms}) << "forgotten little by little";
    EXPECT_GT(ledbat.target_delay(at(122s)), Duration{25ms});
}

TEST(LedbatFair, clocks_that_drift_apart_are_no_queue)
{
    Ledbat ledbat = busy(config_of(10));
    ledbat.on_round_trip(at(0s), 50ms);
    ack(ledbat, 0ms, 10ms);
    ledbat.on_round_trip(at(300s), 50ms);
    ack(ledbat, 300s, 40ms);
    EXPECT_EQ(ledbat.queuing_delay(), Duration{15ms}) << "what an ACK may have waited";
    ledbat.on_round_trip(at(301s), 90ms);
    ack(ledbat, 301s, 50ms);
    EXPECT_EQ(ledbat.queuing_delay(), Duration{40ms});
}

TEST(LedbatLinkLoss, a_loss_with_a_short_queue_takes_a_tenth)
{
    LedbatConfig config = config_of(100);
    config.forgive_link_loss = true;
    Ledbat ledbat = busy(config);
    ack(ledbat, 0ms, 10ms);
    double const before = ledbat.window_bytes();
    ledbat.on_loss(at(1ms), rtt);
    EXPECT_DOUBLE_EQ(ledbat.window_bytes(), before * 0.9);
    EXPECT_GT(ledbat.target_delay(at(1ms)), Duration{25ms})
        << "a queue that is not there does not overflow";
}

TEST(LedbatLinkLoss, a_loss_with_a_queue_as_long_as_it_was_lately_halves)
{
    LedbatConfig config = config_of(100);
    config.forgive_link_loss = true;
    Ledbat ledbat = busy(config);
    ack(ledbat, 0ms, 10ms);
    ack(ledbat, 1ms, 15ms);
    double const before = ledbat.window_bytes();
    ledbat.on_loss(at(2ms), rtt);
    EXPECT_DOUBLE_EQ(ledbat.window_bytes(), before / 2);
}

TEST(LedbatLinkLoss, every_loss_halves_unless_told_otherwise)
{
    Ledbat ledbat = busy(config_of(100));
    ack(ledbat, 0ms, 10ms);
    double const before = ledbat.window_bytes();
    ledbat.on_loss(at(1ms), rtt);
    EXPECT_DOUBLE_EQ(ledbat.window_bytes(), before / 2);
}

/// A flight of 20 segments of which one half is acknowledged in one heap, nothing sent in between.
double window_after_heap(Algorithm algorithm)
{
    LedbatConfig config = config_of(20);
    config.algorithm = algorithm;
    Ledbat ledbat{config};
    std::array const delays{Duration{10ms}};
    ledbat.on_ack(at(0ms), delays, 0, 20'000, rtt);
    for (std::size_t flight = 20'000; flight > 10'000; flight -= mss) {
        ledbat.on_ack(at(10ms), delays, mss, flight, rtt);
    }
    return ledbat.window_bytes();
}

TEST(LedbatFair, S2_5_what_was_in_flight_during_the_round_trip_bounds_the_window)
{
    EXPECT_LT(window_after_heap(Algorithm::rfc6817), 13'000.0) << "what is before each ACK";
    EXPECT_GT(window_after_heap(Algorithm::fair), 20'000.0);
    EXPECT_LE(window_after_heap(Algorithm::fair), 21'000.0);
}

TEST(LedbatFair, S2_5_what_was_in_flight_long_ago_does_not)
{
    Ledbat ledbat{config_of(20)};
    std::array const delays{Duration{10ms}};
    ledbat.on_ack(at(0ms), delays, mss, 20'000, rtt);
    ledbat.on_ack(at(2 * rtt), delays, mss, 5000, rtt);
    EXPECT_EQ(ledbat.window_bytes(), 6000.0);
}

TEST(LedbatFair, S2_4_2_d_what_left_before_the_window_shrank_does_not_shrink_it_again)
{
    Ledbat ledbat{config_of(100)};
    ledbat.on_loss(at(100ms), rtt, at(20ms));
    EXPECT_EQ(ledbat.window_bytes(), 50'000.0);
    ledbat.on_loss(at(170ms), rtt, at(90ms));
    EXPECT_EQ(ledbat.window_bytes(), 50'000.0);
    ledbat.on_loss(at(180ms), rtt, at(101ms));
    EXPECT_EQ(ledbat.window_bytes(), 25'000.0);
}

/// RFC 6817 §A.2, as long as the flow does not fill its window and the round trip bounds nothing.
TEST(LedbatFair, A_2_a_clock_that_runs_fast_is_no_queue_for_who_does_not_fill_its_window)
{
    Ledbat ledbat{config_of(20)};
    Duration longest{};
    for (Duration now = 0s; now < 20min; now += 100ms) {
        std::array const delays{10ms + Duration{now.count() / 10'000}}; // 100 ppm
        ledbat.on_round_trip(at(now), rtt);
        ledbat.on_ack(at(now), delays, mss, mss / 2, rtt);
        longest = std::max(longest, ledbat.queuing_delay());
    }
    EXPECT_LE(longest, Duration{15ms}) << "two minutes of drift; ten are 60 ms";
}

} // namespace
} // namespace ppsp::congestion
