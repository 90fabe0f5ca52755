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
    wire::SignatureAlgorithm algorithm = wire::SignatureAlgorithm::ecdsa_p256_sha256;
    std::uint64_t discard_window_chunks = 0;
    /// We take part in spreading; a source neither wants nor understands content.
    bool accepts_content = true;
    /// Nothing is forgiven: an initiator without the minimum version (PP-7.3-a) gets no answer.
    bool strict = false;
};

/// What a neighbour said about itself.
struct PeerProfile {
    std::uint64_t discard_window_chunks = 0;
    wire::SupportedMessages supported;
    [[nodiscard]] bool supports(wire::MessageType type) const
    {
        return supported.test(static_cast<std::size_t>(type));
    }
    /// Takes no DATA: it makes the content itself.
    [[nodiscard]] bool is_source() const { return !supports(wire::MessageType::data); }
};

/// The options of our HANDSHAKE; the initiator's name the swarm and the minimum version.
[[nodiscard]] wire::Options handshake_options(SwarmMetadata const& swarm, bool initiator);

/// Checks a neighbour's options against the swarm (protocols.md §2.3); nullopt = answer nothing.
[[nodiscard]] std::optional<PeerProfile>
check_handshake(SwarmMetadata const& swarm, wire::Options const& options, bool initiator);

/// RFC 7574 §3.1.1: a HANDSHAKE with source channel 0 ends the conversation.
[[nodiscard]] wire::Handshake closing_handshake();

} // namespace ppsp::peer
