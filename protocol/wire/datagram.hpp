#pragma once

#include "protocol/wire/error.hpp"
#include "protocol/wire/messages.hpp"

#include <optional>

namespace ppsp::wire {

/// What a swarm fixes about its messages; needed to read them (RFC 7574 §8).
struct SwarmFormat {
    AddressingMode addressing = AddressingMode::chunk32;
    std::uint8_t hash_size = 32;        ///< bytes of an INTEGRITY hash
    std::uint16_t signature_size = 64;  ///< bytes of a SIGNED_INTEGRITY signature
    std::uint32_t chunk_size = 1024;    ///< bytes; chunk_size_variable allowed
};

/// Bytes of one chunk specification: 4, 8 or 16.
[[nodiscard]] std::size_t spec_size(AddressingMode mode);

/// Appends a chunk specification. In bin modes `range` must be exactly one bin.
void encode_spec(AddressingMode mode, ChunkRange range, ByteVector& out);

/// Reads datagrams message by message without copying.
///
/// A first HANDSHAKE that names its addressing mode, hash function, signature algorithm or chunk
/// size changes the format for the messages after it, as an initiator's datagram needs (§3.1.1).
class DatagramReader {
public:
    /// The bytes must outlive the reader and the messages.
    DatagramReader(Bytes datagram, SwarmFormat format);

    /// Destination channel; nullopt if the datagram is shorter than 4 bytes.
    [[nodiscard]] std::optional<ChannelId> destination() const { return destination_; }

    /// The next message, nullopt at the end. After an error the rest is to be thrown away
    /// (PP-3-d); further calls repeat the error.
    [[nodiscard]] Result<std::optional<Message>, DecodeError> next();

private:
    ByteReader reader_;
    SwarmFormat format_;
    std::optional<ChannelId> destination_;
    std::optional<DecodeError> failed_;
    bool first_ = true;
    bool short_data_seen_ = false;
};

/// Packs messages into one datagram of at most `size_max` bytes.
class DatagramWriter {
public:
    DatagramWriter(ChannelId destination, SwarmFormat format, std::size_t size_max);

    /// Appends the message if it fits; false leaves the datagram as it was.
    [[nodiscard]] bool add(Message const& message);

    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] std::size_t room() const { return size_max_ - bytes_.size(); }
    [[nodiscard]] bool has_messages() const { return bytes_.size() > 4; }
    /// The finished datagram; the writer is empty afterwards.
    [[nodiscard]] ByteVector take();

private:
    SwarmFormat format_;
    std::size_t size_max_;
    ByteVector bytes_;
};

/// Bytes that the message takes in a datagram.
[[nodiscard]] std::size_t encoded_size(Message const& message, SwarmFormat const& format);

/// Bytes of a hash of this kind: 20, 28, 32, 48, 64.
[[nodiscard]] std::uint8_t hash_size(HashFunction function);

/// Bytes of a signature by a live swarm's key; the swarm id is needed for RSA, whose signature is
/// as long as the modulus (RFC 3110). Nullopt if the id is malformed.
[[nodiscard]] std::optional<std::uint16_t> signature_size(SignatureAlgorithm algorithm, Bytes swarm_id);

} // namespace ppsp::wire
