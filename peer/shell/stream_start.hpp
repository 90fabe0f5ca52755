#pragma once

#include "peer/chunker/ts_packet.hpp"

namespace ppsp::peer {

/// Keeps the newest part of a transport stream from which a decoder can start: PAT, PMT, then
/// everything since the newest key frame. So a late client begins with a picture.
class StreamStart {
public:
    /// Longest distance between key frames that is kept: 8 s of 8 Mbit/s.
    static constexpr std::size_t backlog_max = std::size_t{8} << 20;

    /// Takes the next bytes, in any pieces; gives the whole packets in them.
    [[nodiscard]] ByteVector push(Bytes bytes);
    /// Bytes are missing: the next key frame starts anew.
    void discontinuity();

    /// Empty while no key frame came, or the last one is too long ago.
    [[nodiscard]] ByteVector const& backlog() const { return backlog_; }

private:
    void take(Bytes packet);

    ts::PacketAligner aligner_;
    ts::ProgramMap program_;
    ByteVector pat_;
    ByteVector pmt_;
    ByteVector backlog_;
};

} // namespace ppsp::peer
