#include "peer/channel/datagram_builder.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

/// No control message but a certificate is longer.
constexpr std::size_t control_size_max = 64;

} // namespace

bool supported_by(Channel const& channel, wire::MessageType type)
{
    return channel.profile.supports(type);
}

/// A HAVE for each unit, of all that is held without a gap up to its end: the end tells of which
/// unit it speaks (decisions 16 and 21).
template <typename Put>
void DatagramBuilder::put_haves(std::vector<ChunkRange> const& announced, Put const& put) const
{
    for (ChunkRange const& range : announced) {
        if (store_ == nullptr) {
            put(wire::Have{range});
            continue;
        }
        UnitGrid const& grid = store_->grid();
        UnitIndex const last = grid.unit_of(range.last);
        for (UnitIndex unit = grid.unit_of(range.first); unit <= last; ++unit) {
            ChunkRange const whole = grid.chunks(unit);
            ChunkRange const around = store_->have().interval_around(whole.first).value_or(whole);
            put(wire::Have{{around.first, whole.last}});
        }
    }
}

template <typename Put>
void DatagramBuilder::put_waiting(Channel& channel, Put const& put) const
{
    if (have_ != nullptr) {
        for (wire::Ack const& ack : channel.acks.take(*have_)) {
            put(ack);
        }
    }
    ControlQueue const& control = channel.control;
    if (control.choke) {
        put(wire::Choke{});
    }
    for (ChunkRange const& range : control.held) {
        put(wire::Have{range});
    }
    put_haves(control.haves, put);
    if (control.unchoke || !control.offers.empty()) {
        put(wire::Unchoke{});
    }
    put_haves(control.offers, put);
    for (ChunkRange const& range : control.cancels) {
        put(wire::Cancel{range});
    }
    for (ChunkRange const& range : control.requests) {
        put(wire::Request{range});
    }
    if (control.pex_request) {
        put(wire::PexRequest{});
    }
    for (Endpoint const& peer : control.pex_peers) {
        put(wire::PexResponse{peer});
    }
    for (ByteVector const& certificate : control.certificates) {
        put(wire::PexCertificate{certificate});
    }
}

void DatagramBuilder::control(Channel& channel, std::vector<ByteVector>& out) const
{
    wire::DatagramWriter writer(channel.peer_id, format_, size_max_, spare_buffer(buffers_));
    add_tune_in(channel, writer, control_size_max);
    put_waiting(channel, [&](wire::Message const& message) {
        if (!supported_by(channel, wire::type_of(message)) || writer.add(message)) {
            return;
        }
        if (writer.has_messages()) {
            out.push_back(writer.take());
        }
        std::size_t const size = wire::encoded_size(message, format_);
        add_tune_in(channel, writer, std::max(size, control_size_max));
        // A certificate may be longer than datagrams to here are.
        PPSP_ASSERT(writer.add(message) || size > control_size_max);
    });
    channel.control.clear();
    if (writer.has_messages()) {
        out.push_back(writer.take());
    } else if (buffers_ != nullptr) {
        buffers_->give(writer.take());
    }
}

void DatagramBuilder::data(Channel& channel, ChunkId chunk, UnixMicros utc_now,
                           std::vector<ByteVector>& out) const
{
    UnitGrid const& grid = store_->grid();
    StoredUnit const* unit = store_->find(grid.unit_of(chunk));
    PPSP_ASSERT(unit != nullptr);
    auto const known = [&](ChunkRange range) {
        return channel.hashes.knows_some_of(channel.has, range);
    };
    std::size_t uncles = 0;
    unit->tree.visit_uncles(chunk, known, [&](integrity::NodeHash const&) { ++uncles; });
    std::size_t const proof_size = munro_size() + uncles * node_size();
    wire::DatagramWriter writer(channel.peer_id, format_, size_max_, spare_buffer(buffers_));
    bool const is_in = add_tune_in(channel, writer, proof_size) && store_->newest() == unit->index;
    if (!is_in && !known(grid.chunks(unit->index))) {
        add_munro(writer, *unit);
    }
    unit->tree.visit_uncles(chunk, known, [&](integrity::NodeHash const& uncle) {
        PPSP_ASSERT(writer.add(wire::Integrity{uncle.chunks, uncle.hash.bytes()}));
    });
    wire::Message const data{wire::Data{single(chunk), utc_now, store_->chunk(chunk)}};
    std::size_t const data_size = wire::encoded_size(data, format_);
    if (writer.room() < data_size) {
        out.push_back(writer.take());
        add_tune_in(channel, writer, data_size);
    }
    if (!channel.acks.empty() && store_ != nullptr &&
        supported_by(channel, wire::MessageType::ack)) {
        // They are left for a control datagram if one does not fit.
        std::size_t const ack_size =
            wire::encoded_size(wire::Message{wire::Ack{single(chunk), {}}}, format_);
        if (writer.room() >= data_size + channel.acks.size() * ack_size) {
            for (wire::Ack const& ack : channel.acks.take(store_->have())) {
                PPSP_ASSERT(writer.add(ack));
            }
        }
    }
    PPSP_ASSERT(writer.add(data));
    out.push_back(writer.take());
}

void DatagramBuilder::add_munro(wire::DatagramWriter& writer, StoredUnit const& unit) const
{
    ChunkRange const chunks = store_->grid().chunks(unit.index);
    integrity::Hash const munro = unit.tree.munro();
    PPSP_ASSERT(writer.add(wire::Integrity{chunks, munro.bytes()}));
    PPSP_ASSERT(writer.add(wire::SignedIntegrity{chunks, unit.signed_at, unit.signature}));
}

/// The newest munro, where `rest` bytes still find room beside it; whether it was added.
bool DatagramBuilder::add_tune_in(Channel& channel, wire::DatagramWriter& writer,
                                  std::size_t rest) const
{
    if (store_ == nullptr || !store_->newest() || !channel.is_open() ||
        !supported_by(channel, wire::MessageType::signed_integrity) ||
        !channel.tune_in.wants(store_->grid().chunks(*store_->newest())) ||
        writer.room() < munro_size() + rest) {
        return false;
    }
    add_munro(writer, *store_->find(*store_->newest()));
    return true;
}

std::size_t DatagramBuilder::node_size() const
{
    return 1 + wire::spec_size(format_.addressing) + format_.hash_size;
}

/// INTEGRITY and SIGNED_INTEGRITY.
std::size_t DatagramBuilder::munro_size() const
{
    return node_size() + 1 + wire::spec_size(format_.addressing) + sizeof(NtpTime) +
           format_.signature_size;
}

} // namespace ppsp::peer
