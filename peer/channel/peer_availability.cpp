#include "peer/channel/peer_availability.hpp"

namespace ppsp::peer {

bool PeerAvailability::add(ChunkRange chunks)
{
    if (chunks_.interval_count() >= limit_) {
        std::uint64_t const first = to_number(chunks.first);
        ChunkRange const around{ChunkId{first - (first > 0 ? 1 : 0)}, chunks.last + 1};
        if (chunks_.touching(around).empty()) {
            return false;
        }
    }
    chunks_.add(chunks);
    std::uint64_t const last = to_number(chunks_.last());
    // All-ones means everything; subtracting it would wrap (trap T26).
    if (window_ != wire::discard_window_all && last >= window_) {
        chunks_.trim_below(ChunkId{last - window_ + 1});
    }
    return true;
}

} // namespace ppsp::peer
