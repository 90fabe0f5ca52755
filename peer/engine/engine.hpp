#pragma once

#include "peer/engine/io.hpp"
#include "protocol/base/rng.hpp"

#include <memory>

namespace ppsp::peer {

/// One node with any number of swarms, free of sockets, clocks and threads.
///
/// After every `handle`, call `poll` until it gives nothing, then wait for `deadline` or the next
/// input. `now` never goes back. Not thread-safe.
class Engine {
public:
    Engine(NodeConfig const& config, Rng rng, Ports ports);
    ~Engine();
    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;

    /// These will be handed to `handle`, in this order, and their bytes stay where they are until
    /// then: whoever hashes what they bring may begin (Hasher::expect). Changes nothing else.
    void foresee(std::span<DatagramReceived const> datagrams);
    /// One thing happened.
    void handle(TimePoint now, Input const& input);
    /// The next thing to do; nothing = done until the next input.
    [[nodiscard]] std::optional<Output> poll(TimePoint now);
    /// When to wake the engine with TimerFired; nullopt = only by other inputs.
    [[nodiscard]] std::optional<TimePoint> deadline() const;

    /// Figures as of `now`; nullopt for a swarm that was not joined.
    [[nodiscard]] std::optional<SwarmStatistics> statistics(TimePoint now,
                                                            SwarmId const& swarm) const;
    [[nodiscard]] std::vector<NeighbourStatistics> neighbours(SwarmId const& swarm) const;
    /// Bytes of a recording that are there from `position` on without a gap; 0 for other swarms.
    [[nodiscard]] std::uint64_t held_from(SwarmId const& swarm, std::uint64_t position) const;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace ppsp::peer
