#include "player/app/glass_to_glass.hpp"
#include "player/app/play_statistics.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace ppsp::player {
namespace {

using namespace std::chrono_literals;

/// A grey picture that can carry a clock.
struct Picture {
    static constexpr int width = ingest::pixel_clock_width;
    static constexpr int height = ingest::pixel_clock_height;
    std::vector<std::uint8_t> luma = std::vector<std::uint8_t>(width * height, 128);

    explicit Picture(std::uint64_t drawn)
    {
        EXPECT_TRUE(ingest::draw_pixel_clock({luma.data(), width, width, height}, drawn));
    }
    Picture() = default;
    [[nodiscard]] ingest::LumaView view() const { return {luma.data(), width, width, height}; }
};

constexpr std::uint64_t noon = 123'456'789;

TEST(GlassToGlass, gives_median_tail_and_maximum)
{
    GlassToGlass meter;
    for (std::uint64_t ms = 1; ms <= 100; ++ms) {
        meter.observe(Picture{noon}.view(), noon + ms * 10);
    }
    auto const summary = meter.summary();
    EXPECT_EQ(summary.p50_ms, 50);
    EXPECT_EQ(summary.p95_ms, 95);
    EXPECT_EQ(summary.max_ms, 100);
    EXPECT_EQ(summary.frames, 100u);
    EXPECT_EQ(summary.unreadable, 0u);
}

TEST(GlassToGlass, nothing_seen_is_all_zero)
{
    auto const summary = GlassToGlass{}.summary();
    EXPECT_EQ(summary.p50_ms, 0);
    EXPECT_EQ(summary.p95_ms, 0);
    EXPECT_EQ(summary.frames, 0u);
}

TEST(GlassToGlass, counts_what_it_cannot_read)
{
    GlassToGlass meter;
    meter.observe(Picture{}.view(), noon);
    meter.observe(ingest::LumaView{nullptr, 0, 0, 0}, noon);
    meter.observe_unreadable();
    auto const summary = meter.summary();
    EXPECT_EQ(summary.frames, 3u);
    EXPECT_EQ(summary.unreadable, 3u);
    EXPECT_EQ(summary.max_ms, 0);
}

TEST(GlassToGlass, another_clock_is_unreadable_and_the_limit_holds)
{
    GlassToGlass meter;
    meter.observe(Picture{noon}.view(), noon - 20);
    meter.observe(Picture{noon}.view(), noon + (GlassToGlass::delay_ms_max + 1) * 10);
    EXPECT_EQ(meter.summary().unreadable, 2u);
    meter.observe(Picture{noon}.view(), noon + GlassToGlass::delay_ms_max * 10);
    EXPECT_EQ(meter.summary().max_ms, GlassToGlass::delay_ms_max);
}

TEST(PlayStatistics, the_players_startup_takes_the_place_of_the_nodes)
{
    PlayStatistics figures;
    figures.startup = 412ms;
    figures.frames_shown = 7;
    figures.frames_dropped = 1;
    EXPECT_EQ(statistics_line(R"({"uptime_s":1,"startup_ms":5})", figures),
              R"({"uptime_s":1,"startup_ms":412,"frames_shown":7,"frames_dropped":1})");
}

TEST(PlayStatistics, no_picture_yet_is_null)
{
    EXPECT_EQ(statistics_line(R"({"startup_ms":5})", {}),
              R"({"startup_ms":null,"frames_shown":0,"frames_dropped":0})");
}

TEST(PlayStatistics, only_the_last_line_is_final)
{
    PlayStatistics figures;
    EXPECT_EQ(statistics_line(R"({"final":true})", figures).find("final"), std::string::npos);
    figures.is_final = true;
    EXPECT_NE(statistics_line("{}", figures).find(R"("final":true)"), std::string::npos);
}

TEST(PlayStatistics, glass_to_glass_is_an_object)
{
    PlayStatistics figures;
    figures.glass_to_glass = GlassToGlass::Summary{260, 280, 300, 25, 2};
    EXPECT_NE(
        statistics_line("{}", figures)
            .find(
                R"("glass_to_glass_ms":{"p50":260,"p95":280,"max":300,"frames":25,"unreadable":2})"),
        std::string::npos);
}

TEST(PlayStatistics, a_node_that_talks_nonsense_is_ignored)
{
    for (auto const* const nonsense : {"", "[1,2]", "{\"a\":", "null", "\xff\xfe"}) {
        EXPECT_EQ(statistics_line(nonsense, {}),
                  R"({"startup_ms":null,"frames_shown":0,"frames_dropped":0})")
            << nonsense;
    }
}

TEST(StatisticsOutput, a_dash_is_the_standard_output)
{
    std::ostringstream out;
    StatisticsOutput output{"-", out};
    EXPECT_TRUE(output.is_wanted());
    output.write("{}");
    EXPECT_EQ(out.str(), "{}\n");
}

TEST(StatisticsOutput, nothing_is_written_without_a_path)
{
    std::ostringstream out;
    StatisticsOutput output{"", out};
    EXPECT_FALSE(output.is_wanted());
    output.write("{}");
    EXPECT_EQ(out.str(), "");
}

TEST(StatisticsOutput, a_place_that_cannot_be_written_is_named)
{
    std::ostringstream out;
    StatisticsOutput output{"/nowhere/at/all.json", out};
    EXPECT_FALSE(output.is_wanted());
    EXPECT_NE(output.error().find("/nowhere/at/all.json"), std::string::npos);
}

} // namespace
} // namespace ppsp::player
