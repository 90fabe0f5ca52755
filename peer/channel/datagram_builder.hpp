#pragma once

#include "peer/channel/channel.hpp"
#include "peer/content/live_store.hpp"
#include "protocol/base/spare_buffers.hpp"
#include "protocol/wire/datagram.hpp"

namespace ppsp::peer {

/// Packs what waits on a channel into datagrams (RFC 7574 §5.4, §6.1.2.3, §8).
class DatagramBuilder {
public:
    /// `store` may be null while the swarm's units are unknown.
    DatagramBuilder(wire::SwarmFormat const& format, std::size_t size_max, LiveStore const* store,
                    SpareBuffers* buffers)
        : format_(format), size_max_(size_max), store_(store),
          have_(store != nullptr ? &store->have() : nullptr), buffers_(buffers)
    {}
    /// For control messages of a recording, of which we hold `have`.
    DatagramBuilder(wire::SwarmFormat const& format, std::size_t size_max, RangeSet const& have,
                    SpareBuffers* buffers)
        : format_(format), size_max_(size_max), store_(nullptr), have_(&have), buffers_(buffers)
    {}

    /// Acknowledgements and control messages; several datagrams if they do not fit one. Nothing
    /// waits afterwards.
    void control(Channel& channel, std::vector<ByteVector>& out) const;

    /// A held chunk with the hashes that the neighbour lacks, with waiting acknowledgements where
    /// they fit. If the hashes do not fit they go first in a datagram of their own (PP-5.3-b).
    void data(Channel& channel, ChunkId chunk, UnixMicros utc_now,
              std::vector<ByteVector>& out) const;

private:
    void add_munro(wire::DatagramWriter& writer, StoredUnit const& unit) const;
    bool add_tune_in(Channel& channel, wire::DatagramWriter& writer, std::size_t rest) const;
    [[nodiscard]] std::size_t node_size() const;
    [[nodiscard]] std::size_t munro_size() const;
    /// Gives all that waits to `put`, in the order of sending; the acknowledgements are taken.
    template <typename Put>
    void put_waiting(Channel& channel, Put const& put) const;
    template <typename Put>
    void put_haves(std::vector<ChunkRange> const& announced, Put const& put) const;

    wire::SwarmFormat format_;
    std::size_t size_max_;
    LiveStore const* store_;
    RangeSet const* have_;
    SpareBuffers* buffers_; ///< memory for datagrams; may be null
};

/// Whether the neighbour understands the message (PP-7.10-a, trap T25).
[[nodiscard]] bool supported_by(Channel const& channel, wire::MessageType type);

} // namespace ppsp::peer
