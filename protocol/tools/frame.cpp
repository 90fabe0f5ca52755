#include "protocol/tools/frame.hpp"

#include <array>

namespace ppsp::tools {
namespace {

using Reading = Result<UdpDatagram, FrameSkip>;

constexpr std::uint16_t ethertype_ipv4 = 0x0800;
constexpr std::uint16_t ethertype_ipv6 = 0x86dd;
constexpr std::uint8_t protocol_udp = 17;

constexpr bool is_vlan_tag(std::uint16_t ethertype)
{
    return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100;
}

Reading read_udp(Endpoint const& from, Endpoint const& to, Bytes packet)
{
    ByteReader reader(packet);
    auto const source = reader.u16();
    auto const destination = reader.u16();
    auto const length = reader.u16();
    auto const checksum = reader.u16();
    constexpr std::uint16_t header_size = 8;
    if (!checksum || *length < header_size || *length > packet.size()) {
        return failure(FrameSkip::truncated);
    }
    auto const with_port = [](Endpoint const& address, std::uint16_t port) {
        return address.is_v4() ? Endpoint::v4(address.v4_address(), port)
                               : Endpoint::v6(address.v6_address(), port);
    };
    return UdpDatagram{with_port(from, *source), with_port(to, *destination),
                       packet.subspan(header_size, *length - std::size_t{header_size})};
}

/// RFC 791 §3.1.
Reading read_ipv4(Bytes packet)
{
    constexpr std::size_t header_size_min = 20;
    if (packet.size() < header_size_min) {
        return failure(FrameSkip::truncated);
    }
    ByteReader reader(packet);
    auto const version_and_size = *reader.u8();
    static_cast<void>(reader.u8());
    auto const total = *reader.u16();
    static_cast<void>(reader.u16());
    auto const fragment = *reader.u16();
    static_cast<void>(reader.u8());
    auto const protocol = *reader.u8();
    static_cast<void>(reader.u16());
    auto const from = Endpoint::v4(*reader.u32(), 0);
    auto const to = Endpoint::v4(*reader.u32(), 0);
    auto const header_size = std::size_t{version_and_size & 0x0fU} * 4;
    if (version_and_size >> 4 != 4 || header_size < header_size_min) {
        return failure(FrameSkip::truncated);
    }
    if (protocol != protocol_udp) {
        return failure(FrameSkip::other);
    }
    constexpr std::uint16_t more_or_offset = 0x3fff;
    if ((fragment & more_or_offset) != 0) {
        return failure(FrameSkip::fragment);
    }
    // Zero where the network card was to cut the packet.
    std::size_t const size = total == 0 ? packet.size() : total;
    if (size < header_size || size > packet.size()) {
        return failure(FrameSkip::truncated);
    }
    return read_udp(from, to, packet.subspan(header_size, size - header_size));
}

std::optional<Endpoint> take_v6(ByteReader& reader)
{
    auto const bytes = reader.take(16);
    if (!bytes) {
        return std::nullopt;
    }
    std::array<std::uint8_t, 16> address{};
    std::copy(bytes->begin(), bytes->end(), address.begin());
    return Endpoint::v6(address, 0);
}

/// Goes to the UDP header over the extension headers of RFC 8200 §4.
Reading read_ipv6_payload(Endpoint const& from, Endpoint const& to, std::uint8_t next, Bytes rest)
{
    constexpr std::uint8_t hop_by_hop = 0;
    constexpr std::uint8_t routing = 43;
    constexpr std::uint8_t fragment = 44;
    constexpr std::uint8_t authentication = 51;
    constexpr std::uint8_t destination_options = 60;
    for (;;) {
        if (next == protocol_udp) {
            return read_udp(from, to, rest);
        }
        bool const is_options =
            next == hop_by_hop || next == routing || next == destination_options;
        if (!is_options && next != fragment && next != authentication) {
            return failure(FrameSkip::other);
        }
        if (rest.size() < 8) {
            return failure(FrameSkip::truncated);
        }
        std::size_t size = 8;
        if (next == fragment) {
            // Offset and "more" in one number; an atomic fragment has neither (RFC 6946).
            if (((rest[2] << 8 | rest[3]) & 0xfff9) != 0) {
                return failure(FrameSkip::fragment);
            }
        } else {
            size = next == authentication ? (rest[1] + std::size_t{2}) * 4
                                          : (rest[1] + std::size_t{1}) * 8;
        }
        if (rest.size() < size) {
            return failure(FrameSkip::truncated);
        }
        next = rest[0];
        rest = rest.subspan(size);
    }
}

/// RFC 8200 §3.
Reading read_ipv6(Bytes packet)
{
    ByteReader reader(packet);
    auto const version = reader.u32();
    auto const size = reader.u16();
    auto const next = reader.u8();
    auto const hops = reader.u8();
    auto const from = take_v6(reader);
    auto const to = take_v6(reader);
    if (!version || !size || !next || !hops || !from || !to || *version >> 28 != 6 ||
        *size > reader.remaining()) {
        return failure(FrameSkip::truncated);
    }
    // Zero in a packet that the network card was to cut.
    Bytes const rest = *size == 0 ? reader.rest() : reader.rest().first(*size);
    return read_ipv6_payload(*from, *to, *next, rest);
}

Reading read_ip(Bytes packet)
{
    if (packet.empty()) {
        return failure(FrameSkip::truncated);
    }
    switch (packet.front() >> 4) {
    case 4:
        return read_ipv4(packet);
    case 6:
        return read_ipv6(packet);
    default:
        return failure(FrameSkip::other);
    }
}

/// What follows a type field: VLAN tags, then the packet.
Reading read_ethertype(std::uint16_t ethertype, ByteReader reader)
{
    while (is_vlan_tag(ethertype)) {
        auto const tag = reader.u16();
        auto const inner = reader.u16();
        if (!tag || !inner) {
            return failure(FrameSkip::truncated);
        }
        ethertype = *inner;
    }
    if (ethertype != ethertype_ipv4 && ethertype != ethertype_ipv6) {
        return failure(FrameSkip::other);
    }
    return read_ip(reader.rest());
}

/// A link header of fixed size with the type field in it.
Reading read_linked(Bytes frame, std::size_t header_size, std::size_t type_offset)
{
    if (frame.size() < header_size) {
        return failure(FrameSkip::truncated);
    }
    auto const ethertype =
        static_cast<std::uint16_t>(frame[type_offset] << 8 | frame[type_offset + 1]);
    return read_ethertype(ethertype, ByteReader(frame.subspan(header_size)));
}

} // namespace

std::optional<LinkType> link_type(int number)
{
    for (auto const known :
         {LinkType::null, LinkType::ethernet, LinkType::raw, LinkType::loop, LinkType::linux_cooked,
          LinkType::ipv4, LinkType::ipv6, LinkType::linux_cooked_v2}) {
        if (static_cast<int>(known) == number) {
            return known;
        }
    }
    return std::nullopt;
}

Result<UdpDatagram, FrameSkip> read_frame(LinkType link, Bytes frame)
{
    switch (link) {
    case LinkType::ethernet:
        return read_linked(frame, 14, 12);
    case LinkType::linux_cooked:
        return read_linked(frame, 16, 14);
    case LinkType::linux_cooked_v2:
        return read_linked(frame, 20, 0);
    case LinkType::null:
    case LinkType::loop:
        // The IP version says which family it is: the numbers of IPv6 differ between systems.
        return frame.size() < 4 ? failure(FrameSkip::truncated) : read_ip(frame.subspan(4));
    case LinkType::raw:
    case LinkType::ipv4:
    case LinkType::ipv6:
        return read_ip(frame);
    }
    return failure(FrameSkip::other);
}

} // namespace ppsp::tools
