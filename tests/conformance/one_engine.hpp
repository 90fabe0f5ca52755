#pragma once

#include "protocol/integrity/unit_tree.hpp"
#include "tests/support/virtual_swarm.hpp"
#include "tests/support/wire.hpp"

#include <deque>

/// One engine, whose neighbours are written by hand: every datagram in both directions is a test's
/// business.
namespace ppsp::test {

inline constexpr std::uint32_t chunk_size = 1024;
inline constexpr std::uint32_t unit_chunks = 16;
inline constexpr Duration unit_time = 50ms;
inline constexpr UnixMicros utc_at_zero = 1'790'000'000'000'000;

/// A datagram that the engine sent.
struct Sent {
    TimePoint at{};
    Endpoint to;
    ByteVector bytes;
    ChannelId destination{};
    std::vector<wire::Message> messages; ///< with views into `bytes`

    template <typename M>
    [[nodiscard]] std::vector<M> all() const
    {
        std::vector<M> found;
        for (wire::Message const& message : messages) {
            if (auto const* one = std::get_if<M>(&message)) {
                found.push_back(*one);
            }
        }
        return found;
    }
    template <typename M>
    [[nodiscard]] bool has() const
    {
        return !all<M>().empty();
    }
};

using Datagrams = std::deque<Sent>;

/// All messages of one kind, in the order they were sent.
template <typename M>
std::vector<M> all_of(Datagrams const& datagrams)
{
    std::vector<M> found;
    for (Sent const& sent : datagrams) {
        for (M const& one : sent.all<M>()) {
            found.push_back(one);
        }
    }
    return found;
}

/// What the engine asked for, announced, ... as one set.
template <typename M>
RangeSet ranges_of(Datagrams const& datagrams)
{
    RangeSet ranges;
    for (M const& one : all_of<M>(datagrams)) {
        ranges.add(one.chunks);
    }
    return ranges;
}

inline ChunkRange chunks_of(peer::UnitIndex unit)
{
    return {ChunkId{unit * unit_chunks}, ChunkId{unit * unit_chunks + unit_chunks - 1}};
}

/// A unit as the source of the stream signs it, and the messages that carry it.
class SignedUnit {
public:
    SignedUnit(integrity::Signer& signer, integrity::Hasher& hasher, wire::AddressingMode mode,
               peer::UnitIndex unit, UnixMicros signed_at);

    /// INTEGRITY and SIGNED_INTEGRITY of the munro.
    [[nodiscard]] std::vector<wire::Message> munro() const;
    /// INTEGRITY of all uncles of the chunk below the munro, highest first.
    [[nodiscard]] std::vector<wire::Message> uncles(std::uint32_t chunk) const;
    [[nodiscard]] wire::Data data(std::uint32_t chunk, UnixMicros sent_at) const;
    /// Munro, uncles and DATA: what a neighbour that knows nothing needs.
    [[nodiscard]] std::vector<wire::Message> whole(std::uint32_t chunk, UnixMicros sent_at) const;
    [[nodiscard]] ChunkId chunk(std::uint32_t number) const { return chunks.first + number; }

    ChunkRange chunks;
    ByteVector payload;
    integrity::UnitTree tree;
    NtpTime signed_at;
    ByteVector signature;

private:
    mutable std::deque<integrity::Hash> hashes_; ///< what messages point to
};

class OneEngine {
public:
    struct Options {
        peer::Role role = peer::Role::viewer;
        peer::NodeConfig node = {};
        wire::AddressingMode addressing = wire::AddressingMode::chunk32;
        wire::SignatureAlgorithm algorithm = wire::SignatureAlgorithm::ecdsa_p256_sha256;
        std::optional<Duration> latency = 800ms;
    };
    explicit OneEngine(Options const& options);

    /// `waited` as in DatagramReceived.
    void receive(Endpoint from, ByteVector const& bytes, Duration waited = {});
    void introduce(std::vector<Endpoint> const& endpoints, bool is_answer = true);
    void leave();
    /// A tracker's certificate for this node.
    void certify(ByteVector issuer, ByteVector certificate);
    void run_for(Duration time);
    /// A source's next unit; time stands still.
    void cut();
    /// So many units, one every 50 ms.
    void cut_for(std::uint32_t units);
    /// What another source of the same key would sign.
    [[nodiscard]] SignedUnit sign(peer::UnitIndex unit, Duration age = 0ms);

    [[nodiscard]] TimePoint now() const { return now_; }
    [[nodiscard]] UnixMicros utc() const { return utc_at_zero + now_.time_since_epoch().count(); }
    [[nodiscard]] peer::SwarmId const& id() const { return id_; }
    [[nodiscard]] wire::SwarmFormat const& format() const { return format_; }
    [[nodiscard]] Datagrams const& sent() const { return sent_; }
    [[nodiscard]] peer::SwarmStatistics figures() const;
    [[nodiscard]] EventLog const& log() const { return node_->log; }
    [[nodiscard]] ByteVector const& unit(std::size_t index) const { return units_[index]; }

private:
    void drain();

    TimePoint now_{1s};
    std::unique_ptr<integrity::Signer> signer_;
    peer::SwarmId id_;
    wire::SwarmFormat format_;
    std::unique_ptr<VirtualNode> node_;
    TestMedia media_{unit_chunks, chunk_size};
    std::vector<ByteVector> units_;
    Datagrams sent_;
};

/// A neighbour of the engine at an address of its own.
class RawPeer {
public:
    RawPeer(OneEngine& node, Endpoint at, ChannelId own = ChannelId{0x0badcafe});

    /// Options of a HANDSHAKE that fits the engine's swarm.
    [[nodiscard]] wire::Options options(bool initiator) const;
    [[nodiscard]] ByteVector first_datagram() const;

    /// Sends datagram 1 with more messages behind the HANDSHAKE, and learns the engine's channel.
    bool dial(std::vector<wire::Message> const& more = {});
    /// Answers the engine's datagram 1 with datagram 2.
    bool answer(std::vector<wire::Message> const& more = {});
    /// To the engine's channel; `{}` is a keep-alive.
    void send(std::vector<wire::Message> const& messages);
    /// The same, and it came to the engine's shell some time ago.
    void send_before(Duration waited, std::vector<wire::Message> const& messages);
    void send_to(ChannelId destination, std::vector<wire::Message> const& messages);
    /// Dials and proves its address with datagram 3.
    void open(std::vector<wire::Message> const& third = {});

    /// What came since the last call.
    Datagrams take();
    Datagrams take_after(Duration time);

    Endpoint endpoint;
    ChannelId own;
    ChannelId theirs{};
    bool is_source = false; ///< says that it takes no content

private:
    OneEngine& node_;
    std::size_t read_ = 0;
};

} // namespace ppsp::test
