#pragma once

#include "peer/engine/io.hpp"
#include "tests/sim/run_result.hpp"
#include "tests/sim/sim_stream.hpp"

#include <deque>

namespace ppsp::sim {

/// Which units count: those cut in [from, until), for each node from a little after it joined.
struct MeasureWindow {
    TimePoint from;
    TimePoint until;
};

/// Watches one node: when its units were whole, and the engine's figures since the window opened.
class Meter final : public peer::EventSink {
public:
    /// A node's units count from that long after it joined: what it fetches to start is late by
    /// nature.
    static constexpr Duration grace = std::chrono::seconds{5};
    /// A unit that is not there by then never comes.
    static constexpr Duration given_up = std::chrono::seconds{5};

    Meter(SimStream const& stream, MeasureWindow window, TimePoint joined, Duration unit);

    void on_event(TimePoint now, peer::SwarmId const& swarm, peer::Event const& event) override;

    /// The engine's figures when the window opened; what came before is subtracted.
    void open_window(TimePoint now, peer::SwarmStatistics const& figures, Duration uplink_busy)
    {
        opened_ = now;
        base_ = figures;
        busy_before_ = uplink_busy;
    }
    /// The node leaves or the run ends: the last figures.
    void close(TimePoint now, peer::SwarmStatistics const& figures);
    /// Chunks due and in time since the last call.
    [[nodiscard]] Second since_last(peer::SwarmStatistics const& figures);

    [[nodiscard]] Distribution const& delays() const { return delays_; }
    [[nodiscard]] peer::SwarmStatistics const& base() const { return base_; }
    [[nodiscard]] peer::SwarmStatistics const& last() const { return last_; }
    [[nodiscard]] bool counted() const { return closed_; }
    [[nodiscard]] TimePoint joined() const { return joined_; }
    [[nodiscard]] TimePoint left() const { return left_; }
    /// When the node's figures began to count, and for how long its uplink had been busy by then.
    [[nodiscard]] TimePoint opened() const { return opened_; }
    [[nodiscard]] Duration busy_before() const { return busy_before_; }
    [[nodiscard]] Duration mean_delay() const;

private:
    struct Completed {
        TimePoint cut;
        Duration delay;
    };
    void settle(TimePoint until);

    SimStream const* stream_;
    MeasureWindow window_;
    TimePoint joined_;
    TimePoint left_{};
    TimePoint opened_;
    Duration busy_before_{};
    Duration unit_;
    std::deque<Completed> recent_; ///< cut less than `given_up` ago
    Distribution delays_;
    std::uint64_t completed_ = 0;
    peer::SwarmStatistics base_;
    peer::SwarmStatistics last_;
    peer::SwarmStatistics second_;
    bool closed_ = false;
};

} // namespace ppsp::sim
