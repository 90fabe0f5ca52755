#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/result.hpp"

#include <string_view>

/// UDP datagrams in the frames of a packet capture. Pure.
namespace ppsp::tools {

/// Link-layer header types that are read, by their number in capture files
/// (https://www.tcpdump.org/linktypes.html).
enum class LinkType : std::uint16_t {
    null = 0, ///< BSD loopback, address family in the byte order of the capturing host
    ethernet = 1,
    raw = 101,
    loop = 108, ///< BSD loopback, address family in network byte order
    linux_cooked = 113,
    ipv4 = 228,
    ipv6 = 229,
    linux_cooked_v2 = 276,
};

/// Nullopt for link types that are not read.
[[nodiscard]] std::optional<LinkType> link_type(int number);

struct UdpDatagram {
    Endpoint from;
    Endpoint to;
    Bytes payload; ///< points into the frame
};

/// Why a frame has no datagram to show.
enum class FrameSkip : std::uint8_t {
    other,     ///< neither IPv4 nor IPv6, or not UDP
    fragment,  ///< of an IP packet; fragments are not put together
    truncated, ///< the capture holds less than the datagram had, or a header contradicts itself
};

/// VLAN tags (IEEE 802.1Q, also stacked), IPv6 extension headers and Ethernet padding are skipped.
[[nodiscard]] Result<UdpDatagram, FrameSkip> read_frame(LinkType link, Bytes frame);

} // namespace ppsp::tools
