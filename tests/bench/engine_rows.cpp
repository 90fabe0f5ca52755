#include "protocol/integrity/private_key.hpp"
#include "tests/bench/bench.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <algorithm>
#include <deque>

namespace ppsp::bench {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;

constexpr Duration unit_time = 50ms;
constexpr Duration link_delay = 5ms;

/// A source and a viewer in virtual time on a link without faults.
class EnginePair {
public:
    EnginePair()
    {
        test::TestMedia media(chunks_per_unit, chunk_size);
        for (std::size_t i = 0; i < 20; ++i) {
            Unit unit;
            unit.bytes = media.next_unit(i == 0, unit.random_access);
            units_.push_back(std::move(unit));
        }
        peer::LiveSwarmConfig swarm;
        swarm.id = signer_->swarm_id();
        swarm.chunks_per_unit = chunks_per_unit;
        swarm.unit_duration = unit_time;
        swarm.discard_window = 10s;
        swarm.role = peer::Role::source;
        handle(source_, peer::JoinSwarm{swarm, signer_.get()});
        swarm.role = peer::Role::viewer;
        swarm.chunks_per_unit = 0;
        swarm.playout.latency = 500ms;
        handle(viewer_, peer::JoinSwarm{swarm});
        handle(viewer_, peer::CandidatesFound{swarm.id, {source_.endpoint}});
    }

    /// Cuts a unit and lets its time pass.
    void step()
    {
        Unit const& unit = units_[cut_++ % units_.size()];
        handle(source_, peer::UnitCut{signer_->swarm_id(), unit.bytes, unit.random_access});
        TimePoint const end = now_ + unit_time;
        while (advance(end)) {
        }
    }

    [[nodiscard]] std::uint64_t viewer_media_bytes() const { return media_bytes_; }
    [[nodiscard]] std::uint64_t datagrams() const { return datagrams_; }

private:
    struct Unit {
        ByteVector bytes;
        bool random_access = false;
    };
    struct Flying {
        TimePoint at;
        VirtualNode* to;
        Endpoint from;
        ByteVector bytes;
    };

    static peer::NodeConfig config()
    {
        peer::NodeConfig config;
        config.utc_at_zero = 1'790'000'000'000'000;
        return config;
    }

    /// The next thing that happens before `end`.
    bool advance(TimePoint end)
    {
        TimePoint next = flying_.empty() ? end : flying_.front().at;
        VirtualNode* woken = nullptr;
        for (VirtualNode* const node : {&source_, &viewer_}) {
            auto const deadline = node->engine.deadline();
            if (deadline && *deadline < next) {
                next = *deadline;
                woken = node;
            }
        }
        if (next >= end) {
            now_ = end;
            return false;
        }
        now_ = std::max(now_, next);
        if (woken != nullptr) {
            handle(*woken, peer::TimerFired{});
            return true;
        }
        Flying const flying = std::move(flying_.front());
        flying_.pop_front();
        handle(*flying.to, peer::DatagramReceived{flying.from, flying.bytes});
        return true;
    }

    void handle(VirtualNode& node, peer::Input const& input)
    {
        node.engine.handle(now_, input);
        VirtualNode& other = &node == &source_ ? viewer_ : source_;
        while (auto output = node.engine.poll(now_)) {
            if (auto* const datagram = std::get_if<peer::SendDatagram>(&*output)) {
                ++datagrams_;
                flying_.push_back(
                    {now_ + link_delay, &other, node.endpoint, std::move(datagram->bytes)});
            } else if (auto const* const media = std::get_if<peer::MediaReady>(&*output)) {
                media_bytes_ += media->bytes.size();
            }
        }
        node.log.events.clear();
    }

    TimePoint now_{Duration{1'000'000}};
    std::unique_ptr<integrity::Signer> signer_ =
        integrity::make_signer(*integrity::PrivateKey::generate());
    VirtualNode source_{Endpoint::v4(0x0a000001, 6778), config(), Rng{1}};
    VirtualNode viewer_{Endpoint::v4(0x0a000002, 6778), config(), Rng{2}};
    std::vector<Unit> units_;
    std::size_t cut_ = 0;
    std::deque<Flying> flying_;
    std::uint64_t datagrams_ = 0;
    std::uint64_t media_bytes_ = 0;
};

Sample run_pair(double seconds)
{
    EnginePair pair;
    for (int i = 0; i < 60; ++i) { // playout has begun, windows have opened
        pair.step();
    }
    std::uint64_t const datagrams = pair.datagrams();
    Sample sample = repeat(seconds, [&pair] {
        std::uint64_t const before = pair.viewer_media_bytes();
        for (int i = 0; i < 20; ++i) {
            pair.step();
        }
        return pair.viewer_media_bytes() - before;
    });
    double const chunks = static_cast<double>(sample.bytes) / chunk_size;
    char note[64];
    std::snprintf(note, sizeof(note), "%.2f datagrams per chunk",
                  static_cast<double>(pair.datagrams() - datagrams) / chunks);
    sample.note = note;
    return sample;
}

} // namespace

std::vector<Row> engine_rows()
{
    return {{"pair", "engines of a source and a viewer in memory, 5 Mbit/s live", "crypto-bare",
             run_pair}};
}

} // namespace ppsp::bench
