#include "tests/sim/world.hpp"

#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/integrity/openssl_signature.hpp"
#include "protocol/integrity/private_key.hpp"
#include "tests/sim/bounds.hpp"

#include <chrono>

namespace ppsp::sim {
namespace {

constexpr Duration tracker_timeout = 5s;

/// Before `origin` nothing happens; on the grid of units.
TimePoint origin_of(Scenario const& scenario)
{
    Duration const unit = scenario.unit();
    return TimePoint{unit * (Duration{10s} / unit + 1)};
}

ByteVector counted_swarm_id(Rng rng)
{
    ByteVector id{static_cast<std::uint8_t>(wire::SignatureAlgorithm::ecdsa_p256_sha256)};
    while (id.size() < 65) {
        id.push_back(static_cast<std::uint8_t>(rng.next()));
    }
    return id;
}

std::unique_ptr<integrity::Signer> make_signer(Scenario const& scenario, CryptoCounts& counts,
                                               Rng rng)
{
    if (!scenario.crypto_real) {
        return std::make_unique<CountedSigner>(counts, counted_swarm_id(rng));
    }
    auto key = integrity::PrivateKey::generate(wire::SignatureAlgorithm::ecdsa_p256_sha256);
    return integrity::make_signer(std::move(*key));
}

World::Crypto real_crypto(CryptoCounts&)
{
    return {integrity::make_hasher(wire::HashFunction::sha256),
            std::make_unique<integrity::OpensslChecker>()};
}

World::Crypto counted_crypto(CryptoCounts& counts)
{
    return {std::make_unique<CountedHasher>(counts), std::make_unique<CountedChecker>(counts)};
}

} // namespace

World::World(Scenario const& scenario, CryptoMaker crypto)
    : scenario_(scenario), rng_(scenario.seed), link_rng_(rng_.fork("links")),
      origin_(origin_of(scenario)), end_(origin_ + Scenario::s(scenario.seconds)), now_(origin_),
      wire_factor_(wire_factor(scenario.overhead_allowance, scenario.chunk_size)),
      stream_(scenario.chunks_per_unit, scenario.chunk_size,
              static_cast<std::size_t>((scenario.window_s + 10) * 1e3 / scenario.unit_ms)),
      make_crypto_(crypto                 ? std::move(crypto)
                   : scenario.crypto_real ? CryptoMaker{real_crypto}
                                          : CryptoMaker{counted_crypto}),
      baseline_(baselines::find(scenario.picker).value_or(baselines::Baseline{})),
      signer_(make_signer(scenario_, crypto_, rng_.fork("key"))), swarm_(signer_->swarm_id()),
      swarm_hex_(to_hex(swarm_)), tracker_(tracker::Limits{}, std::nullopt, rng_.fork("tracker")),
      tracker_endpoint_(Endpoint::v4(0x13000001, 7846)), next_key_(origin_)
{
    plan_population();
    add_storage();
    add_source();
    plan_scripts();
}

World::~World() = default;

RunResult World::run(Progress const& progress)
{
    auto const started = std::chrono::steady_clock::now();
    auto shown = started;
    while (!queue_.empty() && queue_.top().at < end_) {
        SimEvent const event = queue_.pop();
        now_ = event.at;
        ++events_;
        switch (event.kind) {
        case EventKind::arrival:
            arrive(event);
            break;
        case EventKind::turn:
            take_turn(event);
            break;
        case EventKind::script: {
            note(event.kind, event.subject, 0);
            auto const what = std::move(scripts_[event.subject]);
            free_scripts_.push_back(event.subject);
            what();
            break;
        }
        }
        if (progress && events_ % 65536 == 0) {
            auto const wall = std::chrono::steady_clock::now();
            if (wall - shown > std::chrono::seconds{1}) {
                shown = wall;
                progress(std::chrono::duration<double>(now_ - origin_).count(), scenario_.seconds);
            }
        }
    }
    now_ = end_;
    RunResult result = summarise();
    result.wall_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return result;
}

/// Covers time, kind, place and size of everything that happens, not the bytes of signatures: real
/// ones differ from run to run.
void World::note(EventKind kind, std::uint32_t subject, std::size_t size)
{
    auto const add = [this](std::uint64_t value) {
        digest_ = (digest_ ^ value) * 0x100000001b3;
        digest_ ^= digest_ >> 29;
    };
    add(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
    add((std::uint64_t{subject} << 32) ^ (static_cast<std::uint64_t>(kind) << 24) ^ size);
}

void World::at(TimePoint when, std::function<void()> what)
{
    std::uint32_t place = 0;
    if (free_scripts_.empty()) {
        place = static_cast<std::uint32_t>(scripts_.size());
        scripts_.push_back(std::move(what));
    } else {
        place = free_scripts_.back();
        free_scripts_.pop_back();
        scripts_[place] = std::move(what);
    }
    queue_.add(std::max(when, now_), EventKind::script, place, 0);
}

void World::handle(SimNode& node, peer::Input const& input)
{
    node.engine->handle(now_, input);
    drain(node);
    plan_turn(node);
}

/// A node acts as the product's does: on what came and on what is due, in turns (peer::Node).
void World::plan_turn(SimNode& node)
{
    std::optional<TimePoint> const due = node.engine ? node.engine->deadline() : std::nullopt;
    TimePoint next = due.value_or(TimePoint::max());
    if (!node.inbox.empty()) {
        next = std::min(next, node.inbox.front().first);
    }
    next = std::max({next, node.free_at, now_ + Duration{1}});
    if (next < node.turn_at) {
        node.turn_at = next;
        queue_.add(next, EventKind::turn, node.plan.number, 0);
    }
}

void World::take_turn(SimEvent const& event)
{
    SimNode& node = *nodes_[event.subject];
    if (event.at != node.turn_at) {
        return; // an earlier one took its place
    }
    node.turn_at = TimePoint::max();
    std::size_t const came = take_inbox(node);
    auto const deadline = node.engine ? node.engine->deadline() : std::nullopt;
    bool const is_due = deadline && *deadline <= now_;
    if (is_due) {
        note(event.kind, event.subject, 0);
        node.engine->handle(now_, peer::TimerFired{});
        drain(node);
    }
    if ((came > 0 || is_due) && came < peer::busy_turn_datagrams) {
        node.free_at = now_ + Scenario::ms(scenario_.turn_gap_ms);
    }
    plan_turn(node);
}

void World::cut_unit()
{
    bool const key = now_ >= next_key_;
    if (key) {
        next_key_ += Scenario::ms(scenario_.key_interval_ms);
    }
    auto const cut = stream_.cut(now_, key);
    handle(*nodes_[0], peer::UnitCut{swarm_, stream_.payload(cut.unit), cut.random_access});
    if (scenario_.caches > 0) {
        Bytes const payload = stream_.payload(cut.unit);
        storage_.on_unit(now_, utc_at_zero + now_.time_since_epoch().count(),
                         {payload.begin(), payload.end()}, cut.random_access);
    }
    at(now_ + scenario_.unit(), [this] { cut_unit(); });
}

peer::SwarmStatistics World::figures(SimNode const& node) const
{
    return node.engine->statistics(now_, swarm_).value_or(peer::SwarmStatistics{});
}

void World::tick()
{
    auto const second = static_cast<std::uint32_t>((now_ - origin_) / 1s);
    std::map<std::string, Second> sums;
    for (auto const& node : nodes_) {
        if (!node->alive || node->plan.number == 0) {
            continue;
        }
        Second const mine = node->meter->since_last(figures(*node));
        Second& sum = sums[node->plan.group];
        sum.peers += 1;
        sum.chunks_due += mine.chunks_due;
        sum.chunks_in_time += mine.chunks_in_time;
        sum.from_peers_bytes += mine.from_peers_bytes;
        sum.from_source_bytes += mine.from_source_bytes;
    }
    for (auto& [group, sum] : sums) {
        sum.at = second;
        timeline_[group].push_back(sum);
    }
    at(now_ + 1s, [this] { tick(); });
}

bool World::tracker_is_down() const
{
    return now_ >= seconds(scenario_.tracker_down_from) &&
           now_ < seconds(scenario_.tracker_down_until);
}

void World::talk_to_tracker(SimNode& node)
{
    if (!node.alive || node.tracker->waiting()) {
        return;
    }
    TimePoint const due = node.tracker->deadline();
    if (now_ < due) {
        at(due, [this, number = node.plan.number] { talk_to_tracker(*nodes_[number]); });
        return;
    }
    if (auto body = node.tracker->request(now_, {figures(node), node.engine->neighbours(swarm_)})) {
        ask_tracker(node, *std::move(body));
    }
}

void World::ask_tracker(SimNode& node, std::string body)
{
    Duration const delay = node.plan.access_delay + Scenario::ms(scenario_.tracker_delay_ms);
    auto const answered = [this, number = node.plan.number](std::string const* answer) {
        SimNode& asker = *nodes_[number];
        if (!asker.alive) {
            return;
        }
        std::vector<peer::Input> inputs;
        asker.tracker->on_answer(now_, answer, inputs);
        for (peer::Input const& input : inputs) {
            if (!baseline_.ignores_uplinks || !std::holds_alternative<peer::UplinksProven>(input)) {
                handle(asker, input);
            }
        }
        talk_to_tracker(asker);
    };
    at(now_ + delay, [this, delay, answered, body = std::move(body), from = node.endpoint] {
        if (tracker_is_down()) {
            at(now_ + tracker_timeout, [answered] { answered(nullptr); });
            return;
        }
        auto answer = tracker_.handle(now_, body, from);
        at(now_ + delay, [answered, text = std::move(answer.body)] { answered(&text); });
    });
}

} // namespace ppsp::sim
