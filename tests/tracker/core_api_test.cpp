#include "tests/tracker/api_fixture.hpp"

namespace ppsp::tracker::api_test {
namespace {

ppstp::ContentMap map_at(std::string swarm, std::uint64_t newest)
{
    ppstp::ContentMap map;
    map.swarm_id = std::move(swarm);
    map.newest = ChunkId{newest};
    map.chunks_per_unit = 32;
    map.window_units = 100;
    return map;
}

TEST_F(ApiTest, a_viewer_finds_the_source_and_leaves)
{
    EXPECT_EQ(ask("source", join("s", PeerMode::seeder, 1111)).error, ErrorCode::none);
    auto const joined = ask("viewer", join("s", PeerMode::leech, 2222));
    ASSERT_EQ(joined.error, ErrorCode::none);
    ASSERT_EQ(joined.swarm_results.size(), 1u);
    ASSERT_EQ(joined.swarm_results[0].peers.size(), 1u);
    EXPECT_EQ(joined.swarm_results[0].peers[0].peer_id, "source");
    EXPECT_EQ(joined.swarm_results[0].peers[0].address.endpoint.text(), "127.0.0.1:1111");
    auto const found = ask("source", ppstp::Find{"s", {}});
    ASSERT_EQ(found.swarm_results.at(0).peers.size(), 1u);
    EXPECT_EQ(found.swarm_results[0].peers[0].peer_id, "viewer");
    auto const left = ask("viewer", leave("s"));
    EXPECT_EQ(left.error, ErrorCode::none);
    EXPECT_FALSE(left.swarm_results.at(0).has_peer_group);
    EXPECT_EQ(peers(), 1u);
}

TEST_F(ApiTest, S4_1_1_a_seeder_gets_a_list_only_if_it_asks)
{
    ask("viewer", join("s"));
    EXPECT_FALSE(ask("one", join("s", PeerMode::seeder)).swarm_results.at(0).has_peer_group);
    auto asks = join("s", PeerMode::seeder);
    asks.peer_num = ppstp::PeerNumber{};
    asks.peer_num->peer_count = 5;
    EXPECT_EQ(ask("two", asks).swarm_results.at(0).peers.size(), 2u);
}

TEST_F(ApiTest, S2_3_2_b_who_is_not_registered_is_forbidden)
{
    EXPECT_EQ(ask("nobody", ppstp::Find{"s", {}}).error, ErrorCode::forbidden);
    auto const response = ask("nobody", ppstp::StatReport{});
    EXPECT_EQ(response.error, ErrorCode::forbidden);
    EXPECT_NE(response.reason.find("CONNECT first"), std::string::npos);
    EXPECT_EQ(last_.status, 403u);
    EXPECT_EQ(peers(), 0u);
}

TEST_F(ApiTest, S2_3_2_c_an_invalid_swarm_is_an_error_and_the_peer_stays)
{
    ask("p", join("s"));
    EXPECT_EQ(ask("p", ppstp::Find{"other", {}}).error, ErrorCode::forbidden); // trap P8
    ppstp::StatReport report;
    report.stream_stats.push_back({"other", 1, 2, 3, 4});
    EXPECT_EQ(ask("p", report).error, ErrorCode::forbidden);
    EXPECT_EQ(ask("p", leave("other")).error, ErrorCode::forbidden);
    EXPECT_EQ(ask("p", join("other")).error, ErrorCode::forbidden);
    EXPECT_EQ(peers(), 1u);
    EXPECT_EQ(ask("p", ppstp::Find{"s", {}}).error, ErrorCode::none);
}

TEST_F(ApiTest, S4_1_2_a_a_find_has_a_group_even_if_empty)
{
    ask("p", join("s"));
    auto const response = ask("p", ppstp::Find{"s", {}});
    EXPECT_TRUE(response.swarm_results.at(0).has_peer_group);
    EXPECT_TRUE(response.swarm_results[0].peers.empty());
}

TEST_F(ApiTest, S4_1_3_a_stat_reports_and_keep_alives)
{
    ask("p", join("s"));
    auto const alive = ask("p", ppstp::StatReport{});
    EXPECT_EQ(alive.error, ErrorCode::none);
    ASSERT_EQ(alive.swarm_results.size(), 1u);
    EXPECT_EQ(alive.swarm_results[0].swarm_id, "s");
    ppstp::StatReport report;
    report.stream_stats.push_back({"s", 1, 2, 3, 4});
    report.stream_stats.push_back({"other", 1, 2, 3, 4});
    auto const mixed = ask("p", report);
    EXPECT_EQ(mixed.error, ErrorCode::none);
    ASSERT_EQ(mixed.swarm_results.size(), 2u);
    EXPECT_EQ(mixed.swarm_results[0].result + mixed.swarm_results[1].result, 1);
    for (auto const& result : mixed.swarm_results) {
        EXPECT_FALSE(result.has_peer_group);
    }
}

TEST_F(ApiTest, a_partly_valid_connect_succeeds_in_part)
{
    auto connect = join("a");
    connect.swarm_actions.push_back({"b", Action::join, PeerMode::leech});
    auto const response = ask("p", connect);
    EXPECT_EQ(response.error, ErrorCode::none);
    ASSERT_EQ(response.swarm_results.size(), 2u);
    EXPECT_EQ(response.swarm_results[0].result, 0);
    EXPECT_EQ(response.swarm_results[1].result, 1);
    EXPECT_FALSE(response.swarm_results[1].has_peer_group);
}

TEST_F(ApiTest, a_channel_change)
{
    ask("p", join("a"));
    auto change = join("b");
    change.swarm_actions.push_back({"a", Action::leave, PeerMode::leech});
    EXPECT_EQ(ask("p", change).error, ErrorCode::none);
    EXPECT_FALSE(api_->service().registry().find_swarm("a").has_value());
    EXPECT_TRUE(api_->service().registry().find_swarm("b").has_value());
}

TEST_F(ApiTest, in_strict_mode_a_seeder_that_joins_while_tracked_is_removed)
{
    Limits limits;
    limits.strict = true;
    restart(limits);
    ask("p", join("a", PeerMode::seeder));
    auto connect = join("a", PeerMode::seeder); // a refresh of one and a new one
    connect.swarm_actions.push_back({"b", Action::join, PeerMode::seeder});
    EXPECT_EQ(ask("p", connect).error, ErrorCode::forbidden);
    EXPECT_EQ(peers(), 0u);
}

TEST_F(ApiTest, S4_3_c_a_repeated_request_is_answered_and_not_repeated)
{
    ask("viewer", join("s"));
    auto const body = ppstp::to_json(ppstp::Request{"once", "viewer", leave("s")});
    auto const first = raw(body);
    EXPECT_EQ(first.status, 200u);
    auto const second = raw(body);
    EXPECT_EQ(second.status, 200u) << "the peer is gone, but this was asked before";
    EXPECT_EQ(second.body, first.body);
    EXPECT_EQ(api_->service().counters().replays, 1u);
    now_ += 121s;
    EXPECT_EQ(raw(body).status, 403u);
}

TEST_F(ApiTest, P7_a_transaction_id_with_other_content_is_another_request)
{
    EXPECT_EQ(raw(ppstp::to_json(ppstp::Request{"12345", "p", join("s")})).status, 200u);
    EXPECT_EQ(raw(ppstp::to_json(ppstp::Request{"12345", "p", leave("s")})).status, 200u);
    EXPECT_EQ(peers(), 0u);
}

TEST_F(ApiTest, receipts_of_a_repeated_report_count_once)
{
    ask("sender", join("s", PeerMode::leech, 1111));
    ask("receiver", join("s", PeerMode::leech, 2222));
    ppstp::StatReport report;
    report.receipts.push_back({"s", *Endpoint::parse("127.0.0.1:1111"), 1'250'000});
    for (int i = 0; i < 6; ++i) {
        now_ += 10s;
        auto const body =
            ppstp::to_json(ppstp::Request{"r" + std::to_string(i), "receiver", report});
        for (int repeat = 0; repeat < 5; ++repeat) {
            EXPECT_EQ(raw(body).status, 200u);
        }
        ask("sender", ppstp::StatReport{});
    }
    auto const& registry = api_->service().registry();
    EXPECT_NEAR(registry.peer(registry.find_peer("sender")).uplink.proven_kbps(), 1000, 300);
}

TEST_F(ApiTest, neighbours_are_told_what_receivers_prove)
{
    ask("sender", join("s", PeerMode::leech, 1111));
    ask("receiver", join("s", PeerMode::leech, 2222));
    ask("elsewhere", join("t", PeerMode::leech, 3333));
    ask("guest", join("t", PeerMode::leech, 4444));
    auto const sender = *Endpoint::parse("127.0.0.1:1111");
    auto const elsewhere = *Endpoint::parse("127.0.0.1:3333");
    now_ += 5s;
    auto const vouch = [](std::string swarm, Endpoint const& from) {
        ppstp::StatReport report;
        report.receipts.push_back({std::move(swarm), from, 1'250'000});
        return report;
    };
    ask("receiver", vouch("s", sender));
    ask("guest", vouch("t", elsewhere));

    ppstp::StatReport question;
    question.neighbours.push_back(
        {"s",
         {*Endpoint::parse("127.0.0.1:2222"), sender, elsewhere, *Endpoint::parse("192.0.2.1:1")}});
    auto const answer = ask("receiver", question);
    ASSERT_EQ(answer.swarm_results.size(), 1u);
    EXPECT_EQ(answer.swarm_results[0].proven, std::vector{(ppstp::ProvenUplink{sender, 2000})})
        << "nobody testified to the first, the others are not in this swarm";

    auto const found = ask("receiver", ppstp::Find{"s", {}});
    ASSERT_EQ(found.swarm_results.at(0).peers.size(), 1u);
    EXPECT_EQ(found.swarm_results[0].peers[0].proven_kbps, 2000u);
    auto const joined = ask("newcomer", join("s", PeerMode::leech, 5555));
    for (auto const& info : joined.swarm_results.at(0).peers) {
        EXPECT_EQ(info.proven_kbps, info.peer_id == "sender" ? 2000u : 0u);
    }
}

TEST_F(ApiTest, figures_of_a_swarm_are_for_its_members)
{
    ask("sender", join("s", PeerMode::leech, 1111));
    ask("receiver", join("s", PeerMode::leech, 2222));
    ask("spy", join("t", PeerMode::leech, 3333));
    now_ += 5s;
    ppstp::StatReport report;
    report.receipts.push_back({"s", *Endpoint::parse("127.0.0.1:1111"), 1'250'000});
    ask("receiver", report);
    ppstp::StatReport question;
    question.neighbours.push_back({"s", {*Endpoint::parse("127.0.0.1:1111")}});
    EXPECT_EQ(ask("spy", question).error, ErrorCode::forbidden);
    question.neighbours.push_back({"t", question.neighbours[0].endpoints});
    auto const mixed = ask("spy", question);
    ASSERT_EQ(mixed.swarm_results.size(), 2u);
    for (auto const& result : mixed.swarm_results) {
        EXPECT_EQ(result.result, result.swarm_id == "t" ? 0 : 1);
        EXPECT_TRUE(result.proven.empty());
    }
}

TEST_F(ApiTest, proven_uplinks_in_one_answer_are_bounded)
{
    ask("sender", join("s", PeerMode::leech, 1111));
    ask("receiver", join("s", PeerMode::leech, 2222));
    now_ += 5s;
    ppstp::StatReport report;
    report.receipts.push_back({"s", *Endpoint::parse("127.0.0.1:1111"), 1'250'000});
    for (int i = 0; i < 5; ++i) {
        report.neighbours.push_back(
            {"s", {ppstp::Neighbours::endpoints_max, *Endpoint::parse("127.0.0.1:1111")}});
    }
    EXPECT_EQ(ask("receiver", report).swarm_results.at(0).proven.size(), ppstp::proven_max);
}

TEST_F(ApiTest, the_live_edge_is_told_to_newcomers_and_reporters)
{
    ask("source", join("s", PeerMode::seeder));
    ppstp::StatReport report;
    report.content_maps.push_back(map_at("s", 32'767));
    report.content_maps[0].random_access = ChunkId{32'000};
    auto const reported = ask("source", report);
    ASSERT_TRUE(reported.swarm_results.at(0).live.has_value());
    now_ += 2s;
    auto const joined = ask("viewer", join("s"));
    ASSERT_TRUE(joined.swarm_results.at(0).live.has_value());
    EXPECT_EQ(*joined.swarm_results[0].live,
              (ppstp::LiveEdge{ChunkId{32'767}, 32, ChunkId{32'000}, 2000}));
}

TEST_F(ApiTest, S4_3_d_each_malformed_request_has_its_code)
{
    EXPECT_EQ(raw("{").status, 400u);
    EXPECT_EQ(ppstp::parse_response(raw("{").body)->error, ErrorCode::bad_request);
    auto const version =
        raw(R"({"PPSPTrackerProtocol":{"version":2,"request_type":"FIND","transaction_id":"x"}})");
    EXPECT_EQ(version.status, 400u);
    EXPECT_EQ(ppstp::parse_response(version.body)->error, ErrorCode::unsupported_version);
    EXPECT_EQ(ppstp::parse_response(version.body)->transaction_id, "x");
}

TEST_F(ApiTest, S4_a_another_content_type_is_refused)
{
    auto const body = ppstp::to_json(ppstp::Request{"t", "p", join("s")});
    auto const with = [&](std::string_view type) {
        return api_->handle(now_, {"POST", "/ppstp", type, body, *Endpoint::parse(loopback)});
    };
    EXPECT_EQ(with("application/ppsp-tracker+json").status, 200u);
    EXPECT_EQ(with("application/ppsp-tracker+json; charset=utf-8").status, 200u);
    EXPECT_EQ(with("application/json").status, 400u);
    EXPECT_EQ(with("").status, 400u);
    EXPECT_EQ(with("text/plain").content_type, ppstp::media_type);
}

TEST_F(ApiTest, paths_and_methods)
{
    auto const at = [&](std::string_view method, std::string_view target) {
        return api_->handle(now_, {method, target, "", "", *Endpoint::parse(loopback)});
    };
    EXPECT_EQ(at("GET", "/healthz").status, 200u);
    EXPECT_EQ(at("GET", "/status?x=1").status, 200u);
    EXPECT_EQ(at("HEAD", "/metrics").status, 200u);
    EXPECT_EQ(at("GET", "/").status, 404u);
    EXPECT_EQ(at("GET", "").status, 404u);
    EXPECT_EQ(at("GET", "/ppstp").status, 405u);
    EXPECT_EQ(at("GET", "/ppstp").allow, "POST");
    EXPECT_EQ(at("POST", "/status").status, 405u);
}

TEST_F(ApiTest, a_peer_that_asks_too_fast_is_told_to_wait)
{
    ask("p", join("s"));
    int refused = 0;
    for (int i = 0; i < 40; ++i) {
        refused += ask("p", ppstp::StatReport{}).error == ErrorCode::unavailable;
    }
    EXPECT_EQ(refused, 20);
    EXPECT_EQ(last_.status, 503u);
    EXPECT_TRUE(last_.retry_after.has_value());
    EXPECT_EQ(ask("q", join("s")).error, ErrorCode::none) << "others are served";
    now_ += 1s;
    EXPECT_EQ(ask("p", ppstp::StatReport{}).error, ErrorCode::none);
}

TEST_F(ApiTest, an_address_that_asks_too_fast_is_told_to_wait)
{
    auto const flood = [this](std::string const& source) {
        int refused = 0;
        for (int i = 0; i < 150; ++i) {
            refused += ask("x" + source + std::to_string(i), ppstp::StatReport{}, source).error ==
                       ErrorCode::unavailable;
        }
        return refused;
    };
    EXPECT_EQ(flood("198.51.100.7:1"), 50);
    EXPECT_EQ(flood("127.0.0.1:1"), 0) << "loopback is exempt";
    Limits limits;
    limits.limits_loopback = true;
    restart(limits);
    EXPECT_EQ(flood("127.0.0.1:1"), 50);
}

TEST_F(ApiTest, a_full_tracker_says_so)
{
    Limits limits;
    limits.peers_max = 3;
    limits.swarms_max = 2;
    restart(limits);
    EXPECT_EQ(ask("a", join("s1")).error, ErrorCode::none);
    EXPECT_EQ(ask("b", join("s2")).error, ErrorCode::none);
    EXPECT_EQ(ask("c", join("s3")).error, ErrorCode::unavailable);
    EXPECT_EQ(ask("c", join("s1")).error, ErrorCode::none);
    EXPECT_EQ(ask("d", join("s1")).error, ErrorCode::unavailable);
    EXPECT_EQ(last_.status, 503u);
}

TEST_F(ApiTest, a_stranger_cannot_speak_for_a_peer)
{
    ask("p", join("s", PeerMode::leech, 6778, "198.51.100.7"), "198.51.100.7:1");
    EXPECT_EQ(ask("p", leave("s"), "203.0.113.9:1").error, ErrorCode::forbidden);
    EXPECT_EQ(ask("p", ppstp::StatReport{}, "203.0.113.9:1").error, ErrorCode::forbidden);
    EXPECT_EQ(ask("p", ppstp::Find{"s", {}}, "203.0.113.9:1").error, ErrorCode::forbidden);
    EXPECT_EQ(ask("p", ppstp::Find{"s", {}}, "198.51.100.7:2").error, ErrorCode::none);
}

TEST_F(ApiTest, P12_a_victim_is_not_told_to_others)
{
    ask("liar", join("s", PeerMode::seeder, 53, "192.0.2.66"), "198.51.100.7:1");
    auto const told = ask("viewer", join("s", PeerMode::leech, 1, "203.0.113.9"), "203.0.113.9:1");
    ASSERT_EQ(told.swarm_results.at(0).peers.size(), 1u);
    EXPECT_EQ(told.swarm_results[0].peers[0].address.endpoint.text(), "198.51.100.7:53");
}

TEST_F(ApiTest, only_swarms_of_the_allow_list)
{
    auto list = AllowList::parse("# ours\nAB01  # news\n\nab02\n");
    ASSERT_TRUE(list.has_value()) << list.error();
    restart({}, *list);
    EXPECT_EQ(ask("p", join("ab01")).error, ErrorCode::none);
    auto const refused = ask("q", join("ab03"));
    EXPECT_EQ(refused.error, ErrorCode::forbidden);
    EXPECT_NE(refused.reason.find("allow-list"), std::string::npos);
    auto both = join("ab02", PeerMode::seeder);
    both.swarm_actions.push_back({"ab03", Action::join, PeerMode::seeder});
    auto const mixed = ask("r", both);
    EXPECT_EQ(mixed.error, ErrorCode::none);
    EXPECT_EQ(mixed.swarm_results.at(0).result, 0);
    EXPECT_EQ(mixed.swarm_results.at(1).result, 1);
    EXPECT_FALSE(api_->service().registry().find_swarm("ab03").has_value());
}

TEST(AllowList, bad_lines_are_named)
{
    auto const list = AllowList::parse("ab01\n# fine\nnot hex\n");
    ASSERT_FALSE(list.has_value());
    EXPECT_NE(list.error().find("line 3"), std::string::npos);
    EXPECT_EQ(AllowList::parse("")->size(), 0u);
    EXPECT_EQ(AllowList::parse("ab\r\ncd")->size(), 2u);
}

TEST_F(ApiTest, status_tells_swarms_peers_and_availability)
{
    ask("source", join("s", PeerMode::seeder));
    ask("near", join("s"));
    ask("mute", join("s"));
    ask("elsewhere", join("t"));
    ppstp::StatReport report;
    report.content_maps.push_back(map_at("s", 32'767));
    ask("source", report);
    report.content_maps[0] = map_at("s", 32'767 - 32 * 10);
    ask("near", report);
    now_ += 1s;
    auto const page = status();
    EXPECT_EQ(page.at("uptime_s").as_int64(), 1);
    EXPECT_EQ(page.at("peers").as_int64(), 4);
    EXPECT_EQ(page.at("swarm_count").as_int64(), 2);
    auto const& swarm = page.at("swarms").as_array().at(0);
    EXPECT_EQ(swarm.at("swarm_id").as_string(), "s");
    EXPECT_EQ(swarm.at("peers").as_int64(), 3);
    EXPECT_EQ(swarm.at("seeders").as_int64(), 1);
    EXPECT_EQ(swarm.at("leeches").as_int64(), 2);
    EXPECT_EQ(swarm.at("live").at("newest").as_int64(), 32'767);
    EXPECT_EQ(swarm.at("live").at("age_ms").as_int64(), 1000);
    auto const& availability = swarm.at("availability");
    EXPECT_EQ(availability.at("near_edge").as_int64(), 1);
    EXPECT_EQ(availability.at("not_reported").as_int64(), 1);
    EXPECT_EQ(availability.at("holders").at(0).at("peers").as_int64(), 1);
    EXPECT_EQ(availability.at("holders").at(2).at("units_behind").as_int64(), 16);
    EXPECT_EQ(availability.at("holders").at(2).at("peers").as_int64(), 2);
}

TEST_F(ApiTest, status_lists_a_bounded_number_of_swarms)
{
    for (int i = 0; i < 150; ++i) {
        ask("p" + std::to_string(i), join("s" + std::to_string(i)));
    }
    ask("q", join("s149"));
    auto const page = status();
    ASSERT_EQ(page.at("swarms").as_array().size(), status_swarms_max);
    EXPECT_EQ(page.at("swarms").at(0).at("swarm_id").as_string(), "s149");
    EXPECT_EQ(page.at("swarm_count").as_int64(), 150);
}

TEST_F(ApiTest, metrics_count_requests_by_type_and_error)
{
    ask("p", join("s"));
    ask("nobody", ppstp::StatReport{});
    raw("{");
    auto const text =
        api_->handle(now_, {"GET", "/metrics", "", "", *Endpoint::parse(loopback)}).body;
    for (auto const* line : {"ppsp_tracker_requests_total{type=\"CONNECT\",error=\"00\"} 1\n",
                             "ppsp_tracker_requests_total{type=\"STAT_REPORT\",error=\"03\"} 1\n",
                             "ppsp_tracker_requests_total{type=\"unreadable\",error=\"01\"} 1\n",
                             "ppsp_tracker_peers 1\n", "ppsp_tracker_swarms 1\n",
                             "# TYPE ppsp_tracker_requests_total counter\n"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
    }
}

TEST_F(ApiTest, timers_run_while_nobody_asks)
{
    ask("p", join("s"));
    now_ += 100s;
    api_->tick(now_);
    EXPECT_EQ(peers(), 0u);
    EXPECT_EQ(ask("p", ppstp::StatReport{}).error, ErrorCode::forbidden);
    EXPECT_EQ(ask("p", join("s")).error, ErrorCode::none) << "a CONNECT brings the peer back";
}

} // namespace
} // namespace ppsp::tracker::api_test
