#include "peer/shell/cache_server.hpp"

#include "peer/shell/cache_session.hpp"
#include "peer/shell/statistics_json.hpp"
#include "protocol/integrity/openssl_signature.hpp"
#include "protocol/net/address.hpp"

#include <boost/asio/ip/v6_only.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace ppsp::peer {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;

constexpr auto sweep_interval = std::chrono::milliseconds{250};

error_code listen(tcp::acceptor& acceptor, tcp::endpoint const& endpoint)
{
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) {
        acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    }
    if (!error && endpoint.address().is_v6()) {
        acceptor.set_option(boost::asio::ip::v6_only(false), error);
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

class CacheServer::State : public std::enable_shared_from_this<State> {
public:
    State(net::io_context& context, tcp::acceptor acceptor)
        : context_(context), acceptor_(std::move(acceptor)), timer_(context), pause_(context),
          started_at_(SteadyClock::now())
    {}

    void begin(CacheServerOptions const& options, std::unique_ptr<ObjectFiles> files,
               integrity::PrivateKey const& key)
    {
        auto cache_options = options.cache;
        if (cache_options.url.empty()) {
            cache_options.url = url();
        }
        host_ = std::make_shared<CacheHost>(context_,
                                            Cache(std::move(cache_options), std::move(files),
                                                  key.swarm_id(), checker_, std::time(nullptr)),
                                            options.upload_bps, options.timeouts,
                                            options.connections_max);
        net::co_spawn(context_, accept(shared_from_this()), net::detached);
        net::co_spawn(context_, tick(shared_from_this()), net::detached);
    }

    [[nodiscard]] std::string url() const
    {
        return "http://" + net::to_endpoint(acceptor_local()).text();
    }

    void stop()
    {
        if (is_stopped_) {
            return;
        }
        is_stopped_ = true;
        error_code ignored;
        local_ = acceptor_local();
        acceptor_.close(ignored);
        timer_.cancel();
        pause_.cancel();
        host_->close_all();
        host_->disk().join(); // what is being written is written
        host_->cache().tick(std::time(nullptr));
    }

    [[nodiscard]] CacheHost& host() { return *host_; }
    [[nodiscard]] double uptime_s() const
    {
        return std::chrono::duration<double>(SteadyClock::now() - started_at_).count();
    }

private:
    [[nodiscard]] tcp::endpoint acceptor_local() const
    {
        return acceptor_.is_open() ? acceptor_.local_endpoint() : local_;
    }

    static net::awaitable<void> accept(std::shared_ptr<State> self)
    {
        while (!self->is_stopped_) {
            auto [error, socket] = co_await self->acceptor_.async_accept(net::use_tuple);
            if (self->is_stopped_) {
                break;
            }
            if (!error) {
                self->start(std::move(socket));
                continue;
            }
            // Mostly out of file descriptors: an idle connection gives one back.
            static_cast<void>(self->host_->make_room());
            self->pause_.expires_after(std::chrono::milliseconds{20});
            co_await self->pause_.async_wait(net::use_tuple);
        }
    }

    void start(tcp::socket socket)
    {
        if (host_->make_room()) {
            net::co_spawn(context_, serve_cache_connection(host_, std::move(socket)),
                          net::detached);
        } // else the socket closes itself
    }

    static net::awaitable<void> tick(std::shared_ptr<State> self)
    {
        for (unsigned turn = 0; !self->is_stopped_; ++turn) {
            self->timer_.expires_after(sweep_interval);
            co_await self->timer_.async_wait(net::use_tuple);
            if (self->is_stopped_) {
                break;
            }
            self->host_->sweep();
            if (turn % 4 == 0) {
                self->host_->cache().tick(std::time(nullptr));
            }
        }
    }

    net::io_context& context_;
    tcp::acceptor acceptor_;
    tcp::endpoint local_;
    net::steady_timer timer_;
    net::steady_timer pause_;
    integrity::OpensslChecker checker_;
    std::shared_ptr<CacheHost> host_;
    SteadyClock::time_point started_at_;
    bool is_stopped_ = false;
};

Result<std::unique_ptr<CacheServer>, std::string>
CacheServer::open(net::io_context& context, CacheServerOptions options,
                  integrity::PrivateKey const& key)
{
    auto files = ObjectFiles::open(options.folder);
    if (!files) {
        return failure(files.error());
    }
    tcp::acceptor acceptor(context);
    if (auto const error = listen(acceptor, net::to_asio<tcp::endpoint>(options.listen))) {
        return failure("cannot listen on " + options.listen.text() + ": " + error.message());
    }
    auto state = std::make_shared<State>(context, std::move(acceptor));
    state->begin(options, std::move(*files), key);
    return std::unique_ptr<CacheServer>(new CacheServer(std::move(state)));
}

CacheServer::CacheServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

CacheServer::~CacheServer()
{
    state_->stop();
}

std::string CacheServer::url() const
{
    return state_->url();
}

void CacheServer::stop()
{
    state_->stop();
}

std::string CacheServer::statistics(bool is_final) const
{
    auto& host = state_->host();
    auto const usage = process_usage();
    boost::json::object line;
    line["uptime_s"] = state_->uptime_s();
    for (auto const& [name, value] : figures_of(host.cache())) {
        line[boost::json::string_view(name.data(), name.size())] = value;
    }
    line["wire_bytes_in"] = host.counters().bytes_in;
    line["wire_bytes_out"] = host.counters().bytes_out;
    line["connections"] = host.connection_count();
    line["cpu_seconds"] = usage.cpu_seconds;
    line["rss_bytes"] = usage.rss_bytes;
    line["final"] = is_final;
    return boost::json::serialize(line);
}

} // namespace ppsp::peer
