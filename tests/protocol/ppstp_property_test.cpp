#include "protocol/ppstp/messages.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace ppsp::ppstp {
namespace {

using rc::gen::arbitrary;

std::string any_text()
{
    static std::vector<std::string> const pieces{
        "a", "Z", "0", "\"", "\\", " ", "/", "'", "\xc3\xa4", "\xe2\x82\xac", "<b>", "{}", ":"};
    std::string text = *rc::gen::elementOf(pieces);
    for (auto const& piece :
         *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(pieces))) {
        text += piece;
    }
    return text.substr(0, text.find('\0'));
}

std::string any_id()
{
    auto const number = *arbitrary<std::uint64_t>();
    return "id-" + std::to_string(number);
}

template <typename Number>
Number any_number()
{
    return *rc::gen::weightedOneOf<Number>({{4, arbitrary<Number>()},
                                            {1, rc::gen::just(std::numeric_limits<Number>::max())},
                                            {1, rc::gen::just(Number{0})}});
}

template <typename Value, typename Make>
std::optional<Value> maybe(Make make)
{
    return *arbitrary<bool>() ? std::optional<Value>(make()) : std::nullopt;
}

template <typename Make>
auto several(std::size_t count_max, Make make)
{
    std::vector<decltype(make())> all;
    auto const count = *rc::gen::inRange<std::size_t>(0, count_max + 1);
    for (std::size_t i = 0; i < count; ++i) {
        all.push_back(make());
    }
    return all;
}

Endpoint any_endpoint()
{
    auto const port = static_cast<std::uint16_t>(*rc::gen::inRange(1, 65536));
    if (*arbitrary<bool>()) {
        return Endpoint::v4(any_number<std::uint32_t>(), port);
    }
    std::array<std::uint8_t, 16> address{0x20, 0x01};
    for (std::size_t i = 2; i < address.size(); ++i) {
        address[i] = any_number<std::uint8_t>();
    }
    return Endpoint::v6(address, port);
}

PeerAddress any_address()
{
    PeerAddress address;
    address.endpoint = any_endpoint();
    address.priority = any_number<std::uint32_t>();
    address.type = *rc::gen::element(AddressType::host, AddressType::reflexive, AddressType::proxy);
    address.connection = maybe<std::string>(any_text);
    address.asn = maybe<std::string>(any_text);
    address.peer_protocol = maybe<std::string>(any_text);
    return address;
}

PeerNumber any_peer_number()
{
    PeerNumber number;
    number.peer_count = any_number<std::uint32_t>();
    if (*arbitrary<bool>()) {
        number.ability_nat =
            *rc::gen::element(NatAbility::none, NatAbility::stun, NatAbility::turn);
    }
    number.concurrent_links = maybe<std::uint32_t>(any_number<std::uint32_t>);
    number.online_time_s = maybe<std::uint64_t>(any_number<std::uint64_t>);
    number.upload_bandwidth_kbps = maybe<std::uint64_t>(any_number<std::uint64_t>);
    return number;
}

Connect any_connect()
{
    Connect connect;
    connect.peer_num = maybe<PeerNumber>(any_peer_number);
    connect.peer_addresses = several(4, any_address);
    connect.swarm_actions = several(4, [] {
        return SwarmAction{any_text(), *rc::gen::element(Action::join, Action::leave),
                           *rc::gen::element(PeerMode::seeder, PeerMode::leech)};
    });
    connect.swarm_actions.push_back({any_text(), Action::join, PeerMode::leech});
    return connect;
}

ContentMap any_content_map()
{
    ContentMap map;
    map.swarm_id = any_text();
    map.newest = ChunkId{any_number<std::uint64_t>()};
    map.chunks_per_unit = any_number<std::uint32_t>();
    map.window_units = any_number<std::uint32_t>();
    map.holes = several(ContentMap::holes_max, [] {
        return ContentMap::Hole{any_number<std::uint32_t>(), any_number<std::uint32_t>()};
    });
    map.random_access = maybe<ChunkId>([] { return ChunkId{any_number<std::uint64_t>()}; });
    return map;
}

StatReport any_report()
{
    StatReport report;
    report.stream_stats = several(3, [] {
        return StreamStats{any_text(), any_number<std::uint64_t>(), any_number<std::uint64_t>(),
                           any_number<std::uint64_t>(), any_number<std::uint32_t>()};
    });
    report.content_maps = several(3, any_content_map);
    report.peer_status = several(3, [] {
        return PeerStatus{any_text(),
                          any_number<std::uint64_t>(),
                          any_number<std::uint32_t>(),
                          any_number<std::uint32_t>(),
                          any_number<std::uint32_t>(),
                          any_number<std::uint32_t>(),
                          any_number<std::uint32_t>()};
    });
    report.receipts =
        several(3, [] { return Receipt{any_text(), any_endpoint(), any_number<std::uint64_t>()}; });
    report.neighbours = several(3, [] { return Neighbours{any_text(), several(4, any_endpoint)}; });
    return report;
}

Request any_request()
{
    Request request{any_id(), any_id(), StatReport{}};
    switch (*rc::gen::inRange(0, 3)) {
    case 0:
        request.body = any_connect();
        break;
    case 1:
        request.body = Find{any_text(), maybe<PeerNumber>(any_peer_number)};
        break;
    default:
        request.body = any_report();
    }
    return request;
}

SwarmResult any_swarm_result()
{
    SwarmResult result;
    result.swarm_id = any_text();
    result.result = *rc::gen::element(std::uint8_t{0}, std::uint8_t{1});
    result.peers =
        several(4, [] { return PeerInfo{any_id(), any_address(), any_number<std::uint32_t>()}; });
    result.has_peer_group = !result.peers.empty() || *arbitrary<bool>();
    result.live = maybe<LiveEdge>([] {
        return LiveEdge{ChunkId{any_number<std::uint64_t>()}, any_number<std::uint32_t>(),
                        maybe<ChunkId>([] { return ChunkId{any_number<std::uint64_t>()}; }),
                        any_number<std::uint32_t>()};
    });
    result.proven =
        several(4, [] { return ProvenUplink{any_endpoint(), any_number<std::uint32_t>()}; });
    return result;
}

Response any_response()
{
    Response response;
    response.error = ErrorCode{static_cast<std::uint8_t>(*rc::gen::inRange(0, 7))};
    response.transaction_id = any_id();
    response.peer_address = maybe<PeerAddress>(any_address);
    response.swarm_results = several(4, any_swarm_result);
    response.reason = maybe<std::string>(any_text).value_or("");
    return response;
}

TEST(PpstpProperty, a_request_read_back_is_the_same)
{
    EXPECT_TRUE(rc::check([] {
        auto const request = any_request();
        auto const parsed = parse_request(to_json(request));
        RC_ASSERT(parsed.has_value());
        RC_ASSERT(*parsed == request);
    }));
}

TEST(PpstpProperty, a_response_read_back_is_the_same)
{
    EXPECT_TRUE(rc::check([] {
        auto const response = any_response();
        auto const parsed = parse_response(to_json(response));
        RC_ASSERT(parsed.has_value());
        RC_ASSERT(*parsed == response);
    }));
}

TEST(PpstpProperty, a_damaged_message_is_refused_or_read_but_never_harms)
{
    EXPECT_TRUE(rc::check([] {
        auto text = to_json(any_request());
        auto const position = *rc::gen::inRange<std::size_t>(0, text.size());
        text[position] = *arbitrary<char>();
        auto const parsed = parse_request(text);
        RC_ASSERT(parsed.has_value() || !parsed.error().reason.empty());
        auto const response = parse_response(text);
        RC_ASSERT(response.has_value() || !response.error().reason.empty());
    }));
}

} // namespace
} // namespace ppsp::ppstp
