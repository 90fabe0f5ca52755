#include "protocol/ppstp/messages.hpp"

#include <gtest/gtest.h>

/// What RFC 7846 §4.4 and §7.1 allow to add, and that others can live with it.
namespace ppsp::ppstp {
namespace {

std::string stat(std::string_view stat_report)
{
    return R"({"PPSPTrackerProtocol":{"version":1,"transaction_id":"t","peer_id":"p","request_type":"STAT_REPORT","stat_report":)" +
           std::string(stat_report) + "}}";
}

StatReport full_report()
{
    StatReport report;
    report.stream_stats.push_back({"s", 1, 2, 3, 4});
    report.content_maps.push_back({"s", ChunkId{1023}, 32, 20, {{1, 2}, {7, 1}}, ChunkId{960}});
    report.peer_status.push_back({"s", 5'000'000, 3, 12, 800, 900, 1});
    report.receipts.push_back({"s", *Endpoint::parse("192.0.2.7:6778"), 4096});
    report.neighbours.push_back(
        {"s", {*Endpoint::parse("192.0.2.7:6778"), *Endpoint::parse("[2001:db8::7]:1")}});
    return report;
}

StatReport parsed_report(std::string const& text)
{
    auto const request = parse_request(text);
    EXPECT_TRUE(request.has_value()) << request.error().reason;
    return request ? std::get<StatReport>(request->body) : StatReport{};
}

TEST(PpstpExtension, stream_stats_stand_where_a_plain_tracker_looks)
{
    auto const text = to_json(Request{"t", "p", full_report()});
    EXPECT_NE(text.find(R"("stat_report":{"type":"STREAM_STATS","stat":[{"swarm_id":"s")"),
              std::string::npos)
        << text;
    EXPECT_EQ(parsed_report(text), full_report());
}

TEST(PpstpExtension, a_report_without_stream_stats_names_its_first_type)
{
    auto report = full_report();
    report.stream_stats.clear();
    auto const text = to_json(Request{"t", "p", report});
    EXPECT_NE(text.find(R"("type":"CONTENT_MAP","stat":[)"), std::string::npos) << text;
    EXPECT_EQ(parsed_report(text), report);
}

TEST(PpstpExtension, S4_4_a_unknown_statistics_types_are_ignored)
{
    EXPECT_EQ(parsed_report(stat(R"({"type":"BATTERY","stat":[{"percent":"ten"}]})")),
              StatReport{});
    EXPECT_EQ(parsed_report(stat(R"({"type":"STREAM_STATS","stat":[],"BATTERY":7})")),
              StatReport{});
}

TEST(PpstpExtension, several_groups_in_a_list_are_read)
{
    auto const report =
        parsed_report(stat(R"([{"type":"STREAM_STATS","stat":{"swarm_id":"s"}},)"
                           R"({"type":"PEER_STATUS","stat":[{"swarm_id":"s","free_slots":2}]}])"));
    ASSERT_EQ(report.stream_stats.size(), 1u);
    ASSERT_EQ(report.peer_status.size(), 1u);
    EXPECT_EQ(report.peer_status[0].free_slots, 2u);
}

TEST(PpstpExtension, the_live_edge_travels_in_a_swarm_result)
{
    Response response;
    response.transaction_id = "t";
    SwarmResult result;
    result.swarm_id = "s";
    result.has_peer_group = true;
    result.live = LiveEdge{ChunkId{1'000'000'000'000}, 32, ChunkId{999'999'999'968}, 120};
    response.swarm_results.push_back(result);
    auto const text = to_json(response);
    auto const parsed = parse_response(text);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().reason;
    EXPECT_EQ(*parsed, response);
    // RFC 7846 §4.1.2: a FIND response has its group even when nobody is there.
    EXPECT_NE(text.find(R"("peer_group":{"peer_info":[]})"), std::string::npos);
}

TEST(PpstpExtension, neighbours_are_a_list_of_addresses)
{
    auto const text = to_json(Request{"t", "p", full_report()});
    EXPECT_NE(
        text.find(
            R"("NEIGHBOURS":[{"swarm_id":"s","endpoints":["192.0.2.7:6778","[2001:db8::7]:1"]}])"),
        std::string::npos)
        << text;
    auto const single =
        parsed_report(stat(R"({"type":"NEIGHBOURS","stat":{"swarm_id":"s","endpoints":[]}})"));
    EXPECT_EQ(single.neighbours, std::vector{(Neighbours{"s", {}})});
}

TEST(PpstpExtension, proven_uplinks_travel_in_a_swarm_result)
{
    Response response;
    response.transaction_id = "t";
    SwarmResult result;
    result.swarm_id = "s";
    result.proven = {{*Endpoint::parse("192.0.2.7:6778"), 1500},
                     {*Endpoint::parse("[2001:db8::7]:1"), 4'294'967'295}};
    response.swarm_results.push_back(result);
    auto const text = to_json(response);
    EXPECT_NE(text.find(R"("proven":[{"endpoint":"192.0.2.7:6778","kbps":1500},)"),
              std::string::npos)
        << text;
    auto const parsed = parse_response(text);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().reason;
    EXPECT_EQ(*parsed, response);
}

TEST(PpstpExtension, a_peer_list_tells_proven_uplink_where_it_is_known)
{
    Response response;
    response.transaction_id = "t";
    SwarmResult result;
    result.swarm_id = "s";
    result.has_peer_group = true;
    PeerAddress address;
    address.endpoint = *Endpoint::parse("192.0.2.7:6778");
    result.peers = {{"known", address, 1500}, {"unknown", address}};
    response.swarm_results.push_back(result);
    auto const text = to_json(response);
    auto const first = text.find(R"("proven_kbps":1500)");
    ASSERT_NE(first, std::string::npos) << text;
    EXPECT_EQ(text.find("proven_kbps", first + 12), std::string::npos) << text;
    EXPECT_EQ(text.find(R"("proven":)"), std::string::npos) << text;
    auto const parsed = parse_response(text);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().reason;
    EXPECT_EQ(*parsed, response);
}

TEST(PpstpExtension, text_from_others_is_escaped)
{
    Response response;
    response.error = ErrorCode::forbidden;
    response.transaction_id = "a\"b\\c";
    response.reason = "say \"no\"";
    auto const parsed = parse_response(to_json(response));
    ASSERT_TRUE(parsed.has_value()) << parsed.error().reason;
    EXPECT_EQ(*parsed, response);
}

TEST(PpstpExtension, each_error_code_has_its_http_status)
{
    EXPECT_EQ(http_status(ErrorCode::none), 200u);
    EXPECT_EQ(http_status(ErrorCode::bad_request), 400u);
    EXPECT_EQ(http_status(ErrorCode::unsupported_version), 400u);
    EXPECT_EQ(http_status(ErrorCode::forbidden), 403u);
    EXPECT_EQ(http_status(ErrorCode::internal), 500u);
    EXPECT_EQ(http_status(ErrorCode::unavailable), 503u);
    EXPECT_EQ(http_status(ErrorCode::authentication_required), 401u);
}

TEST(PpstpExtension, a_membership_certificate_comes_with_its_issuer)
{
    Response response;
    response.transaction_id = "t";
    auto& result = response.swarm_results.emplace_back();
    result.swarm_id = "s";
    result.membership = MembershipGrant{{13, 1, 2}, ByteVector(1000, 0x30), 3600};
    auto const text = to_json(response);
    auto const parsed = parse_response(text);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, response);
    auto const at = text.find("0d0102");
    ASSERT_NE(at, std::string::npos);
    EXPECT_FALSE(parse_response(std::string(text).replace(at, 2, "xy")).has_value());
}

} // namespace
} // namespace ppsp::ppstp
