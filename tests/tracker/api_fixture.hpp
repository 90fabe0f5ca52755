#pragma once

#include "tracker/api/api.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

/// An Api on a clock of its own, and what peers ask it.
namespace ppsp::tracker::api_test {

using ppstp::Action;
using ppstp::ErrorCode;
using ppstp::PeerMode;

inline constexpr TimePoint start{std::chrono::hours{1}};
inline constexpr std::string_view loopback = "127.0.0.1:40000";

inline ppstp::Connect join(std::string swarm, PeerMode mode = PeerMode::leech,
                           std::uint16_t port = 6778, std::string_view address = "127.0.0.1")
{
    ppstp::Connect connect;
    connect.swarm_actions.push_back({std::move(swarm), Action::join, mode});
    connect.peer_addresses.emplace_back().endpoint = *Endpoint::parse_address(address, port);
    return connect;
}

inline ppstp::Connect leave(std::string swarm)
{
    ppstp::Connect connect;
    connect.swarm_actions.push_back({std::move(swarm), Action::leave, PeerMode::leech});
    return connect;
}

class ApiTest : public testing::Test {
protected:
    ApiTest() { restart({}); }

    void restart(Limits const& limits, std::optional<AllowList> allow_list = {})
    {
        api_.emplace(start, limits, std::move(allow_list), Rng(1));
    }

    ApiReply raw(std::string_view body, std::string_view source = loopback)
    {
        return api_->handle(now_,
                            {"POST", "/ppstp", ppstp::media_type, body, *Endpoint::parse(source)});
    }

    template <typename Body>
    ppstp::Response ask(std::string const& peer, Body body, std::string_view source = loopback)
    {
        ppstp::Request const request{"t" + std::to_string(next_id_++), peer, std::move(body)};
        last_ = raw(ppstp::to_json(request), source);
        auto response = ppstp::parse_response(last_.body);
        EXPECT_TRUE(response.has_value()) << last_.body;
        EXPECT_EQ(response->transaction_id, request.transaction_id);
        EXPECT_EQ(last_.status, ppstp::http_status(response->error));
        return *response;
    }

    boost::json::value status()
    {
        return boost::json::parse(
            api_->handle(now_, {"GET", "/status", "", "", *Endpoint::parse(loopback)}).body);
    }
    std::size_t peers() { return api_->service().registry().peer_count(); }

    std::optional<Api> api_;
    ApiReply last_;
    TimePoint now_ = start;
    int next_id_ = 0;
};

} // namespace ppsp::tracker::api_test
