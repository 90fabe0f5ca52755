#pragma once

#include "protocol/decade/unit_object.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/integrity/openssl_signature.hpp"
#include "tests/protocol/integrity_vectors.hpp"

/// Objects for tests: signed by a key of their own, or by the vectors' keys.
namespace ppsp::decade::test {

struct OwnedUnit {
    ChunkRange chunks;
    NtpTime signed_at{};
    ByteVector signature;
    ByteVector payload;
};

inline std::vector<SignedUnit> views_of(std::vector<OwnedUnit> const& units)
{
    std::vector<SignedUnit> views;
    for (auto const& unit : units) {
        views.push_back({unit.chunks, unit.signed_at, unit.signature, unit.payload});
    }
    return views;
}

/// A channel with its key; units as a source signs them.
class Channel {
public:
    explicit Channel(
        wire::SignatureAlgorithm algorithm = wire::SignatureAlgorithm::ecdsa_p256_sha256)
        : signer(integrity::make_signer(*integrity::PrivateKey::generate(algorithm))),
          id(signer->swarm_id())
    {}

    /// Unit `index` of the format; one is signed every 50 ms.
    OwnedUnit unit(std::uint64_t index, ObjectFormat const& format = {})
    {
        auto const first = ChunkId{index * format.chunks_per_unit};
        OwnedUnit unit;
        unit.chunks = {first, first + (format.chunks_per_unit - 1)};
        unit.signed_at = to_ntp(start + static_cast<UnixMicros>(index) * 50'000);
        unit.payload =
            vectors::pattern(std::size_t{format.chunks_per_unit} * format.chunk_size, index);
        sign(unit, format);
        return unit;
    }

    void sign(OwnedUnit& unit, ObjectFormat const& format)
    {
        auto const tree = integrity::UnitTree::build(
            *hasher, unit.chunks.first, format.chunks_per_unit, format.chunk_size, unit.payload);
        unit.signature = signer->sign(integrity::munro_signature_input(
            format.addressing, unit.chunks, unit.signed_at, tree.munro()));
    }

    ByteVector object(std::uint64_t first_unit, std::size_t count, ObjectFormat const& format = {})
    {
        std::vector<OwnedUnit> units;
        for (std::size_t i = 0; i < count; ++i) {
            units.push_back(unit(first_unit + i, format));
        }
        return *write_object(format, id, views_of(units));
    }

    static constexpr UnixMicros start = 1'790'000'000'000'000;
    std::unique_ptr<integrity::Signer> signer;
    ByteVector id;
    std::unique_ptr<integrity::Hasher> hasher = integrity::make_hasher(wire::HashFunction::sha256);
};

} // namespace ppsp::decade::test
