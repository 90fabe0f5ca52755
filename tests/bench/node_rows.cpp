#include "peer/shell/node.hpp"
#include "protocol/base/assert.hpp"
#include "protocol/integrity/openssl_signature.hpp"
#include "protocol/integrity/private_key.hpp"
#include "tests/bench/bench.hpp"
#include "tests/support/test_media.hpp"

#include <spdlog/spdlog.h>

#include <thread>
#include <utility>

namespace ppsp::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t chunks_per_unit = 64; // the most
constexpr std::uint64_t unit_bytes = std::uint64_t{chunk_size} * chunks_per_unit;
constexpr Duration unit_time = 10ms;
/// A live stream comes in its own time; below this the figures jump.
constexpr double seconds_min = 2;

/// A source and a viewer on loopback, live: 52 Mbit/s.
class NodePair {
public:
    NodePair()
    {
        test::TestMedia media(chunks_per_unit, chunk_size);
        for (std::size_t i = 0; i < 20; ++i) {
            bool random_access = false;
            units_.push_back(media.next_unit(i == 0, random_access));
        }
        peer::LiveSwarmConfig swarm;
        swarm.id = id_;
        swarm.chunks_per_unit = chunks_per_unit;
        swarm.unit_duration = unit_time;
        swarm.discard_window = 5s;
        swarm.role = peer::Role::source;
        give(*source_, peer::JoinSwarm{swarm, signer_.get()});
        swarm.role = peer::Role::viewer;
        swarm.chunks_per_unit = 0;
        swarm.playout.latency = 500ms;
        give(*viewer_, peer::JoinSwarm{swarm});
        give(*viewer_, peer::CandidatesFound{id_, {source_->local_endpoint()}});
    }

    /// Waits until the next unit is due and cuts it.
    void step()
    {
        std::this_thread::sleep_until(due_);
        due_ += unit_time;
        give(*source_, peer::UnitCut{id_, units_[cut_ % units_.size()], cut_ % units_.size() == 0});
        ++cut_;
    }

    [[nodiscard]] peer::Node& source() { return *source_; }
    [[nodiscard]] peer::Node& viewer() { return *viewer_; }

    [[nodiscard]] std::uint64_t got()
    {
        return viewer_->ask([this] {
            return viewer_->engine().statistics(viewer_->now(), id_)->from_source_bytes;
        });
    }

private:
    static std::unique_ptr<peer::Node> open()
    {
        peer::NodeOptions options;
        options.listen = *Endpoint::parse("127.0.0.1:0");
        auto node = peer::Node::open(options, {});
        PPSP_ASSERT(node);
        return *std::move(node);
    }

    void give(peer::Node& node, peer::Input const& input)
    {
        node.ask([&] { node.handle(input); });
    }

    std::unique_ptr<integrity::Signer> signer_ =
        integrity::make_signer(*integrity::PrivateKey::generate());
    peer::SwarmId id_ = signer_->swarm_id();
    std::unique_ptr<peer::Node> source_ = open();
    std::unique_ptr<peer::Node> viewer_ = open();
    std::vector<ByteVector> units_;
    std::size_t cut_ = 0;
    std::chrono::steady_clock::time_point due_ = std::chrono::steady_clock::now();
};

Sample run_nodes(double seconds)
{
    spdlog::set_level(spdlog::level::off); // stdout is for figures
    NodePair pair;
    for (Duration warm{}; warm < 2s; warm += unit_time) {
        pair.step();
    }
    std::uint64_t const before = pair.got();
    Sample sample = repeat(std::max(seconds, seconds_min), [&pair] {
        pair.step();
        return unit_bytes;
    });
    std::uint64_t const got = pair.got() - before;
    std::uint64_t const cut = std::exchange(sample.bytes, got);
    auto const out = pair.source().ask([&] { return pair.source().socket().statistics(); });
    char note[128];
    std::snprintf(note, sizeof(note),
                  "%.1f datagrams per sending call, %.0f %% together, %.1f %% of the stream",
                  static_cast<double>(out.sent) / static_cast<double>(out.send_calls),
                  100.0 * static_cast<double>(out.sent_together) / static_cast<double>(out.sent),
                  100.0 * static_cast<double>(got) / static_cast<double>(cut));
    sample.note = note;
    return sample;
}

} // namespace

std::vector<Row> node_rows()
{
    return {
        {"nodes", "source node to viewer node over loopback, 52 Mbit/s live", "pair", run_nodes}};
}

} // namespace ppsp::bench
