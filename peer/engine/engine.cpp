#include "peer/engine/engine.hpp"

#include "peer/engine/outbox.hpp"
#include "peer/live/live_swarm.hpp"
#include "peer/recording/recording_swarm.hpp"
#include "protocol/base/assert.hpp"
#include "protocol/base/overloaded.hpp"

#include <algorithm>
#include <map>

namespace ppsp::peer {
namespace {

/// Conversations that wait for proof of their address, over all swarms (protocols.md §2.4).
constexpr std::size_t half_open_max = 1024;
constexpr std::size_t half_open_per_address_max = 8;
/// A node is not a data centre: more than this is a mistake of its shell.
constexpr std::size_t swarms_max = 256;

} // namespace

struct Engine::Parts {
    Parts(NodeConfig const& config, Rng node_rng, Ports node_ports)
        : node(config), rng(node_rng), ports(node_ports),
          uplink(config.uplink_bps, config.turn_gap), channels(ports.random)
    {}

    NodeConfig node;
    Rng rng;
    Ports ports;
    Outbox outbox;
    Uplink uplink;
    ChannelTable channels;
    std::map<SwarmId, std::unique_ptr<Swarm>> swarms;
    std::map<SwarmId, LiveSwarm*> live;            ///< those of them
    std::map<SwarmId, RecordingSwarm*> recordings; ///< those of them
    TimePoint latest{};
    std::vector<Swarm*> waiting; ///< got datagrams, and have yet to act on them
    std::vector<Bytes> foreseen; ///< chunks of the datagrams at hand

    [[nodiscard]] Swarm* find(SwarmId const& id)
    {
        auto const at = swarms.find(id);
        return at == swarms.end() ? nullptr : at->second.get();
    }

    void join(TimePoint now, JoinSwarm const& join)
    {
        PPSP_ASSERT(swarms.size() < swarms_max && !swarms.contains(join.config.id));
        SwarmServices const services{node, ports, outbox, uplink, channels};
        auto swarm =
            std::make_unique<LiveSwarm>(now, join, services, rng.fork("swarm", swarms.size()));
        live.emplace(join.config.id, swarm.get());
        swarms.emplace(join.config.id, std::move(swarm));
    }

    void join(TimePoint now, JoinRecording const& join)
    {
        PPSP_ASSERT(swarms.size() < swarms_max && !swarms.contains(join.config.id));
        SwarmServices const services{node, ports, outbox, uplink, channels};
        auto swarm =
            std::make_unique<RecordingSwarm>(now, join, services, rng.fork("swarm", swarms.size()));
        recordings.emplace(join.config.id, swarm.get());
        swarms.emplace(join.config.id, std::move(swarm));
    }

    void leave(TimePoint now, SwarmId const& id)
    {
        if (Swarm* const swarm = find(id)) {
            swarm->leave(now);
            std::erase(waiting, swarm);
            live.erase(id);
            recordings.erase(id);
            swarms.erase(id);
        }
    }

    [[nodiscard]] bool table_has_room(Endpoint const& from) const
    {
        std::size_t all = 0;
        std::size_t of_address = 0;
        for (auto const& [id, swarm] : swarms) {
            all += swarm->half_open_count();
            of_address += swarm->half_open_count(from);
        }
        return all < half_open_max && of_address < half_open_per_address_max;
    }

    /// Datagrams to channel 0 begin conversations; everything that does not fit is met with
    /// silence (PP-3.1.1-d).
    void initiate(TimePoint now, DatagramReceived const& received)
    {
        wire::DatagramReader reader(received.bytes, wire::SwarmFormat{});
        auto const message = reader.next();
        if (!message || !*message) {
            return;
        }
        auto const* handshake = std::get_if<wire::Handshake>(&**message);
        if (handshake == nullptr || !handshake->options.swarm_id ||
            !table_has_room(received.from)) {
            return;
        }
        Swarm* const swarm = find(*handshake->options.swarm_id);
        if (swarm == nullptr) {
            return;
        }
        swarm->on_initiation(now, received.from, *handshake, reader, received.bytes);
        swarm->advance(now);
    }

    /// Where a datagram belongs. A channel belongs to the address it was opened with
    /// (protocols.md §2.5).
    [[nodiscard]] ChannelTable::Place place_of(ChannelId id, Endpoint const& from) const
    {
        auto const place = channels.find(id);
        bool const is_there = place.channel != nullptr && place.channel->endpoint == from &&
                              place.channel->state != ChannelState::closed;
        return is_there ? place : ChannelTable::Place{};
    }

    /// Of the first swarm that hashes ahead: rarely another recording is fetched at the same time.
    void foresee(std::span<DatagramReceived const> datagrams)
    {
        integrity::Hasher* hasher = nullptr;
        foreseen.clear();
        for (DatagramReceived const& received : datagrams) {
            ByteReader head(received.bytes);
            auto const number = head.u32();
            Swarm const* const swarm =
                number ? place_of(ChannelId{*number}, received.from).swarm : nullptr;
            integrity::Hasher* const of_swarm = swarm ? swarm->hasher_ahead() : nullptr;
            if (of_swarm == nullptr || (hasher != nullptr && hasher != of_swarm) ||
                foreseen.size() >= of_swarm->ahead_max()) {
                continue;
            }
            hasher = of_swarm;
            if (auto const payload = wire::likely_chunk(received.bytes, swarm->format())) {
                foreseen.push_back(*payload);
            }
        }
        // The others, too: their chunks of earlier datagrams are no longer where they were.
        for (auto const& [id, swarm] : recordings) {
            integrity::Hasher* const of_swarm = swarm->hasher_ahead();
            of_swarm->expect(of_swarm == hasher ? std::span<Bytes const>(foreseen)
                                                : std::span<Bytes const>{});
        }
    }

    void receive(TimePoint now, DatagramReceived const& received)
    {
        ByteReader head(received.bytes);
        auto const number = head.u32();
        if (!number) {
            return;
        }
        if (*number == 0) {
            initiate(now, received);
            return;
        }
        auto const place = place_of(ChannelId{*number}, received.from);
        if (place.channel == nullptr) {
            return;
        }
        wire::DatagramReader reader(received.bytes, place.swarm->format());
        place.swarm->on_datagram(now, now - received.waited, *place.channel, reader,
                                 received.bytes.size());
        if (!received.more || !place.swarm->may_wait(now, *place.channel)) {
            std::erase(waiting, place.swarm);
            place.swarm->advance(now);
        } else if (std::find(waiting.begin(), waiting.end(), place.swarm) == waiting.end()) {
            waiting.push_back(place.swarm);
        }
    }

    void advance_waiting(TimePoint now)
    {
        for (Swarm* const swarm : waiting) {
            swarm->advance(now);
        }
        waiting.clear();
    }
};

Engine::Engine(NodeConfig const& config, Rng rng, Ports ports)
    : parts_(std::make_unique<Parts>(config, rng, ports))
{}

Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

void Engine::foresee(std::span<DatagramReceived const> datagrams)
{
    parts_->foresee(datagrams);
}

void Engine::handle(TimePoint now, Input const& input)
{
    Parts& parts = *parts_;
    PPSP_ASSERT(now >= parts.latest);
    parts.latest = now;
    auto const with_swarm = [&](SwarmId const& id, auto&& act) {
        if (Swarm* const swarm = parts.find(id)) {
            act(*swarm);
            swarm->advance(now);
        }
    };
    auto const with_live = [&](SwarmId const& id, auto&& act) {
        if (auto const at = parts.live.find(id); at != parts.live.end()) {
            act(*at->second);
            at->second->advance(now);
        }
    };
    std::visit(
        Overloaded{
            [&](DatagramReceived const& received) { parts.receive(now, received); },
            [&](TimerFired const&) {
                for (auto const& [id, swarm] : parts.swarms) {
                    swarm->advance(now);
                }
            },
            [&](JoinSwarm const& join) { parts.join(now, join); },
            [&](JoinRecording const& join) { parts.join(now, join); },
            [&](PlayFrom const& play) {
                if (auto const at = parts.recordings.find(play.swarm);
                    at != parts.recordings.end()) {
                    at->second->play_from(play.position);
                    at->second->advance(now);
                }
            },
            [&](LeaveSwarm const& leave) { parts.leave(now, leave.swarm); },
            [&](CandidatesFound const& found) {
                with_swarm(found.swarm, [&](Swarm& s) {
                    s.on_candidates(now, found.endpoints, found.is_answer);
                });
            },
            [&](UplinksProven const& proven) {
                with_swarm(proven.swarm, [&](Swarm& s) { s.on_uplinks_proven(proven.peers); });
            },
            [&](MembershipIssued const& issued) {
                with_swarm(issued.swarm, [&](Swarm& s) { s.on_membership(now, issued); });
            },
            [&](LiveEdgeFound const& found) {
                with_live(found.swarm, [&](LiveSwarm& s) { s.on_edge(now, found); });
            },
            [&](UnitCut const& cut) {
                with_live(cut.swarm, [&](LiveSwarm& s) {
                    s.on_unit_cut(now, cut.payload, cut.random_access);
                });
            },
            [&](FetchFinished const& finished) {
                with_live(finished.swarm, [&](LiveSwarm& s) { s.on_fetched(now, finished); });
            },
        },
        input);
    auto const* const datagram = std::get_if<DatagramReceived>(&input);
    if (!parts.waiting.empty() && (datagram == nullptr || !datagram->more)) {
        parts.advance_waiting(now);
    }
}

std::optional<Output> Engine::poll(TimePoint)
{
    return parts_->outbox.pop();
}

std::optional<TimePoint> Engine::deadline() const
{
    std::optional<TimePoint> next;
    for (auto const& [id, swarm] : parts_->swarms) {
        auto const at = swarm->deadline();
        if (at && (!next || *at < *next)) {
            next = at;
        }
    }
    return next;
}

std::optional<SwarmStatistics> Engine::statistics(TimePoint now, SwarmId const& swarm) const
{
    Swarm const* const found = parts_->find(swarm);
    return found == nullptr ? std::nullopt : std::optional{found->statistics(now)};
}

std::uint64_t Engine::held_from(SwarmId const& swarm, std::uint64_t position) const
{
    auto const at = parts_->recordings.find(swarm);
    return at == parts_->recordings.end() ? 0 : at->second->held_from(position);
}

std::vector<NeighbourStatistics> Engine::neighbours(SwarmId const& swarm) const
{
    Swarm const* const found = parts_->find(swarm);
    return found == nullptr ? std::vector<NeighbourStatistics>{} : found->neighbour_statistics();
}

} // namespace ppsp::peer
