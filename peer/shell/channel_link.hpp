#pragma once

#include "peer/engine/config.hpp"
#include "peer/shell/host_port.hpp"
#include "protocol/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ppsp::peer {

/// Port of a tracker whose address names none.
inline constexpr std::uint16_t tracker_port_default = 7846;

struct TrackerAddress {
    HostPort at;
    bool is_tls = false;

    /// `http://HOST:PORT` or `https://HOST:PORT`; the service below it is `/ppstp`.
    [[nodiscard]] std::string url() const;
    friend bool operator==(TrackerAddress const&, TrackerAddress const&) = default;
};

/// `http[s]://HOST[:PORT]`, with nothing or `/ppstp` behind it.
[[nodiscard]] std::optional<TrackerAddress> parse_tracker_url(std::string_view url);

/// Trackers that are asked in any order; the next tier when all of one fail.
using TrackerTier = std::vector<TrackerAddress>;

/// Where a channel is to be found: what a link says, and the part of a channel file that matters
/// for finding it.
struct ChannelLink {
    SwarmId swarm;
    std::vector<TrackerTier> trackers;
    std::vector<HostPort> peers;
    std::vector<std::string> caches;     ///< http(s) URLs
    std::vector<std::string> cdn;        ///< http(s) URLs
    std::optional<std::uint64_t> length; ///< bytes of a recording

    friend bool operator==(ChannelLink const&, ChannelLink const&) = default;
};

enum class LinkError : std::uint8_t {
    too_long,
    not_a_link,
    unknown_scheme,
    bad_tracker,
    no_swarm,
    bad_swarm,
    bad_peer,
    bad_cache,
    bad_cdn,
    bad_length,
    nobody_to_ask,
};

inline constexpr std::size_t link_size_max = 8192;
/// Members of one name in a link or channel file; later ones are too many to be of use.
inline constexpr std::size_t link_members_max = 16;

/// One sentence for people.
[[nodiscard]] std::string_view sentence(LinkError error);

/// `ppsp://HOST:PORT/SWARM`, `ppsps://HOST:PORT/SWARM` or `ppsp:///SWARM?peer=HOST:PORT`, with
/// query members `peer`, `cache`, `cdn` and `length`. Unknown members are ignored.
[[nodiscard]] Result<ChannelLink, LinkError> parse_link(std::string_view text);

/// The link of the first tracker; caches, CDN and peers as query members.
[[nodiscard]] std::string format_link(ChannelLink const& link);

/// True for the id of a live swarm: algorithm number and a key of its size (RFC 7574 §6.1).
[[nodiscard]] bool is_live_id(Bytes swarm);
/// True for the size of a root hash (RFC 7574 §7.6).
[[nodiscard]] bool is_recording_id(Bytes swarm);

/// An absolute http or https URL with a host.
[[nodiscard]] bool is_web_url(std::string_view url);

} // namespace ppsp::peer
