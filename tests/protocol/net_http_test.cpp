#include "protocol/net/address.hpp"
#include "protocol/net/http_client.hpp"
#include "protocol/net/http_server.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

namespace ppsp::net {
namespace {

using boost::asio::ip::tcp;
using Exchanged = Result<HttpResponse, HttpError>;

Endpoint loopback(std::uint16_t port = 0)
{
    return Endpoint::v4(0x7f00'0001, port);
}

/// A server and what a test needs around it, all on one thread.
class NetHttp : public testing::Test {
protected:
    void serve(HttpHandler handler, HttpServerOptions options = {})
    {
        options.listen = loopback();
        auto opened = HttpServer::open(context_.get_executor(), options, std::move(handler));
        ASSERT_TRUE(opened.has_value()) << opened.error();
        server_ = std::move(*opened);
    }

    [[nodiscard]] Url url() const
    {
        return {false, "127.0.0.1", server_->local_endpoint().port(), "/"};
    }

    [[nodiscard]] std::unique_ptr<HttpClient> client(HttpClientOptions options = {})
    {
        return std::make_unique<HttpClient>(context_.get_executor(), url(), options);
    }

    /// Runs until the operation is over.
    template <typename T>
    T await(awaitable<T> operation)
    {
        std::optional<T> result;
        co_spawn(context_, std::move(operation), [&result](std::exception_ptr error, T value) {
            ASSERT_FALSE(error);
            result.emplace(std::move(value));
        });
        context_.restart();
        while (!result && context_.run_one() > 0) {
        }
        return std::move(*result);
    }

    Exchanged post(HttpClient& client, std::string body)
    {
        return await(client.post("/ppstp", "application/x-test", std::move(body)));
    }

    io_context context_;
    std::unique_ptr<HttpServer> server_;
};

HttpReply echo(HttpRequest const& request)
{
    HttpReply reply;
    reply.content_type = request.content_type;
    reply.body = std::string(request.method) + " " + std::string(request.target) + " " +
                 std::string(request.body);
    reply.headers.push_back({"X-From", request.remote.address_text()});
    return reply;
}

TEST_F(NetHttp, post_and_get_arrive_and_come_back)
{
    serve(echo);
    auto const one = client();
    auto const posted = post(*one, "hello");
    ASSERT_TRUE(posted.has_value()) << to_text(posted.error());
    EXPECT_EQ(posted->status, 200u);
    EXPECT_EQ(posted->body, "POST /ppstp hello");
    EXPECT_EQ(posted->header("content-type"), "application/x-test");
    EXPECT_EQ(posted->header("x-from"), "127.0.0.1");
    EXPECT_TRUE(posted->header("date").has_value());
    auto const got = await(one->get("/status?x=1"));
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->body, "GET /status?x=1 ");
}

TEST_F(NetHttp, other_methods_carry_headers_and_a_body)
{
    serve([](HttpRequest const& request) {
        auto reply = echo(request);
        reply.body += " " + std::string(request.authorization);
        return reply;
    });
    auto const one = client();
    HttpCall call;
    call.method = "PUT";
    call.target = "/x";
    call.headers = {{"Authorization", "Bearer t"}, {"Content-Type", "video/mp2t"}};
    call.body = "bytes";
    auto const put = await(one->call(call));
    ASSERT_TRUE(put.has_value()) << to_text(put.error());
    EXPECT_EQ(put->body, "PUT /x bytes Bearer t");
    EXPECT_EQ(put->header("content-type"), "video/mp2t");
    call.method = "DELETE";
    call.body.clear();
    EXPECT_EQ(await(one->call(call))->body, "DELETE /x  Bearer t");
    call.method = "FLY";
    EXPECT_EQ(await(one->call(call)).error(), HttpError::bad_url);
}

TEST_F(NetHttp, the_connection_is_kept)
{
    serve(echo);
    auto const one = client();
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(post(*one, "x").has_value());
    }
    EXPECT_EQ(one->connection_count(), 1u);
    EXPECT_EQ(server_->counters().connections, 1u);
    EXPECT_EQ(server_->counters().requests, 20u);
}

TEST_F(NetHttp, a_connection_that_the_server_ended_is_made_again)
{
    serve(echo);
    auto const one = client();
    ASSERT_TRUE(post(*one, "a").has_value());
    auto const port = server_->local_endpoint().port();
    server_.reset();
    HttpServerOptions options;
    options.listen = loopback(port);
    auto again = HttpServer::open(context_.get_executor(), options, echo);
    ASSERT_TRUE(again.has_value()) << again.error();
    server_ = std::move(*again);
    auto const second = post(*one, "b");
    ASSERT_TRUE(second.has_value()) << to_text(second.error());
    EXPECT_EQ(one->connection_count(), 2u);
}

TEST_F(NetHttp, an_idle_connection_is_closed_by_the_server)
{
    HttpServerOptions options;
    options.idle_timeout = std::chrono::milliseconds{20};
    serve(echo, options);
    auto const one = client();
    ASSERT_TRUE(post(*one, "a").has_value());
    while (server_->counters().open_connections > 0) {
        context_.run_one();
    }
    EXPECT_TRUE(post(*one, "b").has_value());
    EXPECT_EQ(one->connection_count(), 2u);
}

TEST_F(NetHttp, error_statuses_are_responses)
{
    serve([](HttpRequest const&) {
        HttpReply reply;
        reply.status = 503;
        reply.headers.push_back({"Retry-After", "7"});
        reply.body = "busy";
        return reply;
    });
    auto const response = post(*client(), "x");
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status, 503u);
    EXPECT_EQ(response->header("Retry-After"), "7");
    EXPECT_EQ(response->body, "busy");
}

TEST_F(NetHttp, a_handler_that_throws_costs_one_request)
{
    serve([](HttpRequest const& request) -> HttpReply {
        if (request.body == "bad") {
            throw std::bad_alloc();
        }
        return {};
    });
    auto const one = client();
    EXPECT_EQ(post(*one, "bad")->status, 500u);
    EXPECT_EQ(post(*one, "good")->status, 200u);
    EXPECT_EQ(one->connection_count(), 1u);
}

TEST_F(NetHttp, bodies_are_bounded)
{
    HttpServerOptions options;
    options.body_size_max = 1000;
    serve(echo, options);
    EXPECT_EQ(post(*client(), std::string(1000, 'x'))->status, 200u);
    EXPECT_EQ(post(*client(), std::string(1001, 'x'))->status, 413u);
    EXPECT_EQ(post(*client(), std::string(200'000, 'x'))->status, 413u);
    EXPECT_EQ(server_->counters().bad_requests, 2u);
}

TEST_F(NetHttp, headers_are_bounded)
{
    HttpServerOptions options;
    options.header_size_max = 2000;
    serve(echo, options);
    EXPECT_EQ(await(client()->get("/" + std::string(1500, 'x')))->status, 200u);
    EXPECT_EQ(await(client()->get("/" + std::string(2500, 'x')))->status, 431u);
    EXPECT_EQ(await(client()->get("/" + std::string(60'000, 'x')))->status, 431u);
}

TEST_F(NetHttp, connections_are_bounded)
{
    HttpServerOptions options;
    options.connections_max = 3;
    serve(echo, options);
    std::vector<std::unique_ptr<HttpClient>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(client());
        ASSERT_TRUE(post(*clients.back(), "x").has_value());
    }
    auto const refused = post(*client(), "x");
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error(), HttpError::connection_lost);
    EXPECT_GE(server_->counters().refused, 1u);
    EXPECT_EQ(server_->counters().open_connections, 3u);
    clients.pop_back();
    while (server_->counters().open_connections == 3) {
        context_.run_one();
    }
    EXPECT_TRUE(post(*client(), "x").has_value());
}

TEST_F(NetHttp, nobody_there)
{
    tcp::acceptor placeholder(context_, tcp::endpoint(tcp::v4(), 0));
    auto const port = placeholder.local_endpoint().port();
    placeholder.close();
    HttpClient lonely(context_.get_executor(), {false, "127.0.0.1", port, "/"});
    auto const response = post(lonely, "x");
    ASSERT_FALSE(response.has_value());
    EXPECT_EQ(response.error(), HttpError::connect_failed);
}

TEST_F(NetHttp, an_unknown_host_name)
{
    HttpClient lost(context_.get_executor(), {false, "no-such-host.invalid", 80, "/"});
    auto const response = post(lost, "x");
    ASSERT_FALSE(response.has_value());
    EXPECT_NE(response.error(), HttpError::bad_response);
}

TEST_F(NetHttp, a_silent_server_is_a_timeout)
{
    tcp::acceptor silent(context_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    HttpClientOptions options;
    options.timeout = std::chrono::milliseconds{30};
    HttpClient patient(context_.get_executor(),
                       {false, "127.0.0.1", silent.local_endpoint().port(), "/"}, options);
    auto const response = post(patient, "x");
    ASSERT_FALSE(response.has_value());
    EXPECT_EQ(response.error(), HttpError::timeout);
}

/// Accepts once, reads a request head, says `answer` and closes.
awaitable<void> say_once(tcp::acceptor* acceptor, std::string answer)
{
    auto [error, socket] = co_await acceptor->async_accept(use_tuple);
    std::string request;
    co_await boost::asio::async_read_until(socket, boost::asio::dynamic_buffer(request), "\r\n\r\n",
                                           use_tuple);
    co_await boost::asio::async_write(socket, boost::asio::buffer(answer), use_tuple);
}

TEST_F(NetHttp, answers_that_are_no_http)
{
    tcp::acceptor acceptor(context_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    Url const where{false, "127.0.0.1", acceptor.local_endpoint().port(), "/"};
    auto const answered = [&](std::string answer) {
        HttpClientOptions options;
        options.response_size_max = 100;
        HttpClient one(context_.get_executor(), where, options);
        co_spawn(context_, say_once(&acceptor, std::move(answer)), detached);
        auto const response = await(one.get("/"));
        EXPECT_FALSE(response.has_value());
        return response.error();
    };
    EXPECT_EQ(answered("garbage\r\n\r\n"), HttpError::bad_response);
    EXPECT_EQ(answered(""), HttpError::connection_lost);
    EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
              HttpError::connection_lost);
    EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"),
              HttpError::response_too_large);
    EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"),
              HttpError::response_too_large);
}

TEST_F(NetHttp, one_request_at_a_time)
{
    serve(echo);
    auto const one = client();
    std::optional<Exchanged> first;
    co_spawn(context_, one->post("/", "a", "first"),
             [&first](std::exception_ptr, Exchanged result) { first = std::move(result); });
    auto const second = post(*one, "second");
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error(), HttpError::busy);
    while (!first) {
        context_.run_one();
    }
    EXPECT_TRUE(first->has_value());
}

awaitable<std::shared_ptr<tcp::socket>> accept_one(tcp::acceptor* acceptor)
{
    auto [error, socket] = co_await acceptor->async_accept(use_tuple);
    co_return std::make_shared<tcp::socket>(std::move(socket));
}

TEST_F(NetHttp, close_ends_a_request_under_way)
{
    tcp::acceptor silent(context_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    HttpClient one(context_.get_executor(),
                   {false, "127.0.0.1", silent.local_endpoint().port(), "/"});
    std::optional<Exchanged> result;
    co_spawn(context_, one.get("/"),
             [&result](std::exception_ptr, Exchanged value) { result = std::move(value); });
    auto const socket = await(accept_one(&silent));
    one.close();
    while (!result) {
        context_.run_one();
    }
    ASSERT_FALSE(result->has_value());
    EXPECT_EQ(result->error(), HttpError::connection_lost);
}

awaitable<std::string> raw_exchange(io_context* context, Endpoint to, std::string sent)
{
    tcp::socket socket(*context);
    co_await socket.async_connect(to_asio<tcp::endpoint>(to), use_tuple);
    co_await boost::asio::async_write(socket, boost::asio::buffer(sent), use_tuple);
    std::string got;
    co_await boost::asio::async_read(socket, boost::asio::dynamic_buffer(got), use_tuple);
    co_return got;
}

TEST_F(NetHttp, raw_requests)
{
    serve(echo);
    auto const raw = [this](std::string sent) {
        return await(raw_exchange(&context_, server_->local_endpoint(), std::move(sent)));
    };
    // Two pipelined requests, then one that ends the connection; the target of the last is a
    // whole URI (RFC 7846 §4.1.1.1, trap P6).
    auto const answers =
        raw("GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\n"
            "GET http://x.example/c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_NE(answers.find("GET /a "), std::string::npos) << answers;
    EXPECT_EQ(answers.find("HEAD /b "), std::string::npos) << "a HEAD answer has no body";
    EXPECT_NE(answers.find("GET /c "), std::string::npos);
    EXPECT_NE(answers.find("Connection: close"), std::string::npos);

    EXPECT_NE(raw("GET / HTTP/1.0\r\n\r\n").find("Connection: close"), std::string::npos);
    EXPECT_TRUE(raw("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(raw("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n").starts_with("HTTP/1.1 400"));
    EXPECT_TRUE(
        raw("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").starts_with("HTTP/1.1 413 "));
    auto const continued = raw("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                               "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n");
    EXPECT_NE(continued.find(" 200 "), std::string::npos);
}

awaitable<std::string> wait_for_continue(io_context* context, Endpoint to)
{
    tcp::socket socket(*context);
    co_await socket.async_connect(to_asio<tcp::endpoint>(to), use_tuple);
    std::string const head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                             "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    co_await boost::asio::async_write(socket, boost::asio::buffer(head), use_tuple);
    std::string got;
    co_await boost::asio::async_read_until(socket, boost::asio::dynamic_buffer(got), "\r\n\r\n",
                                           use_tuple);
    EXPECT_EQ(got, "HTTP/1.1 100 Continue\r\n\r\n");
    std::string const body = "ok";
    co_await boost::asio::async_write(socket, boost::asio::buffer(body), use_tuple);
    co_await boost::asio::async_read(socket, boost::asio::dynamic_buffer(got), use_tuple);
    co_return got;
}

TEST_F(NetHttp, a_sender_that_waits_for_100_continue_gets_it)
{
    serve(echo);
    auto const answer = await(wait_for_continue(&context_, server_->local_endpoint()));
    EXPECT_NE(answer.find("POST / ok"), std::string::npos) << answer;
}

TEST_F(NetHttp, a_slow_sender_is_cut_off)
{
    HttpServerOptions options;
    options.request_timeout = std::chrono::milliseconds{20};
    serve(echo, options);
    auto const answer = await(raw_exchange(&context_, server_->local_endpoint(), "GET / HT"));
    EXPECT_EQ(answer, "");
    EXPECT_EQ(server_->counters().bad_requests, 1u);
}

TEST_F(NetHttp, stop_ends_everything)
{
    serve(echo);
    auto const one = client();
    ASSERT_TRUE(post(*one, "x").has_value());
    server_->stop();
    one->close();
    context_.restart();
    context_.run(); // returns: no work is left
    EXPECT_EQ(server_->counters().open_connections, 0u);
    EXPECT_FALSE(post(*one, "x").has_value());
}

TEST_F(NetHttp, a_taken_port_is_an_error_with_the_reason)
{
    serve(echo);
    HttpServerOptions options;
    options.listen = server_->local_endpoint();
    auto const second = HttpServer::open(context_.get_executor(), options, echo);
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().find(options.listen.text()), std::string::npos) << second.error();
    EXPECT_NE(second.error().find("in use"), std::string::npos) << second.error();
}

TEST_F(NetHttp, an_ipv6_server)
{
    HttpServerOptions options;
    options.listen = *Endpoint::parse("[::1]:0");
    auto opened = HttpServer::open(context_.get_executor(), options, echo);
    if (!opened) {
        GTEST_SKIP() << "no IPv6 here: " << opened.error();
    }
    HttpClient one(context_.get_executor(),
                   {false, "::1", (*opened)->local_endpoint().port(), "/"});
    auto const response = post(one, "x");
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->header("x-from"), "::1");
}

} // namespace
} // namespace ppsp::net
