#pragma once

#include "peer/ingest/stop_signal.hpp"
#include "peer/ingest/timeline.hpp"

#include <optional>

namespace ppsp::ingest {

/// Holds packets back until their time has come: media time against the steady clock.
class Pacer {
public:
    /// After a longer hold-up the stream goes on from where it is instead of hurrying after.
    static constexpr Duration late_max = std::chrono::seconds{1};

    /// Packets may leave `lead` before their time.
    Pacer(StopSignal& stop, Duration lead) : stop_(&stop), lead_(lead) {}

    /// Waits until a packet with this time may leave; false when the source is stopped.
    bool wait(Ticks dts);
    /// When it may leave, without waiting. Pure: for tests.
    [[nodiscard]] TimePoint due(TimePoint now, Ticks dts);

private:
    struct Anchor {
        TimePoint time;
        Ticks dts;
    };

    StopSignal* stop_;
    Duration lead_;
    std::optional<Anchor> anchor_;
};

} // namespace ppsp::ingest
