#include "protocol/decade/unit_object.hpp"

#include "protocol/base/assert.hpp"
#include "protocol/wire/datagram.hpp"

#include <algorithm>
#include <bit>

namespace ppsp::decade {
namespace {

using wire::AddressingMode;

constexpr std::string_view mark = "PPSU";
constexpr std::uint8_t version = 1;
constexpr std::size_t fixed_size = 20;
constexpr std::size_t time_size = 8;

struct Fixed {
    ObjectFormat format;
    std::size_t units = 0;
    std::size_t swarm_size = 0;
    std::size_t signature_size = 0;

    [[nodiscard]] std::size_t record_size() const
    {
        return wire::spec_size(format.addressing) + time_size + signature_size;
    }
    [[nodiscard]] std::size_t head_size() const
    {
        return fixed_size + swarm_size + units * record_size();
    }
};

bool is_supported(std::uint8_t addressing)
{
    return addressing == static_cast<std::uint8_t>(AddressingMode::chunk32) ||
           addressing == static_cast<std::uint8_t>(AddressingMode::chunk64);
}

bool is_between(std::size_t value, std::size_t low, std::size_t high)
{
    return low <= value && value <= high;
}

bool has_good_sizes(Fixed const& fixed)
{
    auto const& format = fixed.format;
    bool const is_good = is_between(format.chunk_size, 1, object_chunk_size_max) &&
                         is_between(format.chunks_per_unit, 2, integrity::unit_chunks_max) &&
                         std::has_single_bit(format.chunks_per_unit) &&
                         is_between(fixed.units, 1, object_units_max) &&
                         is_between(fixed.swarm_size, 1, swarm_id_size_max) &&
                         is_between(fixed.signature_size, 1, signature_size_max);
    // Each factor is bounded, so nothing wraps.
    return is_good && fixed.head_size() + std::uint64_t{fixed.units} * format.chunks_per_unit *
                                              format.chunk_size <=
                          object_size_max;
}

Result<Fixed, ObjectError> read_fixed(ByteReader& reader)
{
    auto const begin = reader.rest();
    auto const known = std::min(begin.size(), mark.size());
    if (!std::equal(begin.begin(), begin.begin() + static_cast<std::ptrdiff_t>(known),
                    as_bytes(mark).begin())) {
        return failure(ObjectError::not_an_object);
    }
    if (begin.size() < fixed_size) {
        return failure(ObjectError::truncated);
    }
    static_cast<void>(reader.take(mark.size()));
    auto const format_version = *reader.u8();
    auto const hash = *reader.u8();
    auto const addressing = *reader.u8();
    auto const reserved = *reader.u8();
    if (format_version != version || reserved != 0 || !is_supported(addressing) ||
        hash != static_cast<std::uint8_t>(wire::HashFunction::sha256)) {
        return failure(ObjectError::unsupported);
    }
    Fixed fixed;
    fixed.format.addressing = static_cast<AddressingMode>(addressing);
    fixed.format.chunk_size = *reader.u32();
    fixed.format.chunks_per_unit = *reader.u16();
    fixed.units = *reader.u16();
    fixed.swarm_size = *reader.u16();
    fixed.signature_size = *reader.u16();
    if (!has_good_sizes(fixed)) {
        return failure(ObjectError::bad_size);
    }
    return fixed;
}

void write_fixed(ByteWriter& writer, Fixed const& fixed, Bytes swarm_id)
{
    writer.bytes(as_bytes(mark));
    writer.u8(version);
    writer.u8(static_cast<std::uint8_t>(wire::HashFunction::sha256));
    writer.u8(static_cast<std::uint8_t>(fixed.format.addressing));
    writer.u8(0);
    writer.u32(fixed.format.chunk_size);
    writer.u16(static_cast<std::uint16_t>(fixed.format.chunks_per_unit));
    writer.u16(static_cast<std::uint16_t>(fixed.units));
    writer.u16(static_cast<std::uint16_t>(fixed.swarm_size));
    writer.u16(static_cast<std::uint16_t>(fixed.signature_size));
    writer.bytes(swarm_id);
}

/// A unit of this width at a multiple of it, right behind the one before.
bool follows(ObjectFormat const& format, ChunkRange chunks, std::vector<UnitRecord> const& before)
{
    bool const is_unit = chunks.first <= chunks.last && chunks.count() == format.chunks_per_unit &&
                         to_number(chunks.first) % format.chunks_per_unit == 0;
    return is_unit && (before.empty() || chunks.first == before.back().chunks.last + 1);
}

} // namespace

std::string_view to_string(ObjectError error)
{
    switch (error) {
    case ObjectError::truncated:
        return "bytes are missing at the end";
    case ObjectError::not_an_object:
        return "these are no signed units";
    case ObjectError::unsupported:
        return "version, hash function or chunk addressing are not known";
    case ObjectError::bad_size:
        return "a count or a size is out of bounds";
    case ObjectError::bad_swarm:
        return "the swarm id is no live channel's";
    case ObjectError::bad_range:
        return "the units do not follow each other";
    case ObjectError::trailing_bytes:
        return "there are bytes behind the last unit";
    }
    PPSP_ASSERT(false);
}

std::string_view to_string(ObjectFault fault)
{
    switch (fault) {
    case ObjectFault::other_swarm:
        return "the units belong to another channel";
    case ObjectFault::time_reversed:
        return "a unit was signed before the one in front of it";
    case ObjectFault::bad_signature:
        return "a unit is not what the channel's key signed";
    }
    PPSP_ASSERT(false);
}

Result<ObjectHead, ObjectError> read_head(Bytes bytes)
{
    ByteReader reader(bytes);
    auto const fixed = read_fixed(reader);
    if (!fixed) {
        return failure(fixed.error());
    }
    if (bytes.size() < fixed->head_size()) {
        return failure(ObjectError::truncated);
    }
    ObjectHead head;
    head.format = fixed->format;
    head.size = fixed->head_size();
    head.swarm_id = *reader.take(fixed->swarm_size);
    if (!integrity::algorithm_of(head.swarm_id)) {
        return failure(ObjectError::bad_swarm);
    }
    head.units.reserve(fixed->units);
    for (std::size_t i = 0; i < fixed->units; ++i) {
        auto const chunks = wire::decode_spec(head.format.addressing, reader);
        if (!chunks || !follows(head.format, *chunks, head.units)) {
            return failure(ObjectError::bad_range);
        }
        auto const time = *reader.u64();
        head.units.push_back({*chunks, NtpTime{time}, *reader.take(fixed->signature_size)});
    }
    return head;
}

Result<ObjectView, ObjectError> read_object(Bytes bytes)
{
    auto head = read_head(bytes);
    if (!head) {
        return failure(head.error());
    }
    if (bytes.size() != head->object_size()) {
        return failure(bytes.size() < head->object_size() ? ObjectError::truncated
                                                          : ObjectError::trailing_bytes);
    }
    auto const payload = bytes.subspan(head->size);
    return ObjectView{std::move(*head), payload};
}

ByteVector blank_head(ObjectFormat const& format, Bytes swarm_id, std::size_t signature_size,
                      ChunkId first, std::size_t units)
{
    Fixed const fixed{format, units, swarm_id.size(), signature_size};
    ByteVector out;
    out.reserve(fixed.head_size());
    ByteWriter writer(out);
    write_fixed(writer, fixed, swarm_id);
    for (std::size_t i = 0; i < units; ++i) {
        ChunkId const begin = first + i * format.chunks_per_unit;
        wire::encode_spec(format.addressing, {begin, begin + (format.chunks_per_unit - 1)}, out);
        out.resize(out.size() + time_size + signature_size);
    }
    return out;
}

Result<ByteVector, ObjectError> write_object(ObjectFormat const& format, Bytes swarm_id,
                                             std::span<SignedUnit const> units)
{
    auto const unit_bytes = std::size_t{format.chunks_per_unit} * format.chunk_size;
    Fixed const fixed{format, units.size(), swarm_id.size(),
                      units.empty() ? 0 : units.front().signature.size()};
    if (!is_supported(static_cast<std::uint8_t>(format.addressing))) {
        return failure(ObjectError::unsupported);
    }
    bool const is_regular = std::all_of(units.begin(), units.end(), [&](SignedUnit const& unit) {
        return unit.payload.size() == unit_bytes && unit.signature.size() == fixed.signature_size;
    });
    if (!has_good_sizes(fixed) || !is_regular) {
        return failure(ObjectError::bad_size);
    }
    ByteVector out;
    out.reserve(fixed.head_size() + units.size() * unit_bytes);
    ByteWriter writer(out);
    write_fixed(writer, fixed, swarm_id);
    for (auto const& unit : units) {
        if (!wire::has_spec(format.addressing, unit.chunks)) {
            return failure(ObjectError::bad_range);
        }
        wire::encode_spec(format.addressing, unit.chunks, out);
        writer.u64(static_cast<std::uint64_t>(unit.signed_at));
        writer.bytes(unit.signature);
    }
    if (auto const head = read_head(out); !head) {
        return failure(head.error());
    }
    for (auto const& unit : units) {
        writer.bytes(unit.payload);
    }
    return out;
}

std::optional<integrity::UnitTree> verify_unit(ObjectHead const& head, std::size_t unit,
                                               Bytes payload, integrity::Hasher& hasher,
                                               integrity::Checker& checker)
{
    PPSP_ASSERT(payload.size() == head.unit_bytes());
    auto const& record = head.units[unit];
    auto tree = integrity::UnitTree::build(hasher, record.chunks.first, head.format.chunks_per_unit,
                                           head.format.chunk_size, payload);
    auto const input = integrity::munro_signature_input(head.format.addressing, record.chunks,
                                                        record.signed_at, tree.munro());
    return checker.check(head.swarm_id, input, record.signature) ? std::optional(std::move(tree))
                                                                 : std::nullopt;
}

Result<void, ObjectFault> verify_object(ObjectView const& object, Bytes swarm_id,
                                        integrity::Hasher& hasher, integrity::Checker& checker)
{
    auto const& units = object.head.units;
    if (!std::equal(swarm_id.begin(), swarm_id.end(), object.head.swarm_id.begin(),
                    object.head.swarm_id.end())) {
        return failure(ObjectFault::other_swarm);
    }
    for (std::size_t i = 1; i < units.size(); ++i) {
        if (ntp_difference(units[i].signed_at, units[i - 1].signed_at) < Duration::zero()) {
            return failure(ObjectFault::time_reversed);
        }
    }
    for (std::size_t i = 0; i < units.size(); ++i) {
        if (!verify_unit(object.head, i, object.unit_payload(i), hasher, checker)) {
            return failure(ObjectFault::bad_signature);
        }
    }
    return {};
}

} // namespace ppsp::decade
