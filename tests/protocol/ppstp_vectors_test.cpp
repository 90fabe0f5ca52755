#include "protocol/ppstp/messages.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fstream>
#include <sstream>

namespace ppsp::ppstp {
namespace {

namespace json = boost::json;

json::value load_vectors()
{
    std::ifstream file(PPSP_TEST_VECTORS "/ppstp.json");
    std::stringstream text;
    text << file.rdbuf();
    return json::parse(text.str());
}

std::string text_of(json::object const& vector)
{
    if (auto const* text = vector.if_contains("text")) {
        return std::string(text->as_string());
    }
    return json::serialize(vector.at("json"));
}

void expect_model(Connect const& connect, json::object const& model)
{
    EXPECT_EQ(connect.peer_addresses.size(), model.at("addrs").to_number<std::size_t>());
    ASSERT_TRUE(connect.peer_num.has_value());
    EXPECT_EQ(connect.peer_num->peer_count, model.at("peer_count").to_number<std::uint32_t>());
    EXPECT_EQ(connect.peer_num->concurrent_links, 5u);
    EXPECT_EQ(connect.peer_num->online_time_s, 200u);
    EXPECT_EQ(connect.peer_num->upload_bandwidth_kbps, 600u);
    auto const& actions = model.at("actions").as_array();
    ASSERT_EQ(connect.swarm_actions.size(), actions.size());
    for (std::size_t i = 0; i < actions.size(); ++i) {
        auto const& expected = actions[i].as_array();
        EXPECT_EQ(connect.swarm_actions[i].swarm_id, expected[0].as_string());
        EXPECT_EQ(connect.swarm_actions[i].action == Action::join, expected[1] == "JOIN");
        EXPECT_EQ(connect.swarm_actions[i].peer_mode == PeerMode::leech, expected[2] == "LEECH");
    }
}

void expect_model(Find const& find, json::object const& model)
{
    EXPECT_EQ(find.swarm_id, model.at("swarm").as_string());
    ASSERT_TRUE(find.peer_num.has_value());
    EXPECT_EQ(find.peer_num->peer_count, model.at("peer_count").to_number<std::uint32_t>());
}

void expect_model(StatReport const& report, json::object const& model)
{
    ASSERT_EQ(report.stream_stats.size(), model.at("stats").to_number<std::size_t>());
    for (auto const& stats : report.stream_stats) {
        EXPECT_EQ(stats, (StreamStats{"s1", 512, 768, 1'024'000, 5}));
    }
}

TEST(Ppstp, every_request_form_of_the_vectors_is_accepted_or_refused)
{
    auto const vectors = load_vectors();
    std::size_t checked = 0;
    for (auto const& entry : vectors.at("requests").as_array()) {
        auto const& vector = entry.as_object();
        SCOPED_TRACE(vector.at("name").as_string());
        auto const request = parse_request(text_of(vector));
        ++checked;
        if (!vector.at("accept").as_bool()) {
            ASSERT_FALSE(request.has_value());
            EXPECT_EQ(static_cast<int>(request.error().code),
                      vector.at("error_code").to_number<int>());
            EXPECT_FALSE(request.error().reason.empty());
            continue;
        }
        ASSERT_TRUE(request.has_value()) << request.error().reason;
        auto const& model = vector.at("model").as_object();
        EXPECT_EQ(request->transaction_id, model.at("tid").as_string());
        EXPECT_EQ(request->peer_id, model.at("peer").as_string());
        constexpr std::array<std::string_view, 3> types{"CONNECT", "FIND", "STAT_REPORT"};
        ASSERT_EQ(types[request->body.index()], std::string_view(model.at("type").as_string()));
        std::visit([&model](auto const& body) { expect_model(body, model); }, request->body);
    }
    EXPECT_EQ(checked, 13u);
}

TEST(Ppstp, schema_form_vectors_are_what_we_write)
{
    auto const vectors = load_vectors();
    for (auto const& entry : vectors.at("requests").as_array()) {
        auto const& vector = entry.as_object();
        auto const name = std::string_view(vector.at("name").as_string());
        if (name.ends_with("-schema-form") || name == "stat-keepalive") {
            SCOPED_TRACE(name);
            auto const request = parse_request(text_of(vector));
            ASSERT_TRUE(request.has_value());
            EXPECT_EQ(json::parse(to_json(*request)), vector.at("json"));
        }
    }
}

TEST(Ppstp, S4_3_d_error_response_has_neither_address_nor_result)
{
    auto const vectors = load_vectors();
    auto const& expected = vectors.at("error_response");
    Response const response{.error = ErrorCode::forbidden,
                            .transaction_id = "t-1",
                            .peer_address = {},
                            .swarm_results = {},
                            .reason = {}};
    EXPECT_EQ(json::parse(to_json(response)), expected);
    auto const parsed = parse_response(json::serialize(expected));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, response);
}

TEST(Ppstp, ok_response_vector_is_read_and_written)
{
    auto const vectors = load_vectors();
    auto const& expected = vectors.at("ok_response");
    auto const response = parse_response(json::serialize(expected));
    ASSERT_TRUE(response.has_value()) << response.error().reason;
    ASSERT_EQ(response->swarm_results.size(), 1u);
    auto const& peers = response->swarm_results[0].peers;
    ASSERT_EQ(peers.size(), 2u); // one peer at two addresses
    EXPECT_EQ(peers[0].peer_id, peers[1].peer_id);
    EXPECT_EQ(peers[1].address.endpoint.text(), "[2001:db8::2]:6778");
    EXPECT_EQ(json::parse(to_json(*response)), expected);
}

} // namespace
} // namespace ppsp::ppstp
