#include "tracker/shell/server.hpp"

#include "protocol/integrity/key_file.hpp"

#include <fstream>
#include <sstream>

namespace ppsp::tracker {
namespace {

TimePoint steady_now()
{
    return TimePoint(
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

Result<std::optional<AllowList>, std::string> load_allow_list(std::string const& path)
{
    if (path.empty()) {
        return std::nullopt;
    }
    std::ifstream file(path);
    std::stringstream text;
    if (!file || !(text << file.rdbuf())) {
        return failure("cannot read the allow-list " + path +
                       " (it has to exist and name at least one swarm)");
    }
    auto list = AllowList::parse(text.str());
    if (!list) {
        return failure("allow-list " + path + ", " + list.error());
    }
    return std::optional(std::move(*list));
}

Result<integrity::PrivateKey, std::string> load_membership_key(std::string const& path)
{
    auto key = integrity::load_key(path);
    if (!key && key.error() == integrity::KeyFileError::missing) {
        key = integrity::create_key(path);
    }
    if (!key) {
        return failure("membership key " + path + " " + std::string(to_string(key.error())));
    }
    return *std::move(key);
}

/// UTC at the steady clock's zero.
UnixMicros utc_at_zero()
{
    auto const utc = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<Duration>(utc).count() -
           steady_now().time_since_epoch().count();
}

net::HttpServerOptions http_options(ServerOptions const& options)
{
    net::HttpServerOptions http;
    http.listen = options.listen;
    http.body_size_max = ppstp::body_size_max;
    http.connections_max = options.connections_max;
    http.idle_timeout = options.idle_timeout;
    http.tls_certificate_file = options.tls_certificate_file;
    http.tls_key_file = options.tls_key_file;
    return http;
}

net::HttpReply to_http(ApiReply&& reply)
{
    net::HttpReply http;
    http.status = reply.status;
    http.content_type = reply.content_type;
    http.body = std::move(reply.body);
    if (reply.retry_after) {
        http.headers.push_back({"Retry-After", std::to_string(reply.retry_after->count())});
    }
    if (!reply.allow.empty()) {
        http.headers.push_back({"Allow", std::string(reply.allow)});
    }
    return http;
}

net::HttpReply unavailable()
{
    net::HttpReply http;
    http.status = 503;
    return http;
}

void append_metric(std::string& out, std::string_view name, std::string_view type,
                   std::uint64_t value)
{
    out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
    out.append(name).append(" ").append(std::to_string(value)).append("\n");
}

} // namespace

class Server::State : public std::enable_shared_from_this<State> {
public:
    State(net::any_io_executor const& executor, ServerOptions const& options,
          std::optional<AllowList> allow_list)
        : timer_(executor),
          api_(steady_now(), options.limits, std::move(allow_list), Rng(options.seed))
    {}

    [[nodiscard]] Result<void, std::string> begin(net::any_io_executor const& executor,
                                                  ServerOptions const& options)
    {
        auto http = net::HttpServer::open(
            executor, http_options(options),
            [weak = weak_from_this()](net::HttpRequest const& request) {
                auto const self = weak.lock(); // a connection may outlive the server for a moment
                return self ? self->handle(request) : unavailable();
            });
        if (!http) {
            return failure(http.error());
        }
        http_ = std::move(*http);
        net::co_spawn(executor, tick(shared_from_this()), net::detached);
        return {};
    }

    void stop()
    {
        is_stopped_ = true;
        timer_.cancel();
        if (http_) {
            http_->stop();
        }
    }

    void issue_memberships(integrity::PrivateKey key)
    {
        api_.issue_memberships(std::move(key), utc_at_zero());
    }

    [[nodiscard]] net::HttpServer const& http() const { return *http_; }

private:
    static net::awaitable<void> tick(std::shared_ptr<State> self)
    {
        while (!self->is_stopped_) {
            self->timer_.expires_after(std::chrono::seconds{1});
            co_await self->timer_.async_wait(net::use_tuple);
            self->api_.tick(steady_now());
        }
    }

    net::HttpReply handle(net::HttpRequest const& request)
    {
        auto reply =
            api_.handle(steady_now(), {request.method, request.target, request.content_type,
                                       request.body, request.remote});
        if (request.target == "/metrics" && reply.status == 200) {
            append_http_metrics(reply.body);
        }
        return to_http(std::move(reply));
    }

    void append_http_metrics(std::string& out) const
    {
        auto const counters = http_->counters();
        append_metric(out, "ppsp_tracker_http_connections", "gauge", counters.open_connections);
        append_metric(out, "ppsp_tracker_http_connections_total", "counter", counters.connections);
        append_metric(out, "ppsp_tracker_http_connections_refused_total", "counter",
                      counters.refused);
        append_metric(out, "ppsp_tracker_http_requests_total", "counter", counters.requests);
        append_metric(out, "ppsp_tracker_http_bad_requests_total", "counter",
                      counters.bad_requests);
    }

    net::steady_timer timer_;
    Api api_;
    std::unique_ptr<net::HttpServer> http_;
    bool is_stopped_ = false;
};

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}

Server::~Server()
{
    state_->stop();
}

Result<std::unique_ptr<Server>, std::string> Server::open(net::any_io_executor executor,
                                                          ServerOptions const& options)
{
    auto allow_list = load_allow_list(options.allow_list_file);
    if (!allow_list) {
        return failure(allow_list.error());
    }
    auto state = std::make_shared<State>(executor, options, std::move(*allow_list));
    if (!options.membership_key_file.empty()) {
        auto key = load_membership_key(options.membership_key_file);
        if (!key) {
            return failure(std::move(key.error()));
        }
        state->issue_memberships(*std::move(key));
    }
    if (auto const begun = state->begin(executor, options); !begun) {
        return failure(begun.error());
    }
    return std::unique_ptr<Server>(new Server(std::move(state)));
}

std::string Server::url() const
{
    auto const& http = state_->http();
    return (http.is_tls() ? "https://" : "http://") + http.local_endpoint().text();
}

Endpoint Server::local_endpoint() const
{
    return state_->http().local_endpoint();
}

void Server::stop()
{
    state_->stop();
}

} // namespace ppsp::tracker
