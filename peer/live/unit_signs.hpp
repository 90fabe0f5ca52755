#pragma once

#include "peer/engine/config.hpp"
#include "protocol/base/time.hpp"

#include <array>
#include <optional>

namespace ppsp::peer {

/// When there was first any sign of each of the newest units: a HAVE, a munro, a chunk. Tells how
/// far the stream is and how late a neighbour's units come.
class UnitSigns {
public:
    /// Units back from the edge that are remembered: more than the playout ever waits for.
    static constexpr std::size_t remembered = 512;

    void note(TimePoint now, UnitIndex unit);
    [[nodiscard]] std::optional<UnitIndex> edge() const { return edge_; }
    [[nodiscard]] std::optional<TimePoint> first(UnitIndex unit) const;
    void clear();

private:
    struct Sign {
        UnitIndex unit = 0;
        bool set = false;
        TimePoint at{};
    };
    std::array<Sign, remembered> signs_{};
    std::optional<UnitIndex> edge_;
};

} // namespace ppsp::peer
