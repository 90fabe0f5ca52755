#pragma once

#include "tests/sim/run_result.hpp"

#include <span>

/// What no swarm can beat (swarm-research.md §3.1).
namespace ppsp::sim {

/// Bytes on the link for each byte of media: what overhead may take above UDP, and the IP and UDP
/// headers of full datagrams.
[[nodiscard]] double wire_factor(double overhead_allowance, std::uint32_t chunk_size);

/// Fluid bound, in streams: min(u_s, (u_s + sum u_i) / N). Uplinks in streams of media.
[[nodiscard]] double fluid_bound(double source, std::span<double const> uplinks);
/// min(1 - 1/N, sum u_i / N).
[[nodiscard]] double offload_bound(std::span<double const> uplinks);
/// ceil(log2 N) + 1 units.
[[nodiscard]] double delay_bound_units(std::size_t peers);

/// Delays, in units, that a planner reaches who knows every uplink, places each copy of a unit with
/// the most capable peer that lacks it ("snowball"), and pays `delay_units` for every hop. A peer
/// makes as many copies of a unit as its uplink carries beside the other units.
[[nodiscard]] Distribution snowball(double source, std::span<double const> uplinks,
                                    double delay_units);

} // namespace ppsp::sim
