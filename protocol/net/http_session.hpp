#pragma once

#include "protocol/net/http_server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <unordered_map>

namespace ppsp::net {

/// What the sessions of one server share.
class SessionHost {
public:
    SessionHost(HttpServerOptions options, HttpHandler handler)
        : options_(std::move(options)), handler_(std::move(handler))
    {}

    [[nodiscard]] HttpServerOptions const& options() const { return options_; }
    [[nodiscard]] HttpServerCounters& counters() { return counters_; }
    [[nodiscard]] HttpHandler const& handler() const { return handler_; }
    [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }
    /// `Date` header; made once a second.
    [[nodiscard]] std::string const& date();
    /// Calls the close function of each session.
    void close_all();

    /// Lives as long as a session.
    class Registration {
    public:
        Registration(std::shared_ptr<SessionHost> host, std::function<void()> close);
        ~Registration();
        Registration(Registration const&) = delete;
        Registration& operator=(Registration const&) = delete;

    private:
        std::shared_ptr<SessionHost> host_;
        std::uint64_t id_;
    };

private:
    HttpServerOptions options_;
    HttpHandler handler_;
    HttpServerCounters counters_;
    std::unordered_map<std::uint64_t, std::function<void()>> sessions_;
    std::uint64_t next_session_ = 0;
    std::string date_;
    std::int64_t date_second_ = -1;
};

/// One connection until either side ends it.
[[nodiscard]] awaitable<void> serve_plain(std::shared_ptr<SessionHost> host,
                                          boost::asio::ip::tcp::socket socket);
/// The context belongs to the host.
[[nodiscard]] awaitable<void> serve_tls(std::shared_ptr<SessionHost> host,
                                        boost::asio::ip::tcp::socket socket,
                                        boost::asio::ssl::context& context);

} // namespace ppsp::net
