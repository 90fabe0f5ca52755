#include "protocol/net/http_client.hpp"

#include "protocol/net/resolve.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <optional>

namespace ppsp::net {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = boost::asio::ssl;
using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using Request = http::request<http::string_body>;
using Deadline = std::chrono::steady_clock::time_point;
using Exchanged = Result<HttpResponse, HttpError>;

bool is_address(std::string const& host)
{
    return Endpoint::parse_address(host, 0).has_value();
}

HttpError to_error(beast::error_code error, HttpError otherwise)
{
    if (error == beast::error::timeout) {
        return HttpError::timeout;
    }
    return error == http::error::body_limit || error == http::error::header_limit
               ? HttpError::response_too_large
               : otherwise;
}

HttpError to_read_error(beast::error_code error)
{
    bool const is_http_error =
        error.category() == http::make_error_code(http::error::bad_version).category();
    bool const is_end =
        error == http::error::end_of_stream || error == http::error::partial_message;
    return to_error(error, is_http_error && !is_end ? HttpError::bad_response
                                                    : HttpError::connection_lost);
}

awaitable<Exchanged> refuse(HttpError error)
{
    co_return failure(error);
}

HttpResponse to_response(http::response<http::string_body>&& message)
{
    HttpResponse response;
    response.status = message.result_int();
    for (auto const& field : message) {
        response.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    }
    response.body = std::move(message.body());
    return response;
}

} // namespace

struct HttpClient::Implementation {
    Implementation(any_io_executor on, Url to, HttpClientOptions with)
        : executor(std::move(on)), origin(std::move(to)), options(std::move(with))
    {}

    [[nodiscard]] bool is_connected() const { return plain.has_value() || tls.has_value(); }
    void disconnect();
    Request make_request(http::verb verb, std::string target) const;
    Result<void, HttpError> prepare_tls();

    awaitable<Exchanged> run(Request request);
    awaitable<Exchanged> run(Request request, std::chrono::milliseconds timeout,
                             std::size_t size_max);
    awaitable<Exchanged> try_once(Request const* request, Deadline deadline);
    awaitable<Result<void, HttpError>> connect(Deadline deadline);
    awaitable<Result<void, HttpError>> handshake();
    template <typename Stream>
    awaitable<Exchanged> exchange(Stream* stream, Request const* request, Deadline deadline);

    any_io_executor executor;
    Url origin;
    HttpClientOptions options;
    std::optional<ssl::context> tls_context;
    std::optional<PlainStream> plain;
    std::optional<TlsStream> tls;
    beast::flat_buffer buffer;
    std::size_t response_size_max = 0; ///< of the request under way
    bool is_busy = false;
    bool is_closed = false;    ///< by close(), while a request was under way
    bool got_any_byte = false; ///< of the answer to the current attempt
    std::uint64_t connection_count = 0;
};

void HttpClient::Implementation::disconnect()
{
    plain.reset();
    tls.reset();
    buffer.clear();
}

Request HttpClient::Implementation::make_request(http::verb verb, std::string target) const
{
    Request request(verb, target, 11);
    bool const is_v6 = origin.host.find(':') != std::string::npos;
    std::string host = is_v6 ? "[" + origin.host + "]" : origin.host;
    if (origin.port != (origin.is_https ? 443 : 80)) {
        host += ":" + std::to_string(origin.port);
    }
    request.set(http::field::host, host);
    request.set(http::field::user_agent, options.user_agent);
    return request;
}

Result<void, HttpError> HttpClient::Implementation::prepare_tls()
{
    if (tls_context) {
        return {};
    }
    beast::error_code error;
    ssl::context context(ssl::context::tls_client);
    // TLS 1.2 is the fallback (protocols.md, D16).
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    if (options.ca_file.empty()) {
        context.set_default_verify_paths(error);
    } else {
        context.load_verify_file(options.ca_file, error);
    }
    if (error) {
        return failure(HttpError::tls_failed);
    }
    context.set_verify_mode(ssl::verify_peer);
    tls_context.emplace(std::move(context));
    return {};
}

awaitable<Result<void, HttpError>> HttpClient::Implementation::handshake()
{
    if (!is_address(origin.host)) {
        SSL_set_tlsext_host_name(tls->native_handle(), origin.host.c_str());
    }
    tls->set_verify_callback(ssl::host_name_verification(origin.host));
    auto const [error] = co_await tls->async_handshake(ssl::stream_base::client, use_tuple);
    if (error) {
        co_return failure(to_error(error, HttpError::tls_failed));
    }
    co_return Result<void, HttpError>{};
}

awaitable<Result<void, HttpError>> HttpClient::Implementation::connect(Deadline deadline)
{
    if (origin.is_https) {
        if (auto const ready = prepare_tls(); !ready) {
            co_return ready;
        }
    }
    auto const endpoints = co_await resolve(executor, origin.host, origin.port, deadline);
    if (!endpoints) {
        co_return failure(endpoints.error());
    }
    if (is_closed) {
        co_return failure(HttpError::connection_lost);
    }
    if (origin.is_https) {
        tls.emplace(executor, *tls_context);
    } else {
        plain.emplace(executor);
    }
    auto& stream = origin.is_https ? beast::get_lowest_layer(*tls) : *plain;
    stream.expires_at(deadline);
    auto const [error, endpoint] = co_await stream.async_connect(*endpoints, use_tuple);
    if (error) {
        co_return failure(to_error(error, HttpError::connect_failed));
    }
    beast::error_code ignored; // a slow connection is better than none
    stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    ++connection_count;
    if (origin.is_https) {
        co_return co_await handshake();
    }
    co_return Result<void, HttpError>{};
}

template <typename Stream>
awaitable<Exchanged> HttpClient::Implementation::exchange(Stream* stream, Request const* request,
                                                          Deadline deadline)
{
    got_any_byte = false;
    beast::get_lowest_layer(*stream).expires_at(deadline);
    auto const [write_error, written] = co_await http::async_write(*stream, *request, use_tuple);
    if (write_error) {
        co_return failure(to_error(write_error, HttpError::connection_lost));
    }
    http::response_parser<http::string_body> parser;
    parser.body_limit(response_size_max);
    auto const [read_error, size] = co_await http::async_read(*stream, buffer, parser, use_tuple);
    got_any_byte = size > 0;
    if (read_error) {
        co_return failure(to_read_error(read_error));
    }
    beast::get_lowest_layer(*stream).expires_never();
    bool const keeps = parser.keep_alive();
    auto response = to_response(parser.release());
    if (!keeps) {
        disconnect();
    }
    co_return response;
}

awaitable<Exchanged> HttpClient::Implementation::try_once(Request const* request, Deadline deadline)
{
    if (!is_connected()) {
        if (auto const connected = co_await connect(deadline); !connected) {
            co_return failure(connected.error());
        }
    }
    if (tls) {
        co_return co_await exchange(&*tls, request, deadline);
    }
    co_return co_await exchange(&*plain, request, deadline);
}

awaitable<Exchanged> HttpClient::Implementation::run(Request request)
{
    return run(std::move(request), options.timeout, options.response_size_max);
}

awaitable<Exchanged> HttpClient::Implementation::run(Request request,
                                                     std::chrono::milliseconds timeout,
                                                     std::size_t size_max)
{
    if (is_busy) {
        co_return failure(HttpError::busy);
    }
    is_busy = true;
    is_closed = false;
    response_size_max = size_max;
    auto const deadline = std::chrono::steady_clock::now() + timeout;
    bool const was_kept = is_connected();
    auto result = co_await try_once(&request, deadline);
    // The server may have ended a kept connection while nobody looked.
    bool const is_stale = !result && result.error() == HttpError::connection_lost && was_kept &&
                          !got_any_byte && !is_closed;
    if (is_stale) {
        disconnect();
        result = co_await try_once(&request, deadline);
    }
    if (!result) {
        disconnect();
    }
    if (!result && is_closed) {
        result = failure(HttpError::connection_lost); // wherever the request was then
    }
    is_busy = false;
    co_return result;
}

HttpClient::HttpClient(any_io_executor executor, Url origin, HttpClientOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(executor), std::move(origin),
                                                       std::move(options)))
{}

HttpClient::~HttpClient() = default;

awaitable<Exchanged> HttpClient::post(std::string target, std::string content_type,
                                      std::string body)
{
    auto request = implementation_->make_request(http::verb::post, std::move(target));
    request.set(http::field::content_type, content_type);
    request.set(http::field::accept, content_type);
    request.body() = std::move(body);
    request.prepare_payload();
    return implementation_->run(std::move(request));
}

awaitable<Exchanged> HttpClient::get(std::string target)
{
    return implementation_->run(implementation_->make_request(http::verb::get, std::move(target)));
}

awaitable<Exchanged> HttpClient::call(HttpCall call)
{
    auto const verb = http::string_to_verb(call.method);
    if (verb == http::verb::unknown) {
        return refuse(HttpError::bad_url);
    }
    auto request = implementation_->make_request(verb, std::move(call.target));
    for (auto const& header : call.headers) {
        request.set(header.name, header.value);
    }
    request.body() = std::move(call.body);
    request.prepare_payload();
    auto const& options = implementation_->options;
    return implementation_->run(std::move(request), call.timeout.value_or(options.timeout),
                                call.response_size_max.value_or(options.response_size_max));
}

void HttpClient::close()
{
    auto& client = *implementation_;
    client.is_closed = true;
    if (!client.is_busy) {
        client.disconnect();
    } else if (client.tls) {
        beast::get_lowest_layer(*client.tls).close();
    } else if (client.plain) {
        client.plain->close();
    }
}

Url const& HttpClient::origin() const
{
    return implementation_->origin;
}

std::uint64_t HttpClient::connection_count() const
{
    return implementation_->connection_count;
}

} // namespace ppsp::net
