#pragma once

#include "protocol/wire/error.hpp"
#include "protocol/wire/messages.hpp"

#include <algorithm>
#include <optional>

namespace ppsp::wire {

/// What a swarm fixes about its messages; needed to read them (RFC 7574 §8).
struct SwarmFormat {
    AddressingMode addressing = AddressingMode::chunk32;
    std::uint8_t hash_size = 32;       ///< bytes of an INTEGRITY hash
    std::uint16_t signature_size = 64; ///< bytes of a SIGNED_INTEGRITY signature
    std::uint32_t chunk_size = 1024;   ///< bytes; chunk_size_variable allowed
};

/// Bytes of one chunk specification: 4, 8 or 16.
[[nodiscard]] std::size_t spec_size(AddressingMode mode);

/// Whether the mode has a specification for the range: not reversed, within the mode's width, the
/// highest number left out (it would make the count of a range overflow), and with bins exactly
/// one bin.
[[nodiscard]] bool has_spec(AddressingMode mode, ChunkRange range);

/// Appends a chunk specification; only for a range with `has_spec`.
void encode_spec(AddressingMode mode, ChunkRange range, ByteVector& out);

/// Reads a chunk specification: `truncated`, or `bad_range` for one that `has_spec` refuses and for
/// the empty bin (all ones).
[[nodiscard]] Result<ChunkRange, DecodeError> decode_spec(AddressingMode mode, ByteReader& reader);

/// `format` with what the options of a HANDSHAKE say about addressing, hash, signature and chunk
/// size. An RSA signature changes the format only if the swarm id is among the options.
[[nodiscard]] SwarmFormat adopt(SwarmFormat format, Options const& options);

/// The payload of the DATA that a datagram seems to end with, if it is as long as a chunk of fixed
/// size; looks at one byte only, so it may be wrong.
[[nodiscard]] std::optional<Bytes> likely_chunk(Bytes datagram, SwarmFormat const& format);

/// Reads datagrams message by message without copying.
///
/// A first HANDSHAKE that names its addressing mode, hash function, signature algorithm or chunk
/// size changes the format for the messages after it, as an initiator's datagram needs (§3.1.1).
/// Its source channel 0 means closing, and then it may end after the channel, or hold an option
/// list that is empty or has the version only (trap T4).
///
/// A chunk reaches to the end of the datagram. Only where the chunk size is fixed may more follow
/// a chunk of just that size, and then the last message must be another such DATA (§8.6). With
/// byte addressing the byte range tells how long the payload is.
class DatagramReader {
public:
    /// The bytes must outlive the reader and the messages.
    DatagramReader(Bytes datagram, SwarmFormat format);

    /// Destination channel; nullopt if the datagram is shorter than 4 bytes.
    [[nodiscard]] std::optional<ChannelId> destination() const { return destination_; }

    /// The next message, nullopt at the end. After an error the rest is to be thrown away
    /// (PP-3-d); further calls repeat the error.
    [[nodiscard]] Result<std::optional<Message>, DecodeError> next();

    /// What the messages are read by: the format given, or the one that a HANDSHAKE named.
    [[nodiscard]] SwarmFormat const& format() const { return format_; }

    /// Bytes that no message was read from.
    [[nodiscard]] std::size_t remaining() const { return reader_.remaining(); }

private:
    using Next = Result<std::optional<Message>, DecodeError>;

    [[nodiscard]] Next read_message();
    [[nodiscard]] Next read_handshake();
    [[nodiscard]] Next read_data();
    [[nodiscard]] Result<Bytes, DecodeError> take_chunk(ChunkRange chunks);
    [[nodiscard]] Next read_ack();
    [[nodiscard]] Next read_integrity();
    [[nodiscard]] Next read_signed_integrity();
    template <typename RangeMessage>
    [[nodiscard]] Next read_range();
    [[nodiscard]] Next read_pex_v4();
    [[nodiscard]] Next read_pex_v6();
    [[nodiscard]] Next read_certificate();

    ByteReader reader_;
    SwarmFormat format_;
    std::optional<ChannelId> destination_;
    std::optional<DecodeError> failed_;
    bool first_ = true;
    bool data_seen_ = false;
    bool ends_in_data_ = true; ///< the message read last was DATA, or there was none yet
};

/// Packs messages into one datagram of at most `size_max` bytes.
class DatagramWriter {
public:
    /// The first datagram goes into `memory`, whose content is thrown away.
    DatagramWriter(ChannelId destination, SwarmFormat format, std::size_t size_max,
                   ByteVector memory = {});

    /// Appends the message; false leaves the datagram as it was: the message does not fit, or its
    /// place is another datagram, because it is a HANDSHAKE and not the first (§3.1) or follows a
    /// DATA and is not a DATA itself, both of the fixed chunk size (§8.6).
    [[nodiscard]] bool add(Message const& message);

    [[nodiscard]] std::size_t size() const { return std::max(bytes_.size(), head_size); }
    [[nodiscard]] std::size_t room() const { return size_max_ - size(); }
    [[nodiscard]] bool has_messages() const { return bytes_.size() > head_size; }
    /// The finished datagram; the writer is empty afterwards.
    [[nodiscard]] ByteVector take();

private:
    static constexpr std::size_t head_size = 4; ///< the channel

    [[nodiscard]] bool may_follow(Message const& message) const;
    void begin();

    ChannelId destination_;
    SwarmFormat format_;
    std::size_t size_max_;
    ByteVector bytes_;                        ///< empty before the first message
    std::optional<std::size_t> last_payload_; ///< bytes of the chunk at the end, if there is one
};

/// Bytes that the message takes in a datagram.
[[nodiscard]] std::size_t encoded_size(Message const& message, SwarmFormat const& format);

/// Bytes of a hash of this kind: 20, 28, 32, 48, 64.
[[nodiscard]] std::uint8_t hash_size(HashFunction function);

/// Bytes of a signature by a live swarm's key; the swarm id is needed for RSA, whose signature is
/// as long as the modulus (RFC 3110). Nullopt if the id is malformed: another algorithm, a key of
/// the wrong length, an RSA modulus outside 512..4096 bits.
[[nodiscard]] std::optional<std::uint16_t> signature_size(SignatureAlgorithm algorithm,
                                                          Bytes swarm_id);

} // namespace ppsp::wire
