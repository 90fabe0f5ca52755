#include "peer/shell/node.hpp"

#include "peer/shell/log_events.hpp"
#include "peer/shell/os_random.hpp"
#include "peer/shell/signals.hpp"
#include "protocol/base/assert.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/integrity/openssl_signature.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <thread>

namespace ppsp::peer {
namespace {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;

// Largest UDP payloads that Ethernet carries in one frame.
constexpr std::uint16_t payload_max_v4 = 1472;
constexpr std::uint16_t payload_max_v6 = 1452;
/// Deadlines nearer than this wait for one another: what is paced then leaves in few pieces, with
/// one timer for all. The pacer lets ten datagrams go back to back.
constexpr Duration timer_granularity = std::chrono::microseconds{250};
/// Datagrams of one batch that are as good as simultaneous: some 50 us of work.
constexpr std::size_t datagrams_together = 16;

UnixMicros utc_now()
{
    return std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

NodeConfig to_config(NodeOptions const& options)
{
    NodeConfig config;
    config.utc_at_zero = utc_now();
    if (options.upload_kbps) {
        config.uplink_bps = *options.upload_kbps * 1000;
    }
    config.datagram_size_max = options.listen.is_v4() ? payload_max_v4 : payload_max_v6;
    config.strict = options.strict;
    config.turn_gap = options.turn_gap;
    config.forgive_link_loss = options.forgive_link_loss;
    config.neighbours_max = options.neighbours_max.value_or(config.neighbours_max);
    config.pex_plain = options.pex_plain;
    if (!options.peers) {
        config.neighbours_target = 0;
        config.neighbours_max = 0;
    }
    return config;
}

} // namespace

struct Node::Parts {
    Parts(NodeOptions const& options, Listener given)
        : listener(std::move(given)), turn_gap(options.turn_gap), zero(SteadyClock::now()),
          hasher(integrity::make_hasher(wire::HashFunction::sha256)),
          engine(to_config(options), Rng{random.next()},
                 Ports{*hasher, checker, random, events, nullptr, &memberships, &spare})
    {}

    [[nodiscard]] TimePoint now() const
    {
        return TimePoint{std::chrono::duration_cast<Duration>(SteadyClock::now() - zero)};
    }
    void handle(TimePoint at, Input const& input);
    void receive(std::span<UdpSocket::Datagram const> batch);
    [[nodiscard]] bool end_turn();
    void finish_turn();
    bool do_what_is_due();
    void arm_timer();
    void wake_at(TimePoint at);
    void wake();

    void operator()(SendDatagram& output)
    {
        socket->send(output.to, std::move(output.bytes));
        // What fills a call goes while it is in the caches; a long turn would overflow the queue.
        if (socket->waiting() >= UdpSocket::batch_size) {
            socket->flush();
        }
    }
    void operator()(MediaReady& output)
    {
        if (listener.on_media) {
            listener.on_media(std::move(output));
        }
    }
    void operator()(CandidatesWanted& output)
    {
        if (listener.on_candidates_wanted) {
            listener.on_candidates_wanted(output.swarm);
        }
    }

    void operator()(FetchWanted& output)
    {
        if (listener.on_fetch_wanted) {
            listener.on_fetch_wanted(std::move(output));
        }
    }

    Listener listener;
    Duration turn_gap;
    SteadyClock::time_point zero;
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work =
        asio::make_work_guard(context);
    asio::steady_timer timer{context};
    std::optional<TimePoint> armed;
    std::uint64_t timers_set = 0;
    std::vector<DatagramReceived> arrivals;
    std::size_t came = 0;    ///< datagrams of this turn
    bool is_resting = false; ///< the socket is not read before the timer fires
    SpareBuffers spare;
    std::unique_ptr<UdpSocket> socket;
    Endpoint local;
    std::unique_ptr<integrity::Hasher> hasher;
    integrity::OpensslChecker checker;
    integrity::OpensslMembershipChecker memberships;
    OsRandom random;
    LogEvents events;
    Engine engine;
    bool is_handling = false;
    std::thread thread;
};

void Node::Parts::handle(TimePoint at, Input const& input)
{
    PPSP_ASSERT(!is_handling);
    is_handling = true;
    engine.handle(at, input);
    while (auto output = engine.poll(at)) {
        std::visit(*this, *output);
    }
    is_handling = false;
}

void Node::Parts::receive(std::span<UdpSocket::Datagram const> batch)
{
    arrivals.clear();
    for (UdpSocket::Datagram const& datagram : batch) {
        bool const more = (arrivals.size() + 1) % datagrams_together != 0;
        arrivals.push_back({datagram.from, datagram.bytes, more, datagram.waited});
    }
    arrivals.back().more = false;
    engine.foresee(arrivals);
    TimePoint at{};
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        // The clock is read once for some of them, which were there before it was read.
        at = i % datagrams_together == 0 ? now() : at;
        handle(at, arrivals[i]);
    }
    came += arrivals.size();
    socket->flush();
}

/// All that came was looked at. Whether the socket shall tell when more comes: not while a gap lies
/// between the turns, which then begins. Everything that comes in it costs one wake-up, one system
/// call to read it, and one answer for each neighbour.
bool Node::Parts::end_turn()
{
    std::size_t const datagrams = std::exchange(came, 0);
    bool const was_due = do_what_is_due();
    socket->flush();
    is_resting = turn_gap > Duration::zero() && datagrams < busy_turn_datagrams &&
                 (datagrams > 0 || was_due);
    if (is_resting) {
        wake_at(now() + turn_gap);
    } else {
        arm_timer();
    }
    return !is_resting;
}

bool Node::Parts::do_what_is_due()
{
    auto const due = engine.deadline();
    if (!due || *due > now()) {
        return false;
    }
    handle(now(), TimerFired{});
    return true;
}

void Node::Parts::finish_turn()
{
    socket->flush();
    arm_timer();
}

void Node::Parts::arm_timer()
{
    auto const deadline = engine.deadline();
    // Deadlines move on with almost every datagram. A timer that fires too early and is set again
    // then costs less than setting it each time, which is a system call.
    if (is_resting || !deadline || (armed && *armed <= *deadline)) {
        return;
    }
    TimePoint const wake = std::max(*deadline, now() + std::max(turn_gap, timer_granularity));
    if (!armed || wake < *armed) {
        wake_at(wake);
    }
}

void Node::Parts::wake_at(TimePoint at)
{
    armed = at;
    ++timers_set;
    timer.expires_at(zero + at.time_since_epoch());
    timer.async_wait([this](boost::system::error_code const& error) {
        if (!error) {
            armed.reset();
            wake();
        }
    });
}

void Node::Parts::wake()
{
    if (is_resting) {
        socket->read(); // and ends the turn
        return;
    }
    do_what_is_due();
    finish_turn();
}

Result<std::unique_ptr<Node>, std::string> Node::open(NodeOptions const& options, Listener listener)
{
    auto parts = std::make_unique<Parts>(options, std::move(listener));
    bool const has_gaps = options.turn_gap > Duration::zero();
    auto socket = UdpSocket::open(
        parts->context, options.listen,
        {.arrival_times = has_gaps, .ends_early = has_gaps, .spare = &parts->spare});
    if (!socket) {
        return failure(std::move(socket.error()));
    }
    parts->socket = *std::move(socket);
    parts->local = parts->socket->local_endpoint();
    Parts* const raw = parts.get();
    raw->socket->start([raw](auto batch) { raw->receive(batch); },
                       [raw] { return raw->end_turn(); });
    raw->thread = start_without_signals([raw] { raw->context.run(); });
    return std::unique_ptr<Node>(new Node(std::move(parts)));
}

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Node::~Node()
{
    stop();
}

void Node::stop()
{
    if (!parts_->thread.joinable()) {
        return;
    }
    post([parts = parts_.get()] {
        parts->socket->flush();
        parts->context.stop();
    });
    parts_->thread.join();
}

Endpoint Node::local_endpoint() const
{
    return parts_->local;
}

void Node::post(std::function<void()> work)
{
    asio::post(parts_->context, std::move(work));
}

bool Node::is_own_thread() const
{
    return std::this_thread::get_id() == parts_->thread.get_id();
}

asio::io_context& Node::context()
{
    return parts_->context;
}

void Node::handle(Input const& input)
{
    parts_->handle(parts_->now(), input);
    parts_->finish_turn();
}

TimePoint Node::now() const
{
    return parts_->now();
}

Engine const& Node::engine() const
{
    return parts_->engine;
}

UdpSocket const& Node::socket() const
{
    return *parts_->socket;
}

std::uint64_t Node::timers_set() const
{
    return parts_->timers_set;
}

} // namespace ppsp::peer
