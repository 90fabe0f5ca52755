#include "peer/shell/stream_start.hpp"

namespace ppsp::peer {

ByteVector StreamStart::push(Bytes bytes)
{
    ByteVector packets;
    packets.reserve(bytes.size() + ts::packet_size);
    aligner_.push(bytes);
    while (auto const packet = aligner_.next()) {
        packets.insert(packets.end(), packet->begin(), packet->end());
        take(*packet);
    }
    return packets;
}

void StreamStart::discontinuity()
{
    aligner_.reset();
    backlog_.clear();
}

void StreamStart::take(Bytes bytes)
{
    auto const packet = ts::parse_packet(bytes);
    if (!packet) {
        return;
    }
    auto const seen = program_.learn(*packet);
    if (seen == ts::ProgramMap::Seen::pat) {
        pat_.assign(bytes.begin(), bytes.end());
    } else if (seen == ts::ProgramMap::Seen::pmt) {
        pmt_.assign(bytes.begin(), bytes.end());
    }
    bool const is_start = seen == ts::ProgramMap::Seen::key_stream && packet->random_access &&
                          !pat_.empty() && !pmt_.empty();
    if (is_start) {
        backlog_ = pat_;
        backlog_.insert(backlog_.end(), pmt_.begin(), pmt_.end());
    }
    if (backlog_.size() + bytes.size() > backlog_max) {
        backlog_.clear();
    }
    if (!backlog_.empty()) {
        backlog_.insert(backlog_.end(), bytes.begin(), bytes.end());
    }
}

} // namespace ppsp::peer
