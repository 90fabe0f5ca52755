#pragma once

#include "peer/chunker/ts_packet.hpp"
#include "protocol/base/bytes.hpp"

#include <cstdint>
#include <optional>

namespace ppsp::peer {

/// Finds the places in the chunk stream where a decoder may start: a PAT that is soon followed by
/// its PMT and by a key frame of the picture (design §7: packet boundaries are found by
/// arithmetic, random access points in the TS itself).
class RandomAccessFinder {
public:
    /// Packets from the PAT to the key frame at most.
    static constexpr std::uint32_t distance_packets_max = 24;

    /// The next bytes; a jump in `position` forgets an unfinished packet. Returns the byte position
    /// of the last start found in them, if any.
    std::optional<std::uint64_t> feed(std::uint64_t position, Bytes bytes);

private:
    void on_packet(std::uint64_t position, Bytes bytes, std::optional<std::uint64_t>& found);

    ts::ProgramMap program_;
    ByteVector carry_; ///< beginning of a packet that goes on in the next bytes
    std::uint64_t carry_position_ = 0;
    std::uint64_t next_position_ = 0;
    std::optional<std::uint64_t> pat_position_;
    bool pmt_seen_ = false;
};

} // namespace ppsp::peer
