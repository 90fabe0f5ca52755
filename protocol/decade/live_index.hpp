#pragma once

#include "protocol/base/ids.hpp"
#include "protocol/base/time.hpp"
#include "protocol/decade/ni_name.hpp"
#include "protocol/integrity/signature.hpp"

#include <vector>

/// Which objects hold the newest part of a live stream. A viewer cannot know the hash of what was
/// not made yet, so a name has to be found by chunk number: in the signed index, or under an alias
/// (RFC 7069 §4.3 allows other bindings than the hash; the units' own signatures prove the bytes).
namespace ppsp::decade {

inline constexpr std::size_t index_objects_max = 256; ///< two minutes of half seconds
inline constexpr std::size_t index_random_access_max = 64;
inline constexpr std::size_t index_text_size_max = 256 * 1024;

struct IndexedObject {
    NiName name;
    ChunkRange chunks; ///< whole units
    std::uint64_t bytes = 0;
    UnixMicros first_signed = 0; ///< of its first unit
    UnixMicros last_signed = 0;
    /// Chunks in which a viewer may start: a PAT begins there, PMT and key frame follow.
    std::vector<ChunkId> random_access;
    friend bool operator==(IndexedObject const&, IndexedObject const&) = default;
};

struct LiveIndex {
    ByteVector swarm_id;
    /// Grows with every index of a channel, over restarts too: sources use the larger of the
    /// last number + 1 and the milliseconds since 1970.
    std::uint64_t sequence = 0;
    UnixMicros made_at = 0;
    std::uint32_t chunk_size = 1024;
    std::uint32_t chunks_per_unit = 16;
    std::vector<IndexedObject> objects; ///< ascending, without overlap; gaps are lost parts
    friend bool operator==(LiveIndex const&, LiveIndex const&) = default;

    /// The object that holds the chunk.
    [[nodiscard]] IndexedObject const* find(ChunkId chunk) const;
};

enum class IndexError : std::uint8_t {
    too_large,
    malformed,     ///< no JSON of this form, a member missing, out of bounds or out of order
    bad_signature, ///< changed after the channel's key signed it
    other_swarm,
};

[[nodiscard]] std::string_view to_string(IndexError error);

/// Two lines: the index as JSON and, as a JSON string, the signature in hex of "ppsp-live-index/1",
/// a line feed and the bytes of the first line. The index keeps the limits above.
[[nodiscard]] std::string to_text(LiveIndex const& index, integrity::Signer& signer);

/// Accepts what the key of `swarm_id` signed; members it does not know are ignored.
[[nodiscard]] Result<LiveIndex, IndexError> parse_index(std::string_view text, Bytes swarm_id,
                                                        integrity::Checker& checker);

/// How old an index may be before its server counts as stale: two target delays of the slowest
/// viewer (5 s) and the slack for clocks.
inline constexpr Duration index_age_max = 15s;
inline constexpr Duration index_clock_slack = 5s;

enum class IndexFreshness : std::uint8_t {
    fresh,
    same,        ///< seen before
    replayed,    ///< older than one seen before
    too_old,     ///< the server does not get new ones
    from_future, ///< made later than clocks explain
};

/// What an index is worth to somebody who saw one with `last_sequence` before (0 = none).
[[nodiscard]] IndexFreshness freshness(LiveIndex const& index, std::uint64_t last_sequence,
                                       UnixMicros now);

/// `/decade/v1/live/SWARM/`, SWARM in lower-case hex.
[[nodiscard]] std::string live_path(Bytes swarm_id);
/// Where the signed index of a channel is kept, on caches and web servers alike.
[[nodiscard]] std::string index_path(Bytes swarm_id);
/// Where the object with exactly these chunks is found: `.../FIRST-LAST`.
[[nodiscard]] std::string alias_path(Bytes swarm_id, ChunkRange chunks);
/// `FIRST-LAST` in decimal without leading zeros.
[[nodiscard]] std::optional<ChunkRange> parse_alias(std::string_view text);

} // namespace ppsp::decade
