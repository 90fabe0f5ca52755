/// Replays tests/vectors/ledbat_trace.json.

#include "protocol/congestion/ledbat.hpp"
#include "protocol/congestion/rtt_estimator.hpp"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace ppsp::congestion {
namespace {

namespace json = boost::json;

json::value const& vectors()
{
    static json::value const parsed = [] {
        std::ifstream file{PPSP_TEST_VECTORS "/ledbat_trace.json"};
        return json::parse(std::string{std::istreambuf_iterator<char>{file}, {}});
    }();
    return parsed;
}

/// "3", "-1/2": an exact rational as the vectors write it. Numerator and denominator may have more
/// digits than an integer holds.
double rational(json::value const& value)
{
    std::string const text{value.as_string()};
    std::size_t const slash = text.find('/');
    double const numerator = std::strtod(text.substr(0, slash).c_str(), nullptr);
    return slash == std::string::npos
               ? numerator
               : numerator / std::strtod(text.substr(slash + 1).c_str(), nullptr);
}

template <typename Integer>
void read(json::object const& from, char const* key, Integer& to)
{
    if (json::value const* value = from.if_contains(key)) {
        to = value->to_number<Integer>();
    }
}

void apply(json::object const& params, LedbatConfig& config)
{
    read(params, "mss", config.mss_bytes);
    read(params, "init_cwnd", config.init_window_mss);
    read(params, "init_cwnd_mss", config.init_window_mss);
    read(params, "min_cwnd", config.min_window_mss);
    read(params, "min_cwnd_mss", config.min_window_mss);
    read(params, "base_history", config.base_history_minutes);
    read(params, "cur_filter", config.current_filter_max);
    read(params, "allowed_increase", config.allowed_increase_mss);
    for (char const* key : {"target", "target_us"}) {
        Duration::rep target_us = config.target.count();
        read(params, key, target_us);
        config.target = Duration{target_us};
    }
    if (json::value const* gain = params.if_contains("gain")) {
        config.gain = rational(*gain);
    }
}

LedbatConfig config_of(json::object const& trace)
{
    LedbatConfig config;
    config.current_filter_max = 1; // "filter null = latest sample"
    apply(vectors().at("defaults").as_object(), config);
    apply(trace.at("params").as_object(), config);
    return config;
}

void replay_ack(Ledbat& ledbat, json::object const& event, TimePoint now)
{
    std::vector<Duration> delays;
    for (json::value const& delay : event.at("delays_us").as_array()) {
        delays.emplace_back(delay.to_number<Duration::rep>());
    }
    ledbat.on_ack(now, delays, event.at("bytes_newly_acked").to_number<std::size_t>(),
                  event.at("flightsize").to_number<std::size_t>(), Duration::zero());
    json::value const& expect = event.at("expect");
    EXPECT_EQ(ledbat.current_delay().count(), expect.at("current").as_int64());
    EXPECT_EQ(ledbat.base_delay().count(), expect.at("base").as_int64());
    EXPECT_EQ(ledbat.queuing_delay().count(), expect.at("queuing").as_int64());
    EXPECT_NEAR(ledbat.off_target(), rational(expect.at("off_target")), 1e-9);
}

/// Returns the number of events replayed.
std::size_t replay(json::object const& trace)
{
    Ledbat ledbat{config_of(trace)};
    RttEstimator rtt;
    EXPECT_EQ(ledbat.window_bytes(), trace.at("initial_cwnd").to_number<double>());
    TimePoint now{};
    std::size_t replayed = 0;
    for (json::value const& value : trace.at("events").as_array()) {
        SCOPED_TRACE("event " + std::to_string(replayed));
        json::object const& event = value.as_object();
        if (event.contains("now_us")) {
            now = TimePoint{Duration{event.at("now_us").to_number<Duration::rep>()}};
        }
        json::string const& kind = event.at("event").as_string();
        if (kind == "ack") {
            replay_ack(ledbat, event, now);
        } else if (kind == "loss") {
            ledbat.on_loss(now, Duration::zero());
        } else if (kind == "cto") {
            ledbat.on_timeout(now);
            rtt.on_timeout();
            EXPECT_EQ(rtt.timeout(), std::chrono::seconds{static_cast<int>(
                                         rational(event.at("expect").at("cto_seconds")))});
        } else {
            ADD_FAILURE() << "unknown event " << kind;
        }
        double const expected = rational(event.at("expect").at("cwnd"));
        EXPECT_NEAR(ledbat.window_bytes(), expected, expected * 1e-6);
        ++replayed;
    }
    return replayed;
}

TEST(LedbatTrace, every_trace_of_the_vectors_is_reproduced)
{
    std::size_t replayed = 0;
    for (json::value const& trace : vectors().at("traces").as_array()) {
        SCOPED_TRACE(std::string{trace.at("name").as_string()});
        replayed += replay(trace.as_object());
    }
    EXPECT_EQ(replayed, 54u);
}

} // namespace
} // namespace ppsp::congestion
