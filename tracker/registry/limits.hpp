#pragma once

#include "protocol/base/time.hpp"

#include <cstddef>
#include <cstdint>

namespace ppsp::tracker {

/// What one tracker process holds at most, and for how long. RFC 7846 gives no values; these are
/// protocols.md §4.3.
struct Limits {
    std::size_t peers_max = 2'000'000; ///< about 0.7 GB
    std::size_t swarms_max = 100'000;  ///< anybody may open one by JOIN
    std::size_t swarms_per_peer_max = 64;
    /// RFC 7846 Table 6 has a viewer in one swarm at a time.
    std::size_t leech_swarms_max = 1;
    /// Households and offices share an address; a thousand peers on one are an attack.
    std::size_t peers_per_address_max = 256;
    /// Addresses that are kept of those a peer names.
    std::size_t addresses_per_peer_max = 4;

    Duration init_timer = 10s;   ///< registration without any valid action
    Duration track_timer = 100s; ///< silence until a peer is forgotten
    Duration silent_after = 60s; ///< silence until a peer is no longer told to others
    /// A peer id that spoke this recently from another address is not handed over: two missed
    /// live reports.
    Duration takeover_after = 25s;

    double requests_per_second_peer = 10;
    double requests_per_second_address = 50;
    std::size_t limited_addresses_max = 65'536; ///< addresses whose rate is remembered
    bool limits_loopback = false;               ///< per-address limits on loopback as well

    Duration replay_time = 120s;
    std::size_t replays_max = 65'536;
    std::size_t replay_bytes_max = 32 * 1024 * 1024;

    /// Table 6 to the letter: a SEEDER that joins while it is tracked is removed.
    bool strict = false;
};

} // namespace ppsp::tracker
