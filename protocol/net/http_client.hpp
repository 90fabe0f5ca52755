#pragma once

#include "protocol/net/asio.hpp"
#include "protocol/net/http.hpp"

#include <chrono>
#include <memory>

namespace ppsp::net {

struct HttpClientOptions {
    /// For one request with everything it takes: name, connection, TLS, answer.
    std::chrono::milliseconds timeout{10'000};
    std::size_t response_size_max = 1024 * 1024;
    /// PEM file with the authorities to trust; empty = those of the system.
    std::string ca_file;
    std::string user_agent = "ppsp";
};

/// A request beyond plain GET and POST.
struct HttpCall {
    std::string method = "GET";
    std::string target = "/"; ///< path and query
    std::vector<HttpHeader> headers;
    std::string body; ///< sent with any method that has one
    /// Instead of the client's.
    std::optional<std::chrono::milliseconds> timeout = std::nullopt;
    std::optional<std::size_t> response_size_max = std::nullopt;
};

/// Talks to one origin over a connection that it keeps alive, and connects again by itself. A
/// request that fails on a kept connection before any byte of the answer is sent once more on a
/// new one, so a request has to be safe to repeat (PPSTP's are, RFC 7846 §4.3). One request at a
/// time, one thread. Redirects are not followed.
class HttpClient {
public:
    HttpClient(any_io_executor executor, Url origin, HttpClientOptions options = {});
    ~HttpClient();
    HttpClient(HttpClient const&) = delete;
    HttpClient& operator=(HttpClient const&) = delete;

    /// `target` is path and query. Any status is a response, not an error. The client has to live
    /// until the call is over.
    [[nodiscard]] awaitable<Result<HttpResponse, HttpError>>
    post(std::string target, std::string content_type, std::string body);
    [[nodiscard]] awaitable<Result<HttpResponse, HttpError>> get(std::string target);
    /// Any method; `bad_url` for one that HTTP does not know.
    [[nodiscard]] awaitable<Result<HttpResponse, HttpError>> call(HttpCall call);

    /// Ends the connection; a request under way fails with `connection_lost`.
    void close();

    [[nodiscard]] Url const& origin() const;
    /// Connections made so far.
    [[nodiscard]] std::uint64_t connection_count() const;

private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

} // namespace ppsp::net
