#pragma once

#include "protocol/base/ids.hpp"
#include "protocol/base/result.hpp"
#include "protocol/base/time.hpp"
#include "protocol/integrity/hasher.hpp"
#include "protocol/integrity/signature.hpp"
#include "protocol/integrity/unit_tree.hpp"
#include "protocol/wire/options.hpp"

/// A run of whole signed units as one object, for caches, web servers and disks. It proves itself:
/// each unit carries what its SIGNED_INTEGRITY message would (RFC 7574 §8.8), and the chunks give
/// the munro. RFC 7069 §4.3 leaves the object's validation to the application; this is ours.
///
/// All numbers big-endian. The payload of all units lies in one piece at the end, so byte ranges of
/// the stream are byte ranges of the object:
///
///     0  4  "PPSU"
///     4  1  version, 1
///     5  1  hash function of the tree (RFC 7574 §7.6); 2 = SHA-256 is the only one
///     6  1  chunk addressing (§7.8): 2 = 32-bit, 4 = 64-bit chunk ranges
///     7  1  0
///     8  4  chunk size in bytes
///    12  2  chunks per unit, a power of two
///    14  2  units, in order and without a gap
///    16  2  bytes of the swarm id
///    18  2  bytes of each signature
///    20  .  swarm id: algorithm and public key (§7.7)
///     .  .  per unit: chunk range (8 or 16 bytes), signing time (NTP, 8), signature
///     .  .  per unit: its chunks
namespace ppsp::decade {

inline constexpr std::size_t object_units_max = 256;
/// About ten times half a second of 25 Mbit/s.
inline constexpr std::size_t object_size_max = 16 * 1024 * 1024;
inline constexpr std::uint32_t object_chunk_size_max = 8192;
/// RSA keys of 4096 bits and their exponent (RFC 3110).
inline constexpr std::size_t swarm_id_size_max = 540;
inline constexpr std::size_t signature_size_max = 512;
/// No head is longer.
inline constexpr std::size_t object_head_size_max =
    20 + swarm_id_size_max + object_units_max * (16 + 8 + signature_size_max);

enum class ObjectError : std::uint8_t {
    truncated,     ///< bytes are missing at the end
    not_an_object, ///< does not begin with the mark of the format
    unsupported,   ///< version, hash function or chunk addressing that this code does not know
    bad_size,      ///< a count or size of zero, beyond its limit or no power of two
    bad_swarm,     ///< a swarm id that is no live swarm's
    bad_range,     ///< a unit that is misaligned, of another width, or does not follow the last one
    trailing_bytes,
};

[[nodiscard]] std::string_view to_string(ObjectError error);

/// What all units of an object share. The default is what this project's sources make.
struct ObjectFormat {
    wire::AddressingMode addressing = wire::AddressingMode::chunk32;
    std::uint32_t chunk_size = 1024;
    std::uint32_t chunks_per_unit = 16;
    friend bool operator==(ObjectFormat const&, ObjectFormat const&) = default;
};

struct UnitRecord {
    ChunkRange chunks;
    NtpTime signed_at{};
    Bytes signature;
};

/// The part before the payload. `swarm_id` and signatures point into the bytes that were read.
struct ObjectHead {
    ObjectFormat format;
    Bytes swarm_id;
    std::vector<UnitRecord> units; ///< never empty
    std::size_t size = 0;          ///< of the head, and so the payload's place

    [[nodiscard]] ChunkRange chunks() const
    {
        return {units.front().chunks.first, units.back().chunks.last};
    }
    [[nodiscard]] std::size_t unit_bytes() const
    {
        return std::size_t{format.chunks_per_unit} * format.chunk_size;
    }
    /// Of the whole object.
    [[nodiscard]] std::size_t object_size() const { return size + units.size() * unit_bytes(); }
    /// Offset of a unit's payload in the object.
    [[nodiscard]] std::size_t unit_offset(std::size_t unit) const
    {
        return size + unit * unit_bytes();
    }
};

/// Reads the head from the first bytes of an object; `truncated` asks for more of them.
[[nodiscard]] Result<ObjectHead, ObjectError> read_head(Bytes bytes);

struct ObjectView {
    ObjectHead head;
    Bytes payload;

    [[nodiscard]] Bytes unit_payload(std::size_t unit) const
    {
        return payload.subspan(unit * head.unit_bytes(), head.unit_bytes());
    }
};

/// A whole object, neither a byte less nor more. Says nothing about signatures.
[[nodiscard]] Result<ObjectView, ObjectError> read_object(Bytes bytes);

/// The head of an object of which nothing is known but its place: `first` is its first chunk, times
/// and signatures are zero until records are copied over them. Arguments as `write_object` takes
/// them.
[[nodiscard]] ByteVector blank_head(ObjectFormat const& format, Bytes swarm_id,
                                    std::size_t signature_size, ChunkId first, std::size_t units);

/// A unit that goes into an object.
struct SignedUnit {
    ChunkRange chunks;
    NtpTime signed_at{};
    Bytes signature;
    Bytes payload;
};

/// The object of these units; the error is what a reader would find.
[[nodiscard]] Result<ByteVector, ObjectError>
write_object(ObjectFormat const& format, Bytes swarm_id, std::span<SignedUnit const> units);

enum class ObjectFault : std::uint8_t {
    other_swarm,   ///< signed for another channel
    time_reversed, ///< a unit signed before the one in front of it (RFC 7574 §6.1.2.4)
    bad_signature, ///< chunks, range, time or signature were changed
};

[[nodiscard]] std::string_view to_string(ObjectFault fault);

/// Tree of a unit whose chunks, range and time the swarm's key signed; nullopt if it did not.
/// `payload` has the unit's size.
[[nodiscard]] std::optional<integrity::UnitTree> verify_unit(ObjectHead const& head,
                                                             std::size_t unit, Bytes payload,
                                                             integrity::Hasher& hasher,
                                                             integrity::Checker& checker);

/// Verifies every unit with nothing but the channel's public key, `swarm_id`. An object that
/// verified may still be an old one: ages are for the caller to judge (`integrity::MunroPolicy`).
[[nodiscard]] Result<void, ObjectFault> verify_object(ObjectView const& object, Bytes swarm_id,
                                                      integrity::Hasher& hasher,
                                                      integrity::Checker& checker);

} // namespace ppsp::decade
