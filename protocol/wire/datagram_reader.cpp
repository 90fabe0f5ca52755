#include "protocol/wire/datagram.hpp"

namespace ppsp::wire {
namespace {

constexpr std::uint8_t message_type_max = 13;

/// RFC 7574 §3.1.1: a closing HANDSHAKE says at most which version the peer speaks.
bool may_close(Options const& options)
{
    Options allowed;
    allowed.version = options.version;
    return options == allowed;
}

} // namespace

DatagramReader::DatagramReader(Bytes datagram, SwarmFormat format)
    : reader_(datagram), format_(format)
{
    if (auto const channel = reader_.u32()) {
        destination_ = ChannelId{*channel};
    } else {
        failed_ = DecodeError::truncated;
    }
}

DatagramReader::Next DatagramReader::next()
{
    if (failed_) {
        return failure(*failed_);
    }
    if (reader_.empty()) {
        if (data_seen_ && !ends_in_data_) {
            failed_ = DecodeError::misplaced;
            return failure(*failed_);
        }
        return std::nullopt;
    }
    Next message = read_message();
    if (!message) {
        failed_ = message.error();
    }
    first_ = false;
    return message;
}

DatagramReader::Next DatagramReader::read_message()
{
    auto const type = static_cast<MessageType>(*reader_.u8());
    ends_in_data_ = type == MessageType::data;
    switch (type) {
    case MessageType::handshake:
        return read_handshake();
    case MessageType::data:
        return read_data();
    case MessageType::ack:
        return read_ack();
    case MessageType::have:
        return read_range<Have>();
    case MessageType::integrity:
        return read_integrity();
    case MessageType::pex_res_v4:
        return read_pex_v4();
    case MessageType::pex_req:
        return PexRequest{};
    case MessageType::signed_integrity:
        return read_signed_integrity();
    case MessageType::request:
        return read_range<Request>();
    case MessageType::cancel:
        return read_range<Cancel>();
    case MessageType::choke:
        return Choke{};
    case MessageType::unchoke:
        return Unchoke{};
    case MessageType::pex_res_v6:
        return read_pex_v6();
    case MessageType::pex_res_cert:
        return read_certificate();
    }
    return failure(DecodeError::unknown_message);
}

DatagramReader::Next DatagramReader::read_handshake()
{
    if (!first_) {
        return failure(DecodeError::misplaced);
    }
    auto const source = reader_.u32();
    if (!source) {
        return failure(DecodeError::truncated);
    }
    bool const closing = *source == 0;
    if (closing && reader_.empty()) {
        return Handshake{};
    }
    auto options = decode_options(reader_);
    if (!options) {
        return failure(options.error());
    }
    if (closing ? !may_close(*options) : !options->version) {
        return failure(DecodeError::bad_option);
    }
    format_ = adopt(format_, *options);
    return Handshake{ChannelId{*source}, std::move(*options)};
}

DatagramReader::Next DatagramReader::read_data()
{
    auto const chunks = decode_spec(format_.addressing, reader_);
    if (!chunks) {
        return failure(chunks.error());
    }
    auto const sent_at = reader_.u64();
    if (!sent_at) {
        return failure(DecodeError::truncated);
    }
    auto const payload = take_chunk(*chunks);
    if (!payload) {
        return failure(payload.error());
    }
    data_seen_ = true;
    return Data{*chunks, static_cast<UnixMicros>(*sent_at), *payload};
}

Result<Bytes, DecodeError> DatagramReader::take_chunk(ChunkRange chunks)
{
    bool const is_fixed = format_.chunk_size != chunk_size_variable;
    std::uint64_t size = reader_.remaining();
    if (format_.addressing == AddressingMode::byte64) {
        size = chunks.count();
        if (is_fixed && size > format_.chunk_size) {
            return failure(DecodeError::bad_chunk);
        }
        if (size > reader_.remaining()) {
            return failure(DecodeError::truncated);
        }
    } else if (chunks.first != chunks.last) {
        return failure(DecodeError::bad_range);
    } else if (is_fixed && size > format_.chunk_size) {
        size = format_.chunk_size;
    }
    Bytes const payload = *reader_.take(static_cast<std::size_t>(size));
    if (payload.empty()) {
        return failure(DecodeError::bad_chunk);
    }
    // Beside other DATA a chunk must have just the chunk size; and what follows a chunk has to be
    // a message, otherwise the chunk was too long (§8.6, trap T23).
    bool const alone = reader_.empty() && !data_seen_;
    if (!alone && (!is_fixed || size != format_.chunk_size)) {
        return failure(DecodeError::bad_chunk);
    }
    if (!reader_.empty() && reader_.rest().front() > message_type_max) {
        return failure(DecodeError::bad_chunk);
    }
    return payload;
}

DatagramReader::Next DatagramReader::read_ack()
{
    auto const chunks = decode_spec(format_.addressing, reader_);
    if (!chunks) {
        return failure(chunks.error());
    }
    auto const delay = reader_.u64();
    if (!delay) {
        return failure(DecodeError::truncated);
    }
    return Ack{*chunks, Duration{static_cast<std::int64_t>(*delay)}};
}

DatagramReader::Next DatagramReader::read_integrity()
{
    auto const chunks = decode_spec(format_.addressing, reader_);
    if (!chunks) {
        return failure(chunks.error());
    }
    auto const hash = reader_.take(format_.hash_size);
    if (!hash) {
        return failure(DecodeError::truncated);
    }
    return Integrity{*chunks, *hash};
}

DatagramReader::Next DatagramReader::read_signed_integrity()
{
    auto const chunks = decode_spec(format_.addressing, reader_);
    if (!chunks) {
        return failure(chunks.error());
    }
    auto const signed_at = reader_.u64();
    auto const signature = reader_.take(format_.signature_size);
    if (!signed_at || !signature) {
        return failure(DecodeError::truncated);
    }
    return SignedIntegrity{*chunks, NtpTime{*signed_at}, *signature};
}

template <typename RangeMessage>
DatagramReader::Next DatagramReader::read_range()
{
    auto const chunks = decode_spec(format_.addressing, reader_);
    if (!chunks) {
        return failure(chunks.error());
    }
    return RangeMessage{*chunks};
}

DatagramReader::Next DatagramReader::read_pex_v4()
{
    auto const address = reader_.u32();
    auto const port = reader_.u16();
    if (!address || !port) {
        return failure(DecodeError::truncated);
    }
    return PexResponse{Endpoint::v4(*address, *port)};
}

DatagramReader::Next DatagramReader::read_pex_v6()
{
    std::array<std::uint8_t, 16> address{};
    auto const bytes = reader_.take(address.size());
    auto const port = reader_.u16();
    if (!bytes || !port) {
        return failure(DecodeError::truncated);
    }
    std::copy(bytes->begin(), bytes->end(), address.begin());
    return PexResponse{Endpoint::v6(address, *port)};
}

DatagramReader::Next DatagramReader::read_certificate()
{
    auto const size = reader_.u16();
    auto const certificate = size ? reader_.take(*size) : std::nullopt;
    if (!certificate) {
        return failure(DecodeError::truncated);
    }
    return PexCertificate{*certificate};
}

} // namespace ppsp::wire
