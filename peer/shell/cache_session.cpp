#include "peer/shell/cache_session.hpp"

#include "peer/shell/cache_transfer.hpp"

#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>

#include <sys/sendfile.h>
#include <sys/socket.h>

namespace ppsp::peer {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::asio::ip::tcp;
using Parser = http::request_parser<http::string_body>;

constexpr std::size_t head_size_max = 8 * 1024;
constexpr std::size_t head_read_size = 2 * 1024; ///< what an idle connection costs
constexpr std::size_t body_read_size = 64 * 1024;
/// Between two looks at the limits; a slow reader has `CacheTimeouts::body` for it.
constexpr std::size_t send_size = 256 * 1024;
constexpr std::size_t limited_send_size = 16 * 1024;

std::string_view to_view(beast::string_view text)
{
    return {text.data(), text.size()};
}

std::string_view field_of(Parser::value_type const& message, beast::string_view name)
{
    auto const found = message.find(name);
    return found == message.end() ? std::string_view{} : to_view(found->value());
}

std::string_view field_of(Parser::value_type const& message, http::field name)
{
    auto const found = message.find(name);
    return found == message.end() ? std::string_view{} : to_view(found->value());
}

CacheRequest to_request(Parser const& parser)
{
    auto const& message = parser.get();
    CacheRequest request;
    request.method = to_view(message.method_string());
    request.target = to_view(message.target());
    request.authorization = field_of(message, http::field::authorization);
    request.content_type = field_of(message, http::field::content_type);
    request.range = field_of(message, http::field::range);
    request.if_range = field_of(message, http::field::if_range);
    request.if_none_match = field_of(message, http::field::if_none_match);
    request.expires = field_of(message, "Decade-Expires");
    if (auto const length = parser.content_length()) {
        request.content_length = *length;
    }
    return request;
}

/// Head of an answer: all of it in one write.
std::string serialise_head(CacheReply const& reply, std::string const& date, std::uint64_t length,
                           bool keeps, bool is_http_1_0)
{
    auto const reason = http::obsolete_reason(http::int_to_status(reply.status));
    bool const has_length = reply.status != 204 && reply.status != 304;
    std::string out;
    out.reserve(512);
    out.append("HTTP/1.1 ").append(std::to_string(reply.status)).append(" ");
    out.append(reason.data(), reason.size())
        .append("\r\nServer: ppsp-cache\r\nDate: ")
        .append(date);
    if (has_length) {
        out.append("\r\nContent-Type: ").append(reply.content_type);
        out.append("\r\nContent-Length: ").append(std::to_string(length));
    }
    for (auto const& header : reply.headers) {
        out.append("\r\n").append(header.name).append(": ").append(header.value);
    }
    if (!keeps || is_http_1_0) {
        out.append(keeps ? "\r\nConnection: keep-alive" : "\r\nConnection: close");
    }
    return out.append("\r\n\r\n");
}

unsigned status_of(beast::error_code error)
{
    return error == http::error::body_limit ? 413 : error == http::error::header_limit ? 431 : 400;
}

class Session {
public:
    Session(std::shared_ptr<CacheHost> host, tcp::socket& socket)
        : host_(std::move(host)), socket_(socket), connection_(*host_, [this] { close(); }),
          buffer_(head_size_max + body_read_size)
    {}

    net::awaitable<void> run()
    {
        bool goes_on = true;
        while (goes_on) {
            Parser parser;
            parser.header_limit(static_cast<std::uint32_t>(head_size_max));
            // Beast compares with the length at the end of the head; who may send how much is
            // decided after that, and until then no body is read.
            parser.body_limit(boost::none);
            goes_on = co_await read_head(&parser);
            if (goes_on) {
                goes_on = co_await answer(&parser);
            }
        }
    }

private:
    void close()
    {
        beast::error_code ignored; // ended either way
        socket_.close(ignored);
    }

    net::awaitable<beast::error_code> read_some(std::size_t size)
    {
        auto const [error, count] =
            co_await socket_.async_read_some(buffer_.prepare(size), net::use_tuple);
        buffer_.commit(count);
        host_->counters().bytes_in += count;
        co_return error;
    }

    /// False: the connection is over.
    net::awaitable<bool> read_head(Parser* parser)
    {
        connection_.set_idle(true);
        connection_.allow(host_->timeouts().idle);
        if (buffer_.size() == 0) {
            if (buffer_.capacity() > 2 * head_read_size) {
                buffer_.shrink_to_fit();
            }
            if (co_await read_some(head_read_size)) {
                co_return false; // idle, gone, or stopped: nothing to say
            }
        }
        connection_.allow(host_->timeouts().head);
        while (true) {
            beast::error_code error;
            buffer_.consume(parser->put(buffer_.data(), error));
            if (error && error != http::error::need_more) {
                co_await refuse_request(error);
                co_return false;
            }
            if (parser->is_header_done()) {
                connection_.set_idle(false);
                co_return true;
            }
            if (co_await read_some(head_read_size)) {
                co_return false;
            }
        }
    }

    net::awaitable<void> refuse_request(beast::error_code error)
    {
        ++host_->counters().bad_requests;
        auto const reply =
            Cache::refuse(status_of(error), "this is no good request: " + error.message());
        co_await send_text(&reply, false, false, false);
        co_await drain();
    }

    net::awaitable<bool> answer(Parser* parser)
    {
        auto decided = decide(*parser);
        if (auto* check = std::get_if<NeedsCheck>(&decided)) {
            co_await check_object(check->meta);
            decided = decide(*parser);
        }
        if (auto* upload = std::get_if<Upload>(&decided)) {
            co_return co_await receive(parser, std::move(*upload));
        }
        if (auto* reply = std::get_if<CacheReply>(&decided)) {
            co_return co_await reply_to(parser, std::move(*reply));
        }
        auto const busy = Cache::refuse(503, "the object is being checked; try again");
        co_await send_text(&busy, false, false, false);
        co_return false;
    }

    CacheAnswer decide(Parser const& parser)
    {
        auto const request = to_request(parser);
        bool const is_get = request.method == "GET" || request.method == "HEAD";
        if (is_get && request.target == "/healthz") {
            return plain("ok\n");
        }
        if (is_get && request.target == "/metrics") {
            return plain(host_->metrics());
        }
        return host_->cache().handle(request, host_->now_s());
    }

    static CacheReply plain(std::string text)
    {
        CacheReply reply;
        reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
        reply.body = std::move(text);
        reply.headers.push_back({"Cache-Control", "no-store"});
        return reply;
    }

    net::awaitable<void> check_object(ObjectMeta meta)
    {
        auto* const files = &host_->cache().files();
        auto const checked = co_await host_->on_disk<Result<void, StoreError>>(
            [files, meta] { return files->verify(meta); });
        host_->cache().finish_check(meta.name, checked.has_value());
    }

    /// A body that nobody wants is not read: the connection ends instead.
    net::awaitable<bool> reply_to(Parser* parser, CacheReply reply)
    {
        bool const keeps = parser->is_done() && parser->keep_alive();
        bool const is_head = parser->get().method() == http::verb::head;
        bool const is_http_1_0 = parser->get().version() < 11;
        bool is_sent = false;
        if (reply.object) {
            is_sent = co_await send_object(&reply, is_head, keeps, is_http_1_0);
        } else {
            is_sent = co_await send_text(&reply, is_head, keeps, is_http_1_0);
        }
        if (!parser->is_done()) {
            co_await drain();
        }
        co_return keeps&& is_sent;
    }

    net::awaitable<bool> receive(Parser* parser, Upload upload)
    {
        auto const held = parser->content_length().value_or(upload.size_max);
        if (!host_->cache().hold_upload(held)) {
            auto busy = Cache::refuse(503, "too many uploads are under way");
            busy.headers.push_back({"Retry-After", "1"});
            co_return co_await reply_to(parser, std::move(busy));
        }
        bool const is_whole = co_await read_body(parser, &upload, held);
        bool goes_on = false;
        if (is_whole) {
            bool const is_order = upload.kind == Upload::Kind::transfer_order;
            auto body = std::move(parser->get().body());
            connection_.allow(std::chrono::minutes{2}); // ours to take, not the client's
            CacheReply reply;
            if (is_order) {
                reply = co_await carry_out(host_, std::move(upload), std::move(body));
            } else {
                reply = co_await take_upload(host_, std::move(upload), std::move(body));
            }
            goes_on = co_await reply_to(parser, std::move(reply));
        }
        host_->cache().release_upload(held);
        co_return goes_on;
    }

    net::awaitable<bool> read_body(Parser* parser, Upload const* upload, std::uint64_t size)
    {
        auto const& timeouts = host_->timeouts();
        connection_.allow(timeouts.body +
                          std::chrono::milliseconds{size * 1000 / timeouts.body_bytes_per_s_min});
        parser->body_limit(upload->size_max);
        parser->eager(true);
        if (!parser->is_done() &&
            beast::iequals(parser->get()[http::field::expect], "100-continue")) {
            constexpr std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
            co_await asio::async_write(socket_, asio::buffer(text.data(), text.size()),
                                       net::use_tuple);
        }
        while (!parser->is_done()) {
            beast::error_code error;
            if (buffer_.size() > 0) {
                buffer_.consume(parser->put(buffer_.data(), error));
            }
            if (error && error != http::error::need_more) {
                co_await refuse_request(error);
                co_return false;
            }
            if (!parser->is_done() && co_await read_some(body_read_size)) {
                co_return false; // half a body is none
            }
        }
        co_return true;
    }

    net::awaitable<bool> send_text(CacheReply const* reply, bool is_head, bool keeps,
                                   bool is_http_1_0)
    {
        auto text = serialise_head(*reply, host_->date(), reply->body.size(), keeps, is_http_1_0);
        if (!is_head && reply->status != 204 && reply->status != 304) {
            text.append(reply->body);
        }
        connection_.allow(host_->timeouts().body);
        auto const [error, size] =
            co_await asio::async_write(socket_, asio::buffer(text), net::use_tuple);
        host_->counters().bytes_out += size;
        co_return !error;
    }

    net::awaitable<bool> send_object(CacheReply const* reply, bool is_head, bool keeps,
                                     bool is_http_1_0)
    {
        auto const head =
            serialise_head(*reply, host_->date(), reply->part.size, keeps, is_http_1_0);
        connection_.allow(host_->timeouts().body);
        if (!co_await send_head(&head, is_head ? 0 : MSG_MORE)) {
            co_return false;
        }
        if (is_head) {
            co_return true;
        }
        auto* const account = reply->lease ? &reply->lease->account() : nullptr;
        bool const is_limited = host_->is_limited(account);
        auto rest = reply->part;
        while (rest.size > 0) {
            auto const size =
                std::min<std::uint64_t>(rest.size, is_limited ? limited_send_size : send_size);
            if (is_limited) {
                connection_.allow(std::chrono::hours{1}); // the limit is ours, not the client's
                co_await host_->await_turn(account, size);
            }
            connection_.allow(host_->timeouts().body);
            if (!co_await send_part(reply->object.get(), rest.first, size)) {
                account->bytes_used -= std::min(account->bytes_used, rest.size);
                co_return false;
            }
            rest.first += size;
            rest.size -= size;
        }
        co_return true;
    }

    /// With MSG_MORE the head waits for the first bytes of the object and shares their segment.
    net::awaitable<bool> send_head(std::string const* head, int flags)
    {
        std::string_view rest = *head;
        while (!rest.empty()) {
            auto const count = ::send(socket_.native_handle(), rest.data(), rest.size(),
                                      flags | MSG_NOSIGNAL | MSG_DONTWAIT);
            if (count < 0 && !co_await may_go_on()) {
                co_return false;
            }
            rest.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
        }
        host_->counters().bytes_out += head->size();
        co_return true;
    }

    net::awaitable<bool> send_part(OpenObject const* object, std::uint64_t offset,
                                   std::uint64_t size)
    {
        auto place = static_cast<off_t>(offset);
        while (size > 0) {
            auto const count =
                ::sendfile(socket_.native_handle(), object->descriptor(), &place, size);
            if (count == 0) {
                co_return false; // the file was cut short under us
            }
            if (count < 0 && !co_await may_go_on()) {
                co_return false;
            }
            auto const sent = count > 0 ? static_cast<std::uint64_t>(count) : 0;
            size -= sent;
            host_->counters().bytes_out += sent;
        }
        co_return true;
    }

    /// After a system call that failed: waits for room, unless it failed for good.
    net::awaitable<bool> may_go_on()
    {
        if (errno == EINTR) {
            co_return true;
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            co_return false;
        }
        auto const [error] = co_await socket_.async_wait(tcp::socket::wait_write, net::use_tuple);
        co_return !error;
    }

    /// Reads on for a moment: closing with unread bytes would make the system send a reset that
    /// can overtake the refusal.
    net::awaitable<void> drain()
    {
        constexpr std::size_t drain_max = 512 * 1024;
        beast::error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
        connection_.allow(std::chrono::milliseconds{1000});
        for (std::size_t drained = 0; drained < drain_max; drained += buffer_.size()) {
            buffer_.clear();
            if (co_await read_some(body_read_size)) {
                break;
            }
        }
    }

    std::shared_ptr<CacheHost> host_;
    tcp::socket& socket_;
    CacheHost::Connection connection_;
    beast::flat_buffer buffer_;
};

} // namespace

net::awaitable<void> serve_cache_connection(std::shared_ptr<CacheHost> host, tcp::socket socket)
{
    beast::error_code error;
    socket.set_option(tcp::no_delay(true), error);
    socket.non_blocking(true, error); // sendfile(2) must not wait
    Session session(std::move(host), socket);
    co_await session.run();
    socket.shutdown(tcp::socket::shutdown_both, error);
}

} // namespace ppsp::peer
