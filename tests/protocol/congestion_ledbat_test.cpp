#include "protocol/congestion/ledbat.hpp"

#include <array>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace ppsp::congestion {
namespace {

constexpr std::size_t flight_unlimited = 1'000'000'000;
constexpr Duration rtt = 50ms;

TimePoint at(Duration since_start)
{
    return TimePoint{} + since_start;
}

LedbatConfig config_of_rfc()
{
    LedbatConfig config;
    config.target = 100ms;
    config.mss_bytes = 1000;
    config.current_filter_max = 1;
    return config;
}

void ack(Ledbat& ledbat, Duration when, Duration delay, std::size_t acked = 1000,
         std::size_t flight = flight_unlimited, Duration round_trip = rtt)
{
    std::array const delays{delay};
    ledbat.on_ack(at(when), delays, acked, flight, round_trip);
}

TEST(Ledbat, starts_with_the_initial_window_and_no_delay)
{
    Ledbat const ledbat{config_of_rfc()};
    EXPECT_EQ(ledbat.window_bytes(), 2000.0);
    EXPECT_EQ(ledbat.base_delay(), 0us);
    EXPECT_EQ(ledbat.current_delay(), 0us);
    EXPECT_EQ(ledbat.queuing_delay(), 0us);
    EXPECT_EQ(ledbat.off_target(), 1.0);
    EXPECT_FALSE(ledbat.in_slow_start());
}

TEST(Ledbat, S2_4_2_d_halves_once_per_round_trip)
{
    LedbatConfig config = config_of_rfc();
    config.init_window_mss = 40;
    Ledbat ledbat{config};
    ledbat.on_loss(at(1s), rtt);
    EXPECT_EQ(ledbat.window_bytes(), 20'000.0);
    ledbat.on_loss(at(1s + rtt - 1us), rtt);
    EXPECT_EQ(ledbat.window_bytes(), 20'000.0);
    ledbat.on_loss(at(1s + rtt), rtt);
    EXPECT_EQ(ledbat.window_bytes(), 10'000.0);
}

TEST(Ledbat, L4_after_a_timeout_one_segment_and_the_next_ack_lifts_it)
{
    Ledbat ledbat{config_of_rfc()};
    ledbat.on_timeout(at(1s));
    EXPECT_EQ(ledbat.window_bytes(), 1000.0);
    ledbat.on_loss(at(5s), rtt);
    EXPECT_EQ(ledbat.window_bytes(), 1000.0) << "a loss never raises the window";
    ack(ledbat, 6s, 10ms);
    EXPECT_EQ(ledbat.window_bytes(), 2000.0);
}

TEST(Ledbat, S2_5_e_samples_older_than_a_round_trip_leave_the_filter)
{
    LedbatConfig config = config_of_rfc();
    config.current_filter_max = 8;
    Ledbat ledbat{config};
    ack(ledbat, 0ms, 10ms);
    ack(ledbat, rtt, 90ms);
    EXPECT_EQ(ledbat.current_delay(), 10ms);
    ack(ledbat, rtt + 1us, 90ms);
    EXPECT_EQ(ledbat.current_delay(), 90ms);
    EXPECT_EQ(ledbat.queuing_delay(), 80ms);
}

TEST(Ledbat, without_a_known_round_trip_samples_live_one_initial_timeout)
{
    LedbatConfig config = config_of_rfc();
    config.current_filter_max = 8;
    Ledbat ledbat{config};
    ack(ledbat, 0ms, 10ms, 1000, flight_unlimited, 0ms);
    ack(ledbat, 1s, 90ms, 1000, flight_unlimited, 0ms);
    EXPECT_EQ(ledbat.current_delay(), 10ms);
    ack(ledbat, 1s + 1us, 90ms, 1000, flight_unlimited, 0ms);
    EXPECT_EQ(ledbat.current_delay(), 90ms);
}

TEST(Ledbat, the_filter_keeps_no_more_samples_than_its_limit)
{
    LedbatConfig config = config_of_rfc();
    config.current_filter_max = 4;
    Ledbat ledbat{config};
    std::vector<Duration> delays{10ms, 20ms, 30ms, 40ms};
    ledbat.on_ack(at(0ms), delays, 1000, flight_unlimited, rtt);
    EXPECT_EQ(ledbat.current_delay(), 10ms);
    ack(ledbat, 1ms, 50ms);
    EXPECT_EQ(ledbat.current_delay(), 20ms);
}

TEST(Ledbat, an_ack_without_young_samples_does_not_grow_the_window)
{
    LedbatConfig config = config_of_rfc();
    config.init_window_mss = 10;
    Ledbat ledbat{config};
    ledbat.on_ack(at(0ms), {}, 1000, flight_unlimited, rtt);
    EXPECT_EQ(ledbat.window_bytes(), 10'000.0);
    ack(ledbat, 1ms, 10ms);
    double const grown = ledbat.window_bytes();
    EXPECT_GT(grown, 10'000.0);
    ledbat.on_ack(at(1s), {}, 1000, flight_unlimited, rtt);
    EXPECT_EQ(ledbat.window_bytes(), grown);
}

TEST(Ledbat, L9_a_new_path_is_measured_anew)
{
    Ledbat ledbat{config_of_rfc()};
    ack(ledbat, 0ms, 10ms);
    ack(ledbat, 1ms, 200ms);
    EXPECT_EQ(ledbat.queuing_delay(), 190ms);
    double const window = ledbat.window_bytes();
    ledbat.reset_path();
    EXPECT_EQ(ledbat.queuing_delay(), 0us);
    EXPECT_EQ(ledbat.window_bytes(), window);
    ack(ledbat, 2ms, 200ms);
    EXPECT_EQ(ledbat.base_delay(), 200ms);
    EXPECT_EQ(ledbat.queuing_delay(), 0us);
}

TEST(Ledbat, absurd_delays_of_a_peer_keep_the_window_within_bounds)
{
    LedbatConfig config = config_of_rfc();
    config.init_window_mss = 10;
    Ledbat ledbat{config};
    ack(ledbat, 0ms, Duration::min());
    ack(ledbat, 1ms, Duration::max());
    EXPECT_EQ(ledbat.queuing_delay(), Duration::max());
    EXPECT_EQ(ledbat.window_bytes(), 2000.0);
    ack(ledbat, 2ms, Duration::min());
    EXPECT_EQ(ledbat.queuing_delay(), 0us);
    EXPECT_LE(ledbat.window_bytes(), 3000.0);
}

TEST(Ledbat, a_sample_that_outlives_its_minute_is_no_negative_queue)
{
    LedbatConfig config = config_of_rfc();
    config.current_filter_max = 8;
    config.base_history_minutes = 1;
    Ledbat ledbat{config};
    ack(ledbat, 59s, 10ms);
    ack(ledbat, 60s, 90ms, 1000, flight_unlimited, 10s);
    EXPECT_EQ(ledbat.current_delay(), 10ms);
    EXPECT_EQ(ledbat.base_delay(), 90ms);
    EXPECT_EQ(ledbat.queuing_delay(), 0us);
    EXPECT_EQ(ledbat.off_target(), 1.0);
}

TEST(Ledbat, L8_reports_of_an_empty_queue_are_not_believed_when_the_round_trip_swells)
{
    LedbatConfig config = config_of_rfc();
    config.target = 25ms;
    config.init_window_mss = 10;
    config.rtt_guard_targets = 4.0;
    Ledbat ledbat{config};
    ack(ledbat, 0ms, 10ms, 1000, flight_unlimited, 50ms);
    double const window = ledbat.window_bytes();
    ack(ledbat, 1ms, 10ms, 1000, flight_unlimited, 151ms);
    EXPECT_EQ(ledbat.window_bytes(), window);
    ack(ledbat, 2ms, 10ms, 1000, flight_unlimited, 150ms);
    EXPECT_GT(ledbat.window_bytes(), window);
    ack(ledbat, 3ms, 40ms, 1000, flight_unlimited, 500ms);
    ack(ledbat, 600ms, 40ms, 1000, flight_unlimited, 500ms);
    double const above_target = ledbat.window_bytes();
    ack(ledbat, 601ms, 40ms, 1000, flight_unlimited, 500ms);
    EXPECT_LT(ledbat.window_bytes(), above_target) << "an honest queue still shrinks the window";
}

LedbatConfig config_of_slow_start()
{
    LedbatConfig config = config_of_rfc();
    config.slow_start = true;
    return config;
}

TEST(LedbatSlowStart, doubles_the_window_of_a_busy_sender_every_round_trip)
{
    Ledbat ledbat{config_of_slow_start()};
    EXPECT_TRUE(ledbat.in_slow_start());
    Duration now = 0ms;
    for (double const expected : {4000.0, 8000.0, 16'000.0, 32'000.0}) {
        // Every segment of one window is acknowledged, and the sender fills what each ACK opens.
        for (auto left = static_cast<std::size_t>(ledbat.window_bytes()); left > 0; left -= 1000) {
            auto const flight = static_cast<std::size_t>(ledbat.window_bytes());
            ack(ledbat, now += 1ms, 10ms, 1000, flight);
        }
        EXPECT_EQ(ledbat.window_bytes(), expected);
    }
    EXPECT_TRUE(ledbat.in_slow_start());
}

TEST(LedbatSlowStart, one_ack_for_a_whole_window_doubles_it_too)
{
    Ledbat ledbat{config_of_slow_start()};
    ack(ledbat, 0ms, 10ms, 2000, 2000);
    EXPECT_EQ(ledbat.window_bytes(), 4000.0);
    ack(ledbat, 50ms, 10ms, 4000, 4000);
    EXPECT_EQ(ledbat.window_bytes(), 8000.0);
}

TEST(LedbatSlowStart, ends_when_three_quarters_of_the_target_last_for_a_quarter_of_a_round_trip)
{
    Ledbat ledbat{config_of_slow_start()};
    ack(ledbat, 0ms, 10ms);
    ack(ledbat, 1ms, 10ms + 75ms - 1us);
    double const before = ledbat.window_bytes();
    EXPECT_EQ(before, 4000.0);
    ack(ledbat, 2ms, 10ms + 75ms);
    ack(ledbat, 2ms + rtt / 4 - 1us, 10ms + 75ms);
    EXPECT_TRUE(ledbat.in_slow_start());
    EXPECT_EQ(ledbat.window_bytes(), before) << "nothing grows while it is in doubt";
    ack(ledbat, 2ms + rtt / 4, 10ms + 75ms);
    EXPECT_FALSE(ledbat.in_slow_start());
    EXPECT_DOUBLE_EQ(ledbat.window_bytes(), before + 0.25 * 1000.0 * 1000.0 / before);
    ack(ledbat, 30ms, 10ms);
    EXPECT_FALSE(ledbat.in_slow_start()) << "once is enough";
}

TEST(LedbatSlowStart, goes_on_after_a_gap_of_the_receivers_process)
{
    Ledbat ledbat{config_of_slow_start()};
    ack(ledbat, 0ms, 10ms);
    // What came while it waited for a core is acknowledged at once, the oldest first.
    for (Duration waited = 120ms; waited >= 0ms; waited -= 10ms) {
        ack(ledbat, 130ms, 10ms + waited);
    }
    EXPECT_TRUE(ledbat.in_slow_start());
    double const before = ledbat.window_bytes();
    ack(ledbat, 140ms, 10ms);
    EXPECT_EQ(ledbat.window_bytes(), before + 1000.0);
    // Another one, later: gaps do not add up.
    ack(ledbat, 200ms, 10ms + 100ms);
    EXPECT_TRUE(ledbat.in_slow_start());
}

TEST(LedbatSlowStart, ends_with_a_loss)
{
    Ledbat lossy{config_of_slow_start()};
    lossy.on_loss(at(1s), rtt);
    EXPECT_FALSE(lossy.in_slow_start());
}

TEST(LedbatSlowStart, after_a_timeout_finds_half_of_the_window_again_and_ends_there)
{
    Ledbat ledbat{config_of_slow_start()};
    for (int i = 0; i < 10; ++i) {
        ack(ledbat, i * 10ms, 10ms, 4000, 1'000'000);
    }
    double const before = ledbat.window_bytes();
    ledbat.on_timeout(at(1s));
    EXPECT_LT(ledbat.window_bytes(), before / 4);
    EXPECT_TRUE(ledbat.in_slow_start());
    for (int i = 0; i < 40 && ledbat.in_slow_start(); ++i) {
        ack(ledbat, 1s + i * 10ms, 10ms, 1000, 1'000'000);
    }
    EXPECT_FALSE(ledbat.in_slow_start());
    EXPECT_GE(ledbat.window_bytes(), before / 2);
    EXPECT_LT(ledbat.window_bytes(), before * 3 / 4);
}

TEST(LedbatSlowStart, an_idle_sender_gains_nothing)
{
    Ledbat ledbat{config_of_slow_start()};
    for (int i = 0; i < 20; ++i) {
        ack(ledbat, i * 10ms, 10ms, 1000, 1000);
    }
    EXPECT_EQ(ledbat.window_bytes(), 2000.0);
}

TEST(LedbatDeathTest, S2_5_limits_of_the_parameters_are_ours_to_keep)
{
    LedbatConfig late = config_of_rfc();
    late.target = 100ms + 1us;
    EXPECT_DEATH(Ledbat{late}, "target");
    LedbatConfig greedy = config_of_rfc();
    greedy.gain = 1.01;
    EXPECT_DEATH(Ledbat{greedy}, "gain");
    LedbatConfig stuck = config_of_rfc();
    stuck.allowed_increase_mss = 0.0;
    EXPECT_DEATH(Ledbat{stuck}, "allowed_increase");
}

/// Twenty minutes of acknowledgements, ten a second, from a receiver whose clock runs faster by
/// `ppm`; the longest queue that was believed in. Nothing waits anywhere but for `round_trip`.
template <typename RoundTrip>
Duration longest_queue(double ppm, RoundTrip round_trip)
{
    Ledbat ledbat{config_of_rfc()};
    Duration longest{};
    for (Duration now = 0s; now < 20min; now += 100ms) {
        Duration const drift{
            static_cast<std::int64_t>(static_cast<double>(now.count()) * ppm / 1e6)};
        ledbat.on_round_trip(at(now), round_trip(now));
        ack(ledbat, now, 10ms + drift);
        longest = std::max(longest, ledbat.queuing_delay());
    }
    return longest;
}

TEST(Ledbat, A_2_a_clock_that_runs_fast_is_no_queue)
{
    auto const steady = [](Duration) { return rtt; };
    // Up to two minutes of drift, not ten.
    EXPECT_LE(longest_queue(100, steady), 12ms);
    EXPECT_LE(longest_queue(50, steady), 6ms);
    EXPECT_EQ(longest_queue(0, steady), 0ms);
}

TEST(Ledbat, A_2_while_no_round_trip_is_short_the_old_base_holds)
{
    // A queue that stands from the second minute on, and no clock that drifts: what the round trip
    // takes longer the one way takes, too.
    Ledbat ledbat{config_of_rfc()};
    for (Duration now = 0s; now < 9min; now += 100ms) {
        Duration const queue = now < 1min ? 0ms : 20ms;
        ledbat.on_round_trip(at(now), rtt + queue);
        ack(ledbat, now, 10ms + queue);
    }
    EXPECT_EQ(ledbat.queuing_delay(), 20ms);
}

} // namespace
} // namespace ppsp::congestion
