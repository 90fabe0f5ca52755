#include "protocol/net/http_server.hpp"

#include "protocol/net/address.hpp"
#include "protocol/net/http_session.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/ssl/context.hpp>

#include <unordered_set>

namespace ppsp::net {
namespace {

namespace ssl = boost::asio::ssl;
using boost::asio::ip::tcp;
using boost::system::error_code;

Result<std::optional<ssl::context>, std::string> make_tls(HttpServerOptions const& options)
{
    if (options.tls_certificate_file.empty() && options.tls_key_file.empty()) {
        return std::nullopt;
    }
    if (options.tls_certificate_file.empty() || options.tls_key_file.empty()) {
        return failure(std::string("TLS needs both a certificate and its key"));
    }
    ssl::context context(ssl::context::tls_server);
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context.native_handle(), SSL_MODE_RELEASE_BUFFERS);
    error_code error;
    context.use_certificate_chain_file(options.tls_certificate_file, error);
    if (error) {
        return failure("cannot use the certificate " + options.tls_certificate_file + ": " +
                       error.message());
    }
    context.use_private_key_file(options.tls_key_file, ssl::context::pem, error);
    if (error) {
        return failure("cannot use the key " + options.tls_key_file + ": " + error.message());
    }
    return std::optional<ssl::context>(std::move(context));
}

error_code listen(tcp::acceptor& acceptor, tcp::endpoint const& endpoint)
{
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) {
        acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    }
    if (!error && endpoint.address().is_v6()) {
        acceptor.set_option(asio::ip::v6_only(false), error);
    }
    if (!error) {
        acceptor.bind(endpoint, error);
    }
    if (!error) {
        acceptor.listen(tcp::acceptor::max_listen_connections, error);
    }
    return error;
}

} // namespace

class HttpServer::State : public SessionHost, public std::enable_shared_from_this<State> {
public:
    State(any_io_executor executor, HttpServerOptions options, HttpHandler handler,
          std::optional<ssl::context> tls)
        : SessionHost(std::move(options), std::move(handler)), executor_(std::move(executor)),
          acceptor_(executor_), pause_(executor_), tls_(std::move(tls))
    {}

    [[nodiscard]] error_code begin()
    {
        auto const error = listen(acceptor_, to_asio<tcp::endpoint>(options().listen));
        if (!error) {
            local_ = to_endpoint(acceptor_.local_endpoint());
            co_spawn(executor_, accept(shared_from_this()), detached);
        }
        return error;
    }

    void stop()
    {
        is_stopped_ = true;
        error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
        close_all();
    }

    [[nodiscard]] Endpoint local() const { return local_; }
    [[nodiscard]] bool is_tls() const { return tls_.has_value(); }

private:
    static awaitable<void> accept(std::shared_ptr<State> self)
    {
        while (!self->is_stopped_) {
            auto [error, socket] = co_await self->acceptor_.async_accept(use_tuple);
            if (self->is_stopped_) {
                break;
            }
            if (!error) {
                self->start(std::move(socket));
                continue;
            }
            // Mostly out of file descriptors: some come back when connections end.
            self->pause_.expires_after(std::chrono::milliseconds{100});
            co_await self->pause_.async_wait(use_tuple);
        }
    }

    void start(tcp::socket socket)
    {
        ++counters().connections;
        if (session_count() >= options().connections_max) {
            ++counters().refused;
            return; // the socket closes itself
        }
        error_code ignored; // costs latency only
        socket.set_option(tcp::no_delay(true), ignored);
        auto host = std::shared_ptr<SessionHost>(shared_from_this());
        auto session = tls_ ? serve_tls(std::move(host), std::move(socket), *tls_)
                            : serve_plain(std::move(host), std::move(socket));
        co_spawn(executor_, std::move(session), detached);
    }

    any_io_executor executor_;
    tcp::acceptor acceptor_;
    steady_timer pause_;
    std::optional<ssl::context> tls_;
    Endpoint local_;
    bool is_stopped_ = false;
};

HttpServer::HttpServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer()
{
    state_->stop();
}

Result<std::unique_ptr<HttpServer>, std::string>
HttpServer::open(any_io_executor executor, HttpServerOptions options, HttpHandler handler)
{
    auto tls = make_tls(options);
    if (!tls) {
        return failure(tls.error());
    }
    auto const where = options.listen.text();
    auto state = std::make_shared<State>(std::move(executor), std::move(options),
                                         std::move(handler), std::move(*tls));
    if (auto const error = state->begin()) {
        return failure("cannot listen on " + where + ": " + error.message());
    }
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

Endpoint HttpServer::local_endpoint() const
{
    return state_->local();
}

bool HttpServer::is_tls() const
{
    return state_->is_tls();
}

HttpServerCounters HttpServer::counters() const
{
    auto counters = state_->counters();
    counters.open_connections = state_->session_count();
    return counters;
}

void HttpServer::stop()
{
    state_->stop();
}

} // namespace ppsp::net
