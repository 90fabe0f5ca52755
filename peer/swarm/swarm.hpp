#pragma once

#include "peer/channel/channel.hpp"
#include "peer/engine/outbox.hpp"
#include "peer/policy/neighbour_choice.hpp"
#include "peer/policy/uplink.hpp"
#include "peer/policy/upload_slots.hpp"
#include "peer/swarm/census.hpp"
#include "peer/swarm/channel_table.hpp"
#include "protocol/base/rng.hpp"

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

/// One swarm of a node, whatever its content: whom it talks to, and how datagrams get there. Live
/// streams and recordings derive from it and say what is held, asked for and sent.
/// Written in files by subject: overlay and neighbours (who), path (how fast, what got lost).
class Swarm {
public:
    virtual ~Swarm();
    Swarm(Swarm const&) = delete;
    Swarm& operator=(Swarm const&) = delete;

    [[nodiscard]] SwarmId const& id() const { return metadata_.id; }
    [[nodiscard]] wire::SwarmFormat const& format() const { return metadata_.format; }

    /// `is_answer` as in CandidatesFound.
    void on_candidates(TimePoint now, std::span<Endpoint const> endpoints, bool is_answer);
    void on_uplinks_proven(std::span<ProvenUplink const> peers);
    void on_membership(TimePoint now, MembershipIssued const& issued);
    /// A datagram to channel 0 whose HANDSHAKE names this swarm; `reader` stands behind it.
    void on_initiation(TimePoint now, Endpoint const& from, wire::Handshake const& handshake,
                       wire::DatagramReader& reader, Bytes datagram);
    /// `arrived` is when it came to the shell.
    void on_datagram(TimePoint now, TimePoint arrived, Channel& channel,
                     wire::DatagramReader& reader, std::size_t size);
    /// Whether what a datagram brought about may wait for the next one, which is at hand.
    [[nodiscard]] virtual bool may_wait(TimePoint, Channel const&) const { return false; }
    /// Who hashes the payloads of DATA one by one, and may begin ahead; nobody in live swarms,
    /// where that is a thousandth of a core.
    [[nodiscard]] virtual integrity::Hasher* hasher_ahead() const { return nullptr; }
    /// Does what is due, and sends what waits.
    virtual void advance(TimePoint now) = 0;
    [[nodiscard]] std::optional<TimePoint> deadline() const { return deadline_; }
    /// Closing handshakes to everybody.
    void leave(TimePoint now);

    [[nodiscard]] virtual SwarmStatistics statistics(TimePoint now) const = 0;
    [[nodiscard]] std::vector<NeighbourStatistics> neighbour_statistics() const;
    [[nodiscard]] std::size_t open_count() const { return census_.open(); }
    [[nodiscard]] std::size_t half_open_count() const { return census_.half_open(); }
    [[nodiscard]] std::size_t half_open_count(Endpoint const& address) const
    {
        return census_.half_open(address);
    }

protected:
    Swarm(TimePoint now, SwarmMetadata metadata, congestion::LedbatConfig const& ledbat,
          SwarmServices const& services, Rng const& rng);

    // What a kind of swarm says about itself.
    [[nodiscard]] virtual std::unique_ptr<Channel>
    make_channel(ChannelId own, Endpoint const& to, congestion::LedbatConfig const& ledbat) const
    {
        return std::make_unique<Channel>(own, to, ledbat);
    }
    /// It looks for neighbours itself; who has everything is found by others.
    [[nodiscard]] virtual bool seeks() const = 0;
    /// Conversations that we begin at most; so many of all are kept for them.
    [[nodiscard]] virtual std::size_t calls_max() const
    {
        return seeks() ? services_.config.neighbours_target : 0;
    }
    /// What a new neighbour is told that we hold; the last intervals if there are many.
    [[nodiscard]] virtual RangeSet const* held() const = 0;
    /// A message that is no HANDSHAKE, no ACK and no peer exchange, from an open or half-open
    /// channel.
    virtual void on_content(TimePoint now, Channel& channel, wire::Message const& message) = 0;
    /// A datagram begins, and all its messages were handled.
    virtual void on_begin(Channel& channel) = 0;
    virtual void on_end(TimePoint now, Channel& channel) = 0;
    virtual void on_opened(TimePoint now, Channel& channel) = 0;
    /// Also for conversations that never opened.
    virtual void on_closed(TimePoint now, Channel& channel) = 0;
    /// Something was acknowledged; what else the swarm takes from an ACK.
    virtual void on_acknowledged(TimePoint now, Channel& channel, wire::Ack const& ack) = 0;
    /// Sent and not arrived, as far as we can tell: to be sent again.
    virtual void on_lost(TimePoint now, Channel& channel, ChunkId chunk) = 0;
    /// What was sent later was acknowledged: the chunk is lost, or its ACK is.
    virtual void on_overtaken(TimePoint now, Channel& channel, ChunkId chunk)
    {
        on_lost(now, channel, chunk);
    }
    /// Four times a second, for each open channel.
    virtual void tend(TimePoint now, Channel& channel) = 0;
    /// Four times a second, after all channels.
    virtual void tend_all(TimePoint now) = 0;
    /// What is known besides its silence tells that the neighbour is gone.
    [[nodiscard]] virtual bool is_passed_by(TimePoint now, Channel const& channel) const = 0;
    /// Trains of datagrams to neighbours tell what the uplink carries, which then paces DATA.
    [[nodiscard]] virtual bool measures_uplink() const { return true; }
    /// A stranger's conversation is of no use to anybody.
    [[nodiscard]] virtual bool is_idle(TimePoint now, Channel const& channel) const = 0;
    /// What waits as datagrams; nothing waits afterwards.
    virtual void build_control(Channel& channel, std::vector<ByteVector>& out) = 0;

    // overlay.cpp
    void dial(TimePoint now);
    void want_candidates(TimePoint now);
    /// Begins a conversation with a candidate.
    Channel& call(TimePoint now, Endpoint const& endpoint);
    void answer_pex(TimePoint now, Channel& channel);
    void ask_pex(TimePoint now, Channel& channel);
    /// At most so many addresses or certificates answer one PEX_REQ.
    static constexpr std::size_t pex_peers_max = 10;
    static constexpr Duration pex_gap = std::chrono::seconds{10};
    [[nodiscard]] std::vector<Endpoint> connected_endpoints() const;

    // neighbours.cpp
    void show_life(TimePoint now, Channel& channel);
    void close(TimePoint now, Channel& channel, std::string_view why, bool say_goodbye);
    void judge(TimePoint now, Channel& channel);
    [[nodiscard]] Channel* channel_of(PeerKey key);
    [[nodiscard]] Channel const* channel_of(PeerKey key) const;
    [[nodiscard]] static PeerKey key_of(Channel const& channel)
    {
        return PeerKey{to_number(channel.own_id)};
    }
    void emit(TimePoint now, Event const& event);
    /// Housekeeping, dialling and channels whose time has come.
    void advance_neighbours(TimePoint now);
    /// At the end of `advance`: what the touched channels have to say.
    void settle(TimePoint now);
    /// When any of this wants to be called again.
    [[nodiscard]] TimePoint neighbours_deadline(TimePoint now) const;
    void set_deadline(TimePoint now, TimePoint next)
    {
        deadline_ = std::max(next, now + Duration{1});
    }

    // path.cpp
    void flush(TimePoint now, Channel& channel, std::vector<ByteVector>& datagrams);
    [[nodiscard]] bool may_send_window(Channel const& channel) const;
    void note_sending(Channel& channel);
    /// The channel is looked at before the engine rests: what waits on it, and when it wakes next.
    void touch(Channel& channel);
    /// A chunk left with the last datagram that was flushed.
    void note_sent(TimePoint now, Channel& channel, ChunkId chunk, std::size_t media_bytes);

    [[nodiscard]] UnixMicros utc(TimePoint now) const
    {
        return services_.config.utc_at_zero + now.time_since_epoch().count();
    }
    /// Sending to arrival of the datagram at hand by the two clocks, whatever the sender wrote.
    [[nodiscard]] Duration one_way_delay(UnixMicros sent_at) const
    {
        // Any 64-bit time may come; clocks differ anyway, so the difference wraps.
        return Duration{static_cast<std::int64_t>(static_cast<std::uint64_t>(utc(arrived_)) -
                                                  static_cast<std::uint64_t>(sent_at))};
    }
    [[nodiscard]] bool uploads() const { return services_.config.uplink_bps != std::uint64_t{0}; }

    /// New addresses are dialled together.
    static constexpr Duration dial_gap = std::chrono::milliseconds{20};

    SwarmServices services_;
    SwarmMetadata metadata_;
    Rng rng_;
    // In the order they came, found by number through the channel table.
    std::vector<std::unique_ptr<Channel>> channels_;
    NeighbourChoice choice_;
    TimePoint next_dial_{};
    TimePoint next_candidates_wanted_{};
    std::vector<Channel*> sending_; ///< have something to send
    bool data_waits_ = false;       ///< for the uplink
    SwarmStatistics figures_;
    std::vector<ByteVector> datagrams_; ///< on their way to `flush`; empty in between

private:
    /// Since when nobody has answered who was asked for candidates.
    std::optional<TimePoint> unanswered_since_;
    bool was_answered_ = false; ///< ever

    // overlay.cpp
    bool make_room(TimePoint now);
    [[nodiscard]] static bool leads_nowhere(Channel const& channel, Endpoint const& peer);
    void note_answer();
    [[nodiscard]] bool is_left_alone(TimePoint now) const;
    [[nodiscard]] bool believes_peers(TimePoint now) const;
    [[nodiscard]] bool may_exchange(TimePoint now, Channel const& channel,
                                    Endpoint const& peer) const;

    // memberships.cpp
    void on_certificate(TimePoint now, Channel& channel, Bytes certificate);
    void show_membership(Channel& channel);
    [[nodiscard]] bool may_show(TimePoint now, Channel const& to, Channel const& of) const;
    [[nodiscard]] bool trusts_an_issuer() const { return !membership_.issuer.empty(); }

    // handshakes.cpp
    static constexpr std::size_t handshake_size_max = 1200;
    void send_handshake(TimePoint now, Channel& channel, bool initiator, std::size_t size_max);
    [[nodiscard]] ByteVector opening_datagram(Channel const& channel, Dialect dialect) const;
    void on_handshake(TimePoint now, Channel& channel, wire::Handshake const& handshake);
    [[nodiscard]] PeerAvailability availability_of(PeerProfile const& profile) const;
    bool superfluous(TimePoint now, Endpoint const& from, ChannelId source, std::size_t size);
    void opened(TimePoint now, Channel& channel);
    void look_after_handshake(TimePoint now, Channel& channel);

    // neighbours.cpp
    Channel& add_channel(TimePoint now, Endpoint const& endpoint);
    void on_message(TimePoint now, Channel& channel, wire::Message const& message);
    void on_peer_named(TimePoint now, Channel& channel, Endpoint const& peer);
    [[nodiscard]] bool has_room_for_strangers() const;
    void punish(TimePoint now, Channel& channel, BanReason reason);
    void remove_closed();
    void look_after(TimePoint now, Channel& channel);
    void housekeeping(TimePoint now);
    void wake_channels(TimePoint now);
    void rearm(TimePoint now, Channel& channel);

    // path.cpp
    void send_control(TimePoint now, Channel& channel);
    void on_ack(TimePoint now, Channel& channel, wire::Ack const& ack);
    void measure_train(Channel& channel, InFlight::Mark const& first, Duration delay);

    /// Our own certificate, and who issued it.
    struct OwnMembership {
        ByteVector issuer;
        ByteVector certificate;
        Endpoint endpoint;
    };
    OwnMembership membership_;
    Census census_;
    congestion::LedbatConfig ledbat_config_;
    TimePoint arrived_{}; ///< the datagram that is looked at
    TimePoint next_housekeeping_{};
    std::vector<Channel*> touched_; ///< to be looked at before the engine rests
    /// Wake-up times of channels, earliest first; those that no longer hold are skipped.
    using Wake = std::pair<TimePoint, std::uint32_t>;
    std::priority_queue<Wake, std::vector<Wake>, std::greater<>> agenda_;
    bool any_closed_ = false;
    std::optional<TimePoint> deadline_;
};

} // namespace ppsp::peer
