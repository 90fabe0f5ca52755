#include "peer/shell/link_peers.hpp"

#include "protocol/net/address.hpp"
#include "protocol/net/asio.hpp"
#include "protocol/net/resolve.hpp"

namespace ppsp::peer {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::seconds resolve_timeout{5};

} // namespace

struct LinkPeers::Parts {
    net::any_io_executor executor;
    SwarmId swarm;
    std::vector<HostPort> peers;
    std::function<void(Input const&)> feed; ///< empty = nobody listens any more
    bool is_busy = false;
    SteadyClock::time_point not_before{};

    static net::awaitable<void> run(std::shared_ptr<Parts> self);
};

net::awaitable<void> LinkPeers::Parts::run(std::shared_ptr<Parts> self)
{
    std::vector<Endpoint> endpoints;
    for (HostPort const& peer : self->peers) {
        auto const deadline = SteadyClock::now() + resolve_timeout;
        auto const found = co_await net::resolve(self->executor, peer.host, peer.port, deadline);
        if (found && !found->empty()) {
            endpoints.push_back(net::to_endpoint(found->front()));
        }
    }
    self->is_busy = false;
    if (self->feed && !endpoints.empty()) {
        self->feed(CandidatesFound{self->swarm, std::move(endpoints), false});
    }
}

LinkPeers::LinkPeers(boost::asio::io_context& context, SwarmId swarm, std::vector<HostPort> peers,
                     std::function<void(Input const&)> feed)
    : parts_(std::make_shared<Parts>())
{
    parts_->executor = context.get_executor();
    parts_->swarm = std::move(swarm);
    parts_->peers = std::move(peers);
    parts_->feed = std::move(feed);
}

LinkPeers::~LinkPeers()
{
    parts_->feed = nullptr;
}

void LinkPeers::find()
{
    auto const now = SteadyClock::now();
    if (parts_->peers.empty() || parts_->is_busy || now < parts_->not_before) {
        return;
    }
    parts_->is_busy = true;
    parts_->not_before = now + interval_min;
    net::co_spawn(parts_->executor, Parts::run(parts_), net::detached);
}

} // namespace ppsp::peer
