#pragma once

#include "protocol/ppstp/messages.hpp"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

/// The words of the protocol; they are case sensitive (RFC 7846 §7.2).
namespace ppsp::ppstp::names {

template <typename Enum, std::size_t count>
using Table = std::array<std::pair<Enum, std::string_view>, count>;

inline constexpr Table<Action, 2> actions{{{Action::join, "JOIN"}, {Action::leave, "LEAVE"}}};
inline constexpr Table<PeerMode, 2> peer_modes{
    {{PeerMode::seeder, "SEEDER"}, {PeerMode::leech, "LEECH"}}};
inline constexpr Table<AddressType, 3> address_types{{{AddressType::host, "HOST"},
                                                      {AddressType::reflexive, "REFLEXIVE"},
                                                      {AddressType::proxy, "PROXY"}}};
inline constexpr Table<NatAbility, 3> nat_abilities{
    {{NatAbility::none, "NO_NAT"}, {NatAbility::stun, "STUN"}, {NatAbility::turn, "TURN"}}};

inline constexpr std::string_view root = "PPSPTrackerProtocol";
inline constexpr std::string_view stream_stats = "STREAM_STATS";
inline constexpr std::string_view content_map = "CONTENT_MAP";
inline constexpr std::string_view peer_status = "PEER_STATUS";
inline constexpr std::string_view receipts = "RECEIPTS";
inline constexpr std::string_view neighbours = "NEIGHBOURS";

template <typename Enum, std::size_t count>
[[nodiscard]] constexpr std::string_view name_of(Table<Enum, count> const& table, Enum value)
{
    for (auto const& [known, name] : table) {
        if (known == value) {
            return name;
        }
    }
    return {};
}

template <typename Enum, std::size_t count>
[[nodiscard]] constexpr std::optional<Enum> value_of(Table<Enum, count> const& table,
                                                     std::string_view name)
{
    for (auto const& [value, known] : table) {
        if (known == name) {
            return value;
        }
    }
    return std::nullopt;
}

} // namespace ppsp::ppstp::names
