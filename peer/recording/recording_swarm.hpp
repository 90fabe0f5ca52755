#pragma once

#include "peer/channel/scratch.hpp"
#include "peer/content/recording_store.hpp"
#include "peer/recording/range_queue.hpp"
#include "peer/recording/slab_table.hpp"
#include "peer/swarm/swarm.hpp"

namespace ppsp::peer {

/// A conversation about a recording.
struct RecordingChannel final : Channel {
    using Channel::Channel;

    // what it asked for
    RangeQueue wants;
    bool peaks_sent = false; ///< ahead of the first DATA, and it did not get lost

    // what it sends us
    /// Hashes whose chunk did not come yet (PP-5.3-b), the oldest give way.
    std::vector<integrity::NodeHash> offered;
    /// Chunks whose hashes did not come yet, the oldest give way.
    std::vector<PendingChunk> pending;
    TimePoint retried_at{};
    std::uint32_t size_claims = 0; ///< peaks of another size that were looked at
    bool has_acked = false;        ///< something: our peaks came over
    bool has_news = false;         ///< hashes came, or a chunk that proves some
    std::optional<std::uint64_t> last_slab;
    TimePoint fed_at{};     ///< when a chunk that we lacked came, or we began to ask
    TimePoint rest_until{}; ///< it let us wait: others first
};

/// The swarm of a recording (RFC 7574 §5): seeds serve any part, the others fetch parts from one
/// another until all is there, and stay as seeds.
/// Written in files by subject: fetch (what is asked of whom, and what comes), serve (what others
/// get).
class RecordingSwarm final : public Swarm {
public:
    RecordingSwarm(TimePoint now, JoinRecording const& join, SwarmServices const& services,
                   Rng const& rng);

    void play_from(std::optional<std::uint64_t> position);
    [[nodiscard]] bool may_wait(TimePoint now, Channel const& channel) const override;
    void advance(TimePoint now) override;
    [[nodiscard]] integrity::Hasher* hasher_ahead() const override { return hasher_; }

    [[nodiscard]] SwarmStatistics statistics(TimePoint now) const override;
    /// Bytes from `position` on that are there without a gap.
    [[nodiscard]] std::uint64_t held_from(std::uint64_t position) const;

    /// Hashes of one neighbour that belong to no chunk yet; the oldest gives way.
    static constexpr std::size_t offered_max = 128;
    /// Chunks of one neighbour that were asked for and wait for their hashes; the oldest gives way.
    static constexpr std::size_t pending_max = 64;

private:
    static constexpr std::uint32_t size_claims_max = 3;
    /// Intervals held that one datagram can ask for. Bounds its cost.
    static constexpr std::uint32_t requested_intervals_per_datagram_max = 1024;

    // recording_swarm.cpp
    [[nodiscard]] std::unique_ptr<Channel>
    make_channel(ChannelId own, Endpoint const& to,
                 congestion::LedbatConfig const& ledbat) const override;
    [[nodiscard]] bool seeks() const override { return !store_.is_whole(); }
    [[nodiscard]] RangeSet const* held() const override { return &store_.have(); }
    void on_begin(Channel& channel) override;
    void on_end(TimePoint now, Channel& channel) override;
    void on_content(TimePoint now, Channel& channel, wire::Message const& message) override;
    void on_opened(TimePoint now, Channel& channel) override;
    void on_closed(TimePoint now, Channel& channel) override;
    void tend(TimePoint now, Channel& channel) override;
    void tend_all(TimePoint now) override;
    [[nodiscard]] bool is_passed_by(TimePoint, Channel const&) const override { return false; }
    /// The windows of bulk transfers fill the uplink by themselves.
    [[nodiscard]] bool measures_uplink() const override { return false; }
    [[nodiscard]] bool is_idle(TimePoint now, Channel const& channel) const override;
    void on_have(TimePoint now, RecordingChannel& channel, ChunkRange chunks);
    void note_held(RecordingChannel& channel, ChunkRange chunks);
    [[nodiscard]] bool has_other_holder(RecordingChannel const& than) const;

    // fetch.cpp
    void on_data(TimePoint now, RecordingChannel& channel, wire::Data const& data);
    /// The chunk came now, or was kept for its hashes.
    void take_chunk(TimePoint now, RecordingChannel& channel, ArrivedChunk const& chunk);
    [[nodiscard]] RecordingStore::Verdict verify(RecordingChannel& channel,
                                                 ArrivedChunk const& chunk);
    [[nodiscard]] bool claims_other_size(RecordingChannel& channel) const;
    void accept(TimePoint now, RecordingChannel& channel, ArrivedChunk const& chunk);
    void refuse(TimePoint now, RecordingChannel& channel, ArrivedChunk const& chunk);
    void keep_pending(RecordingChannel& channel, ArrivedChunk const& chunk);
    void retry_pending(TimePoint now, RecordingChannel& channel);
    void fail(TimePoint now);
    void learn_size();
    void note_whole_slab(TimePoint now, RecordingChannel const& from, std::uint64_t slab);
    void fetch(TimePoint now);
    [[nodiscard]] bool has_rivals() const;
    void ask_for_size(TimePoint now, RecordingChannel& channel);
    void ask_slab(TimePoint now, RecordingChannel& channel, std::uint64_t slab);
    void ask(TimePoint now, RecordingChannel& channel, ChunkRange chunks);
    void withdraw_all(RecordingChannel& channel);
    void withdraw(RecordingChannel& channel, ChunkRange chunks);
    [[nodiscard]] double chunks_per_second(TimePoint now, RecordingChannel const& channel,
                                           Duration span) const;
    [[nodiscard]] std::uint64_t pipeline_chunks(TimePoint now,
                                                RecordingChannel const& channel) const;

    // serve.cpp
    void on_request(TimePoint now, RecordingChannel& channel, ChunkRange chunks);
    void announce(TimePoint now, ChunkRange chunks);
    void send_data(TimePoint now);
    bool send_chunk(TimePoint now, RecordingChannel& channel);
    void build_data(TimePoint now, RecordingChannel& channel, ChunkId chunk, Bytes payload,
                    std::vector<ByteVector>& out);
    void build_control(Channel& channel, std::vector<ByteVector>& out) override;
    void on_acknowledged(TimePoint now, Channel& channel, wire::Ack const& ack) override;
    void on_lost(TimePoint now, Channel& channel, ChunkId chunk) override;

    RecordingConfig config_;
    integrity::Hasher* hasher_;
    RecordingStore store_;
    SlabTable slabs_;
    std::uint64_t known_chunks_ = 0;   ///< that `slabs_` was told of
    bool failed_ = false;              ///< nothing more can be kept
    std::uint32_t request_budget_ = 0; ///< intervals that the datagram in hand may still ask for
    std::vector<ChunkRange> fresh_;    ///< what a HAVE at hand says that is new
    bool fetch_wanted_ = false;
    bool end_asked_ = false;    ///< the last chunk tells the length (PP-5.6.2-b)
    std::size_t next_turn_ = 0; ///< whose turn it is to be sent to
};

} // namespace ppsp::peer
