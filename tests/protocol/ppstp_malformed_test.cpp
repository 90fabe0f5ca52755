#include "protocol/ppstp/messages.hpp"

#include <gtest/gtest.h>

namespace ppsp::ppstp {
namespace {

std::string request(std::string_view type, std::string_view rest)
{
    return R"({"PPSPTrackerProtocol":{"version":1,"transaction_id":"t","peer_id":"p","request_type":")" +
           std::string(type) + "\"" + std::string(rest) + "}}";
}

std::string connect(std::string_view members)
{
    return request("CONNECT", R"(,"connect":{)" + std::string(members) + "}");
}

std::string stat(std::string_view members)
{
    return request("STAT_REPORT", R"(,"stat_report":{)" + std::string(members) + "}");
}

std::string repeat(std::string_view text, std::size_t count)
{
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        all += text;
    }
    return all;
}

std::string list_of(std::string_view entry, std::size_t count)
{
    return "[" + repeat(std::string(entry) + ",", count - 1) + std::string(entry) + "]";
}

constexpr std::string_view join = R"({"swarm_id":"s","action":"JOIN","peer_mode":"LEECH"})";
constexpr std::string_view address =
    R"({"ip_address":{"address_type":"ipv4","address":"192.0.2.2"},"port":1,"priority":1,"type":"HOST"})";

void expect_bad(std::string const& text, std::string_view reason_part,
                ErrorCode code = ErrorCode::bad_request)
{
    auto const parsed = parse_request(text);
    ASSERT_FALSE(parsed.has_value()) << text.substr(0, 200);
    EXPECT_EQ(parsed.error().code, code);
    EXPECT_NE(parsed.error().reason.find(reason_part), std::string::npos)
        << parsed.error().reason << " for " << text.substr(0, 200);
}

TEST(PpstpMalformed, documents_that_are_no_message)
{
    for (auto const* text :
         {"", " ", "{", "[]", "null", "1", "\"x\"", "{}", "{} {}", R"({"PPSPTrackerProtocol":[]})",
          R"({"PPSPTrackerProtocol":null})", R"({"PPSPTrackerProtocol":{}})"}) {
        EXPECT_FALSE(parse_request(text).has_value()) << text;
        EXPECT_FALSE(parse_response(text).has_value()) << text;
    }
}

TEST(PpstpMalformed, nesting_is_bounded)
{
    auto const nested = [](std::size_t depth) {
        return request("STAT_REPORT", ",\"x\":" + repeat("[", depth) + repeat("]", depth));
    };
    EXPECT_TRUE(parse_request(nested(json_depth_max - 4)).has_value());
    expect_bad(nested(json_depth_max + 1), "not JSON");
    expect_bad(nested(20'000), "not JSON");
}

TEST(PpstpMalformed, body_size_is_bounded)
{
    auto const base = request("STAT_REPORT", "");
    auto const fill = body_size_max - base.size();
    EXPECT_TRUE(parse_request(base + std::string(fill, ' ')).has_value());
    expect_bad(base + std::string(fill + 1, ' '), "larger than");
    EXPECT_FALSE(parse_response(std::string(response_size_max + 1, ' ')).has_value());
}

TEST(PpstpMalformed, numbers_out_of_range)
{
    for (auto const* number :
         {"-1", "4294967296", "1.5", "1e400", "1e30", "-0.5", "\"\"", "\"5x\"", "\"-5\"",
          "99999999999999999999999999", "\"99999999999999999999999999\"", "true", "[]", "{}"}) {
        SCOPED_TRACE(number);
        auto const text = connect(R"("peer_num":{"peer_count":)" + std::string(number) +
                                  R"(},"swarm_action":)" + std::string(join));
        EXPECT_FALSE(parse_request(text).has_value());
    }
    EXPECT_TRUE(parse_request(
                    connect(R"("peer_num":{"peer_count":5.0},"swarm_action":)" + std::string(join)))
                    .has_value());
}

TEST(PpstpMalformed, version_is_checked_and_the_transaction_id_repeated)
{
    for (auto const* version : {"0", "2", "255", "\"2\"", "18446744073709551615"}) {
        auto const parsed =
            parse_request(R"({"PPSPTrackerProtocol":{"transaction_id":"t-9","version":)" +
                          std::string(version) + "}}");
        ASSERT_FALSE(parsed.has_value());
        EXPECT_EQ(parsed.error().code, ErrorCode::unsupported_version) << version;
        EXPECT_EQ(parsed.error().transaction_id, "t-9");
    }
    expect_bad(R"({"PPSPTrackerProtocol":{"version":"one"}})", "version");
    expect_bad(R"({"PPSPTrackerProtocol":{"version":-1}})", "version");
}

TEST(PpstpMalformed, transaction_id_is_repeated_only_when_it_can_be_read)
{
    auto const echoed = [](std::string_view id) {
        auto const parsed = parse_request(
            R"({"PPSPTrackerProtocol":{"version":1,"request_type":"x","peer_id":"p","transaction_id":)" +
            std::string(id) + "}}");
        EXPECT_FALSE(parsed.has_value());
        return parsed ? std::string("?") : parsed.error().transaction_id;
    };
    EXPECT_EQ(echoed("\"abc\""), "abc");
    EXPECT_EQ(echoed("17"), "");
    EXPECT_EQ(echoed("\"a\\u0000b\""), "");
    EXPECT_EQ(echoed("\"" + std::string(id_size_max + 1, 'a') + "\""), "");
}

TEST(PpstpMalformed, texts_are_bounded_and_clean)
{
    auto const find = [](std::string_view id) {
        return request("FIND", R"(,"find":{"swarm_id":")" + std::string(id) + "\"}");
    };
    EXPECT_TRUE(parse_request(find(std::string(text_size_max, 'a'))).has_value());
    expect_bad(find(std::string(text_size_max + 1, 'a')), "too long");
    expect_bad(find(""), "empty");
    expect_bad(find("a\\nb"), "control");
    expect_bad(find("a\\u0000"), "control");
    expect_bad(find("\xc3\x28"), "not JSON"); // invalid UTF-8
    expect_bad(find("\xed\xa0\x80"), "not JSON");
    expect_bad(find("\\ud800"), "not JSON"); // half a surrogate pair
    EXPECT_TRUE(parse_request(find("\xc3\xa4")).has_value());
}

TEST(PpstpMalformed, connect_with_wrong_shapes)
{
    expect_bad(request("CONNECT", ""), "connect");
    expect_bad(request("CONNECT", R"(,"connect":[])"), "connect");
    expect_bad(connect(""), "swarm_action");
    expect_bad(connect(R"("swarm_action":[])"), "swarm_action");
    expect_bad(connect(R"("swarm_action":["x"])"), "swarm_action");
    expect_bad(connect(R"("swarm_action":"x")"), "swarm_action");
    expect_bad(connect(R"("swarm_action":{"swarm_id":"s","action":"join","peer_mode":"LEECH"})"),
               "action");
    expect_bad(connect(R"("swarm_action":{"swarm_id":"s","action":"JOIN","peer_mode":"X"})"),
               "peer_mode");
    expect_bad(connect(R"("swarm_action":{"swarm_id":7,"action":"JOIN","peer_mode":"LEECH"})"),
               "swarm_id");
}

TEST(PpstpMalformed, addresses_that_are_none)
{
    auto const with = [](std::string_view ip, std::string_view family, std::string_view port) {
        return connect(R"("peer_addr":{"ip_address":{"address_type":")" + std::string(family) +
                       R"(","address":")" + std::string(ip) + R"("},"port":)" + std::string(port) +
                       R"(},"swarm_action":)" + std::string(join));
    };
    EXPECT_TRUE(parse_request(with("192.0.2.1", "ipv4", "1")).has_value());
    EXPECT_TRUE(parse_request(with("2001:db8::1", "ipv6", "65535")).has_value());
    expect_bad(with("192.0.2.1", "ipv6", "1"), "address_type");
    expect_bad(with("example.com", "ipv4", "1"), "peer_addr");
    expect_bad(with("192.0.2.256", "ipv4", "1"), "peer_addr");
    expect_bad(with("192.0.2.1", "ipv4", "0"), "peer_addr");
    expect_bad(with("192.0.2.1", "ipv4", "65536"), "port");
}

TEST(PpstpMalformed, lists_are_bounded)
{
    auto const actions = [](std::size_t count) {
        return connect("\"swarm_action\":" + list_of(join, count));
    };
    EXPECT_TRUE(parse_request(actions(swarm_actions_max)).has_value());
    expect_bad(actions(swarm_actions_max + 1), "too many");

    auto const addresses = [](std::size_t count) {
        return connect("\"peer_addr\":" + list_of(address, count) +
                       ",\"swarm_action\":" + std::string(join));
    };
    EXPECT_TRUE(parse_request(addresses(peer_addresses_max)).has_value());
    expect_bad(addresses(peer_addresses_max + 1), "too many");

    auto const receipts = [](std::size_t count) {
        return stat("\"RECEIPTS\":" +
                    list_of(R"({"swarm_id":"s","sender":"192.0.2.1:7","bytes":1})", count));
    };
    EXPECT_TRUE(parse_request(receipts(receipts_max)).has_value());
    expect_bad(receipts(receipts_max + 1), "too many");

    auto const neighbours = [](std::size_t count) {
        return stat(R"("NEIGHBOURS":{"swarm_id":"s","endpoints":)" +
                    list_of(R"("192.0.2.1:7")", count) + "}");
    };
    EXPECT_TRUE(parse_request(neighbours(Neighbours::endpoints_max)).has_value());
    expect_bad(neighbours(Neighbours::endpoints_max + 1), "endpoints");

    auto const neighbour_groups = [](std::size_t count) {
        return stat("\"NEIGHBOURS\":" + list_of(R"({"swarm_id":"s","endpoints":[]})", count));
    };
    EXPECT_TRUE(parse_request(neighbour_groups(stats_max)).has_value());
    expect_bad(neighbour_groups(stats_max + 1), "too many");

    auto const stats = [](std::size_t count) {
        return stat(R"("type":"STREAM_STATS","stat":)" + list_of(R"({"swarm_id":"s"})", count));
    };
    EXPECT_TRUE(parse_request(stats(stats_max)).has_value());
    expect_bad(stats(stats_max + 1), "too many");

    auto const holes = [](std::size_t count) {
        return stat(
            R"("CONTENT_MAP":{"swarm_id":"s","newest":31,"chunks_per_unit":8,"window_units":4,"holes":)" +
            list_of("[1,2]", count) + "}");
    };
    EXPECT_TRUE(parse_request(holes(ContentMap::holes_max)).has_value());
    expect_bad(holes(ContentMap::holes_max + 1), "holes");
}

TEST(PpstpMalformed, statistics_with_wrong_shapes)
{
    expect_bad(request("STAT_REPORT", R"(,"stat_report":"x")"), "stat_report");
    expect_bad(stat(R"("type":7)"), "type");
    expect_bad(stat(R"("type":"STREAM_STATS","stat":[7])"), "STREAM_STATS");
    expect_bad(stat(R"("type":"STREAM_STATS","stat":{"swarm_id":"s","uploaded_bytes":"x"})"),
               "uploaded_bytes");
    expect_bad(stat(R"("CONTENT_MAP":{"swarm_id":"s"})"), "newest");
    expect_bad(stat(R"("CONTENT_MAP":{"swarm_id":"s","newest":1,"chunks_per_unit":1,)"
                    R"("window_units":1,"holes":[[1]]})"),
               "holes");
    expect_bad(stat(R"("RECEIPTS":{"swarm_id":"s","sender":"nobody","bytes":1})"), "sender");
    expect_bad(stat(R"("RECEIPTS":{"swarm_id":"s","bytes":1})"), "sender");
    expect_bad(stat(R"("NEIGHBOURS":"x")"), "NEIGHBOURS");
    expect_bad(stat(R"("NEIGHBOURS":["192.0.2.1:7"])"), "NEIGHBOURS");
    expect_bad(stat(R"("NEIGHBOURS":{"endpoints":[]})"), "swarm_id");
    expect_bad(stat(R"("NEIGHBOURS":{"swarm_id":"s"})"), "endpoints");
    expect_bad(stat(R"("NEIGHBOURS":{"swarm_id":"s","endpoints":"192.0.2.1:7"})"), "endpoints");
    for (auto const* entry : {"7", "null", "{}", R"("nobody")", R"("192.0.2.1")", R"("")"}) {
        expect_bad(stat(R"("NEIGHBOURS":{"swarm_id":"s","endpoints":["192.0.2.1:7",)" +
                        std::string(entry) + "]}"),
                   "endpoints");
    }
}

TEST(PpstpMalformed, responses_that_contradict_themselves)
{
    auto const response = [](std::string_view rest) {
        return parse_response(R"({"PPSPTrackerProtocol":{"version":1,"transaction_id":"t",)" +
                              std::string(rest) + "}}");
    };
    EXPECT_TRUE(response(R"("response_type":0,"error_code":0)").has_value());
    EXPECT_TRUE(response(R"("response_type":1,"error_code":"03")").has_value());
    EXPECT_FALSE(response(R"("response_type":0,"error_code":3)").has_value());
    EXPECT_FALSE(response(R"("response_type":1,"error_code":0)").has_value());
    EXPECT_FALSE(response(R"("response_type":1,"error_code":7)").has_value());
    EXPECT_FALSE(response(R"("response_type":2,"error_code":1)").has_value());
    EXPECT_FALSE(
        response(R"("response_type":0,"error_code":0,"swarm_result":{"swarm_id":"s","result":2})")
            .has_value());
    EXPECT_FALSE(
        response(
            R"("response_type":0,"error_code":0,"swarm_result":{"swarm_id":"s","result":0,"live":7})")
            .has_value());
}

TEST(PpstpMalformed, proven_uplinks_that_are_none)
{
    auto const result = [](std::string_view members) {
        return parse_response(
            R"({"PPSPTrackerProtocol":{"version":1,"transaction_id":"t","response_type":0,)"
            R"("error_code":0,"swarm_result":{"swarm_id":"s","result":0,)" +
            std::string(members) + "}}}");
    };
    constexpr std::string_view entry = R"({"endpoint":"192.0.2.1:7","kbps":1})";
    EXPECT_TRUE(result("\"proven\":" + list_of(entry, proven_max)).has_value());
    EXPECT_FALSE(result("\"proven\":" + list_of(entry, proven_max + 1)).has_value());
    EXPECT_TRUE(result("\"proven\":" + std::string(entry)).has_value());
    for (auto const* wrong : {"7", "[7]", "{}", R"({"endpoint":"192.0.2.1:7"})", R"({"kbps":1})",
                              R"({"endpoint":"nobody","kbps":1})", R"({"endpoint":7,"kbps":1})",
                              R"({"endpoint":"192.0.2.1:7","kbps":-1})",
                              R"({"endpoint":"192.0.2.1:7","kbps":4294967296})"}) {
        EXPECT_FALSE(result("\"proven\":" + std::string(wrong)).has_value()) << wrong;
    }
    auto const peer = [&result](std::string_view kbps) {
        return result(R"("peer_group":{"peer_info":{"peer_id":"p","peer_addr":)" +
                      std::string(address) + ",\"proven_kbps\":" + std::string(kbps) + "}}");
    };
    EXPECT_TRUE(peer("1").has_value());
    EXPECT_TRUE(peer("null").has_value());
    EXPECT_FALSE(peer("-1").has_value());
    EXPECT_FALSE(peer("4294967296").has_value());
    EXPECT_FALSE(peer("\"fast\"").has_value());
}

TEST(PpstpMalformed, every_prefix_of_a_message_is_refused)
{
    auto const text = connect(R"("peer_addr":)" + std::string(address) +
                              ",\"swarm_action\":" + std::string(join));
    ASSERT_TRUE(parse_request(text).has_value());
    for (std::size_t size = 0; size < text.size(); ++size) {
        EXPECT_FALSE(parse_request(text.substr(0, size)).has_value()) << size;
    }
}

} // namespace
} // namespace ppsp::ppstp
