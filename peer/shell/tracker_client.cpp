#include "peer/shell/tracker_client.hpp"

#include "peer/shell/candidates.hpp"
#include "peer/shell/os_random.hpp"
#include "peer/shell/own_addresses.hpp"
#include "peer/shell/tracker_answer.hpp"
#include "peer/shell/tracker_exchange.hpp"
#include "protocol/net/address.hpp"
#include "protocol/net/resolve.hpp"

#include <algorithm>
#include <limits>

namespace ppsp::peer {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Time = SteadyClock::time_point;

constexpr double jitter_share = 0.2;
constexpr std::size_t transaction_id_bytes = 16;
constexpr int unlimited = std::numeric_limits<int>::max();

/// The tracker does not know us (any more): TP-2.3.2-b.
bool is_forgotten(ppstp::ErrorCode code)
{
    return code == ppstp::ErrorCode::forbidden || code == ppstp::ErrorCode::authentication_required;
}

std::string why_refused(ppstp::Response const& response)
{
    if (!response.reason.empty()) {
        return response.reason;
    }
    return response.error == ppstp::ErrorCode::none
               ? "the channel is not allowed there"
               : "error " + std::to_string(static_cast<int>(response.error));
}

} // namespace

struct TrackerClient::Parts : std::enable_shared_from_this<TrackerClient::Parts> {
    Parts(boost::asio::io_context& context, TrackerClientConfig given, Rng rng_given,
          TrackerClientPorts ports_given)
        : executor(context.get_executor()), wake(context), config(std::move(given)), rng(rng_given),
          ports(std::move(ports_given)),
          exchange(executor, {config.trackers, config.ca_file, config.timers, ports.message},
                   rng.fork("exchange")),
          candidates(config.peer_id, ports.can_reach), reports(config.swarm_id),
          find_interval(config.timers.find_interval_waiting)
    {}

    static net::awaitable<void> run(std::shared_ptr<Parts> self);
    net::awaitable<bool> connect();
    void tell_refusal(ppstp::Response const& response);
    net::awaitable<void> serve();
    net::awaitable<void> find();
    net::awaitable<void> report(bool is_full);
    net::awaitable<void> say_goodbye();
    net::awaitable<void> sleep_until(Time when);
    net::awaitable<void> find_own_addresses();

    ppstp::Request make_request(decltype(ppstp::Request::body) body) const;
    ppstp::Request make_connect(ppstp::Action action) const;
    ppstp::PeerNumber peer_number() const;
    bool take_result(ppstp::Response const& response);
    void take_peers(ppstp::SwarmResult const& result);
    void take_figures(ppstp::SwarmResult const& result);
    void take_membership(ppstp::SwarmResult const& result);
    [[nodiscard]] ppstp::SwarmResult const* our_result(ppstp::Response const& response) const;
    void plan_find();
    [[nodiscard]] Time next_event() const;

    net::any_io_executor executor;
    net::steady_timer wake;
    TrackerClientConfig config;
    Rng rng;
    TrackerClientPorts ports;
    TrackerExchange exchange;
    Candidates candidates;
    TrackerReports reports;

    bool is_started = false;
    bool is_leaving = false;
    bool is_registered = false;
    bool was_registered = false;
    bool has_asked = false; ///< a CONNECT may have reached a tracker
    bool is_playing = false;
    bool is_waiting_told = false;
    std::vector<Endpoint> own;
    TrackerProgress progress;

    bool is_find_wanted = false;
    Duration find_interval;
    Time find_not_before{};
    Time report_at{};
    Time content_at{};
    Time membership_renew_at = Time::max();
    std::function<void()> on_left;
};

// ---- the conversation --------------------------------------------------------------------------

net::awaitable<void> TrackerClient::Parts::run(std::shared_ptr<Parts> self)
{
    // `self` keeps everything alive that the coroutines below refer to.
    while (!self->is_leaving) {
        bool const is_connected = co_await self->connect();
        if (is_connected) {
            co_await self->serve();
        }
    }
    if (self->is_registered || self->has_asked) {
        co_await self->say_goodbye();
    }
    if (self->on_left) {
        self->on_left();
    }
}

net::awaitable<bool> TrackerClient::Parts::connect()
{
    while (!is_leaving) {
        co_await find_own_addresses();
        has_asked = true;
        auto const response = co_await exchange.ask(make_connect(ppstp::Action::join), unlimited);
        if (!response) {
            break;
        }
        if (take_result(*response)) {
            is_registered = true;
            was_registered = true;
            has_asked = false;
            auto const now = SteadyClock::now();
            auto const& timers = config.timers;
            auto const first =
                config.role == Role::viewer ? timers.report_first : timers.report_interval;
            report_at = now + jittered(rng, first, jitter_share);
            content_at = now;
            co_return true;
        }
        progress.refusal = why_refused(*response);
        tell_refusal(*response);
        co_await exchange.pause();
    }
    co_return false;
}

void TrackerClient::Parts::tell_refusal(ppstp::Response const& response)
{
    std::string const sentence =
        "the tracker at " + exchange.tracker().at.text() + " refuses: " + progress.refusal;
    bool const is_only_one = config.trackers.size() == 1 && config.trackers.front().size() == 1;
    bool const is_final =
        response.error == ppstp::ErrorCode::forbidden && is_only_one && !was_registered;
    if (is_final && ports.refused) {
        std::exchange(ports.refused, nullptr)(sentence);
        return;
    }
    ports.message(sentence);
}

net::awaitable<void> TrackerClient::Parts::serve()
{
    while (is_registered && !is_leaving) {
        auto const now = SteadyClock::now();
        if (now >= membership_renew_at) { // a FIND brings the next one
            membership_renew_at = Time::max();
            is_find_wanted = true;
        }
        if (is_find_wanted && now >= find_not_before) {
            co_await find();
        } else if (now >= report_at) {
            co_await report(true);
        } else if (config.role == Role::source && now >= content_at) {
            co_await report(false);
        } else {
            co_await sleep_until(next_event());
        }
    }
}

net::awaitable<void> TrackerClient::Parts::find()
{
    is_find_wanted = false;
    auto const response = co_await exchange.ask(
        make_request(ppstp::Find{config.swarm_id, peer_number()}), attempts_max);
    plan_find();
    if (response && !take_result(*response)) {
        is_registered = is_registered && !is_forgotten(response->error);
        // The question is still open.
        is_find_wanted = true;
    }
}

net::awaitable<void> TrackerClient::Parts::report(bool is_full)
{
    auto const now = SteadyClock::now();
    content_at = now + jittered(rng, config.timers.content_interval, jitter_share);
    if (is_full) {
        report_at = now + jittered(rng, config.timers.report_interval, jitter_share);
    }
    ppstp::StatReport body; // without figures it is a keep-alive
    if (auto const figures = ports.figures()) {
        body = is_full ? reports.full(*figures) : reports.content_only(*figures);
    }
    if (!is_full && body.content_maps.empty()) {
        co_return;
    }
    int const attempts = is_full ? attempts_max : 1;
    auto const response = co_await exchange.ask(make_request(std::move(body)), attempts);
    if (!response) {
        co_return;
    }
    if (is_forgotten(response->error)) {
        is_registered = false;
    } else if (auto const* result = our_result(*response)) {
        take_figures(*result);
    }
}

net::awaitable<void> TrackerClient::Parts::say_goodbye()
{
    auto const timeout = std::chrono::ceil<std::chrono::milliseconds>(config.timers.leave_timeout);
    co_await exchange.tell(make_connect(ppstp::Action::leave), timeout);
}

net::awaitable<void> TrackerClient::Parts::sleep_until(Time when)
{
    if (is_leaving) {
        co_return;
    }
    wake.expires_at(when);
    co_await wake.async_wait(net::use_tuple);
}

net::awaitable<void> TrackerClient::Parts::find_own_addresses()
{
    auto const [host, port] = exchange.tracker().at;
    auto const deadline = SteadyClock::now() + config.timers.request_timeout;
    auto const found = co_await net::resolve(executor, host, port, deadline);
    std::vector<Endpoint> trackers;
    if (found) {
        for (auto const& endpoint : *found) {
            trackers.push_back(net::to_endpoint(endpoint));
        }
    }
    own = own_addresses(config.bound, trackers);
}

// ---- requests ----------------------------------------------------------------------------------

ppstp::Request TrackerClient::Parts::make_request(decltype(ppstp::Request::body) body) const
{
    return {random_hex(transaction_id_bytes), config.peer_id, std::move(body)};
}

ppstp::Request TrackerClient::Parts::make_connect(ppstp::Action action) const
{
    auto const mode =
        config.role == Role::source ? ppstp::PeerMode::seeder : ppstp::PeerMode::leech;
    ppstp::Connect connect;
    connect.swarm_actions = {{config.swarm_id, action, mode}};
    if (action == ppstp::Action::join) {
        connect.peer_num = peer_number();
        auto priority = static_cast<std::uint32_t>(own.size());
        for (Endpoint const& endpoint : own) {
            ppstp::PeerAddress address;
            address.endpoint = endpoint;
            address.priority = priority--;
            address.peer_protocol = "PPSP-PP";
            connect.peer_addresses.push_back(std::move(address));
        }
    }
    return make_request(std::move(connect));
}

ppstp::PeerNumber TrackerClient::Parts::peer_number() const
{
    ppstp::PeerNumber number;
    number.peer_count = peers_wanted;
    number.upload_bandwidth_kbps = config.upload_kbps;
    return number;
}

// ---- answers -----------------------------------------------------------------------------------

bool TrackerClient::Parts::take_result(ppstp::Response const& response)
{
    if (response.error != ppstp::ErrorCode::none) {
        return false;
    }
    auto const* result = our_result(response);
    if (result == nullptr) {
        return true;
    }
    if (result->result != 0) {
        return false;
    }
    take_peers(*result);
    take_figures(*result);
    take_membership(*result);
    return true;
}

ppstp::SwarmResult const* TrackerClient::Parts::our_result(ppstp::Response const& response) const
{
    auto const found =
        std::find_if(response.swarm_results.begin(), response.swarm_results.end(),
                     [this](auto const& result) { return result.swarm_id == config.swarm_id; });
    return found == response.swarm_results.end() ? nullptr : &*found;
}

/// After the candidates, since the engine notes uplinks of those it knows.
void TrackerClient::Parts::take_figures(ppstp::SwarmResult const& result)
{
    SwarmId const swarm = *from_hex(config.swarm_id);
    if (auto const proven = uplinks_of(swarm, result); !proven.peers.empty()) {
        ports.feed(proven);
    }
    if (result.live && config.role == Role::viewer) {
        ports.feed(edge_of(swarm, *result.live));
    }
}

void TrackerClient::Parts::take_membership(ppstp::SwarmResult const& result)
{
    membership_renew_at = Time::max();
    if (auto const issued = membership_of(*from_hex(config.swarm_id), result);
        issued && may_certify(exchange.tracker().at.host, exchange.tracker().is_tls)) {
        ports.feed(*issued);
        membership_renew_at =
            SteadyClock::now() + std::chrono::seconds{result.membership->valid_s} / 2;
    }
}

void TrackerClient::Parts::take_peers(ppstp::SwarmResult const& result)
{
    auto endpoints = candidates.choose(result.peers, own);
    progress.peers_found = std::max(progress.peers_found, endpoints.size());
    bool const is_alone = endpoints.empty() && config.role == Role::viewer && !is_playing;
    ports.feed(CandidatesFound{*from_hex(config.swarm_id), std::move(endpoints)});
    if (is_alone) {
        is_find_wanted = true;
        plan_find();
        if (!is_waiting_told) {
            is_waiting_told = true;
            ports.message(config.waiting);
        }
        return;
    }
    find_interval = config.timers.find_interval_waiting;
}

// ---- when and where ----------------------------------------------------------------------------

void TrackerClient::Parts::plan_find()
{
    Duration interval = config.timers.find_interval_min;
    if (!is_playing) {
        interval = find_interval;
        find_interval = std::min(find_interval * 3 / 2, config.timers.find_interval_waiting_max);
    }
    find_not_before = SteadyClock::now() + jittered(rng, interval, jitter_share);
}

Time TrackerClient::Parts::next_event() const
{
    Time next = std::min(report_at, membership_renew_at);
    if (is_find_wanted) {
        next = std::min(next, find_not_before);
    }
    if (config.role == Role::source) {
        next = std::min(next, content_at);
    }
    return next;
}

// ---- from outside ------------------------------------------------------------------------------

TrackerClient::TrackerClient(boost::asio::io_context& context, TrackerClientConfig config, Rng rng,
                             TrackerClientPorts ports)
    : parts_(std::make_shared<Parts>(context, std::move(config), rng, std::move(ports)))
{}

TrackerClient::~TrackerClient() = default;

void TrackerClient::start()
{
    parts_->is_started = true;
    net::co_spawn(parts_->executor, Parts::run(parts_), net::detached);
}

void TrackerClient::want_candidates()
{
    parts_->is_find_wanted = true;
    parts_->wake.cancel();
}

void TrackerClient::note_playing()
{
    parts_->is_playing = true;
    parts_->exchange.set_urgent(false);
}

void TrackerClient::leave(std::function<void()> done)
{
    if (!parts_->is_started) {
        done();
        return;
    }
    parts_->on_left = std::move(done);
    parts_->is_leaving = true;
    parts_->wake.cancel();
    parts_->exchange.end();
}

TrackerProgress TrackerClient::progress() const
{
    TrackerProgress progress = parts_->progress;
    progress.has_answered = parts_->exchange.has_been_answered();
    return progress;
}

} // namespace ppsp::peer
