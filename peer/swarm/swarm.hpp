#pragma once

#include "peer/channel/channel.hpp"
#include "peer/channel/datagram_builder.hpp"
#include "peer/content/live_clock.hpp"
#include "peer/content/live_store.hpp"
#include "peer/engine/outbox.hpp"
#include "peer/playout/playout.hpp"
#include "peer/policy/neighbour_choice.hpp"
#include "peer/policy/picker.hpp"
#include "peer/policy/uplink.hpp"
#include "peer/policy/upload_slots.hpp"
#include "peer/storage/rescue.hpp"
#include "peer/swarm/channel_table.hpp"
#include "peer/swarm/unit_signs.hpp"
#include "protocol/base/rng.hpp"
#include "protocol/integrity/munro_policy.hpp"

#include <deque>
#include <map>
#include <memory>
#include <queue>

namespace ppsp::peer {

/// What a swarm shares with the others of its node.
struct SwarmServices {
    NodeConfig const& config;
    Ports& ports;
    Outbox& outbox;
    Uplink& uplink;
    ChannelTable& channels;
};

/// One live swarm of a node: its neighbours, its content, and the way of a chunk between them.
/// Written in files by subject: overlay and neighbours (who), receive (what comes in), fetch (what
/// is asked), storage (what caches and CDN are asked), serve (to whom units go), send (how fast),
/// report (figures).
class Swarm final : private PickerView {
public:
    Swarm(TimePoint now, JoinSwarm const& join, SwarmServices const& services, Rng rng);
    ~Swarm() override;
    Swarm(Swarm const&) = delete;
    Swarm& operator=(Swarm const&) = delete;

    [[nodiscard]] SwarmId const& id() const { return metadata_.id; }
    [[nodiscard]] wire::SwarmFormat const& format() const { return metadata_.format; }

    void on_candidates(TimePoint now, std::span<Endpoint const> endpoints);
    void on_uplinks_proven(std::span<ProvenUplink const> peers);
    void on_edge(TimePoint now, LiveEdgeFound const& found);
    void on_unit_cut(TimePoint now, Bytes payload, bool random_access);
    void on_fetched(TimePoint now, FetchFinished const& finished);
    /// A datagram to channel 0 whose HANDSHAKE names this swarm; `reader` stands behind it.
    void on_initiation(TimePoint now, Endpoint const& from, wire::Handshake const& handshake,
                       wire::DatagramReader& reader, Bytes datagram);
    void on_datagram(TimePoint now, Channel& channel, wire::DatagramReader& reader,
                     std::size_t size);
    /// Does what is due, and sends what waits.
    void advance(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> deadline() const { return deadline_; }
    /// Closing handshakes to everybody.
    void leave(TimePoint now);

    [[nodiscard]] SwarmStatistics statistics(TimePoint now) const;
    [[nodiscard]] std::vector<NeighbourStatistics> neighbour_statistics() const;
    [[nodiscard]] std::size_t open_count() const;
    [[nodiscard]] std::size_t half_open_count() const;
    [[nodiscard]] std::size_t half_open_count(Endpoint const& address) const;

private:
    // overlay.cpp
    void dial(TimePoint now);
    void answer_pex(TimePoint now, Channel& channel);
    void ask_pex(TimePoint now, Channel& channel);
    void rewire(TimePoint now);
    [[nodiscard]] std::vector<Endpoint> connected_endpoints() const;
    bool make_room(TimePoint now);

    // neighbours.cpp
    static constexpr std::size_t handshake_size_max = 1200;
    Channel& add_channel(TimePoint now, Endpoint const& endpoint);
    void send_handshake(TimePoint now, Channel& channel, bool initiator, std::size_t size_max);
    void on_handshake(TimePoint now, Channel& channel, wire::Handshake const& handshake);
    bool superfluous(TimePoint now, Endpoint const& from, ChannelId source, std::size_t size);
    [[nodiscard]] bool has_room_for_strangers() const;
    void opened(TimePoint now, Channel& channel);
    void show_life(TimePoint now, Channel& channel);
    void close(TimePoint now, Channel& channel, std::string_view why, bool say_goodbye);
    void judge(TimePoint now, Channel& channel);
    void punish(TimePoint now, Channel& channel, BanReason reason);
    void remove_closed();
    void look_after(TimePoint now, Channel& channel);
    [[nodiscard]] bool passed_by(TimePoint now, Liveness const& live) const;
    void look_after_handshake(TimePoint now, Channel& channel);
    void housekeeping(TimePoint now);

    // receive.cpp
    void on_message(TimePoint now, Channel& channel, wire::Message const& message);
    void on_data(TimePoint now, Channel& channel, wire::Data const& data);
    void on_ack(TimePoint now, Channel& channel, wire::Ack const& ack);
    void on_have(TimePoint now, Channel& channel, ChunkRange chunks);
    void on_integrity(TimePoint now, Channel& channel, wire::Integrity const& integrity);
    void on_signed_integrity(TimePoint now, Channel& channel,
                             wire::SignedIntegrity const& signed_munro);
    void accept_munro(TimePoint now, Channel& channel, wire::SignedIntegrity const& signed_munro,
                      integrity::Hash const& munro);
    void refuse_more(Channel& channel, UnitIndex unit);
    void verify_chunk(TimePoint now, Channel& channel, StoredUnit& unit, PendingChunk chunk);
    void accept_chunk(TimePoint now, Channel& channel, StoredUnit& unit, PendingChunk const& chunk);
    void retry_pending(TimePoint now, Channel& channel, UnitIndex unit);
    [[nodiscard]] bool may_exist(TimePoint now, UnitIndex unit, Duration slack) const;
    void learn_units(TimePoint now, std::uint32_t chunks_per_unit, bool proven);

    // fetch.cpp
    void tune_in(TimePoint now);
    void fetch(TimePoint now);
    void refresh_parents(TimePoint now);
    void ask(TimePoint now, Ask const& ask);
    void withdraw(Withdrawal const& withdrawal);
    void withdraw(Channel& channel, ChunkRange chunks);
    [[nodiscard]] std::vector<ChunkRange> requests_of(TimePoint now, Channel& channel,
                                                      Ask const& ask);
    void probe_jump(TimePoint now);
    void withdraw_rest(TimePoint now, UnitIndex unit);
    void play(TimePoint now);
    [[nodiscard]] std::string stall_cause(UnitIndex unit) const;
    void wake_channels(TimePoint now);
    void touch(Channel& channel);
    void settle(TimePoint now);
    void rearm(TimePoint now, Channel& channel);
    // PickerView
    [[nodiscard]] std::span<ParentView const> parents() const override { return parents_; }
    [[nodiscard]] ChunkMask held_by(PeerKey parent, UnitIndex unit) const override;
    [[nodiscard]] ChunkMask missing(UnitIndex unit) const override;
    [[nodiscard]] UnitIndex edge() const override { return signs_.edge().value_or(0); }
    [[nodiscard]] UnitIndex first_wanted() const override;
    [[nodiscard]] TimePoint expected(UnitIndex unit) const override;
    [[nodiscard]] std::optional<TimePoint> first_sign(UnitIndex unit) const override;
    [[nodiscard]] std::uint32_t places() const override { return slots_.budget(); }
    [[nodiscard]] std::optional<TimePoint> due(UnitIndex unit) const override;

    // storage.cpp
    void rescue(TimePoint now);
    void store_found(TimePoint now, Rescue::FoundUnit const& found);
    void store_found(TimePoint now, Rescue::FoundChunks const& found);
    void keep_found(TimePoint now, StoredUnit& stored, Bytes payload, StorageTier tier);
    void tell_picker(TimePoint now);
    void note_overtaken(TimePoint now, UnitIndex unit);
    void note_storage_signs(TimePoint now);
    StoredUnit* open_found(TimePoint now, Rescue::FoundUnit const& found);
    [[nodiscard]] bool is_alone(TimePoint now) const;
    [[nodiscard]] Rescue::Situation situation(TimePoint now) const;
    [[nodiscard]] std::string rescue_cause(TimePoint now) const;

    // serve.cpp
    void on_request(TimePoint now, Channel& channel, ChunkRange chunks);
    [[nodiscard]] bool can_push(TimePoint now, std::uint32_t substream) const;
    void subscribe(TimePoint now, Channel& channel, UnitIndex unit);
    void refuse_place(TimePoint now, Channel& channel, std::uint32_t substream);
    void tell_leavers(TimePoint now);
    void drop_substream(std::vector<ChunkRange>& ranges, std::uint32_t substream) const;
    void on_cancel(Channel& channel, ChunkRange chunks);
    void request_chunk(TimePoint now, Channel& channel, ChunkId chunk);
    [[nodiscard]] bool helps_newcomer(TimePoint now, Channel& channel);
    /// A unit on its way through us: who gets its chunks as they come.
    struct Spreading {
        UnitIndex unit = 0;
        TimePoint began{};
        std::vector<PeerKey> children;
    };
    Spreading& spreading_of(TimePoint now, UnitIndex unit);
    void add_child(TimePoint now, Spreading& spreading, Channel& channel);
    bool adopt(TimePoint now, Spreading& spreading, Channel& channel);
    void offer_chunk(TimePoint now, ChunkId chunk);
    void place_first_copies(TimePoint now, UnitIndex unit);
    void announce(TimePoint now, UnitIndex unit);

    // send.cpp
    void update_budget(TimePoint now);
    [[nodiscard]] Duration unit_time() const;
    void relieve(TimePoint now);
    void note_sending(Channel& channel);
    void send_control(TimePoint now, Channel& channel);
    void send_data(TimePoint now);
    struct NextData {
        Channel* channel = nullptr;
        ChunkId chunk{};
        TimePoint ready{}; ///< zero for what is sent again
    };
    [[nodiscard]] Duration held_lately(Channel const& channel) const;
    [[nodiscard]] NextData next_data(TimePoint now, RequestQueue::Urgency urgency);
    [[nodiscard]] bool may_send_window(Channel const& channel) const;
    void send_chunk(TimePoint now, Channel& channel, ChunkId chunk);
    void flush(TimePoint now, Channel& channel, std::vector<ByteVector>& datagrams);
    void measure_train(Channel& channel, InFlight::Mark const& first, Duration delay);
    void send_again(TimePoint now, Channel& channel, ChunkId chunk);
    [[nodiscard]] static Duration loss_patience(Channel const& channel);
    [[nodiscard]] static Duration timeout_of(Channel const& channel);
    void handle_losses(TimePoint now, Channel& channel);
    void check_timeout(TimePoint now, Channel& channel);
    void update_deadline(TimePoint now);

    [[nodiscard]] Channel* channel_of(PeerKey key);
    [[nodiscard]] Channel const* channel_of(PeerKey key) const;
    [[nodiscard]] static PeerKey key_of(Channel const& channel)
    {
        return PeerKey{to_number(channel.own_id)};
    }
    [[nodiscard]] UnixMicros utc(TimePoint now) const
    {
        return services_.config.utc_at_zero + now.time_since_epoch().count();
    }
    [[nodiscard]] bool is_source() const { return config_.role == Role::source; }
    [[nodiscard]] bool uploads() const { return services_.config.uplink_bps != std::uint64_t{0}; }
    [[nodiscard]] DatagramBuilder builder() const;
    [[nodiscard]] std::uint32_t window_units() const;
    void emit(TimePoint now, Event const& event);

    LiveSwarmConfig config_;
    SwarmServices services_;
    integrity::Signer* signer_;
    SwarmMetadata metadata_;
    TimePoint joined_;
    Rng rng_;
    congestion::LedbatConfig ledbat_config_;

    // neighbours: in the order they came, found by number through the channel table
    std::vector<std::unique_ptr<Channel>> channels_;
    NeighbourChoice choice_;
    TimePoint next_dial_{};
    /// New addresses are dialled together.
    static constexpr Duration dial_gap = std::chrono::milliseconds{20};
    TimePoint next_housekeeping_{};
    TimePoint next_candidates_wanted_{};
    TimePoint next_rewiring_{};

    // content
    std::optional<LiveStore> store_;
    bool units_proven_ = false; ///< chunks per unit come from a verified munro
    integrity::MunroPolicy munros_;
    LiveClock clock_;
    UnitSigns signs_;
    UnitIndex next_own_unit_;
    std::optional<UnitIndex> newest_random_access_; ///< of a source
    std::uint32_t signature_checks_ = 0;            ///< in the running second
    std::int64_t signature_second_ = 0;

    // fetching
    std::unique_ptr<Picker> picker_;
    std::vector<ParentView> parents_;
    bool fetch_wanted_ = false;
    TimePoint last_fetch_{};
    std::optional<ChunkId> random_access_hint_; ///< what a tracker said
    struct Jump {
        PeerKey peer{};
        UnitIndex unit = 0;
    };
    std::optional<Jump> jump_;
    TimePoint newest_changed_{};
    Playout playout_;
    std::optional<Rescue> rescue_;           ///< if there are storage servers
    TimePoint fed_at_{};                     ///< when a neighbour last brought something
    std::deque<UnitIndex> asked_of_storage_; ///< the last ones
    std::optional<TimePoint> overtaken_at_;  ///< when a parent brought one of them, too

    // serving
    UploadSlots slots_;
    std::uint32_t places_limit_ = UploadSlots::places_max; ///< by what waits to be sent
    TimePoint next_relax_{};
    std::optional<TimePoint> backlog_since_; ///< new units wait too long ever since
    /// Held chunks that one datagram can ask for: half a minute at 1 Mbit/s. Bounds its cost.
    static constexpr std::uint32_t requested_chunks_per_datagram_max = 4096;
    std::uint32_t request_budget_ = 0; ///< chunks that the datagram in hand may still ask for
    double newcomer_chunks_ = 0;       ///< that may go to newcomers like new units
    TimePoint newcomer_refilled_{};
    std::deque<Spreading> spreading_; ///< newest last
    std::vector<Channel*> sending_;   ///< have something to send
    std::vector<Channel*> touched_;   ///< to be looked at before the engine rests
    TimePoint pulls_pause_until_{};
    bool data_waits_ = false; ///< for the uplink
    /// Wake-up times of channels, earliest first; those that no longer hold are skipped.
    using Wake = std::pair<TimePoint, std::uint32_t>;
    std::priority_queue<Wake, std::vector<Wake>, std::greater<>> agenda_;
    bool any_closed_ = false;
    bool play_wanted_ = false;

    SwarmStatistics figures_;
    std::optional<TimePoint> deadline_;
};

} // namespace ppsp::peer
