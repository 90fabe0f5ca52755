#include "peer/playout/random_access_finder.hpp"

#include <algorithm>

namespace ppsp::peer {

std::optional<std::uint64_t> RandomAccessFinder::feed(std::uint64_t position, Bytes bytes)
{
    if (position != next_position_) {
        carry_.clear();
        pat_position_.reset();
    }
    next_position_ = position + bytes.size();
    std::optional<std::uint64_t> found;
    if (!carry_.empty()) {
        std::size_t const wanted = std::min(ts::packet_size - carry_.size(), bytes.size());
        carry_.insert(carry_.end(), bytes.begin(),
                      bytes.begin() + static_cast<std::ptrdiff_t>(wanted));
        bytes = bytes.subspan(wanted);
        position += wanted;
        if (carry_.size() < ts::packet_size) {
            return found;
        }
        on_packet(carry_position_, carry_, found);
        carry_.clear();
    } else {
        std::uint64_t const into = position % ts::packet_size;
        std::size_t const skip = into == 0 ? 0 : static_cast<std::size_t>(ts::packet_size - into);
        if (skip >= bytes.size()) {
            return found;
        }
        bytes = bytes.subspan(skip);
        position += skip;
    }
    while (bytes.size() >= ts::packet_size) {
        on_packet(position, bytes.first(ts::packet_size), found);
        bytes = bytes.subspan(ts::packet_size);
        position += ts::packet_size;
    }
    carry_.assign(bytes.begin(), bytes.end());
    carry_position_ = position;
    return found;
}

void RandomAccessFinder::on_packet(std::uint64_t position, Bytes bytes,
                                   std::optional<std::uint64_t>& found)
{
    auto const packet = ts::parse_packet(bytes);
    if (!packet) {
        return;
    }
    switch (program_.learn(*packet)) {
    case ts::ProgramMap::Seen::pat:
        pat_position_ = position;
        pmt_seen_ = false;
        break;
    case ts::ProgramMap::Seen::pmt:
        pmt_seen_ = true;
        break;
    case ts::ProgramMap::Seen::key_stream:
        if (packet->random_access && pat_position_ && pmt_seen_ &&
            position - *pat_position_ <= distance_packets_max * ts::packet_size) {
            found = *pat_position_;
            pat_position_.reset();
        }
        break;
    case ts::ProgramMap::Seen::other:
        break;
    }
}

} // namespace ppsp::peer
