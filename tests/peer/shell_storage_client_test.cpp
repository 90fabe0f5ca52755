#include "peer/shell/storage_client.hpp"
#include "protocol/net/http_client.hpp"
#include "protocol/net/http_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <map>

namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;

struct Answer {
    unsigned status = 0;
    std::string body;
};

struct StorageClientTest : testing::Test {
    std::uint16_t serve(net::HttpHandler handler)
    {
        net::HttpServerOptions options;
        options.listen = Endpoint::v4(0x7f00'0001, 0);
        auto opened = net::HttpServer::open(context.get_executor(), options, std::move(handler));
        EXPECT_TRUE(opened.has_value());
        servers.push_back(*std::move(opened));
        return servers.back()->local_endpoint().port();
    }
    /// Accepts connections and says nothing.
    std::uint16_t be_silent()
    {
        silent.emplace(context, tcp::endpoint{boost::asio::ip::address_v4::loopback(), 0});
        accept();
        return silent->local_endpoint().port();
    }
    void accept()
    {
        silent->async_accept([this](boost::system::error_code const& error, tcp::socket socket) {
            if (!error) {
                accepted.push_back(std::move(socket));
                accept();
            }
        });
    }
    void open(std::uint16_t port, std::string target = "/", std::string token = {})
    {
        client = std::make_unique<StorageClient>(
            context,
            std::vector<StorageClient::Server>{
                {{false, "127.0.0.1", port, std::move(target)}, std::move(token)}},
            [this](Input const& input) {
                auto const& finished = std::get<FetchFinished>(input);
                answers[finished.fetch] = {finished.status,
                                           {finished.body.begin(), finished.body.end()}};
                ++fed;
            });
    }
    FetchWanted wanted(FetchId fetch, Duration timeout = 5s) const
    {
        FetchWanted result;
        result.fetch = fetch;
        result.path = "/decade/v1/live/0d/index";
        result.size_max = 1000;
        result.timeout = timeout;
        return result;
    }
    void run_until(std::size_t answered)
    {
        auto const end = std::chrono::steady_clock::now() + 20s;
        while (fed < answered && std::chrono::steady_clock::now() < end) {
            context.run_one_for(1s);
        }
        EXPECT_EQ(fed, answered);
    }

    boost::asio::io_context context;
    std::vector<std::unique_ptr<net::HttpServer>> servers;
    std::optional<tcp::acceptor> silent;
    std::vector<tcp::socket> accepted;
    std::unique_ptr<StorageClient> client;
    std::map<FetchId, Answer> answers;
    std::size_t fed = 0;
};

net::HttpReply say(unsigned status, std::string body)
{
    net::HttpReply reply;
    reply.status = status;
    reply.body = std::move(body);
    return reply;
}

/// Accepts once, reads a request's head, says `answer` and closes.
net::awaitable<void> say_once(tcp::acceptor* acceptor, std::string answer, std::string* request)
{
    auto [error, socket] = co_await acceptor->async_accept(net::use_tuple);
    co_await boost::asio::async_read_until(socket, boost::asio::dynamic_buffer(*request),
                                           "\r\n\r\n", net::use_tuple);
    co_await boost::asio::async_write(socket, boost::asio::buffer(answer), net::use_tuple);
}

TEST_F(StorageClientTest, asks_for_path_and_range_with_its_token_and_gives_what_came)
{
    tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), 0});
    std::string request;
    net::co_spawn(context,
                  say_once(&acceptor, "HTTP/1.1 206 OK\r\nContent-Length: 4\r\n\r\npart", &request),
                  net::detached);
    open(acceptor.local_endpoint().port(), "/channels/?key=1", "secret");
    FetchWanted fetch = wanted(7);
    fetch.range = {20, 23};
    client->fetch(fetch);
    EXPECT_EQ(fed, 0U) << "the engine is busy";
    run_until(1);
    EXPECT_EQ(answers[7].status, 206U);
    EXPECT_EQ(answers[7].body, "part");
    EXPECT_TRUE(request.starts_with("GET /channels/decade/v1/live/0d/index HTTP/1.1\r\n"))
        << request;
    EXPECT_NE(request.find("Range: bytes=20-23\r\n"), std::string::npos) << request;
    EXPECT_NE(request.find("Authorization: Bearer secret\r\n"), std::string::npos) << request;
}

TEST_F(StorageClientTest, what_is_never_answered_fails_when_its_time_is_over)
{
    open(be_silent());
    constexpr std::size_t fetches = 2 * StorageClient::connections_max;
    auto const began = std::chrono::steady_clock::now();
    for (FetchId fetch = 0; fetch < fetches; ++fetch) {
        client->fetch(wanted(fetch, 200ms));
    }
    while (accepted.size() < StorageClient::connections_max && fed == 0) {
        context.run_one_for(1s);
    }
    context.poll();
    EXPECT_TRUE(accepted.size() <= StorageClient::connections_max || fed > 0);
    run_until(fetches);
    auto const took = std::chrono::steady_clock::now() - began;
    EXPECT_GE(took, 200ms);
    EXPECT_LT(took, 5s);
    EXPECT_EQ(answers.size(), fetches);
    for (auto const& [fetch, answer] : answers) {
        EXPECT_EQ(answer.status, 0U) << fetch;
    }
    context.poll();
    EXPECT_LE(accepted.size(), StorageClient::connections_max)
        << "those whose time was over while they waited are not asked for any more";
}

TEST_F(StorageClientTest, an_answer_that_is_too_large_is_none)
{
    open(serve([](net::HttpRequest const&) { return say(200, std::string(1001, 'x')); }));
    client->fetch(wanted(1));
    run_until(1);
    EXPECT_EQ(answers[1].status, 0U);
    EXPECT_TRUE(answers[1].body.empty());
}

TEST_F(StorageClientTest, a_server_that_is_away_fails_each_fetch_once)
{
    std::uint16_t const port = be_silent();
    silent.reset();
    open(port);
    client->fetch(wanted(1));
    client->fetch(wanted(2));
    run_until(2);
    EXPECT_EQ(answers[1].status, 0U);
    EXPECT_EQ(answers[2].status, 0U);
}

TEST_F(StorageClientTest, who_is_gone_is_told_nothing)
{
    open(be_silent());
    client->fetch(wanted(1, 100ms));
    context.run_for(20ms);
    client.reset();
    context.run_for(300ms);
    EXPECT_EQ(fed, 0U);
}

} // namespace
} // namespace ppsp::peer
