#include "peer/shell/tracker_report.hpp"

#include <gtest/gtest.h>

namespace ppsp::peer {
namespace {

SwarmFigures figures()
{
    SwarmFigures result;
    result.swarm.newest_unit = 99;
    result.swarm.random_access_unit = 90;
    result.swarm.chunks_per_unit = 16;
    result.swarm.window_units = 80;
    result.swarm.holes = {{97, 98}, {50, 50}};
    result.swarm.upload_media_bytes = 10;
    result.swarm.from_source_bytes = 20;
    result.swarm.from_peers_bytes = 30;
    result.swarm.uplink_bps = 40;
    result.swarm.neighbours = 5;
    result.swarm.free_slots = 2;
    result.swarm.chunks_due = 100;
    result.swarm.chunks_in_time = 93;
    result.swarm.latency_p50 = std::chrono::milliseconds{700};
    result.swarm.latency_target = std::chrono::milliseconds{800};
    return result;
}

NeighbourStatistics neighbour(char const* endpoint, std::uint64_t bytes)
{
    return {*Endpoint::parse(endpoint), false, bytes, 0, {}};
}

TEST(TrackerReports, content_map_is_relative_to_the_edge)
{
    auto const report = TrackerReports{"s"}.content_only(figures());
    ASSERT_EQ(report.content_maps.size(), 1U);
    auto const& map = report.content_maps[0];
    EXPECT_EQ(map.newest, ChunkId{1599});
    EXPECT_EQ(map.random_access, ChunkId{1440});
    EXPECT_EQ(map.window_units, 80U);
    ASSERT_EQ(map.holes.size(), 2U);
    EXPECT_EQ(map.holes[0], (ppstp::ContentMap::Hole{1, 2}));
    EXPECT_EQ(map.holes[1], (ppstp::ContentMap::Hole{49, 1}));
    EXPECT_TRUE(report.stream_stats.empty());
    EXPECT_TRUE(report.receipts.empty());
    EXPECT_TRUE(report.neighbours.empty());
}

TEST(TrackerReports, nothing_known_gives_no_map)
{
    EXPECT_TRUE(TrackerReports{"s"}.content_only({}).content_maps.empty());
    auto const full = TrackerReports{"s"}.full({});
    EXPECT_TRUE(full.content_maps.empty());
    EXPECT_EQ(full.stream_stats.size(), 1U);
    EXPECT_TRUE(full.neighbours.empty());
}

TEST(TrackerReports, holes_have_a_limit_and_make_sense)
{
    auto given = figures();
    given.swarm.holes.clear();
    for (UnitIndex i = 0; i < 40; ++i) {
        given.swarm.holes.emplace_back(98 - 2 * i, 98 - 2 * i);
    }
    EXPECT_EQ(TrackerReports{"s"}.content_only(given).content_maps[0].holes.size(),
              ppstp::ContentMap::holes_max);
    given.swarm.holes = {{100, 101}};
    EXPECT_TRUE(TrackerReports{"s"}.content_only(given).content_maps[0].holes.empty());
}

TEST(TrackerReports, full_reports_tell_how_able_the_peer_is)
{
    auto const report = TrackerReports{"s"}.full(figures());
    ASSERT_EQ(report.stream_stats.size(), 1U);
    EXPECT_EQ(report.stream_stats[0], (ppstp::StreamStats{"s", 10, 50, 40, 5}));
    ASSERT_EQ(report.peer_status.size(), 1U);
    EXPECT_EQ(report.peer_status[0], (ppstp::PeerStatus{"s", 40, 2, 5, 800, 700, 7}));
}

TEST(TrackerReports, receipts_count_since_the_last_report)
{
    TrackerReports reports{"s"};
    auto given = figures();
    given.neighbours = {neighbour("1.1.1.1:1", 10), neighbour("2.2.2.2:2", 30)};
    auto first = reports.full(given).receipts;
    ASSERT_EQ(first.size(), 2U);
    EXPECT_EQ(first[0].bytes, 30U); // most first
    EXPECT_EQ(first[1].bytes, 10U);

    given.neighbours = {neighbour("1.1.1.1:1", 15), neighbour("2.2.2.2:2", 30)};
    auto second = reports.full(given).receipts;
    ASSERT_EQ(second.size(), 1U);
    EXPECT_EQ(second[0], (ppstp::Receipt{"s", *Endpoint::parse("1.1.1.1:1"), 5}));

    given.neighbours = {neighbour("1.1.1.1:1", 4)}; // a new conversation with the same peer
    auto third = reports.full(given).receipts;
    ASSERT_EQ(third.size(), 1U);
    EXPECT_EQ(third[0].bytes, 4U);
}

TEST(TrackerReports, receipts_have_a_limit)
{
    auto given = figures();
    for (std::uint16_t i = 1; i <= ppstp::receipts_max + 10; ++i) {
        given.neighbours.push_back({Endpoint::v4(1, i), false, i, 0, {}});
    }
    EXPECT_EQ(TrackerReports{"s"}.full(given).receipts.size(), ppstp::receipts_max);
}

TEST(TrackerReports, neighbours_are_asked_about_whom_we_serve_most_first)
{
    auto given = figures();
    given.neighbours = {neighbour("1.1.1.1:1", 10), neighbour("2.2.2.2:2", 30),
                        neighbour("3.3.3.3:3", 0), neighbour("4.4.4.4:4", 20)};
    given.neighbours[2].bytes_to = 500;
    given.neighbours[3].bytes_to = 900;
    TrackerReports reports{"s"};
    for (int report = 0; report < 2; ++report) { // those with no news as well
        auto const asked = reports.full(given).neighbours;
        ASSERT_EQ(asked.size(), 1U);
        EXPECT_EQ(asked[0], (ppstp::Neighbours{
                                "s",
                                {*Endpoint::parse("4.4.4.4:4"), *Endpoint::parse("3.3.3.3:3"),
                                 *Endpoint::parse("1.1.1.1:1"), *Endpoint::parse("2.2.2.2:2")}}));
    }
}

TEST(TrackerReports, neighbours_have_a_limit)
{
    auto given = figures();
    for (std::uint16_t i = 1; i <= ppstp::Neighbours::endpoints_max + 10; ++i) {
        given.neighbours.push_back({Endpoint::v4(1, i), false, 0, i, {}});
    }
    auto const asked = TrackerReports{"s"}.full(given).neighbours;
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].endpoints.size(), ppstp::Neighbours::endpoints_max);
    EXPECT_EQ(asked[0].endpoints.front(), Endpoint::v4(1, ppstp::Neighbours::endpoints_max + 10));
}

} // namespace
} // namespace ppsp::peer
