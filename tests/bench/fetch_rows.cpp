#include "peer/shell/ahead_hasher.hpp"
#include "tests/bench/bench.hpp"
#include "tests/support/recording_world.hpp"

#include <cstdio>
#include <cstring>

/// A leecher's engine alone: it is handed, batch by batch, what a seed sent it in virtual time, as
/// fast as it takes it. What `hashing ahead` is worth to the thread that everything waits for.
namespace ppsp::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t recording_bytes = 64 << 20;
constexpr std::size_t batch_datagrams = 64;
constexpr Duration step = 250us;
Endpoint const seed_at = Endpoint::v4(0x0a000001, 6778);
Endpoint const leecher_at = Endpoint::v4(0x0a000002, 6778);

struct Batch {
    TimePoint at;
    std::vector<ByteVector> datagrams; ///< none = the timer
};

/// The leecher, the same each time.
struct Leecher {
    explicit Leecher(peer::RecordingConfig const& config, integrity::Hasher& hasher)
        : node(leecher_at, {}, Rng{2})
    {
        node.engine.handle(TimePoint{1s}, peer::JoinRecording{config, &content, &hasher});
        node.engine.handle(TimePoint{1s}, peer::CandidatesFound{config.id, {seed_at}});
    }
    test::VirtualNode node;
    test::MemoryBytes content{ByteVector(recording_bytes)};
};

struct Transfer {
    peer::RecordingConfig config;
    std::vector<Batch> batches;
};

using Flight = std::vector<std::pair<TimePoint, ByteVector>>;

void take_outputs(peer::Engine& engine, TimePoint now, Flight& flight)
{
    while (auto output = engine.poll(now)) {
        if (auto* const datagram = std::get_if<peer::SendDatagram>(&*output)) {
            flight.emplace_back(now + 1ms, std::move(datagram->bytes));
        }
    }
}

std::vector<ByteVector> take_due(Flight& flight, TimePoint now, std::size_t most)
{
    std::vector<ByteVector> due;
    auto at = flight.begin();
    for (; at != flight.end() && at->first <= now && due.size() < most; ++at) {
        due.push_back(std::move(at->second));
    }
    flight.erase(flight.begin(), at);
    return due;
}

void handle_all(peer::Engine& engine, TimePoint now, Endpoint const& from,
                std::vector<ByteVector> const& datagrams)
{
    for (ByteVector const& bytes : datagrams) {
        engine.handle(now, peer::DatagramReceived{from, bytes, &bytes != &datagrams.back()});
    }
}

void fire_if_due(peer::Engine& engine, TimePoint now)
{
    if (auto const deadline = engine.deadline(); deadline && *deadline <= now) {
        engine.handle(now, peer::TimerFired{});
    }
}

/// One whole transfer in virtual time, and what the leecher was handed.
Transfer record()
{
    ByteVector const content = test::random_content(recording_bytes);
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    auto made = integrity::MerkleTree::from_content(*hasher, chunk_size, content);
    auto const tree = std::make_shared<integrity::MerkleTree const>(*std::move(made));
    Transfer transfer;
    integrity::Hash const root = tree->root();
    transfer.config.id.assign(root.bytes().begin(), root.bytes().end());
    transfer.config.length = recording_bytes;

    test::MemoryBytes theirs{content};
    test::VirtualNode seed(seed_at, {}, Rng{1});
    seed.engine.handle(TimePoint{1s},
                       peer::JoinRecording{transfer.config, &theirs, hasher.get(), tree});
    Leecher leecher(transfer.config, *hasher);
    Flight to_seed;
    Flight to_leecher;
    TimePoint now{1s};
    while (leecher.node.engine.held_from(transfer.config.id, 0) < recording_bytes) {
        take_outputs(leecher.node.engine, now, to_seed);
        take_outputs(seed.engine, now, to_leecher);
        now += step;
        handle_all(seed.engine, now, leecher_at, take_due(to_seed, now, ~std::size_t{0}));
        fire_if_due(seed.engine, now);
        for (;;) {
            auto due = take_due(to_leecher, now, batch_datagrams);
            if (due.empty()) {
                break;
            }
            handle_all(leecher.node.engine, now, seed_at, due);
            transfer.batches.push_back({now, std::move(due)});
        }
        fire_if_due(leecher.node.engine, now);
        transfer.batches.push_back({now, {}});
        PPSP_ASSERT(now < TimePoint{300s});
    }
    return transfer;
}

Transfer const& transfer()
{
    static Transfer const made = record();
    return made;
}

/// Copies a batch to where a socket would put it, as the system does.
class ReceiveBuffer {
public:
    std::span<peer::DatagramReceived const> fill(std::vector<ByteVector> const& datagrams)
    {
        batch_.clear();
        for (ByteVector const& bytes : datagrams) {
            std::uint8_t* const place = memory_.data() + batch_.size() * datagram_bytes_max;
            std::memcpy(place, bytes.data(), bytes.size());
            batch_.push_back({seed_at, Bytes(place, bytes.size()), &bytes != &datagrams.back()});
        }
        return batch_;
    }

private:
    static constexpr std::size_t datagram_bytes_max = 2048;
    ByteVector memory_ = ByteVector(batch_datagrams * datagram_bytes_max);
    std::vector<peer::DatagramReceived> batch_;
};

Sample replay(integrity::Hasher& hasher)
{
    Transfer const& recorded = transfer();
    Leecher leecher(recorded.config, hasher);
    ReceiveBuffer buffer;
    Flight ignored;
    StopWatch const watch;
    for (Batch const& batch : recorded.batches) {
        peer::Engine& engine = leecher.node.engine;
        if (batch.datagrams.empty()) {
            fire_if_due(engine, batch.at);
        } else {
            auto const came = buffer.fill(batch.datagrams);
            engine.foresee(came);
            for (peer::DatagramReceived const& datagram : came) {
                engine.handle(batch.at, datagram);
            }
        }
        ignored.clear();
        take_outputs(engine, batch.at, ignored);
    }
    Sample const sample = watch.stop(recording_bytes);
    PPSP_ASSERT(leecher.node.engine.held_from(recorded.config.id, 0) == recording_bytes);
    return sample;
}

Sample run_fetch(double)
{
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    static_cast<void>(transfer());
    return replay(*hasher);
}

Sample run_fetch_ahead(double)
{
    peer::AheadHasher hasher(wire::HashFunction::sha256);
    static_cast<void>(transfer());
    Sample sample = replay(hasher);
    auto const& figures = hasher.figures();
    char note[128];
    std::snprintf(note, sizeof note, "%.0f %% of the chunks hashed by the helper",
                  100.0 * static_cast<double>(figures.ahead) * chunk_size / recording_bytes);
    sample.note = note;
    return sample;
}

} // namespace

std::vector<Row> fetch_rows()
{
    return {
        {"fetch", "a leecher's engine is handed 64 MiB in batches of 64 datagrams", "", run_fetch},
        {"fetch-ahead", "the same with a second thread that hashes ahead", "fetch",
         run_fetch_ahead}};
}

} // namespace ppsp::bench
