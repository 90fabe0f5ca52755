#include "protocol/net/http_client.hpp"
#include "tracker/shell/server.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace ppsp::tracker {
namespace {

using ppstp::Action;
using ppstp::ErrorCode;
using ppstp::PeerMode;

ppstp::Connect join(std::string swarm, PeerMode mode, std::uint16_t port)
{
    ppstp::Connect connect;
    connect.swarm_actions.push_back({std::move(swarm), Action::join, mode});
    connect.peer_addresses.emplace_back().endpoint = Endpoint::v4(0x7f00'0001, port);
    return connect;
}

class ShellServer : public testing::Test {
protected:
    ShellServer()
    {
        std::string pattern = testing::TempDir() + "ppsp-tracker-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
    }
    ~ShellServer() override { std::filesystem::remove_all(folder_); }

    void serve(ServerOptions options = {})
    {
        options.listen = Endpoint::v4(0x7f00'0001, 0);
        auto opened = Server::open(context_.get_executor(), options);
        ASSERT_TRUE(opened.has_value()) << opened.error();
        server_ = std::move(*opened);
    }

    std::unique_ptr<net::HttpClient> client()
    {
        return std::make_unique<net::HttpClient>(context_.get_executor(),
                                                 *net::parse_url(server_->url()));
    }

    net::HttpResponse await(net::awaitable<Result<net::HttpResponse, net::HttpError>> operation)
    {
        std::optional<Result<net::HttpResponse, net::HttpError>> result;
        net::co_spawn(context_, std::move(operation),
                      [&result](std::exception_ptr, auto value) { result = std::move(value); });
        context_.restart();
        while (!result && context_.run_one() > 0) {
        }
        EXPECT_TRUE(result && result->has_value());
        return result && *result ? **result : net::HttpResponse{};
    }

    template <typename Body>
    ppstp::Response ask(net::HttpClient& through, std::string const& peer, Body body)
    {
        ppstp::Request const request{"t" + std::to_string(next_id_++), peer, std::move(body)};
        last_ =
            await(through.post("/ppstp", std::string(ppstp::media_type), ppstp::to_json(request)));
        auto response = ppstp::parse_response(last_.body);
        EXPECT_TRUE(response.has_value()) << last_.body;
        return response ? *response : ppstp::Response{};
    }

    std::filesystem::path folder_;
    net::io_context context_;
    std::unique_ptr<Server> server_;
    net::HttpResponse last_;
    int next_id_ = 0;
};

TEST_F(ShellServer, two_peers_find_each_other)
{
    serve();
    auto const one = client();
    auto const two = client();
    EXPECT_EQ(ask(*one, "source", join("s", PeerMode::seeder, 1111)).error, ErrorCode::none);
    auto const joined = ask(*two, "viewer", join("s", PeerMode::leech, 2222));
    ASSERT_EQ(joined.swarm_results.size(), 1u);
    ASSERT_EQ(joined.swarm_results[0].peers.size(), 1u);
    EXPECT_EQ(joined.swarm_results[0].peers[0].address.endpoint, Endpoint::v4(0x7f00'0001, 1111));
    EXPECT_EQ(last_.header("content-type"), ppstp::media_type);
    for (int i = 0; i < 15; ++i) {
        EXPECT_EQ(ask(*two, "viewer", ppstp::StatReport{}).error, ErrorCode::none);
    }
    EXPECT_EQ(two->connection_count(), 1u);
}

TEST_F(ShellServer, errors_have_their_status_and_a_body)
{
    serve();
    auto const one = client();
    EXPECT_EQ(ask(*one, "nobody", ppstp::StatReport{}).error, ErrorCode::forbidden);
    EXPECT_EQ(last_.status, 403u);
    ask(*one, "p", join("s", PeerMode::leech, 1111));
    ErrorCode error = ErrorCode::none;
    for (int i = 0; i < 1000 && error == ErrorCode::none; ++i) {
        error = ask(*one, "p", ppstp::StatReport{}).error;
    }
    EXPECT_EQ(error, ErrorCode::unavailable);
    EXPECT_EQ(last_.status, 503u);
    EXPECT_EQ(last_.header("retry-after"), "2");
    EXPECT_EQ(await(one->post("/ppstp", "application/ppsp-tracker+json",
                              std::string(ppstp::body_size_max + 1, ' ')))
                  .status,
              413u);
}

TEST_F(ShellServer, pages)
{
    serve();
    auto const one = client();
    EXPECT_EQ(await(one->get("/healthz")).body, "ok\n");
    auto const status = await(one->get("/status"));
    EXPECT_EQ(status.header("content-type"), "application/json");
    EXPECT_NE(status.body.find("\"peers\":0"), std::string::npos);
    auto const metrics = await(one->get("/metrics"));
    EXPECT_NE(metrics.body.find("ppsp_tracker_http_connections 1\n"), std::string::npos);
    EXPECT_NE(metrics.body.find("ppsp_tracker_peers 0\n"), std::string::npos);
    EXPECT_EQ(await(one->get("/nothing")).status, 404u);
    auto const wrong = await(one->get("/ppstp"));
    EXPECT_EQ(wrong.status, 405u);
    EXPECT_EQ(wrong.header("allow"), "POST");
}

TEST_F(ShellServer, an_allow_list_from_a_file)
{
    ServerOptions options;
    options.allow_list_file = folder_ / "swarms.txt";
    std::ofstream(options.allow_list_file) << "ab01\n";
    serve(options);
    auto const one = client();
    EXPECT_EQ(ask(*one, "p", join("ab01", PeerMode::seeder, 1)).error, ErrorCode::none);
    EXPECT_EQ(ask(*one, "q", join("ab02", PeerMode::seeder, 1)).error, ErrorCode::forbidden);
}

TEST_F(ShellServer, what_cannot_be_opened_is_named)
{
    ServerOptions options;
    options.listen = Endpoint::v4(0x7f00'0001, 0);
    options.allow_list_file = folder_ / "none.txt";
    auto const missing = Server::open(context_.get_executor(), options);
    ASSERT_FALSE(missing.has_value());
    EXPECT_NE(missing.error().find("none.txt"), std::string::npos);

    options.allow_list_file = folder_ / "bad.txt";
    std::ofstream(options.allow_list_file) << "ab01\nnot hex\n";
    auto const bad = Server::open(context_.get_executor(), options);
    ASSERT_FALSE(bad.has_value());
    EXPECT_NE(bad.error().find("line 2"), std::string::npos);

    serve();
    ServerOptions taken;
    taken.listen = server_->local_endpoint();
    auto const second = Server::open(context_.get_executor(), taken);
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().find("in use"), std::string::npos);
}

TEST_F(ShellServer, stop_leaves_no_work)
{
    serve();
    auto const one = client();
    await(one->get("/healthz"));
    server_->stop();
    one->close();
    context_.restart();
    context_.run(); // returns
    server_.reset();
}

TEST_F(ShellServer, a_restarted_tracker_is_filled_again)
{
    serve();
    auto const one = client();
    ask(*one, "p", join("s", PeerMode::seeder, 1111));
    auto const port = server_->local_endpoint().port();
    server_.reset();
    ServerOptions options;
    options.listen = Endpoint::v4(0x7f00'0001, port);
    auto again = Server::open(context_.get_executor(), options);
    ASSERT_TRUE(again.has_value()) << again.error();
    server_ = std::move(*again);
    EXPECT_EQ(ask(*one, "p", ppstp::StatReport{}).error, ErrorCode::forbidden);
    EXPECT_EQ(ask(*one, "p", join("s", PeerMode::seeder, 1111)).error, ErrorCode::none);
}

} // namespace
} // namespace ppsp::tracker
