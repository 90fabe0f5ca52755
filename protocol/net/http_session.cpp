#include "protocol/net/http_session.hpp"

#include "protocol/net/address.hpp"

#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <ctime>
#include <exception>
#include <optional>

namespace ppsp::net {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::asio::ip::tcp;
using Parser = http::request_parser<http::string_body>;
using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

constexpr std::size_t read_size = 4096;

std::string_view to_view(beast::string_view text)
{
    return {text.data(), text.size()};
}

/// The path of an absolute URI (RFC 9112 §3.2.2), else the target as it is.
std::string_view path_of(std::string_view target)
{
    auto const scheme_end = target.find("://");
    if (target.empty() || target.front() == '/' || scheme_end == std::string_view::npos) {
        return target;
    }
    auto const path = target.find('/', scheme_end + 3);
    return path == std::string_view::npos ? "/" : target.substr(path);
}

/// Head and body in one string and so in one write: Beast's serializer costs about as much as all
/// else of a small request.
std::string serialise(HttpReply const& reply, std::string const& date, bool is_head, bool keeps,
                      bool is_http_1_0)
{
    auto const reason = http::obsolete_reason(http::int_to_status(reply.status));
    std::string out;
    out.reserve(256 + reply.body.size());
    out.append("HTTP/1.1 ").append(std::to_string(reply.status)).append(" ");
    out.append(reason.data(), reason.size()).append("\r\nServer: ppsp\r\nDate: ").append(date);
    out.append("\r\nContent-Type: ").append(reply.content_type);
    out.append("\r\nContent-Length: ").append(std::to_string(reply.body.size()));
    for (auto const& header : reply.headers) {
        out.append("\r\n").append(header.name).append(": ").append(header.value);
    }
    if (!keeps || is_http_1_0) {
        out.append(keeps ? "\r\nConnection: keep-alive" : "\r\nConnection: close");
    }
    out.append("\r\n\r\n");
    if (!is_head) {
        out.append(reply.body);
    }
    return out;
}

HttpReply refusal(beast::error_code error)
{
    HttpReply reply;
    reply.status = error == http::error::body_limit     ? 413
                   : error == http::error::header_limit ? 431
                                                        : 400;
    reply.body = error.message() + "\n";
    return reply;
}

/// Requests and replies of one connection, whatever the stream.
template <typename Stream>
class Session {
public:
    Session(std::shared_ptr<SessionHost> host, Stream& stream)
        : host_(std::move(host)), stream_(stream),
          buffer_(host_->options().header_size_max + host_->options().body_size_max + read_size)
    {
        beast::error_code ignored; // an unknown address has no rights; reading fails next anyway
        remote_ = to_endpoint(socket().remote_endpoint(ignored));
    }

    awaitable<void> run()
    {
        bool goes_on = true;
        while (goes_on) {
            Parser parser;
            parser.eager(true);
            parser.header_limit(static_cast<std::uint32_t>(host_->options().header_size_max));
            parser.body_limit(host_->options().body_size_max);
            auto const error = co_await read(&parser);
            if (error) {
                co_await refuse(error);
                break;
            }
            goes_on = co_await answer(&parser);
        }
    }

private:
    auto& socket() { return beast::get_lowest_layer(stream_).socket(); }
    void allow(std::chrono::milliseconds time)
    {
        beast::get_lowest_layer(stream_).expires_after(time);
    }

    awaitable<beast::error_code> read_some()
    {
        auto const [error, size] =
            co_await stream_.async_read_some(buffer_.prepare(read_size), use_tuple);
        buffer_.commit(size);
        co_return error;
    }

    /// The parser is fed by hand: no composed operations on the way of a small request.
    awaitable<beast::error_code> read(Parser* parser)
    {
        bool has_continued = false;
        if (buffer_.size() == 0) {
            allow(host_->options().idle_timeout);
            if (co_await read_some()) {
                co_return http::error::end_of_stream; // idle, gone, or stopped: nothing to say
            }
        }
        allow(host_->options().request_timeout);
        while (true) {
            beast::error_code error;
            buffer_.consume(parser->put(buffer_.data(), error));
            if (error && error != http::error::need_more) {
                co_return error;
            }
            if (parser->is_done()) {
                co_return beast::error_code{};
            }
            if (parser->is_header_done() && !has_continued) {
                has_continued = true;
                co_await continue_if_asked(parser);
            }
            error = co_await read_some();
            if (error) {
                co_return error;
            }
        }
    }

    awaitable<void> continue_if_asked(Parser* parser)
    {
        constexpr std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
        if (beast::iequals(parser->get()[http::field::expect], "100-continue")) {
            co_await asio::async_write(stream_, asio::buffer(text.data(), text.size()), use_tuple);
        }
    }

    HttpReply call(Parser::value_type const& message)
    {
        HttpRequest request;
        request.method = to_view(message.method_string());
        request.target = path_of(to_view(message.target()));
        request.content_type = to_view(message[http::field::content_type]);
        request.authorization = to_view(message[http::field::authorization]);
        request.body = message.body();
        request.remote = remote_;
        request.is_tls = !std::is_same_v<Stream, PlainStream>;
        try {
            return host_->handler()(request);
        } catch (std::exception const&) {
            HttpReply reply; // out of memory for this one request; the others go on
            reply.status = 500;
            return reply;
        }
    }

    awaitable<bool> answer(Parser* parser)
    {
        auto const& message = parser->get();
        ++host_->counters().requests;
        bool const keeps = parser->keep_alive();
        auto const reply = call(message);
        auto const text = serialise(reply, host_->date(), message.method() == http::verb::head,
                                    keeps, message.version() < 11);
        allow(host_->options().request_timeout);
        auto const [error, size] =
            co_await asio::async_write(stream_, asio::buffer(text), use_tuple);
        co_return keeps && !error;
    }

    awaitable<void> refuse(beast::error_code error)
    {
        if (error == http::error::end_of_stream) {
            co_return;
        }
        ++host_->counters().bad_requests;
        bool const is_http_error =
            error.category() == beast::error_code(http::error::bad_method).category();
        if (is_http_error) {
            auto const text = serialise(refusal(error), host_->date(), false, false, false);
            co_await asio::async_write(stream_, asio::buffer(text), use_tuple);
            co_await drain();
        }
    }

    /// Reads on for a moment: closing with unread bytes would make the system send a reset that
    /// can overtake the refusal.
    awaitable<void> drain()
    {
        constexpr std::size_t drain_max = 256 * 1024;
        beast::error_code ignored;
        socket().shutdown(tcp::socket::shutdown_send, ignored);
        allow(std::chrono::milliseconds{1000});
        for (std::size_t drained = 0; drained < drain_max; drained += buffer_.size()) {
            buffer_.clear();
            if (co_await read_some()) {
                break;
            }
        }
    }

    std::shared_ptr<SessionHost> host_;
    Stream& stream_;
    beast::flat_buffer buffer_;
    Endpoint remote_;
};

} // namespace

std::string const& SessionHost::date()
{
    auto const second = static_cast<std::int64_t>(std::time(nullptr));
    if (second != date_second_) {
        auto const time = static_cast<std::time_t>(second);
        std::tm parts{};
        gmtime_r(&time, &parts);
        char text[64];
        auto const size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        date_.assign(text, size);
        date_second_ = second;
    }
    return date_;
}

void SessionHost::close_all()
{
    for (auto const& [id, close] : sessions_) {
        close();
    }
}

SessionHost::Registration::Registration(std::shared_ptr<SessionHost> host,
                                        std::function<void()> close)
    : host_(std::move(host)), id_(host_->next_session_++)
{
    host_->sessions_.emplace(id_, std::move(close));
}

SessionHost::Registration::~Registration()
{
    host_->sessions_.erase(id_);
}

awaitable<void> serve_plain(std::shared_ptr<SessionHost> host, tcp::socket socket)
{
    PlainStream stream(std::move(socket));
    SessionHost::Registration const registration(host, [&stream] { stream.close(); });
    Session<PlainStream> session(host, stream);
    co_await session.run();
    beast::error_code ignored; // ended either way
    stream.socket().shutdown(tcp::socket::shutdown_both, ignored);
}

awaitable<void> serve_tls(std::shared_ptr<SessionHost> host, tcp::socket socket,
                          boost::asio::ssl::context& context)
{
    TlsStream stream(std::move(socket), context);
    auto& lowest = beast::get_lowest_layer(stream);
    SessionHost::Registration const registration(host, [&lowest] { lowest.close(); });
    lowest.expires_after(host->options().request_timeout);
    auto const [error] =
        co_await stream.async_handshake(boost::asio::ssl::stream_base::server, use_tuple);
    if (error) {
        ++host->counters().bad_requests;
        co_return;
    }
    Session<TlsStream> session(host, stream);
    co_await session.run();
    lowest.expires_after(std::chrono::milliseconds{1000});
    co_await stream.async_shutdown(use_tuple);
}

} // namespace ppsp::net
