#pragma once

#include "peer/ingest/ffmpeg.hpp"

#include <cstddef>
#include <deque>
#include <map>

namespace ppsp::ingest {

/// Puts the packets of several streams in the order of their dts. Files may store a second of
/// sound after a second of picture; sent like that, one of them would come too late.
class Interleaver {
public:
    /// What is held back at most, in packets; then the lowest dts leaves anyway.
    static constexpr std::size_t held_max = 512;

    explicit Interleaver(std::size_t streams) : streams_(streams) {}

    void push(PacketPtr packet);
    /// The packet with the lowest dts, once every stream has one; any rest when `flush` is set.
    [[nodiscard]] PacketPtr pop(bool flush = false);

private:
    std::size_t streams_;
    std::size_t held_ = 0;
    std::map<int, std::deque<PacketPtr>> queues_; ///< by stream index; empty ones are erased
};

} // namespace ppsp::ingest
