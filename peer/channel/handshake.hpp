#pragma once

#include "peer/engine/config.hpp"
#include "protocol/wire/datagram.hpp"

#include <optional>
#include <string_view>

/// What both ends of a conversation must agree on (RFC 7574 §3.1, §7).
namespace ppsp::peer {

/// A swarm as its handshakes describe it.
struct SwarmMetadata {
    SwarmId id;
    wire::SwarmFormat format;
    /// The unified tree of a live stream, or the Merkle tree of a recording.
    wire::IntegrityMethod integrity_method = wire::IntegrityMethod::unified_merkle_tree;
    wire::HashFunction hash_function = wire::HashFunction::sha256;
    wire::SignatureAlgorithm algorithm = wire::SignatureAlgorithm::ecdsa_p256_sha256; ///< live
    std::uint64_t discard_window_chunks = 0;                                          ///< live
    /// We take part in spreading; a source neither wants nor understands content.
    bool accepts_content = true;
    /// Nothing is forgiven: an initiator without the minimum version (PP-7.3-a) gets no answer.
    bool strict = false;

    [[nodiscard]] bool is_live() const
    {
        return integrity_method == wire::IntegrityMethod::unified_merkle_tree;
    }
};

/// How a peer writes the options: as RFC 7574 has them, or as its drafts before Chunk Size did.
/// Peers that speak the draft drop a HANDSHAKE with an option they do not know.
enum class Dialect : std::uint8_t { rfc, draft };

/// What a neighbour said about itself.
struct PeerProfile {
    std::uint64_t discard_window_chunks = 0;
    wire::SupportedMessages supported;
    Dialect dialect = Dialect::rfc;
    [[nodiscard]] bool supports(wire::MessageType type) const
    {
        return supported.test(static_cast<std::size_t>(type));
    }
    /// Takes no DATA: it makes the content itself.
    [[nodiscard]] bool is_source() const { return !supports(wire::MessageType::data); }
};

/// The options of our HANDSHAKE; the initiator's name the swarm and the minimum version.
[[nodiscard]] wire::Options handshake_options(SwarmMetadata const& swarm, bool initiator,
                                              Dialect dialect = Dialect::rfc);

/// Checks a neighbour's options against the swarm (protocols.md §2.3); nullopt = answer nothing.
/// Who leaves out the chunk size of a recording speaks the draft, unless `strict` forbids it.
[[nodiscard]] std::optional<PeerProfile>
check_handshake(SwarmMetadata const& swarm, wire::Options const& options, bool initiator);

/// RFC 7574 §3.1.1: a HANDSHAKE with source channel 0 ends the conversation.
[[nodiscard]] wire::Handshake closing_handshake();

} // namespace ppsp::peer
