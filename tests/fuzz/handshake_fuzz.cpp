#include "peer/channel/handshake.hpp"
#include "protocol/base/assert.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/signing.hpp"

/// A list of handshake options: what is read can be written, and what a swarm accepts fits it.
namespace ppsp::fuzz {
namespace {

using namespace wire;

constexpr SignatureAlgorithm algorithms[] = {
    SignatureAlgorithm::rsa_sha1,          SignatureAlgorithm::rsa_sha256,
    SignatureAlgorithm::ecdsa_p256_sha256, SignatureAlgorithm::ecdsa_p384_sha384,
    SignatureAlgorithm::ed25519,           SignatureAlgorithm::ed448,
};

peer::SwarmMetadata live_swarm()
{
    peer::SwarmMetadata metadata;
    metadata.id = seed_swarm();
    metadata.discard_window_chunks = 36'640;
    return metadata;
}

/// Whose peers may speak the drafts.
peer::SwarmMetadata recording()
{
    peer::SwarmMetadata metadata;
    metadata.id = ByteVector(20, 0x22);
    metadata.integrity_method = IntegrityMethod::merkle_tree;
    metadata.hash_function = HashFunction::sha1;
    return metadata;
}

void check_agreement(peer::SwarmMetadata const& metadata, Options const& options, bool initiator)
{
    auto const profile = peer::check_handshake(metadata, options, initiator);
    if (!profile) {
        return;
    }
    PPSP_ASSERT(!initiator || options.swarm_id == metadata.id);
    PPSP_ASSERT(options.addressing == metadata.format.addressing);
    if (profile->dialect == peer::Dialect::draft) {
        PPSP_ASSERT(!metadata.is_live() && !metadata.strict && !options.chunk_size);
        return;
    }
    PPSP_ASSERT(options.chunk_size == metadata.format.chunk_size);
    PPSP_ASSERT(!metadata.is_live() || profile->discard_window_chunks == options.discard_window);
}

void check_swarm_id(Bytes id)
{
    static_cast<void>(integrity::algorithm_of(id));
    for (SignatureAlgorithm const algorithm : algorithms) {
        auto const size = signature_size(algorithm, id);
        PPSP_ASSERT(!size || (*size >= 64 && *size <= 512));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    ByteReader reader(Bytes{data, size});
    auto const options = decode_options(reader);
    if (!options) {
        return 0;
    }
    PPSP_ASSERT(reader.remaining() < size);
    ByteVector written;
    encode_options(*options, written);
    PPSP_ASSERT(written.size() == encoded_size(*options));
    ByteReader second(written);
    PPSP_ASSERT(decode_options(second) == options);
    PPSP_ASSERT(second.empty());

    SwarmFormat const format = adopt(SwarmFormat{}, *options);
    PPSP_ASSERT(format.hash_size >= 20 && format.hash_size <= 64);
    PPSP_ASSERT(spec_size(format.addressing) >= 4);
    for (auto metadata : {live_swarm(), recording()}) {
        for (bool const strict : {false, true}) {
            metadata.strict = strict;
            check_agreement(metadata, *options, false);
            check_agreement(metadata, *options, true);
        }
    }
    if (options->swarm_id) {
        check_swarm_id(*options->swarm_id);
    }
    return 0;
}

} // namespace ppsp::fuzz
