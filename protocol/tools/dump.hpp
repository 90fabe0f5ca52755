#pragma once

#include "protocol/wire/datagram.hpp"

#include <optional>
#include <string>
#include <string_view>

/// PPSPP datagrams as text for people.
namespace ppsp::tools {

/// Largest payload of a UDP datagram over IPv4 or IPv6 without jumbograms.
inline constexpr std::size_t datagram_size_max = 65'535;

/// One line without line break: the message's name as RFC 7574 spells it, then its fields.
[[nodiscard]] std::string describe(wire::Message const& message);

struct Description {
    std::string text; ///< lines, each with its line break
    /// Set if the text ends before the datagram does; the last line tells where.
    std::optional<wire::DecodeError> error;
};

/// A line for the datagram and an indented one for each of its messages. A HANDSHAKE that names
/// the swarm's format changes `format`, so that the datagrams after it are read by it too.
[[nodiscard]] Description describe_datagram(Bytes datagram, wire::SwarmFormat& format);

/// `2026-01-01T00:00:00.250000Z`
[[nodiscard]] std::string utc_text(UnixMicros time);

/// Reads hex digits; spaces, tabs, carriage returns and colons between them don't matter. Nullopt
/// for anything else and for more than `datagram_size_max` bytes.
[[nodiscard]] std::optional<ByteVector> parse_datagram(std::string_view text);

[[nodiscard]] std::string_view name_of(wire::MessageType type);
[[nodiscard]] std::string_view name_of(wire::AddressingMode mode);
[[nodiscard]] std::string_view name_of(wire::HashFunction function);
[[nodiscard]] std::string_view name_of(wire::IntegrityMethod method);
[[nodiscard]] std::string_view name_of(wire::SignatureAlgorithm algorithm);

} // namespace ppsp::tools
