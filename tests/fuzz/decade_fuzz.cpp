#include "peer/decade/byte_range.hpp"
#include "peer/decade/token_order.hpp"
#include "protocol/base/assert.hpp"
#include "protocol/decade/base64url.hpp"
#include "protocol/decade/live_index.hpp"
#include "protocol/decade/token.hpp"
#include "protocol/decade/unit_object.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/signing.hpp"
#include "tests/sim/counted_crypto.hpp"

/// What caches and web servers send, and what is asked of caches. The first byte decides which.
namespace ppsp::fuzz {
namespace {

using namespace decade;

void read_object_bytes(Bytes bytes)
{
    if (auto const head = read_head(bytes)) {
        PPSP_ASSERT(!head->units.empty() && head->units.size() <= object_units_max);
        PPSP_ASSERT(head->size <= object_head_size_max && head->object_size() <= object_size_max);
    }
    auto const object = read_object(bytes);
    if (!object) {
        return;
    }
    std::vector<SignedUnit> units;
    for (std::size_t i = 0; i < object->head.units.size(); ++i) {
        UnitRecord const& unit = object->head.units[i];
        units.push_back({unit.chunks, unit.signed_at, unit.signature, object->unit_payload(i)});
    }
    auto const written = write_object(object->head.format, object->head.swarm_id, units);
    PPSP_ASSERT(written &&
                std::equal(written->begin(), written->end(), bytes.begin(), bytes.end()));
    sim::CryptoCounts counts;
    sim::CountedHasher hasher(counts);
    Gullible checker;
    static_cast<void>(verify_object(*object, object->head.swarm_id, hasher, checker));
}

void read_index(Bytes bytes)
{
    Gullible checker;
    ByteVector const swarm = seed_swarm();
    auto const index = parse_index(text_of(bytes), swarm, checker);
    if (!index) {
        return;
    }
    PPSP_ASSERT(index->objects.size() <= index_objects_max);
    for (IndexedObject const& object : index->objects) {
        PPSP_ASSERT(object.random_access.size() <= index_random_access_max);
        PPSP_ASSERT(index->find(object.chunks.first) == &object);
        PPSP_ASSERT(index->find(object.chunks.last) == &object);
    }
    FixedSigner signer(swarm);
    auto const again = parse_index(to_text(*index, signer), swarm, checker);
    PPSP_ASSERT(again && *again == *index);
    for (UnixMicros const now : {UnixMicros{0}, UnixMicros{1'790'000'000'000'000}}) {
        static_cast<void>(freshness(*index, index->sequence / 2, now));
    }
}

void read_names(Bytes bytes)
{
    auto const text = text_of(bytes);
    for (auto const& name : {NiName::parse_uri(text), NiName::parse_path(text),
                             NiName::parse_value(text), NiName::parse_binary(bytes)}) {
        if (!name) {
            continue;
        }
        PPSP_ASSERT(NiName::parse_uri(name->uri()) == name);
        PPSP_ASSERT(NiName::parse_path(name->path()) == name);
        PPSP_ASSERT(NiName::parse_binary(name->binary()) == name);
        PPSP_ASSERT(name->speakable().starts_with("nih:"));
        static_cast<void>(NiNameHash{}(*name));
    }
    if (auto const decoded = from_base64url(text)) {
        PPSP_ASSERT(to_base64url(*decoded) == text);
    }
}

void read_token(Bytes bytes)
{
    Gullible checker;
    ByteVector const server = seed_swarm();
    auto const token = parse_token(text_of(bytes), server, checker);
    if (!token) {
        return;
    }
    PPSP_ASSERT(token->id.size() <= token_id_size_max && token->scopes.size() <= token_scopes_max);
    FixedSigner signer(server);
    std::string const written = to_text(*token, signer);
    auto const again = parse_token(written, server, checker);
    PPSP_ASSERT(again ? *again == *token : written.size() > token_text_size_max);
    for (UnixSeconds const now :
         {std::numeric_limits<UnixSeconds>::min(), UnixSeconds{0}, UnixSeconds{1'790'000'000},
          std::numeric_limits<UnixSeconds>::max()}) {
        static_cast<void>(check_validity(*token, now, "https://cache.example"));
    }
    ObjectFacts const facts{std::nullopt, server, single(ChunkId{7})};
    static_cast<void>(covers(*token, facts));
}

/// `Range` of something of `size` bytes never reaches beyond it.
void read_requests(Bytes bytes)
{
    Input input(bytes.data(), bytes.size());
    std::uint64_t const size = input.flag() ? input.u64() : input.u8();
    auto const text = text_of(input.rest());
    auto const answer = peer::parse_range(text, size);
    if (answer.kind == peer::RangeKind::part) {
        PPSP_ASSERT(answer.range.size > 0 && answer.range.first < size);
        PPSP_ASSERT(answer.range.size <= size - answer.range.first);
    }
    static_cast<void>(peer::matches_tag(text, "\"tag\""));
    if (auto const alias = parse_alias(text)) {
        PPSP_ASSERT(alias->first <= alias->last);
        PPSP_ASSERT(alias_path(seed_swarm(), *alias).ends_with(text));
    }
    if (auto const lifetime = peer::parse_lifetime(text)) {
        PPSP_ASSERT(*lifetime > 0);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    constexpr void (*readers[])(Bytes) = {read_object_bytes, read_index, read_names, read_token,
                                          read_requests};
    Input input(data, size);
    auto* const read = input.one_of(readers);
    read(input.rest());
    return 0;
}

} // namespace ppsp::fuzz
