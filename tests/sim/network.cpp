#include "protocol/base/assert.hpp"
#include "tests/sim/world.hpp"

namespace ppsp::sim {
namespace {

/// How long a NAT remembers whom a node wrote to (RFC 4787 asks for 2 minutes; home routers have
/// less).
constexpr Duration binding_life = 30s;

} // namespace

void World::drain(SimNode& node)
{
    bool candidates_wanted = false;
    while (auto output = node.engine->poll(now_)) {
        if (auto* datagram = std::get_if<peer::SendDatagram>(&*output)) {
            if (node.polluter) {
                datagram->bytes =
                    node.polluter->tamper(datagram->to, std::move(datagram->bytes), edge());
            }
            send(node, datagram->to, std::move(datagram->bytes));
        } else if (auto* media = std::get_if<peer::MediaReady>(&*output)) {
            take_media(node, *media);
        } else if (auto const* wanted = std::get_if<peer::FetchWanted>(&*output)) {
            fetch(node, *wanted);
        } else {
            candidates_wanted = true;
        }
    }
    if (candidates_wanted && node.tracker) {
        node.tracker->want_candidates();
        talk_to_tracker(node);
    }
}

/// Safety: what comes out is what was cut, in order.
void World::take_media(SimNode& node, peer::MediaReady const& media)
{
    bool const in_order =
        !node.has_output || media.discontinuity || media.stream_position == node.next_position;
    if (!in_order) {
        violations_.push_back("node " + std::to_string(node.plan.number) +
                              " put media out of order");
    }
    node.has_output = true;
    node.next_position = media.stream_position + media.bytes.size();
    if (!stream_.matches(media.stream_position, media.bytes)) {
        node.polluted_bytes += media.bytes.size();
    }
}

/// HTTP without its packets: a round trip, then the body at the rate of the slowest link. It takes
/// nothing from what datagrams have of the viewer's link.
void World::fetch(SimNode& node, peer::FetchWanted const& wanted)
{
    TimePoint const asked = now_;
    at_service(node, now_ + node.plan.access_delay, [this, &node, asked, wanted] {
        auto [answer, took] = storage_.answer(now_, wanted);
        TimePoint got_at = now_ + took + node.plan.access_delay;
        if (node.plan.downlink_bps > 0) {
            got_at +=
                Duration{static_cast<Duration::rep>(static_cast<double>(answer.body.size()) * 8e6 /
                                                    static_cast<double>(node.plan.downlink_bps))};
        }
        if (got_at > asked + wanted.timeout) {
            answer = {};
            got_at = std::max(asked + wanted.timeout, now_ + lookahead(node));
        }
        at_answer(node, got_at, [this, &node, id = wanted.fetch, got = std::move(answer)] {
            if (node.alive) {
                handle(node, peer::FetchFinished{swarm_, id, got.status, got.body});
            }
        });
    });
}

SimNode* World::node_at(Endpoint const& endpoint)
{
    if (!endpoint.is_v4()) {
        return nullptr;
    }
    std::uint32_t const number = (endpoint.v4_address() - first_address) / address_step;
    bool const exists = endpoint.v4_address() >= first_address && number < nodes_.size();
    return exists ? nodes_[number].get() : nullptr;
}

/// The address that the other side sees.
Endpoint World::outside(SimNode& node, Endpoint const& remote)
{
    if (node.plan.nat == NatKind::none) {
        return node.endpoint;
    }
    node.bindings[remote] = now_;
    if (node.plan.nat == NatKind::cone) {
        return node.endpoint;
    }
    auto const spread = (remote.v4_address() * 2654435761U) >> 16;
    return Endpoint::v4(node.endpoint.v4_address(),
                        static_cast<std::uint16_t>(1024 + spread % 60'000));
}

bool World::lets_in(SimNode& node, Flight const& flight)
{
    if (node.plan.nat == NatKind::none) {
        return flight.to == node.endpoint;
    }
    auto const binding = node.bindings.find(flight.from);
    if (binding == node.bindings.end() || now_ - binding->second > binding_life) {
        return false;
    }
    TimePoint const kept = binding->second;
    bool const same_port = outside(node, flight.from) == flight.to;
    node.bindings[flight.from] = kept; // only the inside refreshes a binding
    return same_port;
}

void World::send(SimNode& from, Endpoint const& to, ByteVector bytes)
{
    ++datagrams_;
    std::size_t const on_link = bytes.size() + ip_udp_bytes;
    auto const left = from.up.pass(now_, on_link);
    if (!left) {
        ++dropped_;
        return;
    }
    Endpoint const seen_from = outside(from, to);
    SimNode* const receiver = node_at(to);
    bool const is_dark =
        now_ >= seconds(scenario_.blackout_from) && now_ < seconds(scenario_.blackout_until);
    bool const is_lost = is_dark || receiver == nullptr || !receiver->alive ||
                         on_link > scenario_.mtu ||
                         (scenario_.loss > 0 && from.link_rng.chance(scenario_.loss)) ||
                         from.burst.lost(from.link_rng);
    if (is_lost) {
        ++lost_;
        return;
    }
    if (scenario_.duplication > 0 && from.link_rng.chance(scenario_.duplication)) {
        launch(from, *receiver, *left + 1ms, seen_from, to, bytes);
    }
    launch(from, *receiver, *left, seen_from, to, std::move(bytes));
}

void World::launch(SimNode& from, SimNode& to, TimePoint left, Endpoint const& seen_from,
                   Endpoint const& to_endpoint, ByteVector bytes)
{
    Duration delay = from.plan.access_delay + to.plan.access_delay;
    if (from.plan.region != to.plan.region) {
        delay += Scenario::ms(scenario_.region_delay_ms);
    }
    if (scenario_.jitter_ms > 0) {
        delay += Duration{from.link_rng.between(0, Scenario::ms(scenario_.jitter_ms).count())};
    }
    if (scenario_.reordering > 0 && from.link_rng.chance(scenario_.reordering)) {
        delay += Scenario::ms(scenario_.reorder_ms);
    }
    std::uint32_t place = 0;
    if (free_flights_.empty()) {
        place = static_cast<std::uint32_t>(flights_.size());
        flights_.emplace_back();
    } else {
        place = free_flights_.back();
        free_flights_.pop_back();
    }
    auto const size = static_cast<std::uint32_t>(bytes.size());
    flights_[place] = {seen_from, to_endpoint, std::move(bytes)};
    PPSP_ASSERT(left + delay >= to.acted_at);
    to.agenda.add({left + delay, from.numbers.next(), size, place, EventKind::arrival});
    plan_visit(to);
}

void World::arrive(SimNode& node, SimEvent const& event)
{
    ++events_;
    auto const passed = node.down.pass(now_, event.subject + ip_udp_bytes);
    if (!passed) {
        ++dropped_;
        free_flights_.push_back(event.detail);
        return;
    }
    node.inbox.emplace_back(*passed, event.detail);
    plan_turn(node);
}

/// What came since the last turn; the number of datagrams.
std::size_t World::take_inbox(SimNode& node)
{
    while (!node.inbox.empty() && node.inbox.front().first <= now_) {
        auto const [arrived, place] = node.inbox.front();
        node.inbox.pop_front();
        Flight flight = std::move(flights_[place]);
        free_flights_.push_back(place);
        note(node, EventKind::arrival, flight.bytes.size());
        if (!node.alive || !lets_in(node, flight)) {
            ++lost_;
            continue;
        }
        came_.push_back({std::move(flight), arrived});
    }
    for (Arrived const& one : came_) {
        bool const more = &one != &came_.back();
        node.engine->handle(
            now_, peer::DatagramReceived{one.flight.from, one.flight.bytes, more, now_ - one.at});
        drain(node);
    }
    std::size_t const count = came_.size();
    came_.clear();
    return count;
}

} // namespace ppsp::sim
