#include "peer/shell/storage_client.hpp"

#include "protocol/base/assert.hpp"
#include "protocol/net/http_client.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <deque>

namespace ppsp::peer {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// With less time than this left a fetch that waited is not asked for any more: a server that is
/// far away could never answer.
constexpr std::chrono::milliseconds time_left_min{50};

std::string target_of(net::Url const& url, std::string const& path)
{
    auto base = url.target;
    if (auto const query = base.find('?'); query != std::string::npos) {
        base.resize(query);
    }
    while (base.ends_with('/')) {
        base.pop_back();
    }
    return base + path;
}

struct Waiting {
    FetchWanted wanted;
    SteadyClock::time_point expires;
};

/// One server, its connections and who waits for one.
struct Origin {
    StorageClient::Server server;
    std::vector<std::shared_ptr<net::HttpClient>> idle;
    std::size_t busy = 0;
    std::deque<Waiting> waiting;
};

} // namespace

struct StorageClient::Parts : std::enable_shared_from_this<Parts> {
    Parts(net::io_context& on, std::vector<Server> servers, std::function<void(Input const&)> to)
        : context(on), feed(std::move(to))
    {
        for (Server& server : servers) {
            origins.push_back({std::move(server), {}, 0, {}});
        }
    }

    void start(std::size_t number);
    net::awaitable<void> serve(std::size_t number, std::shared_ptr<net::HttpClient> client);
    static net::HttpCall call_of(Server const& server, Waiting const& next);

    net::io_context& context;
    std::function<void(Input const&)> feed;
    std::vector<Origin> origins;
    bool is_ended = false;
};

net::HttpCall StorageClient::Parts::call_of(Server const& server, Waiting const& next)
{
    net::HttpCall call;
    call.target = target_of(server.url, next.wanted.path);
    if (next.wanted.range) {
        call.headers.push_back({"Range", "bytes=" + std::to_string(next.wanted.range->first) + "-" +
                                             std::to_string(next.wanted.range->second)});
    }
    if (!server.token.empty()) {
        call.headers.push_back({"Authorization", "Bearer " + server.token});
    }
    call.timeout = std::chrono::ceil<std::chrono::milliseconds>(next.expires - SteadyClock::now());
    call.response_size_max = next.wanted.size_max;
    return call;
}

/// Serves what waits with one connection until nothing does.
net::awaitable<void> StorageClient::Parts::serve(std::size_t number,
                                                 std::shared_ptr<net::HttpClient> client)
{
    auto const self = shared_from_this();
    // Later, also where an answer needs no waiting: the engine is busy now.
    co_await boost::asio::post(context, net::use_awaitable);
    Origin& origin = origins[number];
    while (!is_ended && !origin.waiting.empty()) {
        Waiting const next = std::move(origin.waiting.front());
        origin.waiting.pop_front();
        FetchFinished finished;
        finished.swarm = next.wanted.swarm;
        finished.fetch = next.wanted.fetch;
        if (SteadyClock::now() + time_left_min > next.expires) {
            feed(finished);
            continue;
        }
        auto answer = co_await client->call(call_of(origin.server, next));
        if (is_ended) {
            break;
        }
        if (answer) {
            finished.status = answer->status;
            finished.body = {reinterpret_cast<std::uint8_t const*>(answer->body.data()),
                             answer->body.size()};
        }
        feed(finished);
    }
    origin.busy -= 1;
    origin.idle.push_back(std::move(client));
}

void StorageClient::Parts::start(std::size_t number)
{
    Origin& origin = origins[number];
    if (origin.idle.empty() && origin.busy >= connections_max) {
        return; // whoever is done goes on with it
    }
    std::shared_ptr<net::HttpClient> client;
    if (origin.idle.empty()) {
        net::HttpClientOptions options;
        options.user_agent = "ppsp-peer";
        client = std::make_shared<net::HttpClient>(context.get_executor(), origin.server.url,
                                                   std::move(options));
    } else {
        client = std::move(origin.idle.back());
        origin.idle.pop_back();
    }
    origin.busy += 1;
    net::co_spawn(context, serve(number, std::move(client)), net::detached);
}

StorageClient::StorageClient(boost::asio::io_context& context, std::vector<Server> servers,
                             std::function<void(Input const&)> feed)
    : parts_(std::make_shared<Parts>(context, std::move(servers), std::move(feed)))
{}

StorageClient::~StorageClient()
{
    parts_->is_ended = true;
    for (Origin& origin : parts_->origins) {
        origin.waiting.clear();
        origin.idle.clear();
    }
}

void StorageClient::fetch(FetchWanted const& wanted)
{
    PPSP_ASSERT(wanted.server < parts_->origins.size());
    Origin& origin = parts_->origins[wanted.server];
    origin.waiting.push_back({wanted, SteadyClock::now() + wanted.timeout});
    parts_->start(wanted.server);
}

} // namespace ppsp::peer
