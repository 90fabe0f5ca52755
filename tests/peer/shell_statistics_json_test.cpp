#include "peer/shell/statistics_json.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <fstream>

namespace ppsp::peer {
namespace {

boost::json::object parsed(StatisticsRecord const& record)
{
    std::string const line = to_json(record);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    return boost::json::parse(line).as_object();
}

TEST(StatisticsJson, has_exactly_the_keys_of_the_contract)
{
    std::vector<std::string> const expected{"uptime_s",
                                            "startup_ms",
                                            "live_latency_ms",
                                            "continuity",
                                            "stalls",
                                            "stall_ms",
                                            "media_bytes",
                                            "from_source_bytes",
                                            "from_peers_bytes",
                                            "from_cache_bytes",
                                            "from_cdn_bytes",
                                            "storage_bytes",
                                            "rescued_units",
                                            "last_rescue_cause",
                                            "living_from",
                                            "duplicate_bytes",
                                            "wire_bytes_in",
                                            "wire_bytes_out",
                                            "upload_media_bytes",
                                            "bad_chunks",
                                            "banned_peers",
                                            "neighbours",
                                            "cpu_seconds",
                                            "rss_bytes",
                                            "last_stall_cause",
                                            "final"};
    std::vector<std::string> keys;
    for (auto const& member : parsed({})) {
        keys.emplace_back(member.key());
    }
    EXPECT_EQ(keys, expected);
}

TEST(StatisticsJson, values_have_the_units_of_their_keys)
{
    StatisticsRecord record;
    record.uptime = std::chrono::milliseconds{1500};
    record.swarm.startup = std::chrono::microseconds{700'400};
    record.swarm.latency_p50 = std::chrono::milliseconds{800};
    record.swarm.latency_p95 = std::chrono::milliseconds{900};
    record.swarm.chunks_due = 4;
    record.swarm.chunks_in_time = 3;
    record.swarm.stall_time = std::chrono::seconds{2};
    record.swarm.last_stall_cause = "no \"parent\"\n";
    record.usage = {1.25, 4096};
    record.is_final = true;
    auto const object = parsed(record);
    EXPECT_DOUBLE_EQ(object.at("uptime_s").to_number<double>(), 1.5);
    EXPECT_EQ(object.at("startup_ms"), 700);
    EXPECT_EQ(object.at("live_latency_ms").at("p50"), 800);
    EXPECT_EQ(object.at("live_latency_ms").at("p95"), 900);
    EXPECT_DOUBLE_EQ(object.at("continuity").to_number<double>(), 0.75);
    EXPECT_EQ(object.at("stall_ms"), 2000);
    EXPECT_EQ(object.at("last_stall_cause"), "no \"parent\"\n");
    EXPECT_DOUBLE_EQ(object.at("cpu_seconds").to_number<double>(), 1.25);
    EXPECT_EQ(object.at("rss_bytes"), 4096);
    EXPECT_EQ(object.at("final"), true);
}

TEST(StatisticsJson, nothing_played_yet_is_null_and_not_zero)
{
    EXPECT_TRUE(parsed({}).at("startup_ms").is_null());
}

TEST(StatisticsJson, process_usage_is_real)
{
    auto const usage = process_usage();
    EXPECT_GT(usage.rss_bytes, 1'000'000U);
    EXPECT_GE(usage.cpu_seconds, 0.0);
}

TEST(StatisticsJson, prometheus_text_has_the_numbers)
{
    StatisticsRecord record;
    record.swarm.media_bytes = 12345;
    record.swarm.latency_p95 = std::chrono::milliseconds{77};
    std::string const text = to_prometheus(to_json(record), "ppsp_peer");
    EXPECT_NE(text.find("ppsp_peer_media_bytes 12345\n"), std::string::npos) << text;
    EXPECT_NE(text.find("ppsp_peer_live_latency_ms{quantile=\"0.95\"} 77\n"), std::string::npos);
    EXPECT_EQ(text.find("last_stall_cause"), std::string::npos);
    EXPECT_EQ(to_prometheus("garbage", "x"), "");
}

TEST(StatisticsFile, writes_lines_and_says_why_it_cannot)
{
    std::string const path = testing::TempDir() + "shell_statistics_json_test.jsonl";
    {
        auto file = StatisticsFile::open(path);
        ASSERT_TRUE(file) << file.error();
        EXPECT_TRUE(file->write_line("{}"));
        std::ifstream written(path); // a line is there as soon as it was written
        std::string line;
        EXPECT_TRUE(std::getline(written, line));
        EXPECT_EQ(line, "{}");
    }
    std::remove(path.c_str());
    auto const nowhere = StatisticsFile::open("/nonexistent/x");
    ASSERT_FALSE(nowhere);
    EXPECT_NE(nowhere.error().find("/nonexistent/x"), std::string::npos);
    auto full = StatisticsFile::open("/dev/full");
    ASSERT_TRUE(full);
    EXPECT_FALSE(full->write_line("{}"));
}

} // namespace
} // namespace ppsp::peer
