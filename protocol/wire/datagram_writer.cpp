#include "protocol/base/assert.hpp"
#include "protocol/wire/datagram.hpp"

#include <limits>

namespace ppsp::wire {
namespace {

constexpr std::size_t channel_size = 4;
constexpr std::size_t time_size = 8;

/// Bytes of a message after its type.
class BodySize {
public:
    explicit BodySize(SwarmFormat const& format) : spec_(spec_size(format.addressing)) {}

    std::size_t operator()(Handshake const& m) const
    {
        return channel_size + encoded_size(m.options);
    }
    std::size_t operator()(Data const& m) const { return spec_ + time_size + m.payload.size(); }
    std::size_t operator()(Ack const&) const { return spec_ + time_size; }
    std::size_t operator()(Have const&) const { return spec_; }
    std::size_t operator()(Integrity const& m) const { return spec_ + m.hash.size(); }
    std::size_t operator()(SignedIntegrity const& m) const
    {
        return spec_ + time_size + m.signature.size();
    }
    std::size_t operator()(Request const&) const { return spec_; }
    std::size_t operator()(Cancel const&) const { return spec_; }
    std::size_t operator()(Choke const&) const { return 0; }
    std::size_t operator()(Unchoke const&) const { return 0; }
    std::size_t operator()(PexRequest const&) const { return 0; }
    std::size_t operator()(PexResponse const& m) const { return m.peer.is_v4() ? 6 : 18; }
    std::size_t operator()(PexCertificate const& m) const { return 2 + m.certificate.size(); }

private:
    std::size_t spec_;
};

/// Appends a message after its type.
class BodyWriter {
public:
    BodyWriter(SwarmFormat const& format, ByteVector& out)
        : format_(&format), out_(&out), writer_(out)
    {}

    void operator()(Handshake const& m)
    {
        writer_.u32(to_number(m.source));
        encode_options(m.options, *out_);
    }
    void operator()(Data const& m)
    {
        bool const is_bytes = format_->addressing == AddressingMode::byte64;
        PPSP_ASSERT(m.chunks.count() == (is_bytes ? m.payload.size() : 1));
        PPSP_ASSERT(!m.payload.empty() && m.payload.size() <= format_->chunk_size);
        spec(m.chunks);
        writer_.u64(static_cast<std::uint64_t>(m.sent_at));
        writer_.bytes(m.payload);
    }
    void operator()(Ack const& m)
    {
        spec(m.chunks);
        writer_.u64(static_cast<std::uint64_t>(m.one_way_delay.count()));
    }
    void operator()(Have const& m) { spec(m.chunks); }
    void operator()(Integrity const& m)
    {
        PPSP_ASSERT(m.hash.size() == format_->hash_size);
        spec(m.chunks);
        writer_.bytes(m.hash);
    }
    void operator()(SignedIntegrity const& m)
    {
        PPSP_ASSERT(m.signature.size() == format_->signature_size);
        spec(m.chunks);
        writer_.u64(static_cast<std::uint64_t>(m.signed_at));
        writer_.bytes(m.signature);
    }
    void operator()(Request const& m) { spec(m.chunks); }
    void operator()(Cancel const& m) { spec(m.chunks); }
    void operator()(Choke const&) {}
    void operator()(Unchoke const&) {}
    void operator()(PexRequest const&) {}
    void operator()(PexResponse const& m)
    {
        if (m.peer.is_v4()) {
            writer_.u32(m.peer.v4_address());
        } else {
            writer_.bytes(m.peer.v6_address());
        }
        writer_.u16(m.peer.port());
    }
    void operator()(PexCertificate const& m)
    {
        writer_.u16(static_cast<std::uint16_t>(m.certificate.size()));
        writer_.bytes(m.certificate);
    }

private:
    void spec(ChunkRange range) { encode_spec(format_->addressing, range, *out_); }

    SwarmFormat const* format_;
    ByteVector* out_;
    ByteWriter writer_;
};

/// The size field of a certificate has 16 bits.
bool is_oversized(Message const& message)
{
    auto const* certificate = std::get_if<PexCertificate>(&message);
    return certificate != nullptr &&
           certificate->certificate.size() > std::numeric_limits<std::uint16_t>::max();
}

} // namespace

std::size_t encoded_size(Message const& message, SwarmFormat const& format)
{
    return 1 + std::visit(BodySize(format), message);
}

DatagramWriter::DatagramWriter(ChannelId destination, SwarmFormat format, std::size_t size_max,
                               ByteVector memory)
    : destination_(destination), format_(format), size_max_(size_max), bytes_(std::move(memory))
{
    PPSP_ASSERT(size_max >= head_size);
    bytes_.clear();
}

void DatagramWriter::begin()
{
    if (bytes_.empty()) {
        bytes_.reserve(size_max_);
        ByteWriter(bytes_).u32(to_number(destination_));
    }
}

bool DatagramWriter::may_follow(Message const& message) const
{
    if (std::holds_alternative<Handshake>(message)) {
        return !has_messages();
    }
    if (!last_payload_) {
        return true;
    }
    auto const* data = std::get_if<Data>(&message);
    return data != nullptr && *last_payload_ == format_.chunk_size &&
           data->payload.size() == format_.chunk_size;
}

bool DatagramWriter::add(Message const& message)
{
    if (encoded_size(message, format_) > room() || is_oversized(message) || !may_follow(message)) {
        return false;
    }
    begin();
    bytes_.push_back(static_cast<std::uint8_t>(type_of(message)));
    std::visit(BodyWriter(format_, bytes_), message);
    if (auto const* data = std::get_if<Data>(&message)) {
        last_payload_ = data->payload.size();
    }
    return true;
}

ByteVector DatagramWriter::take()
{
    begin();
    last_payload_.reset();
    return std::exchange(bytes_, {});
}

} // namespace ppsp::wire
