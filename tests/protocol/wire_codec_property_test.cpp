#include "protocol/base/bins.hpp"
#include "tests/support/properties.hpp"
#include "tests/support/wire.hpp"

namespace ppsp::wire {

static bool same(Bytes a, Bytes b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

// Messages hold views, so equality of their content is a matter of these tests.
static bool operator==(Data const& a, Data const& b)
{
    return a.chunks == b.chunks && a.sent_at == b.sent_at && same(a.payload, b.payload);
}
static bool operator==(Ack const& a, Ack const& b)
{
    return a.chunks == b.chunks && a.one_way_delay == b.one_way_delay;
}
static bool operator==(Have const& a, Have const& b)
{
    return a.chunks == b.chunks;
}
static bool operator==(Request const& a, Request const& b)
{
    return a.chunks == b.chunks;
}
static bool operator==(Cancel const& a, Cancel const& b)
{
    return a.chunks == b.chunks;
}
static bool operator==(Integrity const& a, Integrity const& b)
{
    return a.chunks == b.chunks && same(a.hash, b.hash);
}
static bool operator==(SignedIntegrity const& a, SignedIntegrity const& b)
{
    return a.chunks == b.chunks && a.signed_at == b.signed_at && same(a.signature, b.signature);
}
static bool operator==(Choke const&, Choke const&)
{
    return true;
}
static bool operator==(Unchoke const&, Unchoke const&)
{
    return true;
}
static bool operator==(PexRequest const&, PexRequest const&)
{
    return true;
}
static bool operator==(PexResponse const& a, PexResponse const& b)
{
    return a.peer == b.peer;
}
static bool operator==(PexCertificate const& a, PexCertificate const& b)
{
    return same(a.certificate, b.certificate);
}

namespace {

/// Random values of one test case, with the bytes that the messages look at.
class Source {
public:
    explicit Source(SwarmFormat format) : format_(format) {}

    Message message()
    {
        switch (*rc::gen::inRange(0, 12)) {
        case 0:
            return Ack{range(), Duration{*rc::gen::arbitrary<std::int64_t>()}};
        case 1:
            return Have{range()};
        case 2:
            return Integrity{range(), bytes(format_.hash_size)};
        case 3:
            return SignedIntegrity{range(), NtpTime{*rc::gen::arbitrary<std::uint64_t>()},
                                   bytes(format_.signature_size)};
        case 4:
            return Request{range()};
        case 5:
            return Cancel{range()};
        case 6:
            return Choke{};
        case 7:
            return Unchoke{};
        case 8:
            return PexRequest{};
        case 9:
            return PexResponse{Endpoint::v4(*rc::gen::arbitrary<std::uint32_t>(),
                                            *rc::gen::arbitrary<std::uint16_t>())};
        case 10:
            return PexResponse{Endpoint::v6(*rc::gen::arbitrary<std::array<std::uint8_t, 16>>(),
                                            *rc::gen::arbitrary<std::uint16_t>())};
        default:
            return PexCertificate{bytes(*rc::gen::inRange<std::size_t>(0, 400))};
        }
    }

    /// A chunk that is not the last of its datagram has the full size.
    Message data(bool is_only)
    {
        bool const is_fixed = format_.chunk_size != chunk_size_variable;
        std::size_t const limit = is_fixed ? format_.chunk_size : 2'000;
        std::size_t const size =
            is_only ? *rc::gen::inRange<std::size_t>(1, limit + 1) : format_.chunk_size;
        ChunkRange chunks = single(ChunkId{*rc::gen::inRange<std::uint64_t>(0, 0x7fff'ffff)});
        if (format_.addressing == AddressingMode::byte64) {
            chunks.last = chunks.first + (size - 1);
        }
        return Data{chunks, *rc::gen::arbitrary<std::int64_t>(), bytes(size)};
    }

private:
    ChunkRange range()
    {
        bool const is_wide =
            spec_size(format_.addressing) == 16 || format_.addressing == AddressingMode::bin64;
        if (format_.addressing == AddressingMode::bin32 ||
            format_.addressing == AddressingMode::bin64) {
            auto const layer = *rc::gen::inRange(0U, is_wide ? 63U : 31U);
            auto const width = (is_wide ? 63U : 31U) - layer;
            auto const offset = *rc::gen::arbitrary<std::uint64_t>() >> (64 - width);
            return chunks_of(make_bin(layer, width == 0 ? 0 : offset));
        }
        auto const limit = is_wide ? ~std::uint64_t{0} : std::uint64_t{0xffff'ffff};
        auto const a = *rc::gen::arbitrary<std::uint64_t>() % limit;
        auto const b = *rc::gen::arbitrary<std::uint64_t>() % limit;
        return {ChunkId{std::min(a, b)}, ChunkId{std::max(a, b)}};
    }

    Bytes bytes(std::size_t size)
    {
        kept_.push_back(*rc::gen::container<ByteVector>(size, rc::gen::arbitrary<std::uint8_t>()));
        return kept_.back();
    }

    SwarmFormat format_;
    std::vector<ByteVector> kept_;
};

SwarmFormat any_format()
{
    SwarmFormat format;
    format.addressing = AddressingMode{*rc::gen::inRange<std::uint8_t>(0, 5)};
    format.hash_size = hash_size(HashFunction{*rc::gen::inRange<std::uint8_t>(0, 5)});
    format.signature_size = *rc::gen::element<std::uint16_t>(64, 96, 114, 128, 256, 512);
    format.chunk_size = *rc::gen::element<std::uint32_t>(1, 8, 1024, 1316, chunk_size_variable);
    return format;
}

template <typename T>
std::optional<T> maybe(rc::Gen<T> const& gen)
{
    return *rc::gen::arbitrary<bool>() ? std::optional<T>(*gen) : std::nullopt;
}

Options any_options()
{
    Options options;
    options.version = *rc::gen::arbitrary<std::uint8_t>();
    options.minimum_version = maybe(rc::gen::arbitrary<std::uint8_t>());
    options.swarm_id = maybe(rc::gen::container<ByteVector>(rc::gen::arbitrary<std::uint8_t>()));
    options.integrity_method = maybe(rc::gen::cast<IntegrityMethod>(rc::gen::inRange(0, 4)));
    options.hash_function = maybe(rc::gen::cast<HashFunction>(rc::gen::inRange(0, 5)));
    options.signature_algorithm =
        maybe(rc::gen::cast<SignatureAlgorithm>(rc::gen::element(5, 8, 13, 14, 15, 16)));
    options.addressing = maybe(rc::gen::cast<AddressingMode>(rc::gen::inRange(0, 5)));
    if (options.addressing) {
        bool const is_wide =
            spec_size(*options.addressing) == 16 || options.addressing == AddressingMode::bin64;
        options.discard_window = maybe(rc::gen::arbitrary<std::uint64_t>());
        if (options.discard_window && !is_wide) {
            *options.discard_window %= 0xffff'ffff;
        }
    }
    if (*rc::gen::arbitrary<bool>()) {
        options.supported_messages.emplace();
        for (auto const bit : *rc::gen::arbitrary<std::vector<std::uint8_t>>()) {
            options.supported_messages->set(bit);
        }
    }
    options.chunk_size = maybe(rc::gen::inRange<std::uint32_t>(1, 0xffff'ffff));
    return options;
}

RC_GTEST_PROP(WireProperty, any_datagram_reads_back, ())
{
    SwarmFormat const format = any_format();
    Source source(format);
    std::vector<Message> messages(*rc::gen::inRange<std::size_t>(0, 6));
    for (auto& message : messages) {
        message = source.message();
    }
    bool const is_fixed = format.chunk_size != chunk_size_variable;
    int const data_count = *rc::gen::inRange(0, is_fixed ? 4 : 2);
    for (int i = 0; i < data_count; ++i) {
        messages.push_back(source.data(data_count == 1));
    }
    ByteVector const bytes = test::write_all(ChannelId{9}, format, messages);
    auto const reading = test::read_all(bytes, format);
    RC_ASSERT(!reading.error);
    RC_ASSERT(reading.messages == messages);
}

RC_GTEST_PROP(WireProperty, any_option_list_reads_back, ())
{
    Options const options = any_options();
    ByteVector bytes;
    encode_options(options, bytes);
    RC_ASSERT(bytes.size() == encoded_size(options));
    ByteReader reader(bytes);
    auto const again = decode_options(reader);
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == options);
    RC_ASSERT(reader.empty());
}

RC_GTEST_PROP(WireProperty, any_handshake_reads_back, ())
{
    Handshake const handshake{ChannelId{*rc::gen::inRange<std::uint32_t>(1, 0xffff'ffff)},
                              any_options()};
    ByteVector const bytes = test::write_all(ChannelId{0}, {}, {handshake});
    auto const reading = test::read_all(bytes, {});
    RC_ASSERT(!reading.error);
    RC_ASSERT(reading.messages.size() == 1u);
    RC_ASSERT(std::get<Handshake>(reading.messages[0]) == handshake);
}

RC_GTEST_PROP(WireProperty, random_bytes_are_survived, ())
{
    SwarmFormat const format = any_format();
    ByteVector bytes = *rc::gen::arbitrary<ByteVector>();
    if (bytes.size() > 4) {
        bytes[4] %= 14; // gets past the first look
    }
    auto const reading = test::read_all(bytes, format);
    RC_ASSERT(reading.messages.size() <= bytes.size());
    // Whatever was read takes no more bytes when it is written. A HANDSHAKE changes the format.
    std::size_t size = 0;
    for (auto const& message : reading.messages) {
        bool const is_handshake = std::holds_alternative<Handshake>(message);
        size += is_handshake ? 0 : encoded_size(message, reading.format);
    }
    RC_ASSERT(size <= bytes.size());
}

} // namespace
} // namespace ppsp::wire
