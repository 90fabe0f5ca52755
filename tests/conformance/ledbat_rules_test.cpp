#include "protocol/congestion/ledbat.hpp"
#include "tests/conformance/one_engine.hpp"

#include <array>

/// RFC 6817 as a neighbour sees it.
namespace ppsp::test {
namespace {

Endpoint const stranger = Endpoint::v4(0x0a0000ff, 1234);
constexpr peer::UnitIndex unit_0 = 100;

class LedbatSending : public ::testing::Test {
protected:
    LedbatSending()
    {
        node_.cut_for(60);
        EXPECT_TRUE(peer_.dial());
        node_.run_for(20ms); // round trip
        peer_.send({wire::Have{single(chunks_of(59).first)}});
        static_cast<void>(peer_.take_after(500ms));
        peer_.send({wire::Request{{chunks_of(0).first, chunks_of(58).last}}});
    }

    /// Acknowledges what comes 20 ms later with delays that grow by `more` each time; how many
    /// chunks came in five round trips.
    std::size_t chunks_with_delay(Duration more)
    {
        std::size_t chunks = 0;
        Duration delay = 10ms;
        for (int round_trip = 0; round_trip < 10; ++round_trip) {
            Datagrams const came = peer_.take();
            node_.run_for(20ms);
            for (wire::Data const& data : all_of<wire::Data>(came)) {
                ++chunks;
                peer_.send({wire::Ack{data.chunks, delay}});
            }
            delay += more;
        }
        return chunks;
    }

    OneEngine node_{{.role = peer::Role::source}};
    RawPeer peer_{node_, stranger};
};

TEST_F(LedbatSending, LB_2_5_f_the_first_flight_is_no_larger_than_that_of_tcp)
{
    std::size_t const chunks = all_of<wire::Data>(peer_.take_after(100ms)).size();
    EXPECT_GE(chunks, 2u);
    EXPECT_LE(chunks, 10u); // RFC 6928
}

TEST_F(LedbatSending, LB_2_4_2_e_without_acknowledgements_hardly_anything_is_sent)
{
    static_cast<void>(peer_.take_after(3s));
    std::size_t const chunks = all_of<wire::Data>(peer_.take_after(4s)).size();
    EXPECT_LE(chunks, 4u) << "one segment, and the timeout doubles";
}

TEST_F(LedbatSending, PP_8_a_a_queue_stops_the_window_from_growing)
{
    std::size_t const queued = chunks_with_delay(20ms);
    EXPECT_GE(queued, 10u);
    EXPECT_LT(queued, 150u) << "an empty path carries three times as much by then";
}

TEST_F(LedbatSending, PP_8_a_an_empty_path_lets_it_grow)
{
    EXPECT_GT(chunks_with_delay(0ms), 300u);
}

congestion::LedbatConfig ledbat_of_rfc()
{
    congestion::LedbatConfig config;
    config.target = 100ms;
    config.mss_bytes = 1000;
    config.init_window_mss = 10;
    config.current_filter_max = 1;
    return config;
}

void acknowledge(congestion::Ledbat& ledbat, Duration when, Duration delay,
                 std::size_t bytes = 1000, std::size_t flight = 1'000'000)
{
    std::array const delays{delay};
    ledbat.on_ack(TimePoint{when}, delays, bytes, flight, 50ms);
}

TEST(LbRules, LB_2_4_2_a_the_base_is_the_smallest_of_one_minimum_a_minute)
{
    congestion::Ledbat ledbat{ledbat_of_rfc()};
    acknowledge(ledbat, 10s, 30ms);
    acknowledge(ledbat, 20s, 12ms);
    acknowledge(ledbat, 30s, 40ms);
    EXPECT_EQ(ledbat.base_delay(), Duration{12ms});
    acknowledge(ledbat, 1min, 20ms);
    EXPECT_EQ(ledbat.base_delay(), Duration{12ms}) << "of the minute before";
    // Nothing is heard for nine minutes: they push the first one out.
    acknowledge(ledbat, 10min, 25ms);
    EXPECT_EQ(ledbat.base_delay(), Duration{20ms});
}

/// cwnd += GAIN * off_target * bytes_newly_acked * MSS / cwnd (§2.4.2).
TEST(LbRules, LB_2_4_2_b_an_ack_moves_the_window_by_how_far_the_queue_is_from_the_target)
{
    auto const moved_by = [](Duration queue) {
        congestion::Ledbat ledbat{ledbat_of_rfc()};
        acknowledge(ledbat, 1s, 10ms, 0);
        double const before = ledbat.window_bytes();
        acknowledge(ledbat, 2s, 10ms + queue);
        return ledbat.window_bytes() - before;
    };
    double const step = 1000.0 * 1000.0 / 10'000.0;
    EXPECT_NEAR(moved_by(0ms), step, 1e-6);
    EXPECT_NEAR(moved_by(50ms), step / 2, 1e-6);
    EXPECT_NEAR(moved_by(100ms), 0.0, 1e-6);
    EXPECT_NEAR(moved_by(150ms), -step / 2, 1e-6);
    EXPECT_NEAR(moved_by(300ms), -2 * step, 1e-6);
}

TEST(LbRules, LB_2_4_2_c_the_window_exceeds_the_flight_by_the_allowed_increase_and_keeps_a_minimum)
{
    congestion::LedbatConfig const config = ledbat_of_rfc();
    congestion::Ledbat idle{config};
    for (int i = 1; i <= 200; ++i) {
        acknowledge(idle, i * 10ms, 10ms, 1000, 4000);
    }
    EXPECT_NEAR(idle.window_bytes(), 4000.0 + 1000.0, 1e-6);

    congestion::Ledbat queued{config};
    acknowledge(queued, 0ms, 10ms);
    for (int i = 1; i <= 200; ++i) {
        acknowledge(queued, i * 10ms, 2s);
    }
    EXPECT_NEAR(queued.window_bytes(), 1000.0 * config.min_window_mss, 1e-6);
}

TEST(LbRulesDeathTest, LB_2_5_a_the_target_is_a_hundred_milliseconds_at_most)
{
    congestion::LedbatConfig config = ledbat_of_rfc();
    EXPECT_EQ(congestion::Ledbat{config}.target_delay(TimePoint{}), Duration{100ms});
    config.target += Duration{1};
    EXPECT_DEATH(congestion::Ledbat{config}, "target");
    EXPECT_LE(peer::NodeConfig{}.ledbat_target, Duration{100ms}) << "what nodes use";
}

TEST(LbRulesDeathTest, LB_2_5_b_the_allowed_increase_is_above_nothing_and_one_segment)
{
    EXPECT_EQ(congestion::LedbatConfig{}.allowed_increase_mss, 1.0);
    congestion::LedbatConfig config = ledbat_of_rfc();
    config.allowed_increase_mss = 0.0;
    EXPECT_DEATH(congestion::Ledbat{config}, "allowed_increase");
}

TEST(LbRulesDeathTest, LB_2_5_c_the_gain_is_one_at_most)
{
    EXPECT_LE(congestion::LedbatConfig{}.gain, 1.0);
    congestion::LedbatConfig config = ledbat_of_rfc();
    config.gain = 1.01;
    EXPECT_DEATH(congestion::Ledbat{config}, "gain");
}

TEST(LbRules, LB_2_5_d_ten_minutes_are_remembered)
{
    congestion::Ledbat ledbat{congestion::LedbatConfig{}};
    auto const measure = [&](Duration when, Duration delay) {
        std::array const delays{delay};
        ledbat.on_ack(TimePoint{when}, delays, 1000, 1000, 50ms);
    };
    measure(0min, 10ms);
    for (int minute = 1; minute < 10; ++minute) {
        measure(minute * 1min, 20ms);
    }
    EXPECT_EQ(ledbat.base_delay(), Duration{10ms});
    measure(10min, 20ms);
    EXPECT_EQ(ledbat.base_delay(), Duration{20ms});
}

class LedbatReceiving : public ::testing::Test {
protected:
    LedbatReceiving()
    {
        node_.introduce({stranger});
        EXPECT_TRUE(peer_.answer());
        static_cast<void>(peer_.take());
    }

    OneEngine node_{{}};
    RawPeer peer_{node_, stranger};
};

TEST_F(LedbatReceiving, LB_2_3_a_samples_are_reported_in_the_order_they_were_measured)
{
    SignedUnit const unit = node_.sign(unit_0);
    std::vector<std::int64_t> const delays_us{30'000, 10'000, 20'000};
    std::vector<std::uint32_t> const numbers{9, 2, 13}; // no two in one interval
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        peer_.send(unit.whole(numbers[i], node_.utc() - delays_us[i]));
    }
    Datagrams const answer = peer_.take_after(50ms);
    auto const acks = all_of<wire::Ack>(answer);
    ASSERT_EQ(acks.size(), numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        EXPECT_EQ(acks[i].chunks, single(unit.chunk(numbers[i])));
        EXPECT_EQ(acks[i].one_way_delay, Duration{delays_us[i]});
    }
}

TEST_F(LedbatReceiving, LB_4_1_a_acknowledgements_do_not_wait_longer_than_a_round_trip)
{
    SignedUnit const unit = node_.sign(unit_0);
    TimePoint const came = node_.now();
    peer_.send(unit.whole(0, node_.utc()));
    Datagrams answer = peer_.take_after(100ms);
    ASSERT_EQ(all_of<wire::Ack>(answer).size(), 1u);
    for (Sent const& sent : answer) {
        if (sent.has<wire::Ack>()) {
            EXPECT_LE(sent.at - came, 15ms);
        }
    }
    for (std::uint32_t i : {2U, 4U, 6U, 8U}) {
        peer_.send(unit.whole(i, node_.utc()));
    }
    answer = peer_.take(); // no time has passed
    EXPECT_EQ(all_of<wire::Ack>(answer).size(), 4u) << "four are enough for an answer";
}

} // namespace
} // namespace ppsp::test
