#pragma once

#include "protocol/base/ids.hpp"

#include <algorithm>
#include <optional>

namespace ppsp::peer {

/// How long a neighbour is shown the newest signed munro: in every datagram from 3 or 4 on, until
/// it is seen to know the one that was newest then, or a newer one (RFC 7574 §6.1.2.4). That the
/// stream has gone on meanwhile does not count: who is fed by us never knows the very newest.
class TuneIn {
public:
    /// The neighbour holds this chunk, or a munro that begins with it.
    void on_known(ChunkId chunk) { known_ = std::max(known_.value_or(chunk), chunk); }

    /// Whether the datagram in hand has to show `newest`.
    [[nodiscard]] bool wants(ChunkRange newest)
    {
        first_ = first_.value_or(newest.first);
        return !known_ || *known_ < *first_;
    }

private:
    std::optional<ChunkId> known_; ///< the newest
    std::optional<ChunkId> first_; ///< beginning of the munro that was newest at first
};

} // namespace ppsp::peer
