#include "peer/ingest/continuity.hpp"

#include "peer/chunker/ts_packet.hpp"

namespace ppsp::ingest {

void ContinuityCounters::renumber(MutableBytes packets) noexcept
{
    for (; packets.size() >= ts::packet_size; packets = packets.subspan(ts::packet_size)) {
        auto const parsed = ts::parse_packet(packets.first(ts::packet_size));
        if (!parsed || parsed->pid == ts::null_pid) {
            continue;
        }
        std::uint8_t& last = last_[static_cast<std::uint16_t>(parsed->pid)];
        if (parsed->has_payload) {
            last = (last + 1) & 0x0f;
        }
        packets[3] = static_cast<std::uint8_t>((packets[3] & 0xf0) | last);
    }
}

} // namespace ppsp::ingest
