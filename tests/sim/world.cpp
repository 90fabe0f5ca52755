#include "tests/sim/world.hpp"

#include "protocol/base/assert.hpp"
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
    : scenario_(scenario), rng_(scenario.seed), origin_(origin_of(scenario)),
      end_(origin_ + Scenario::s(scenario.seconds)), now_(origin_),
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
    std::uint64_t rounds = 0;
    for (;;) {
        TimePoint const barrier = barriers_.empty() ? end_ : std::min(end_, barriers_.top().at);
        TimePoint const next = visits_.empty() ? end_ : visits_.top().at;
        if (std::min(barrier, next) >= end_) {
            break;
        }
        if (barrier <= next) {
            now_ = barrier;
            run_script(barriers_.pop().subject);
        } else if (SimEvent const event = visits_.pop(); event.kind == EventKind::script) {
            now_ = event.at;
            run_script(event.subject);
        } else if (SimNode& node = *nodes_[event.subject]; node.visit_at == event.at) {
            Duration const ahead = looks_ahead_ ? lookahead(node) : Duration{1};
            visit(node, std::min(barrier, event.at + ahead));
        }
        if (progress && ++rounds % 16384 == 0) {
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

Duration World::lookahead(SimNode const& node) const
{
    double shortest = std::min(scenario_.delay_min_ms / 2, scenario_.tracker_delay_ms);
    if (scenario_.caches > 0) {
        shortest = std::min(shortest, scenario_.cache_delay_ms);
    }
    return std::max(node.plan.access_delay + Scenario::ms(shortest), Duration{1});
}

void World::visit(SimNode& node, TimePoint until)
{
    visited_ = &node;
    node.visit_at = TimePoint::max();
    for (;;) {
        TimePoint const next = node.next_event();
        if (next >= until) {
            break;
        }
        now_ = next;
        node.acted_at = next;
        if (node.agenda.empty() || node.agenda.top().at > next) {
            take_turn(node);
        } else if (SimEvent const event = node.agenda.pop(); event.kind == EventKind::arrival) {
            arrive(node, event);
        } else {
            run_script(event.subject);
        }
    }
    visited_ = nullptr;
    plan_visit(node);
}

void World::plan_visit(SimNode& node)
{
    TimePoint const next = node.next_event();
    if (&node != visited_ && next < node.visit_at) {
        node.visit_at = next;
        visits_.add({next, node.plan.number, node.plan.number, 0, EventKind::visit});
    }
}

/// Covers time, kind, place and size of everything that happens, not the bytes of signatures: real
/// ones differ from run to run.
void World::note(SimNode& node, EventKind kind, std::size_t size)
{
    node.digest.add(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
    node.digest.add((static_cast<std::uint64_t>(kind) << 56) ^ size);
}

void World::add_script(EventQueue& queue, TimePoint when, EventNumbers& numbers,
                       std::function<void()> what)
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
    queue.add({when, numbers.next(), place, 0, EventKind::script});
}

void World::run_script(std::uint32_t place)
{
    ++events_;
    auto const what = std::move(scripts_[place]);
    free_scripts_.push_back(place);
    what();
}

void World::at(TimePoint when, std::function<void()> what)
{
    add_script(barriers_, std::max(when, now_), barrier_numbers_, std::move(what));
}

void World::at_node(SimNode& node, TimePoint when, std::function<void()> what)
{
    add_script(node.agenda, std::max(when, now_), node.numbers, std::move(what));
    plan_visit(node);
}

void World::at_service(SimNode& node, TimePoint when, std::function<void()> what)
{
    add_script(visits_, when, node.numbers, std::move(what));
}

void World::at_answer(SimNode& node, TimePoint when, std::function<void()> what)
{
    PPSP_ASSERT(when >= node.acted_at);
    add_script(node.agenda, when, service_numbers_, std::move(what));
    plan_visit(node);
}

void World::handle(SimNode& node, peer::Input const& input)
{
    node.acted_at = now_;
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
    node.turn_at = std::min(node.turn_at, next);
    plan_visit(node);
}

void World::take_turn(SimNode& node)
{
    ++events_;
    node.turn_at = TimePoint::max();
    std::size_t const came = take_inbox(node);
    auto const deadline = node.engine ? node.engine->deadline() : std::nullopt;
    bool const is_due = deadline && *deadline <= now_;
    if (is_due) {
        note(node, EventKind::turn, 0);
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
        at_node(node, due, [this, &node] { talk_to_tracker(node); });
        return;
    }
    if (auto body = node.tracker->request(now_, {figures(node), node.engine->neighbours(swarm_)})) {
        ask_tracker(node, *std::move(body));
    }
}

void World::ask_tracker(SimNode& node, std::string body)
{
    Duration const delay = node.plan.access_delay + Scenario::ms(scenario_.tracker_delay_ms);
    auto const answered = [this, &node](std::string const* answer) {
        if (!node.alive) {
            return;
        }
        std::vector<peer::Input> inputs;
        node.tracker->on_answer(now_, answer, inputs);
        for (peer::Input const& input : inputs) {
            if (!baseline_.ignores_uplinks || !std::holds_alternative<peer::UplinksProven>(input)) {
                handle(node, input);
            }
        }
        talk_to_tracker(node);
    };
    at_service(node, now_ + delay, [this, &node, delay, answered, body = std::move(body)] {
        if (tracker_is_down()) {
            at_answer(node, now_ + tracker_timeout, [answered] { answered(nullptr); });
            return;
        }
        auto answer = tracker_.handle(now_, body, node.endpoint);
        at_answer(node, now_ + delay,
                  [answered, text = std::move(answer.body)] { answered(&text); });
    });
}

} // namespace ppsp::sim
