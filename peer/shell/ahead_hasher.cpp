#include "peer/shell/ahead_hasher.hpp"

#include "peer/shell/signals.hpp"
#include "protocol/base/assert.hpp"
#include "protocol/integrity/openssl_hasher.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <sched.h>
#include <system_error>
#include <thread>

namespace ppsp::peer {
namespace {

constexpr std::size_t cache_line = 64;

/// Whose a slot is. The caller's: `idle`, `ready` until somebody takes it, `done`. The helper's:
/// `taken`.
enum class Slot : std::uint8_t { idle, ready, taken, done };

struct alignas(cache_line) Job {
    std::atomic<Slot> state{Slot::idle};
    std::uint16_t size = 0; ///< bytes of the chunk
    integrity::Hash hash;
    std::array<std::uint8_t, AheadHasher::chunk_bytes_max> bytes;
};

bool is_same(Bytes a, Bytes b)
{
    return a.data() == b.data() && a.size() == b.size();
}

} // namespace

struct AheadHasher::Parts {
    explicit Parts(wire::HashFunction function)
        : own(integrity::make_hasher(function)), helping(integrity::make_hasher(function))
    {}

    [[nodiscard]] bool is_resting();
    [[nodiscard]] bool has_helper();
    void give(std::span<Bytes const> chunks);
    void wake();
    void help();
    void work_off();
    [[nodiscard]] std::optional<integrity::Hash> take(Bytes chunk);

    std::unique_ptr<integrity::Hasher> own;
    std::unique_ptr<integrity::Hasher> helping; ///< the helper's
    std::array<Job, chunks_max> jobs;
    std::array<Bytes, chunks_max> sources{}; ///< of the jobs of this batch; empty = none, or asked
    std::size_t next = 0;                    ///< the job that is likely to be asked for
    std::uint32_t rest = 0;                  ///< batches to go
    std::uint32_t tried = 0;                 ///< batches of this trial
    Figures at_trial;                        ///< when it began
    Figures figures;
    std::atomic<std::uint32_t> batch{0};
    std::atomic<bool> is_ending{false};
    std::thread thread;
};

AheadHasher::AheadHasher(wire::HashFunction function) : parts_(std::make_unique<Parts>(function)) {}

AheadHasher::~AheadHasher()
{
    if (parts_->thread.joinable()) {
        parts_->is_ending = true;
        parts_->wake();
        parts_->thread.join();
    }
}

std::size_t AheadHasher::size() const
{
    return parts_->own->size();
}

AheadHasher::Figures const& AheadHasher::figures() const
{
    return parts_->figures;
}

integrity::Hash AheadHasher::digest(Bytes first, Bytes second)
{
    if (second.empty() && !first.empty()) {
        if (auto const hash = parts_->take(first)) {
            return *hash;
        }
    }
    return parts_->own->digest(first, second);
}

void AheadHasher::expect(std::span<Bytes const> chunks)
{
    Parts& parts = *parts_;
    parts.sources.fill({});
    parts.next = 0;
    if (chunks.size() < chunks_min || parts.is_resting()) {
        return;
    }
    parts.give(chunks);
    if (parts.has_helper()) {
        parts.wake();
    }
}

/// Begins it at the first time; without one the chunks lie there until they are asked for.
bool AheadHasher::Parts::has_helper()
{
    if (!thread.joinable()) {
        try {
            thread = start_without_signals([this] { help(); });
        } catch (std::system_error const&) { // no more threads for this process
            return false;
        }
    }
    return true;
}

/// Counts batches, and looks at what came of those before.
bool AheadHasher::Parts::is_resting()
{
    if (rest > 0) {
        --rest;
        return true;
    }
    if (++tried <= trial_batches) {
        return false;
    }
    bool const pays = 8 * (figures.ahead - at_trial.ahead) >= figures.expected - at_trial.expected;
    at_trial = figures;
    tried = 1;
    if (!pays) {
        rest = rest_batches;
        tried = 0;
        ++figures.rests;
    }
    return !pays;
}

/// As many as there is room for.
void AheadHasher::Parts::give(std::span<Bytes const> chunks)
{
    ++figures.batches;
    std::size_t place = 0;
    for (Bytes const chunk : chunks) {
        // What nobody asked for is taken back; one at most is still in the helper's hands.
        for (; place < jobs.size(); ++place) {
            Slot old = Slot::ready;
            if (jobs[place].state.compare_exchange_strong(old, Slot::idle,
                                                          std::memory_order_acquire) ||
                old != Slot::taken) {
                break;
            }
        }
        if (place == jobs.size()) {
            return;
        }
        if (chunk.size() > chunk_bytes_max) {
            continue;
        }
        Job& job = jobs[place];
        std::copy(chunk.begin(), chunk.end(), job.bytes.begin());
        job.size = static_cast<std::uint16_t>(chunk.size());
        job.state.store(Slot::ready, std::memory_order_release);
        sources[place] = chunk;
        ++figures.expected;
        ++place;
    }
}

void AheadHasher::Parts::wake()
{
    batch.fetch_add(1, std::memory_order_release);
    batch.notify_one();
}

void AheadHasher::Parts::help()
{
    std::uint32_t seen = 0;
    for (;;) {
        batch.wait(seen, std::memory_order_acquire);
        seen = batch.load(std::memory_order_acquire);
        if (is_ending) {
            return;
        }
        work_off();
    }
}

void AheadHasher::Parts::work_off()
{
    for (Job& job : jobs) {
        Slot old = Slot::ready;
        if (job.state.compare_exchange_strong(old, Slot::taken, std::memory_order_acquire)) {
            job.hash = helping->leaf(Bytes(job.bytes).first(job.size));
            job.state.store(Slot::done, std::memory_order_release);
        }
    }
}

/// The hash of a chunk of this batch, if the helper has it. What it did not begin is taken back.
std::optional<integrity::Hash> AheadHasher::Parts::take(Bytes chunk)
{
    std::size_t at = next;
    while (at < sources.size() && !is_same(sources[at], chunk)) {
        ++at;
    }
    if (at == sources.size()) {
        return std::nullopt;
    }
    next = at + 1;
    sources[at] = {};
    Job& job = jobs[at];
    Slot old = Slot::ready;
    if (job.state.compare_exchange_strong(old, Slot::idle, std::memory_order_acquire) ||
        old == Slot::taken) {
        return std::nullopt;
    }
    ++figures.ahead;
    return job.hash;
}

std::unique_ptr<integrity::Hasher> make_arrivals_hasher(wire::HashFunction function)
{
    cpu_set_t cores;
    bool const has_several =
        ::sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) > 1;
    if (has_several) {
        return std::make_unique<AheadHasher>(function);
    }
    return integrity::make_hasher(function);
}

} // namespace ppsp::peer
