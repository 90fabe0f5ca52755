#include "tests/sim/run_result.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <limits>

namespace ppsp::sim {
namespace {

constexpr double no_number = std::numeric_limits<double>::quiet_NaN();

RunResult small_run()
{
    RunResult result;
    result.scenario.name = "small";
    result.scenario.description = "two classes";
    result.scenario.classes = {{"none", 0.5, 0}, {"one", 0.5, 1}};
    result.seed = 7;
    result.bound_rate_bps = 1'379'705.123456;
    result.bound_delay_units = 8;
    result.continuity = 0.99957123456789;
    result.startup_ms = {500, 900, 1200.0004};
    result.digest = "abc";
    result.events = 12;
    result.group_continuity["first"] = 0.5;
    ClassResult& one = result.classes["one"];
    one.peers = 50;
    one.continuity = 0.75;
    one.figures["startup_ms"] = {400, 800, 1100};
    one.figures["continuity"] = {1, 1, 0.5};
    one.delay_units.add(9.99);
    result.delay_units.add(one.delay_units);
    result.timeline["first"].push_back({3, 100, 1000, 990, 5000, 50});
    result.overlay_nodes = {{0, "source", 0}, {1, "one", 120}, {2, "none", 300}};
    result.overlay_edges = {{0, 1, 1000}, {1, 2, 900}};
    return result;
}

boost::json::object parsed(RunResult const& result)
{
    return boost::json::parse(to_json(result)).as_object();
}

bool contains(std::string const& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

TEST(SimResultJson, has_the_keys_of_the_contract)
{
    auto const object = parsed(small_run());
    for (char const* key : {"seed",
                            "bound_rate_bps",
                            "bound_rate_ratio",
                            "bound_delay_units",
                            "offload_bound",
                            "snowball_delay_units_p99",
                            "continuity",
                            "continuity_worst_class",
                            "delay_units_p50",
                            "delay_units_p95",
                            "delay_units_p99",
                            "delay_over_log2n",
                            "units_missing_ratio",
                            "offload",
                            "storage_ratio",
                            "duplicate_ratio",
                            "wasted_ratio",
                            "overhead_ratio",
                            "cross_pid_ratio",
                            "startup_ms",
                            "never_started",
                            "startup_max_ms",
                            "live_latency_ms_p50",
                            "live_latency_ms_p95",
                            "stalls_per_viewer_minute",
                            "polluted_bytes_out",
                            "bad_chunks",
                            "banned_peers",
                            "group_continuity",
                            "classes",
                            "timeline",
                            "digest",
                            "events",
                            "datagrams",
                            "dropped_in_queues",
                            "lost",
                            "hashes",
                            "signature_checks",
                            "wall_s",
                            "rss_bytes",
                            "violations",
                            "scenario"}) {
        EXPECT_TRUE(object.contains(key)) << key;
    }
    EXPECT_EQ(object.size(), 42U);
    EXPECT_EQ(object.at("digest"), "abc");
    EXPECT_EQ(object.at("group_continuity").at("first").to_number<double>(), 0.5);
    EXPECT_EQ(object.at("timeline").at("first").at(0).at("chunks_in_time"), 990);
}

TEST(SimResultJson, numbers_have_no_more_digits_than_say_something)
{
    auto const object = parsed(small_run());
    EXPECT_EQ(object.at("bound_rate_bps").to_number<double>(), 1'379'705.123);
    EXPECT_EQ(object.at("continuity").to_number<double>(), 0.999571);
    EXPECT_EQ(object.at("startup_ms").at("p99"), 1200);
}

TEST(SimResultJson, what_is_no_number_is_null)
{
    RunResult result = small_run();
    result.offload = no_number;
    result.wall_s = std::numeric_limits<double>::infinity();
    auto const object = parsed(result);
    EXPECT_TRUE(object.at("delay_units_p99").is_null());
    EXPECT_TRUE(object.at("offload").is_null());
    EXPECT_TRUE(object.at("wall_s").is_null());
}

TEST(SimResultJson, classes_have_means_and_percentiles)
{
    auto const object = parsed(small_run());
    auto const& one = object.at("classes").at("one").as_object();
    EXPECT_EQ(one.at("peers"), 50);
    EXPECT_EQ(one.at("continuity").to_number<double>(), 0.75);
    EXPECT_EQ(one.at("continuity_percentiles").at("p99").to_number<double>(), 0.5);
    EXPECT_EQ(one.at("startup_ms").at("p95"), 800);
    EXPECT_EQ(one.at("delay_units").at("p50"), 10);
}

TEST(SimResultJson, scenario_has_all_its_keys_and_classes)
{
    RunResult const result = small_run();
    auto const object = parsed(result);
    auto const& scenario = object.at("scenario").as_object();
    for (auto const& [key, value] : values(result.scenario)) {
        ASSERT_TRUE(scenario.contains(key)) << key;
        EXPECT_EQ(scenario.at(key).as_string(), value);
    }
    EXPECT_EQ(scenario.at("classes").at(1).at("name"), "one");
}

TEST(SimReport, needs_nothing_from_elsewhere)
{
    std::string const html = to_html(small_run());
    for (char const* part : {"http:", "https:", "<script", "@import", "url(", "<link", "src="}) {
        EXPECT_FALSE(contains(html, part)) << part;
    }
}

TEST(SimReport, texts_of_others_are_escaped)
{
    RunResult result = small_run();
    std::string const evil = "<i>&\"'";
    std::string const tame = "&lt;i&gt;&amp;&quot;&#39;";
    result.scenario.name = evil + "1";
    result.scenario.description = evil + "2";
    result.scenario.classes[0].name = evil + "3";
    result.classes[evil + "4"].figures[evil + "5"] = {};
    result.overlay_nodes[2].peer_class = evil + "6";
    result.timeline[evil + "7"] = {};
    result.violations = {evil + "8"};
    result.digest = evil + "9";
    std::string const html = to_html(result);
    EXPECT_FALSE(contains(html, evil));
    for (int i = 1; i <= 9; ++i) {
        EXPECT_TRUE(contains(html, tame + std::to_string(i))) << i;
    }
}

TEST(SimReport, an_empty_result_is_a_page)
{
    RunResult const result;
    std::string const html = to_html(result);
    EXPECT_TRUE(html.ends_with("</html>\n"));
    EXPECT_TRUE(contains(html, "Nothing was measured"));
    EXPECT_FALSE(contains(html, "nan"));
    EXPECT_EQ(parsed(result).at("continuity"), 0);
}

TEST(SimReport, what_is_no_number_is_a_dash_and_not_drawn)
{
    RunResult result = small_run();
    for (double* figure :
         {&result.continuity, &result.offload, &result.offload_bound, &result.bound_rate_ratio,
          &result.bound_delay_units, &result.startup_ms.p95, &result.startup_ms.p99,
          &result.live_latency_ms_p95, &result.classes["one"].uplink_streams,
          &result.classes["one"].figures["startup_ms"].p50, &result.overlay_nodes[2].depth_ms}) {
        *figure = no_number;
    }
    result.delay_units_p99 = std::numeric_limits<double>::infinity();
    result.timeline["first"].push_back({4, 0, 0, 0, 0, 0});
    std::string const html = to_html(result);
    EXPECT_FALSE(contains(html, "nan"));
    EXPECT_FALSE(contains(html, "inf"));
}

TEST(SimReport, violations_and_missed_goals_are_on_top)
{
    RunResult result = small_run();
    EXPECT_FALSE(contains(to_html(result), "class='violations'"));
    result.violations = {"peer 3 was handed a wrong chunk"};
    result.polluted_bytes_out = 1024;
    std::string const html = to_html(result);
    EXPECT_LT(html.find("peer 3 was handed a wrong chunk"), html.find("<section"));
    EXPECT_TRUE(contains(html, "goals missed"));
}

TEST(SimReport, stays_below_a_megabyte)
{
    RunResult result = small_run();
    for (std::uint32_t i = 3; i <= 10'000; ++i) {
        result.overlay_nodes.push_back({i, i % 2 == 0 ? "none" : "one", 100.0 + i * 0.07});
    }
    for (std::uint32_t i = 0; i < 100'000; ++i) {
        result.overlay_edges.push_back({i * 7919 % 10'000, i % 10'000 + 1, i % 500});
    }
    for (char const* group : {"first", "crowd", "survivors", "joined"}) {
        for (std::uint32_t at = 4; at < 36'000; ++at) {
            result.timeline[group].push_back({at, 10'000, 100, 100 - at % 7, 1000, at % 50});
        }
    }
    result.violations.assign(100'000, std::string(100, 'x'));
    EXPECT_LT(to_html(result).size(), 1'000'000U);
}

} // namespace
} // namespace ppsp::sim
