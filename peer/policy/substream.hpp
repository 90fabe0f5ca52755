#pragma once

#include <bitset>
#include <cstdint>

namespace ppsp::peer {

/// A neighbour as policies know it: the number of our channel to it.
enum class PeerKey : std::uint32_t {};

/// The stream is split by unit number into substreams that are subscribed to one by one
/// (design decision 5).
inline constexpr std::uint32_t substreams = 8;
/// Some of them.
using SubstreamSet = std::bitset<substreams>;

} // namespace ppsp::peer
