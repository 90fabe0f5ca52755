#include "tests/conformance/one_engine.hpp"

#include "protocol/integrity/private_key.hpp"
#include "tests/support/rsa_swarm.hpp"

namespace ppsp::test {
namespace {

Sent parse(TimePoint at, peer::SendDatagram datagram, wire::SwarmFormat const& format)
{
    Sent sent{at, datagram.to, std::move(datagram.bytes), {}, {}};
    wire::DatagramReader reader(sent.bytes, format);
    sent.destination = reader.destination().value_or(ChannelId{});
    Reading reading = read_all(sent.bytes, format);
    EXPECT_FALSE(reading.error.has_value()) << "the engine sent what nobody can read";
    sent.messages = std::move(reading.messages);
    return sent;
}

} // namespace

SignedUnit::SignedUnit(integrity::Signer& signer, integrity::Hasher& hasher,
                       wire::AddressingMode mode, peer::UnitIndex unit, UnixMicros utc)
    : chunks(chunks_of(unit)),
      payload(std::size_t{unit_chunks} * chunk_size, static_cast<std::uint8_t>(unit + 1)),
      tree([&] {
          for (std::size_t i = 0; i < unit_chunks; ++i) {
              payload[i * chunk_size] = static_cast<std::uint8_t>(i);
          }
          return integrity::UnitTree::build(hasher, chunks.first, unit_chunks, chunk_size, payload);
      }()),
      signed_at(to_ntp(utc)),
      signature(
          signer.sign(integrity::munro_signature_input(mode, chunks, signed_at, tree.munro())))
{}

std::vector<wire::Message> SignedUnit::munro() const
{
    integrity::Hash const& hash = hashes_.emplace_back(tree.munro());
    return {wire::Integrity{chunks, hash.bytes()},
            wire::SignedIntegrity{chunks, signed_at, signature}};
}

std::vector<wire::Message> SignedUnit::uncles(std::uint32_t number) const
{
    std::vector<wire::Message> messages;
    for (auto const& uncle : tree.uncles(chunk(number), [](ChunkRange) { return false; })) {
        integrity::Hash const& hash = hashes_.emplace_back(uncle.hash);
        messages.emplace_back(wire::Integrity{uncle.chunks, hash.bytes()});
    }
    return messages;
}

wire::Data SignedUnit::data(std::uint32_t number, UnixMicros sent_at) const
{
    return {single(chunk(number)), sent_at,
            Bytes{payload}.subspan(std::size_t{number} * chunk_size, chunk_size)};
}

std::vector<wire::Message> SignedUnit::whole(std::uint32_t number, UnixMicros sent_at) const
{
    std::vector<wire::Message> messages = munro();
    for (wire::Message const& uncle : uncles(number)) {
        messages.push_back(uncle);
    }
    messages.emplace_back(data(number, sent_at));
    return messages;
}

OneEngine::OneEngine(Options const& options)
{
    if (options.algorithm == wire::SignatureAlgorithm::rsa_sha256) {
        signer_ = std::make_unique<RsaSigner>();
    } else {
        signer_ = integrity::make_signer(*integrity::PrivateKey::generate(options.algorithm));
    }
    id_ = signer_->swarm_id();
    format_.addressing = options.addressing;
    format_.signature_size = wire::signature_size(options.algorithm, id_).value();
    peer::NodeConfig node = options.node;
    node.utc_at_zero = utc_at_zero;
    node_ = std::make_unique<VirtualNode>(Endpoint::v4(0x0a000001, 6778), node, Rng{7574});
    peer::LiveSwarmConfig swarm;
    swarm.id = id_;
    swarm.role = options.role;
    swarm.addressing = options.addressing;
    swarm.playout.latency = options.latency;
    bool const is_source = options.role == peer::Role::source;
    swarm.chunks_per_unit = is_source ? unit_chunks : 0;
    node_->engine.handle(now_, peer::JoinSwarm{swarm, is_source ? signer_.get() : nullptr});
    drain();
}

void OneEngine::receive(Endpoint from, ByteVector const& bytes, Duration waited)
{
    node_->engine.handle(now_, peer::DatagramReceived{from, bytes, false, waited});
    drain();
}

void OneEngine::certify(ByteVector issuer, ByteVector certificate)
{
    node_->engine.handle(now_,
                         peer::MembershipIssued{id_, std::move(issuer), std::move(certificate)});
    drain();
}

void OneEngine::introduce(std::vector<Endpoint> const& endpoints, bool is_answer)
{
    node_->engine.handle(now_, peer::CandidatesFound{id_, endpoints, is_answer});
    drain();
}

void OneEngine::leave()
{
    node_->engine.handle(now_, peer::LeaveSwarm{id_});
    drain();
}

void OneEngine::run_for(Duration time)
{
    TimePoint const end = now_ + time;
    for (;;) {
        auto const deadline = node_->engine.deadline();
        if (!deadline || *deadline > end) {
            now_ = end;
            return;
        }
        now_ = std::max(now_, *deadline);
        node_->engine.handle(now_, peer::TimerFired{});
        drain();
    }
}

void OneEngine::cut()
{
    bool random_access = false;
    units_.push_back(media_.next_unit(units_.size() % 20 == 0, random_access));
    node_->engine.handle(now_, peer::UnitCut{id_, units_.back(), random_access});
    drain();
}

void OneEngine::cut_for(std::uint32_t units)
{
    for (std::uint32_t i = 0; i < units; ++i) {
        cut();
        run_for(unit_time);
    }
}

SignedUnit OneEngine::sign(peer::UnitIndex unit, Duration age)
{
    return {*signer_, *node_->hasher, format_.addressing, unit, utc() - age.count()};
}

peer::SwarmStatistics OneEngine::figures() const
{
    return *node_->engine.statistics(now_, id_);
}

void OneEngine::drain()
{
    while (auto output = node_->engine.poll(now_)) {
        if (auto* datagram = std::get_if<peer::SendDatagram>(&*output)) {
            sent_.push_back(parse(now_, std::move(*datagram), format_));
        }
    }
}

RawPeer::RawPeer(OneEngine& node, Endpoint at, ChannelId own_id)
    : endpoint(at), own(own_id), node_(node), read_(node.sent().size())
{}

wire::Options RawPeer::options(bool initiator) const
{
    wire::Options options;
    options.version = 1;
    if (initiator) {
        options.minimum_version = 1;
        options.swarm_id = node_.id();
    }
    options.integrity_method = wire::IntegrityMethod::unified_merkle_tree;
    options.hash_function = wire::HashFunction::sha256;
    options.signature_algorithm = wire::SignatureAlgorithm{node_.id()[0]};
    options.addressing = node_.format().addressing;
    options.discard_window = 16'000;
    if (is_source) {
        options.supported_messages.emplace().set();
        for (auto const type : {wire::MessageType::data, wire::MessageType::integrity,
                                wire::MessageType::signed_integrity}) {
            options.supported_messages->reset(static_cast<std::size_t>(type));
        }
    }
    options.chunk_size = chunk_size;
    return options;
}

ByteVector RawPeer::first_datagram() const
{
    return write_all(ChannelId{0}, node_.format(), {wire::Handshake{own, options(true)}});
}

bool RawPeer::dial(std::vector<wire::Message> const& more)
{
    std::vector<wire::Message> messages{wire::Handshake{own, options(true)}};
    messages.insert(messages.end(), more.begin(), more.end());
    std::size_t const before = node_.sent().size();
    send_to(ChannelId{0}, messages);
    for (std::size_t i = before; i < node_.sent().size(); ++i) {
        Sent const& sent = node_.sent()[i];
        auto const handshakes = sent.all<wire::Handshake>();
        if (sent.to == endpoint && !handshakes.empty()) {
            theirs = handshakes.front().source;
            return true;
        }
    }
    return false;
}

bool RawPeer::answer(std::vector<wire::Message> const& more)
{
    for (std::size_t i = node_.sent().size(); i-- > 0;) {
        Sent const& sent = node_.sent()[i];
        auto const handshakes = sent.all<wire::Handshake>();
        if (sent.to == endpoint && to_number(sent.destination) == 0 && !handshakes.empty()) {
            theirs = handshakes.front().source;
            std::vector<wire::Message> messages{wire::Handshake{own, options(false)}};
            messages.insert(messages.end(), more.begin(), more.end());
            send(messages);
            return true;
        }
    }
    return false;
}

void RawPeer::send(std::vector<wire::Message> const& messages)
{
    send_to(theirs, messages);
}

void RawPeer::send_before(Duration waited, std::vector<wire::Message> const& messages)
{
    node_.receive(endpoint, write_all(theirs, node_.format(), messages), waited);
}

void RawPeer::send_to(ChannelId destination, std::vector<wire::Message> const& messages)
{
    node_.receive(endpoint, write_all(destination, node_.format(), messages));
}

void RawPeer::open(std::vector<wire::Message> const& third)
{
    ASSERT_TRUE(dial());
    send(third);
}

Datagrams RawPeer::take()
{
    Datagrams taken;
    for (; read_ < node_.sent().size(); ++read_) {
        Sent const& sent = node_.sent()[read_];
        if (sent.to == endpoint) {
            taken.push_back(sent);
            // Views follow their bytes.
            Sent& copy = taken.back();
            copy.messages = read_all(copy.bytes, node_.format()).messages;
        }
    }
    return taken;
}

Datagrams RawPeer::take_after(Duration time)
{
    node_.run_for(time);
    return take();
}

} // namespace ppsp::test
