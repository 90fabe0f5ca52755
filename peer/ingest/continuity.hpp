#pragma once

#include "protocol/base/bytes.hpp"

#include <array>
#include <cstdint>

namespace ppsp::ingest {

/// Renumbers the continuity counters of a transport stream, so that several muxers one after the
/// other look like one to a demuxer.
class ContinuityCounters {
public:
    static constexpr std::size_t pid_count = 8192;

    /// `packets` is a whole number of transport packets; null packets stay as they are.
    void renumber(MutableBytes packets) noexcept;

private:
    static constexpr std::uint8_t before_first = 15;
    std::array<std::uint8_t, pid_count> last_ = [] {
        std::array<std::uint8_t, pid_count> all{};
        all.fill(before_first);
        return all;
    }();
};

} // namespace ppsp::ingest
