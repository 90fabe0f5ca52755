#include "peer/shell/swarm_session.hpp"

#include "peer/shell/carrier_watch.hpp"
#include "peer/shell/link_peers.hpp"
#include "peer/shell/os_random.hpp"
#include "peer/shell/statistics_json.hpp"
#include "peer/shell/storage_client.hpp"
#include "protocol/base/assert.hpp"

#include <boost/asio/steady_timer.hpp>

#include <mutex>

namespace ppsp::peer {
namespace {

constexpr std::size_t peer_id_bytes = 20; // 40 hex digits, protocols.md §10.1
constexpr std::chrono::seconds carrier_interval{1};

} // namespace

struct SwarmSession::Parts {
    explicit Parts(Options given) : options(std::move(given)) {}

    [[nodiscard]] SwarmId const& swarm() const { return options.link.swarm; }
    void find_more()
    {
        if (tracker) {
            tracker->want_candidates();
        }
        if (link_peers) {
            link_peers->find();
        }
    }
    void find_neighbours(Role role);
    void start_tracker(Role role);
    [[nodiscard]] std::vector<StorageServer> start_storage();
    [[nodiscard]] std::optional<SwarmFigures> figures() const;
    [[nodiscard]] StatisticsRecord record() const;
    void watch_carrier();
    void leave();
    /// The answer of `work` on the node's thread, or `last` when there is none any more.
    template <typename Work, typename Answer>
    Answer ask(Work work, Answer const& last_answer)
    {
        // The node's own thread must not wait for `control`: `stop` holds it and waits for us.
        if (node->is_own_thread()) {
            return work();
        }
        std::lock_guard const lock{control};
        return is_stopped ? last_answer : node->ask(std::move(work));
    }

    Options options;
    std::unique_ptr<Node> node;
    std::unique_ptr<LinkPeers> link_peers;
    std::unique_ptr<TrackerClient> tracker;
    std::unique_ptr<StorageClient> storage;
    CarrierWatch carrier_watch;
    std::unique_ptr<boost::asio::steady_timer> carrier_timer;

    /// Held by calls that ask the node from other threads: it must not be stopped meanwhile.
    std::mutex control;
    bool is_stopped = false;
    StatisticsRecord last;
    TrackerProgress last_progress;
};

/// The link's caches, then its CDN.
std::vector<StorageServer> SwarmSession::Parts::start_storage()
{
    std::vector<StorageServer> about;
    std::vector<StorageClient::Server> servers;
    auto const add = [&](std::string const& text, StorageTier tier, std::string const& token) {
        if (auto url = net::parse_url(text)) {
            about.push_back({tier});
            servers.push_back({*std::move(url), token});
        }
    };
    for (auto const& cache : options.link.caches) {
        add(cache, StorageTier::cache, options.cache_token);
    }
    for (auto const& cdn : options.link.cdn) {
        add(cdn, StorageTier::cdn, {});
    }
    storage = std::make_unique<StorageClient>(node->context(), std::move(servers),
                                              [this](Input const& input) { node->handle(input); });
    return about;
}

void SwarmSession::Parts::find_neighbours(Role role)
{
    link_peers = std::make_unique<LinkPeers>(
        node->context(), swarm(), options.node.peers ? options.link.peers : std::vector<HostPort>{},
        [this](Input const& input) { node->handle(input); });
    link_peers->find();
    start_tracker(role);
}

void SwarmSession::Parts::start_tracker(Role role)
{
    if (options.link.trackers.empty() || !options.node.peers) {
        return;
    }
    TrackerClientConfig config;
    config.trackers = options.link.trackers;
    config.swarm_id = to_hex(swarm());
    config.peer_id = random_hex(peer_id_bytes);
    config.role = role;
    config.bound = node->local_endpoint();
    config.upload_kbps = options.node.upload_kbps;
    if (is_recording_id(swarm())) {
        config.waiting = "waiting for somebody who has the recording";
    }
    TrackerClientPorts ports;
    ports.feed = [this](Input const& input) { node->handle(input); };
    ports.figures = [this] { return figures(); };
    ports.can_reach = [this](Endpoint const& to) { return node->socket().can_reach(to); };
    ports.message = options.on_message;
    if (options.link.peers.empty()) {
        ports.refused = options.on_refused;
    }
    tracker = std::make_unique<TrackerClient>(node->context(), std::move(config),
                                              Rng{OsRandom{}.next()}, std::move(ports));
    tracker->start();
}

std::optional<SwarmFigures> SwarmSession::Parts::figures() const
{
    auto swarm_figures = node->engine().statistics(node->now(), swarm());
    if (!swarm_figures) {
        return std::nullopt;
    }
    return SwarmFigures{*std::move(swarm_figures), node->engine().neighbours(swarm())};
}

StatisticsRecord SwarmSession::Parts::record() const
{
    StatisticsRecord record;
    record.uptime = node->now().time_since_epoch();
    record.swarm = node->engine().statistics(node->now(), swarm()).value_or(SwarmStatistics{});
    record.usage = process_usage();
    record.living_from = to_text(carrier_watch.carrier());
    return record;
}

/// Tells once a second whether peers or storage carry the picture, if that has changed.
void SwarmSession::Parts::watch_carrier()
{
    carrier_timer->expires_after(carrier_interval);
    carrier_timer->async_wait([this](boost::system::error_code const& error) {
        if (error) {
            return;
        }
        auto const swarm_figures = node->engine().statistics(node->now(), swarm());
        auto const sentence =
            swarm_figures ? carrier_watch.observe(node->now(), *swarm_figures) : std::nullopt;
        if (sentence) {
            options.on_message(*sentence);
        }
        watch_carrier();
    });
}

void SwarmSession::Parts::leave()
{
    auto const goodbye = std::make_shared<std::promise<void>>();
    auto left = goodbye->get_future();
    node->post([this, goodbye] {
        last = record();
        if (tracker) {
            last_progress = tracker->progress();
            tracker->leave([goodbye] { goodbye->set_value(); });
        } else {
            goodbye->set_value();
        }
        node->handle(LeaveSwarm{swarm()});
    });
    static_cast<void>(left.wait_for(leave_wait_max));
}

Result<std::unique_ptr<SwarmSession>, std::string> SwarmSession::open(Options options)
{
    auto parts = std::make_unique<Parts>(std::move(options));
    Parts* const raw = parts.get();
    if (!raw->options.on_message) {
        raw->options.on_message = [](std::string const&) {};
    }
    Node::Listener listener;
    listener.on_media = raw->options.on_media;
    listener.on_candidates_wanted = [raw](SwarmId const&) {
        // Later: what is found is fed to the engine, which is busy now.
        raw->node->post([raw] { raw->find_more(); });
    };
    listener.on_fetch_wanted = [raw](FetchWanted&& wanted) { raw->storage->fetch(wanted); };
    // Where no tracker introduces anybody, peers do: whoever wrote the link chose whom to trust.
    raw->options.node.pex_plain = raw->options.link.trackers.empty() && !raw->options.node.strict;
    raw->options.node.turn_gap = live_turn_gap;
    auto node = Node::open(raw->options.node, std::move(listener));
    if (!node) {
        return failure(std::move(node.error()));
    }
    raw->node = *std::move(node);
    return std::unique_ptr<SwarmSession>(new SwarmSession(std::move(parts)));
}

SwarmSession::SwarmSession(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

SwarmSession::~SwarmSession()
{
    stop();
}

Node& SwarmSession::node()
{
    return *parts_->node;
}

void SwarmSession::join(LiveSwarmConfig const& config, integrity::Signer* signer)
{
    PPSP_ASSERT(!parts_->link_peers);
    LiveSwarmConfig with_storage = config;
    if (config.role == Role::viewer) {
        with_storage.storage = parts_->start_storage();
        parts_->carrier_timer =
            std::make_unique<boost::asio::steady_timer>(parts_->node->context());
        parts_->watch_carrier();
    }
    parts_->node->handle(JoinSwarm{with_storage, signer});
    parts_->find_neighbours(config.role);
}

void SwarmSession::join(JoinRecording const& recording)
{
    PPSP_ASSERT(!parts_->link_peers);
    parts_->node->handle(recording);
    parts_->find_neighbours(recording.tree ? Role::source : Role::viewer);
}

void SwarmSession::note_playing()
{
    if (parts_->tracker) {
        parts_->tracker->note_playing();
    }
}

void SwarmSession::stop()
{
    std::lock_guard const lock{parts_->control};
    if (parts_->is_stopped) {
        return;
    }
    parts_->leave();
    parts_->node->stop();
    parts_->last.is_final = true;
    parts_->is_stopped = true;
}

TrackerProgress SwarmSession::tracker_progress()
{
    return parts_->ask(
        [parts = parts_.get()] {
            return parts->tracker ? parts->tracker->progress() : TrackerProgress{};
        },
        parts_->last_progress);
}

std::string SwarmSession::statistics_json()
{
    return to_json(parts_->ask([parts = parts_.get()] { return parts->record(); }, parts_->last));
}

SwarmStatistics SwarmSession::statistics()
{
    return parts_->ask([parts = parts_.get()] { return parts->record(); }, parts_->last).swarm;
}

} // namespace ppsp::peer
