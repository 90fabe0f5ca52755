#pragma once

#include "peer/channel/datagram_builder.hpp"
#include "peer/content/live_clock.hpp"
#include "peer/content/live_store.hpp"
#include "peer/live/signature_budget.hpp"
#include "peer/live/unit_signs.hpp"
#include "peer/playout/playout.hpp"
#include "peer/playout/start_units.hpp"
#include "peer/policy/first_copies.hpp"
#include "peer/policy/neighbour_homes.hpp"
#include "peer/policy/newcomer_share.hpp"
#include "peer/policy/picker.hpp"
#include "peer/policy/place_trials.hpp"
#include "peer/policy/unasked_copies.hpp"
#include "peer/policy/upload_slots.hpp"
#include "peer/policy/waiting_list.hpp"
#include "peer/storage/rescue.hpp"
#include "peer/swarm/swarm.hpp"
#include "protocol/integrity/munro_policy.hpp"

#include <deque>
#include <map>

namespace ppsp::peer {

/// One live swarm of a node: its content, and the way of a unit between neighbours.
/// Written in files by subject: receive (what comes in), fetch (what is asked), storage (what
/// caches and CDN are asked), serve (to whom units go), source (how they begin), send (in which
/// order), rewire (who gives way), report (figures).
class LiveSwarm final : public Swarm, private PickerView {
public:
    LiveSwarm(TimePoint now, JoinSwarm const& join, SwarmServices const& services, Rng rng);

    void on_edge(TimePoint now, LiveEdgeFound const& found);
    void on_unit_cut(TimePoint now, Bytes payload, bool random_access);
    void on_fetched(TimePoint now, FetchFinished const& finished);
    /// What comes in one turn is acted on together.
    [[nodiscard]] bool may_wait(TimePoint, Channel const&) const override { return true; }
    void advance(TimePoint now) override;

    [[nodiscard]] SwarmStatistics statistics(TimePoint now) const override;

private:
    // live_swarm.cpp
    [[nodiscard]] bool seeks() const override { return !is_source(); }
    [[nodiscard]] std::size_t calls_max() const override;
    [[nodiscard]] RangeSet const* held() const override;
    void on_opened(TimePoint now, Channel& channel) override;
    void on_closed(TimePoint now, Channel& channel) override;
    void tend(TimePoint now, Channel& channel) override;
    void tend_all(TimePoint now) override;
    void revive(TimePoint now);
    [[nodiscard]] bool is_passed_by(TimePoint now, Channel const& channel) const override;
    void build_control(Channel& channel, std::vector<ByteVector>& out) override;
    [[nodiscard]] std::uint32_t window_units() const;

    // rewire.cpp
    void seek_able(TimePoint now);
    bool make_room_for_able(TimePoint now);
    void rewire(TimePoint now);
    [[nodiscard]] bool is_idle(TimePoint now, Channel const& channel) const override;

    // receive.cpp
    void on_begin(Channel& channel) override;
    void on_end(TimePoint now, Channel& channel) override;
    void on_content(TimePoint now, Channel& channel, wire::Message const& message) override;
    void on_data(TimePoint now, Channel& channel, wire::Data const& data);
    void on_have(TimePoint now, Channel& channel, ChunkRange chunks);
    void on_integrity(TimePoint now, Channel& channel, wire::Integrity const& integrity);
    void on_signed_integrity(TimePoint now, Channel& channel,
                             wire::SignedIntegrity const& signed_munro);
    void accept_munro(TimePoint now, Channel& channel, wire::SignedIntegrity const& signed_munro,
                      integrity::Hash const& munro);
    [[nodiscard]] bool is_held(wire::Data const& data) const;
    void refuse_more(Channel& channel, UnitIndex unit);
    void verify_chunk(TimePoint now, Channel& channel, StoredUnit& unit, ArrivedChunk const& chunk);
    void accept_chunk(TimePoint now, Channel& channel, StoredUnit& unit, ArrivedChunk const& chunk);
    void retry_pending(TimePoint now, Channel& channel, UnitIndex unit);
    [[nodiscard]] bool may_exist(TimePoint now, UnitIndex unit, Duration slack) const;
    void learn_units(TimePoint now, std::uint32_t chunks_per_unit, bool proven);

    // fetch.cpp
    void tune_in(TimePoint now);
    [[nodiscard]] UnitIndex live_start(UnitIndex newest) const;
    void catch_up();
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
    void update_deadline(TimePoint now);
    // PickerView
    [[nodiscard]] std::span<ParentView const> parents() const override { return parents_; }
    [[nodiscard]] ChunkMask held_by(PeerKey parent, UnitIndex unit) const override;
    [[nodiscard]] bool awaits_hashes(PeerKey parent, UnitIndex unit) const override;
    [[nodiscard]] ChunkMask missing(UnitIndex unit) const override;
    [[nodiscard]] UnitIndex edge() const override { return signs_.edge().value_or(0); }
    [[nodiscard]] UnitIndex first_wanted() const override;
    [[nodiscard]] TimePoint expected(UnitIndex unit) const override;
    [[nodiscard]] std::optional<TimePoint> first_sign(UnitIndex unit) const override;
    [[nodiscard]] std::uint32_t places() const override { return slots_.budget(); }
    [[nodiscard]] bool passes_on(std::uint32_t substream) const override
    {
        return slots_.passes_on(substream);
    }
    [[nodiscard]] bool playing() const override { return playout_.playing(); }
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
    [[nodiscard]] bool wants_later(Channel const& channel, UnitIndex unit) const;
    void on_cancel(TimePoint now, Channel& channel, ChunkRange chunks);
    void request_chunk(TimePoint now, Channel& channel, ChunkId chunk);
    void make_pull_ready(TimePoint now, Channel& channel, ChunkId chunk);
    [[nodiscard]] bool helps_newcomer(TimePoint now, Channel& channel, UnitIndex unit);
    void tell_no_room(TimePoint now, Channel& channel, UnitIndex unit);
    [[nodiscard]] double rank(TimePoint now, Channel const& channel, std::uint32_t substream) const;
    [[nodiscard]] double rank_of_asker(TimePoint now, Channel const& channel,
                                       std::uint32_t substream) const;
    /// A unit on its way through us: who gets its chunks as they come.
    struct Spreading {
        UnitIndex unit = 0;
        TimePoint began{};
        std::vector<PeerKey> children;
    };
    Spreading& spreading_of(TimePoint now, UnitIndex unit);
    [[nodiscard]] RequestQueue::Urgency urgency_of(std::uint32_t order) const;
    [[nodiscard]] TimePoint waits_since(TimePoint now, Spreading const& spreading,
                                        Channel const& child) const;
    void add_child(TimePoint now, Spreading& spreading, Channel& channel);
    bool adopt(TimePoint now, Spreading& spreading, Channel& channel);
    void offer_chunk(TimePoint now, ChunkId chunk);
    void announce(TimePoint now, UnitIndex unit);
    [[nodiscard]] std::vector<PeerKey> invite(TimePoint now, UnitIndex unit, std::uint32_t places);
    void release_unwanted(UnitIndex unit);

    // source.cpp
    void place_copies(TimePoint now, Spreading& spreading);
    void note_first_copy(TimePoint now, UnitIndex unit);
    [[nodiscard]] bool replaces_first_copy(TimePoint now, Channel const& channel, ChunkId chunk);

    // send.cpp
    void update_budget(TimePoint now);
    [[nodiscard]] SubstreamSet fed(TimePoint now) const;
    [[nodiscard]] SubstreamSet firsthand(SubstreamSet fed) const;
    [[nodiscard]] double place_bps() const;
    [[nodiscard]] Duration unit_time() const;
    void relieve(TimePoint now);
    void send_data(TimePoint now);
    struct NextData {
        Channel* channel = nullptr;
        ChunkId chunk{};
        TimePoint ready{}; ///< zero for what is sent again
    };
    [[nodiscard]] Duration held_lately(Channel const& channel) const;
    [[nodiscard]] NextData next_data(TimePoint now, RequestQueue::Urgency urgency);
    void send_chunk(TimePoint now, Channel& channel, ChunkId chunk);
    void send_again(TimePoint now, Channel& channel, ChunkId chunk);
    [[nodiscard]] bool asks_itself(Channel const& channel, ChunkId chunk) const;
    void on_lost(TimePoint now, Channel& channel, ChunkId chunk) override;
    void on_overtaken(TimePoint now, Channel& channel, ChunkId chunk) override;
    void on_acknowledged(TimePoint now, Channel& channel, wire::Ack const& ack) override;

    [[nodiscard]] bool is_source() const { return config_.role == Role::source; }
    [[nodiscard]] DatagramBuilder builder() const;

    LiveSwarmConfig config_;
    integrity::Signer* signer_;
    TimePoint joined_;
    TimePoint next_rewiring_{};
    TimePoint next_revival_{};
    Duration revival_wait_ = revival_wait_min;
    /// Nobody brought anything for that long: whoever was silent meanwhile is called again, and
    /// after twice the time once more, up to a minute.
    static constexpr Duration revival_wait_min = std::chrono::seconds{6};
    static constexpr Duration revival_wait_max = std::chrono::seconds{60};

    // content
    std::optional<LiveStore> store_;
    bool units_proven_ = false; ///< chunks per unit come from a verified munro
    integrity::MunroPolicy munros_;
    LiveClock clock_;
    UnitSigns signs_;
    UnitIndex next_own_unit_;
    std::optional<UnitIndex> newest_random_access_; ///< of a source
    SignatureBudget signature_budget_{metadata_.algorithm};

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
    WaitingList waiting_; ///< of a viewer
    NeighbourHomes neighbour_homes_;
    std::uint32_t places_limit_ = UploadSlots::places_max; ///< by what waits to be sent
    TimePoint next_relax_{};
    std::vector<Duration> queues_;           ///< what the paths show; kept for its memory
    std::optional<TimePoint> backlog_since_; ///< new units wait too long ever since
    /// Held chunks that one datagram can ask for: half a minute at 1 Mbit/s. Bounds its cost.
    static constexpr std::uint32_t requested_chunks_per_datagram_max = 4096;
    std::uint32_t request_budget_ = 0; ///< chunks that the datagram in hand may still ask for
    NewcomerShare newcomers_;
    StartUnits starts_;
    std::deque<Spreading> spreading_; ///< newest last
    FirstCopies first_copies_;        ///< of a source
    UnaskedCopies unasked_;           ///< of a source
    PlaceTrials trials_;              ///< of a source
    TimePoint pulls_pause_until_{};
    TimePoint first_copies_late_until_{};
    bool play_wanted_ = false;
};

} // namespace ppsp::peer
