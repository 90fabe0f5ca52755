#include "peer/shell/gateway.hpp"

#include "peer/decade/byte_range.hpp"
#include "peer/shell/gateway_page.hpp"
#include "peer/shell/host_port.hpp"
#include "peer/shell/signals.hpp"
#include "peer/shell/statistics_json.hpp"
#include "peer/shell/stream_start.hpp"
#include "protocol/net/address.hpp"
#include "protocol/net/asio.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <deque>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

namespace ppsp::peer {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using Request = http::request<http::empty_body>;
using Reply = http::response<http::string_body>;
using Piece = std::shared_ptr<ByteVector const>;

constexpr std::chrono::seconds request_timeout{10};
/// A client that takes nothing for this long is gone.
constexpr std::chrono::seconds write_timeout{30};
constexpr std::uint32_t header_size_max = 8 * 1024;
/// A player of a recording waits that long for its length and first bytes, and for any others.
constexpr std::chrono::seconds length_wait{10};
constexpr std::chrono::seconds recording_patience{30};
constexpr std::chrono::milliseconds recording_poll{20};
constexpr std::size_t recording_piece = 64 * 1024;
constexpr std::size_t sniffed_bytes = 189;

constexpr char const* stream_header = "HTTP/1.1 200 OK\r\n"
                                      "Content-Type: video/mp2t\r\n"
                                      "Cache-Control: no-store\r\n"
                                      "Connection: close\r\n\r\n";

Reply make_reply(Request const& request, http::status status, std::string_view type,
                 std::string body)
{
    Reply reply(status, request.version());
    reply.set(http::field::content_type, {type.data(), type.size()});
    reply.set(http::field::cache_control, "no-store");
    reply.set("X-Content-Type-Options", "nosniff");
    reply.keep_alive(false);
    reply.content_length(body.size());
    if (request.method() != http::verb::head) {
        reply.body() = std::move(body);
    }
    return reply;
}

/// What a recording is, by its first bytes: an MPEG-TS packet starts every 188.
std::string_view media_type(Bytes head)
{
    constexpr std::uint8_t sync = 0x47;
    constexpr std::size_t packet = 188;
    bool const is_ts =
        !head.empty() && head[0] == sync && (head.size() <= packet || head[packet] == sync);
    constexpr std::string_view box = "ftyp";
    bool const is_mp4 = head.size() >= 8 && std::equal(box.begin(), box.end(), head.begin() + 4);
    return is_ts ? "video/mp2t" : is_mp4 ? "video/mp4" : "application/octet-stream";
}

std::string read_file(std::filesystem::path const& path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// On loopback only names of loopback are served: a foreign page whose name was made to point here
/// (DNS rebinding) must not read what is watched.
bool is_allowed_host(std::string_view host, Endpoint const& listen)
{
    if (listen.scope() != AddressScope::loopback) {
        return true;
    }
    auto const with_port = parse_host_port(host);
    std::string const name = with_port ? with_port->host : std::string{host};
    auto const address = Endpoint::parse_address(name, 0);
    return name == "localhost" || (address && address->scope() == AddressScope::loopback);
}

/// What waits for one client of `/stream.ts`.
struct Client {
    explicit Client(net::any_io_executor const& executor) : wake(executor) {}

    std::deque<Piece> waiting;
    std::size_t waiting_bytes = 0;
    net::steady_timer wake;
    beast::tcp_stream* stream = nullptr; ///< of the coroutine that serves this client
    bool has_started = false;            ///< at a key frame
    bool is_dropped = false;
};

} // namespace

struct Gateway::Parts {
    explicit Parts(GatewayOptions given) : options(std::move(given)) {}

    static net::awaitable<void> accept(Parts* self);
    static net::awaitable<void> serve(Parts* self, tcp::socket socket);
    net::awaitable<void> serve_stream(beast::tcp_stream* stream, bool is_head);
    net::awaitable<void> serve_recording(beast::tcp_stream* stream, Request const* request);
    net::awaitable<void> send_recording(beast::tcp_stream* stream, std::uint64_t position,
                                        std::uint64_t end);
    net::awaitable<void> send_pieces(beast::tcp_stream* stream, Client* client);
    [[nodiscard]] Reply answer(Request const& request) const;
    void take(ByteVector const& media, bool discontinuity);
    static void give(Client& client, Piece const& piece);

    GatewayOptions options;
    asio::io_context context{1};
    tcp::acceptor acceptor{context};
    Endpoint local;
    std::size_t connections = 0;
    StreamStart start;
    std::set<std::shared_ptr<Client>> clients;
    std::thread thread;
};

Result<std::unique_ptr<Gateway>, std::string> Gateway::open(GatewayOptions options)
{
    auto parts = std::make_unique<Parts>(std::move(options));
    auto const endpoint = net::to_asio<tcp::endpoint>(parts->options.listen);
    boost::system::error_code error;
    auto& acceptor = parts->acceptor;
    static_cast<void>(acceptor.open(endpoint.protocol(), error));
    if (!error) {
        acceptor.set_option(tcp::acceptor::reuse_address(true), error);
        static_cast<void>(acceptor.bind(endpoint, error));
    }
    if (!error) {
        static_cast<void>(acceptor.listen(asio::socket_base::max_listen_connections, error));
    }
    if (error == asio::error::address_in_use) {
        return failure("port " + std::to_string(endpoint.port()) +
                       " is in use; choose another with --gateway");
    }
    if (error) {
        return failure("cannot listen on " + parts->options.listen.text() + ": " + error.message());
    }
    parts->local = net::to_endpoint(acceptor.local_endpoint());
    net::co_spawn(parts->context, Parts::accept(parts.get()), net::detached);
    parts->thread = start_without_signals([raw = parts.get()] { raw->context.run(); });
    return std::unique_ptr<Gateway>(new Gateway(std::move(parts)));
}

Gateway::Gateway(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Gateway::~Gateway()
{
    parts_->context.stop();
    parts_->thread.join();
}

Endpoint Gateway::local_endpoint() const
{
    return parts_->local;
}

void Gateway::push(ByteVector media, bool discontinuity)
{
    asio::post(parts_->context, [parts = parts_.get(), media = std::move(media), discontinuity] {
        parts->take(media, discontinuity);
    });
}

void Gateway::Parts::take(ByteVector const& media, bool discontinuity)
{
    if (discontinuity) {
        start.discontinuity();
    }
    auto const piece = std::make_shared<ByteVector const>(start.push(media));
    bool const somebody_waits = std::any_of(
        clients.begin(), clients.end(), [](auto const& client) { return !client->has_started; });
    Piece const backlog = somebody_waits ? std::make_shared<ByteVector const>(start.backlog())
                                         : std::make_shared<ByteVector const>();
    for (auto const& client : clients) {
        if (client->has_started) {
            give(*client, piece);
        } else if (!backlog->empty()) {
            client->has_started = true;
            give(*client, backlog);
        }
    }
}

void Gateway::Parts::give(Client& client, Piece const& piece)
{
    client.waiting.push_back(piece);
    client.waiting_bytes += piece->size();
    if (client.waiting_bytes > client_backlog_max) {
        client.is_dropped = true;
        client.stream->close();
    }
    client.wake.cancel();
}

net::awaitable<void> Gateway::Parts::accept(Parts* self)
{
    while (true) {
        auto [error, socket] = co_await self->acceptor.async_accept(net::use_tuple);
        if (error) {
            // Out of descriptors, most likely: others must end first.
            net::steady_timer pause(self->context, std::chrono::milliseconds{100});
            co_await pause.async_wait(net::use_tuple);
            continue;
        }
        if (self->connections < connections_max) {
            net::co_spawn(self->context, serve(self, std::move(socket)), net::detached);
        }
    }
}

net::awaitable<void> Gateway::Parts::serve(Parts* self, tcp::socket socket)
{
    ++self->connections;
    beast::tcp_stream stream(std::move(socket));
    stream.expires_after(request_timeout);
    beast::flat_buffer buffer(header_size_max);
    http::request_parser<http::empty_body> parser;
    parser.header_limit(header_size_max);
    auto const [error, size] = co_await http::async_read(stream, buffer, parser, net::use_tuple);
    if (!error) {
        Request const request = parser.release();
        auto const host = request[http::field::host];
        bool const may_read =
            is_allowed_host({host.data(), host.size()}, self->local) &&
            (request.method() == http::verb::get || request.method() == http::verb::head);
        bool const is_live = self->options.recording == nullptr;
        bool const is_stream = may_read && is_live && request.target() == "/stream.ts";
        if (may_read && !is_live && request.target() == "/recording") {
            co_await self->serve_recording(&stream, &request);
        } else if (is_stream && self->clients.size() < clients_max) {
            co_await self->serve_stream(&stream, request.method() == http::verb::head);
        } else {
            Reply reply = self->answer(request);
            co_await http::async_write(stream, reply, net::use_tuple);
        }
    }
    boost::system::error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    --self->connections;
}

Reply Gateway::Parts::answer(Request const& request) const
{
    auto const text = [&request](http::status status, std::string body) {
        return make_reply(request, status, "text/plain; charset=utf-8", std::move(body));
    };
    auto const host = request[http::field::host];
    if (!is_allowed_host({host.data(), host.size()}, local)) {
        return text(http::status::forbidden, "use http://" + local.text() + "/\n");
    }
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
        return text(http::status::method_not_allowed, "only GET and HEAD\n");
    }
    auto const target = request.target();
    bool const has_script = std::filesystem::is_regular_file(options.player_script);
    if (target == "/") {
        return make_reply(request, http::status::ok, "text/html; charset=utf-8",
                          options.recording != nullptr ? recording_page(options.swarm)
                                                       : gateway_page(options.swarm, has_script));
    }
    if (target == "/mpegts.js" && has_script) {
        return make_reply(request, http::status::ok, "text/javascript",
                          read_file(options.player_script));
    }
    if (target == "/status") {
        return make_reply(request, http::status::ok, "application/json",
                          options.statistics() + "\n");
    }
    if (target == "/metrics") {
        return make_reply(request, http::status::ok, "text/plain; version=0.0.4",
                          to_prometheus(options.statistics(), "ppsp_peer"));
    }
    if (options.recording != nullptr) {
        return text(http::status::not_found, "there is /, /recording, /status and /metrics\n");
    }
    if (target == "/stream.ts") {
        return text(http::status::service_unavailable, "too many players\n");
    }
    return text(http::status::not_found, "there is /, /stream.ts, /status and /metrics\n");
}

net::awaitable<void> Gateway::Parts::serve_stream(beast::tcp_stream* stream, bool is_head)
{
    stream->expires_after(write_timeout);
    std::string_view const header = stream_header;
    auto const [error, size] = co_await asio::async_write(
        *stream, asio::buffer(header.data(), header.size()), net::use_tuple);
    if (error || is_head) {
        co_return;
    }
    auto const client = std::make_shared<Client>(context.get_executor());
    client->stream = stream;
    if (!start.backlog().empty()) {
        client->has_started = true;
        client->waiting.push_back(std::make_shared<ByteVector const>(start.backlog()));
        client->waiting_bytes = start.backlog().size();
    }
    clients.insert(client);
    co_await send_pieces(stream, client.get());
    clients.erase(client);
}

/// A part of the recording, or all of it; what is not there yet is waited for.
net::awaitable<void> Gateway::Parts::serve_recording(beast::tcp_stream* stream,
                                                     Request const* request)
{
    RecordingReader& recording = *options.recording;
    auto const give_up = std::chrono::steady_clock::now() + length_wait;
    net::steady_timer pause(context);
    ByteVector head;
    while (!recording.length() || head.empty()) {
        if (std::chrono::steady_clock::now() > give_up) {
            Reply reply = make_reply(*request, http::status::service_unavailable,
                                     "text/plain; charset=utf-8", "nobody sends it yet\n");
            co_await http::async_write(*stream, reply, net::use_tuple);
            co_return;
        }
        if (recording.length()) {
            recording.play_from(0); // its first bytes tell what it is
            head = recording.read(0, sniffed_bytes);
        }
        stream->expires_after(write_timeout);
        pause.expires_after(recording_poll);
        co_await pause.async_wait(net::use_tuple);
    }
    std::uint64_t const length = *recording.length();
    auto const header = (*request)[http::field::range];
    RangeAnswer const range = parse_range({header.data(), header.size()}, length);
    bool const is_part = range.kind == RangeKind::part;
    ByteRange const bytes = is_part ? range.range : ByteRange{0, length};
    http::response<http::empty_body> reply(range.kind == RangeKind::unsatisfiable
                                               ? http::status::range_not_satisfiable
                                           : is_part ? http::status::partial_content
                                                     : http::status::ok,
                                           request->version());
    reply.set(http::field::content_type, media_type(head));
    reply.set(http::field::accept_ranges, "bytes");
    reply.set("X-Content-Type-Options", "nosniff");
    reply.keep_alive(false);
    if (range.kind == RangeKind::unsatisfiable) {
        reply.set(http::field::content_range, "bytes */" + std::to_string(length));
        reply.content_length(0);
    } else {
        reply.content_length(bytes.size);
    }
    if (is_part) {
        reply.set(http::field::content_range, "bytes " + std::to_string(bytes.first) + "-" +
                                                  std::to_string(bytes.first + bytes.size - 1) +
                                                  "/" + std::to_string(length));
    }
    http::response_serializer<http::empty_body> serializer(reply);
    auto const [error, size] =
        co_await http::async_write_header(*stream, serializer, net::use_tuple);
    bool const has_body =
        range.kind != RangeKind::unsatisfiable && request->method() == http::verb::get;
    if (!error && has_body) {
        co_await send_recording(stream, bytes.first, bytes.first + bytes.size);
    }
}

net::awaitable<void> Gateway::Parts::send_recording(beast::tcp_stream* stream,
                                                    std::uint64_t position, std::uint64_t end)
{
    RecordingReader& recording = *options.recording;
    net::steady_timer pause(context);
    auto fed = std::chrono::steady_clock::now();
    while (position < end) {
        ByteVector const piece = recording.read(
            position,
            static_cast<std::size_t>(std::min<std::uint64_t>(end - position, recording_piece)));
        if (piece.empty()) {
            recording.play_from(position);
            if (std::chrono::steady_clock::now() - fed > recording_patience ||
                !stream->socket().is_open()) {
                co_return; // the player asks again, or gives up
            }
            pause.expires_after(recording_poll);
            co_await pause.async_wait(net::use_tuple);
            continue;
        }
        stream->expires_after(write_timeout);
        auto const [error, size] =
            co_await asio::async_write(*stream, asio::buffer(piece), net::use_tuple);
        if (error) {
            co_return;
        }
        position += piece.size();
        fed = std::chrono::steady_clock::now();
    }
}

net::awaitable<void> Gateway::Parts::send_pieces(beast::tcp_stream* stream, Client* client)
{
    while (!client->is_dropped) {
        if (client->waiting.empty()) {
            client->wake.expires_at(std::chrono::steady_clock::time_point::max());
            co_await client->wake.async_wait(net::use_tuple);
            continue;
        }
        Piece const piece = client->waiting.front();
        stream->expires_after(write_timeout);
        auto const [error, size] =
            co_await asio::async_write(*stream, asio::buffer(*piece), net::use_tuple);
        if (error) {
            co_return;
        }
        client->waiting.pop_front();
        client->waiting_bytes -= piece->size();
    }
}

} // namespace ppsp::peer
