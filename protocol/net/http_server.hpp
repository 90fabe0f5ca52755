#pragma once

#include "protocol/base/endpoint.hpp"
#include "protocol/net/asio.hpp"
#include "protocol/net/http.hpp"

#include <chrono>
#include <functional>
#include <memory>

namespace ppsp::net {

/// Views into the connection's buffers, valid during the handler's call.
struct HttpRequest {
    std::string_view method;
    std::string_view target; ///< path and query, also where the request gave a whole URI (trap P6)
    std::string_view content_type;
    std::string_view authorization;
    std::string_view body;
    Endpoint remote;
    bool is_tls = false;
};

struct HttpReply {
    unsigned status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
    std::vector<HttpHeader> headers; ///< further ones; the caller keeps line breaks out of them
};

/// Answers at once; runs on the server's thread.
using HttpHandler = std::function<HttpReply(HttpRequest const&)>;

struct HttpServerOptions {
    Endpoint listen; ///< port 0 = any free one
    std::size_t header_size_max = 8 * 1024;
    std::size_t body_size_max = 64 * 1024;
    std::size_t connections_max = 10'000;
    /// Without a request for this long a connection is closed.
    std::chrono::milliseconds idle_timeout{60'000};
    /// From the first byte of a request to its last, and for the answer: what a slow sender has.
    std::chrono::milliseconds request_timeout{10'000};
    /// PEM files; both or none.
    std::string tls_certificate_file;
    std::string tls_key_file;
};

struct HttpServerCounters {
    std::uint64_t connections = 0; ///< accepted
    std::uint64_t refused = 0;     ///< closed at once because there were too many
    std::uint64_t requests = 0;
    std::uint64_t bad_requests = 0; ///< not HTTP, too large or too slow
    std::size_t open_connections = 0;
};

/// HTTP/1.1 with keep-alive and pipelining, on one thread.
class HttpServer {
public:
    /// Binds and begins to accept; the error is a sentence for people.
    [[nodiscard]] static Result<std::unique_ptr<HttpServer>, std::string>
    open(any_io_executor executor, HttpServerOptions options, HttpHandler handler);
    ~HttpServer();
    HttpServer(HttpServer const&) = delete;
    HttpServer& operator=(HttpServer const&) = delete;

    /// With the port that the system chose.
    [[nodiscard]] Endpoint local_endpoint() const;
    [[nodiscard]] bool is_tls() const;
    [[nodiscard]] HttpServerCounters counters() const;
    /// Stops accepting and ends all connections; the executor then runs out of work.
    void stop();

private:
    class State;
    explicit HttpServer(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

} // namespace ppsp::net
