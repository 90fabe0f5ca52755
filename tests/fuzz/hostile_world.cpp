#include "tests/fuzz/hostile_world.hpp"

#include "peer/channel/handshake.hpp"
#include "protocol/base/assert.hpp"
#include "tests/fuzz/signing.hpp"

#include <algorithm>
#include <utility>

namespace ppsp::fuzz {
namespace {

constexpr Duration link_delay = 5ms;
/// Long enough for bans, dead peers and timers of minutes; then the next input is worth more.
constexpr Duration time_max = std::chrono::minutes{4};
constexpr std::uint64_t cuts_max = 120; ///< more than twice the discard window
constexpr std::size_t sessions_max = 32;
constexpr std::size_t overheard_max = 32;

// What no neighbour may get out of an honest node.
constexpr std::uint64_t amplification_max =
    3;                                        ///< bytes for each byte, before the address is proven
constexpr std::size_t answer_size_max = 1200; ///< of datagram 2
constexpr std::size_t half_open_per_address_max = 8;
constexpr Duration half_open_time = 10s;
constexpr std::size_t outputs_per_input_max = 4096;
constexpr Duration timer_window = 10ms;
constexpr std::uint64_t timers_per_window_max = 64;
constexpr std::size_t fetches_max = 16;
constexpr Duration storage_delay = 20ms;
constexpr std::size_t stored_objects_max = 8;

peer::NodeConfig node_config(HostileWorld::Settings const& settings)
{
    peer::NodeConfig config;
    config.utc_at_zero = HostileWorld::utc_at_zero;
    config.strict = settings.strict;
    config.pex = settings.pex;
    config.neighbours_target = 3;
    config.neighbours_max = 7;
    return config;
}

peer::NodeConfig viewer_config(HostileWorld::Settings const& settings)
{
    peer::NodeConfig config = node_config(settings);
    config.uplink_bps = settings.uplink_bps;
    return config;
}

/// Units of a stream with a key frame every second, made once; after the last comes the first.
ByteVector const& test_unit(std::uint32_t chunks_per_unit, std::uint64_t number)
{
    constexpr std::size_t count = 60;
    static std::map<std::uint32_t, std::vector<ByteVector>> made;
    auto& units = made[chunks_per_unit];
    if (units.empty()) {
        test::TestMedia media(chunks_per_unit, HostileWorld::chunk_size);
        for (std::size_t i = 0; i < count; ++i) {
            bool random_access = false;
            units.push_back(media.next_unit(HostileWorld::is_key_unit(i), random_access));
        }
    }
    return units[number % count];
}

peer::LiveSwarmConfig swarm_config(HostileWorld::Settings const& settings)
{
    peer::LiveSwarmConfig config;
    config.id = seed_swarm();
    config.chunk_size = HostileWorld::chunk_size;
    config.discard_window = 3s;
    config.unit_duration = HostileWorld::unit_duration;
    config.playout.latency = settings.latency;
    config.deprived_first = settings.deprived_first;
    return config;
}

} // namespace

ByteVector SignatureBook::sign(Bytes message)
{
    signed_.emplace(message.begin(), message.end());
    return ByteVector(64, 0x5a);
}

bool SignatureBook::check(Bytes swarm_id, Bytes message, Bytes signature)
{
    bool const is_its_key =
        std::equal(swarm_id.begin(), swarm_id.end(), swarm_id_.begin(), swarm_id_.end());
    bool const is_its_form =
        signature.size() == 64 && std::all_of(signature.begin(), signature.end(),
                                              [](std::uint8_t byte) { return byte == 0x5a; });
    return is_its_key && is_its_form &&
           signed_.contains(ByteVector(message.begin(), message.end()));
}

HonestNode::HonestNode(Endpoint at, peer::NodeConfig const& config, SignatureBook& signatures,
                       Rng rng)
    : endpoint(at), hasher(counts), random(rng.fork("secrets")),
      engine(config, rng.fork("engine"), peer::Ports{hasher, signatures, random, events})
{}

HostileWorld::HostileWorld(Settings const& settings)
    : settings_(settings), id_(seed_swarm()), signatures_(id_),
      recorder_(signatures_, wire::AddressingMode::chunk32),
      source_(Endpoint::v4(0x0a000001, 6778), node_config(settings), signatures_, Rng{1}),
      viewer_(Endpoint::v4(0x0a000002, 6778), viewer_config(settings), signatures_, Rng{2}),
      end_(now_ + time_max), next_cut_(now_), cuts_left_(cuts_max),
      collector_({.chunk_size = chunk_size, .chunks_per_unit = settings.chunks_per_unit}, id_,
                 unit_duration, source_.hasher)
{
    peer::LiveSwarmConfig config = swarm_config(settings_);
    config.role = peer::Role::source;
    config.chunks_per_unit = settings_.chunks_per_unit;
    input(source_, peer::JoinSwarm{config, &recorder_});
    join_viewer();
    input(viewer_, peer::CandidatesFound{id_, {source_.endpoint}});
    advance(300ms);
    Endpoint const hostile = Endpoint::v4(0x0a000042, 6778);
    std::uint32_t number = 0x42;
    for (HonestNode* const node : {&viewer_, &source_}) {
        handshake(hostile, *node, ChannelId{0}, ChannelId{number++}, options(true), {});
        PPSP_ASSERT(!sessions_.empty() && sessions_.back().node == node);
        ByteVector keep_alive;
        ByteWriter{keep_alive}.u32(to_number(sessions_.back().number));
        deliver(hostile, *node, keep_alive);
    }
}

void HostileWorld::join_viewer()
{
    peer::LiveSwarmConfig config = swarm_config(settings_);
    if (has_storage_) {
        config.storage = {{peer::StorageTier::cache, 1}, {peer::StorageTier::cdn, 9}};
    }
    input(viewer_, peer::JoinSwarm{config});
}

void HostileWorld::rejoin_viewer()
{
    input(viewer_, peer::LeaveSwarm{id_});
    // Its numbers are void, and with them its table of half-open conversations; nor does it know
    // whom it dialled.
    for (auto& [endpoint, account] : viewer_.accounts) {
        account.numbers.clear();
        account.dials = 0;
    }
    fetches_.clear();
    join_viewer();
    input(viewer_, peer::CandidatesFound{id_, {source_.endpoint}});
}

void HostileWorld::use_storage(Serving serving, std::size_t changed_byte)
{
    serving_ = serving;
    changed_byte_ = changed_byte;
    if (!std::exchange(has_storage_, true)) {
        rejoin_viewer();
    }
}

void HostileWorld::begin_fetch(peer::FetchWanted const& wanted)
{
    PPSP_ASSERT(has_storage_ && wanted.server < 2 && wanted.timeout > Duration::zero());
    PPSP_ASSERT(wanted.size_max <= decade::object_size_max);
    PPSP_ASSERT(fetches_.size() < fetches_max);
    Duration const takes = serving_ == Serving::nothing ? wanted.timeout : storage_delay;
    fetches_.push_back({now_ + takes, wanted});
}

/// What an honest server has under the path; nullopt = nothing.
std::optional<ByteVector> HostileWorld::stored(peer::FetchWanted const& wanted)
{
    ByteVector whole;
    if (wanted.path == decade::index_path(id_)) {
        std::string const text = decade::to_text(collector_.index(utc()), signatures_);
        whole.assign(text.begin(), text.end());
    }
    for (peer::CollectedObject const& object : objects_) {
        if (wanted.path == object.entry.name.path() ||
            wanted.path == decade::alias_path(id_, object.entry.chunks)) {
            whole = object.bytes;
        }
    }
    if (whole.empty()) {
        return std::nullopt;
    }
    if (wanted.range) {
        auto const [first, last] = *wanted.range;
        PPSP_ASSERT(first <= last);
        std::size_t const end = std::min<std::size_t>(whole.size(), last + 1);
        return first < end
                   ? std::optional(ByteVector(whole.begin() + static_cast<std::ptrdiff_t>(first),
                                              whole.begin() + static_cast<std::ptrdiff_t>(end)))
                   : std::nullopt;
    }
    return whole;
}

void HostileWorld::serve(Fetch const& fetch)
{
    peer::FetchFinished finished{
        .swarm = id_, .fetch = fetch.wanted.fetch, .status = 0, .body = {}};
    std::optional<ByteVector> body;
    if (serving_ == Serving::right || serving_ == Serving::changed) {
        body = stored(fetch.wanted);
    }
    if (body && serving_ == Serving::changed && !body->empty()) {
        (*body)[changed_byte_ % body->size()] ^= 1;
    }
    bool const fits = body && body->size() <= fetch.wanted.size_max;
    if (fits) {
        finished.status = fetch.wanted.range ? 206 : 200;
        finished.body = *body;
    } else if (serving_ != Serving::nothing) {
        finished.status = body ? 0 : 404;
    }
    input(viewer_, finished);
}

void HostileWorld::answer_fetch(std::size_t number, unsigned status, Bytes body)
{
    Fetch const fetch = fetches_[number];
    fetches_.erase(fetches_.begin() + static_cast<std::ptrdiff_t>(number));
    Bytes const fitting = body.first(std::min(body.size(), fetch.wanted.size_max));
    input(viewer_, peer::FetchFinished{id_, fetch.wanted.fetch, status, fitting});
}

wire::Options HostileWorld::options(bool initiator) const
{
    peer::SwarmMetadata metadata;
    metadata.id = id_;
    metadata.format.chunk_size = chunk_size;
    metadata.discard_window_chunks = 100 * settings_.chunks_per_unit;
    return peer::handshake_options(metadata, initiator);
}

void HostileWorld::handshake(Endpoint const& from, HonestNode& to, ChannelId destination,
                             ChannelId source, wire::Options const& options, Bytes more)
{
    ByteVector datagram;
    ByteWriter writer{datagram};
    writer.u32(to_number(destination));
    writer.u8(static_cast<std::uint8_t>(wire::MessageType::handshake));
    writer.u32(to_number(source));
    wire::encode_options(options, datagram);
    writer.bytes(more);
    deliver(from, to, datagram);
}

void HostileWorld::deliver(Endpoint const& from, HonestNode& to, Bytes datagram)
{
    HonestNode::Account& account = to.accounts[from];
    account.bytes_in += datagram.size();
    account.datagrams_in += 1;
    auto const number = ByteReader{datagram}.u32();
    if (number && account.numbers.contains(ChannelId{*number})) {
        account.proven = true;
        account.proven_numbers.insert(ChannelId{*number});
    }
    input(to, peer::DatagramReceived{from, datagram});
}

void HostileWorld::input(HonestNode& node, peer::Input const& what)
{
    node.reasons += 1;
    node.engine.handle(now_, what);
    drain(node);
}

void HostileWorld::drain(HonestNode& node)
{
    std::size_t outputs = 0;
    while (auto const output = node.engine.poll(now_)) {
        PPSP_ASSERT(++outputs <= outputs_per_input_max);
        if (auto const* datagram = std::get_if<peer::SendDatagram>(&*output)) {
            node.reasons += 1;
            send(node, *datagram);
        } else if (auto const* media = std::get_if<peer::MediaReady>(&*output)) {
            check_media(*media);
        } else if (auto const* wanted = std::get_if<peer::FetchWanted>(&*output)) {
            begin_fetch(*wanted);
        }
    }
}

void HostileWorld::send(HonestNode& node, peer::SendDatagram const& datagram)
{
    PPSP_ASSERT(datagram.bytes.size() >= 4 && datagram.bytes.size() <= 1472);
    overheard_.push_back(datagram.bytes);
    if (overheard_.size() > overheard_max) {
        overheard_.pop_front();
    }
    for (HonestNode* const other : {&source_, &viewer_}) {
        if (datagram.to == other->endpoint) {
            if (link_is_up_) {
                flying_.push_back({now_ + link_delay, other, node.endpoint, datagram.bytes});
            }
            return;
        }
    }
    send_to_hostile(node, datagram);
}

void HostileWorld::send_to_hostile(HonestNode& node, peer::SendDatagram const& datagram)
{
    PPSP_ASSERT(datagram.to.scope() != AddressScope::multicast &&
                datagram.to.scope() != AddressScope::unspecified && datagram.to.port() != 0);
    HonestNode::Account& account = node.accounts[datagram.to];
    ByteReader reader{datagram.bytes};
    bool const is_dial = *reader.u32() == 0;
    auto const type = reader.u8();
    if (type == static_cast<std::uint8_t>(wire::MessageType::handshake)) {
        auto const number = *reader.u32();
        if (number != 0) {
            note_number(node, account, datagram.to, ChannelId{number}, is_dial);
            PPSP_ASSERT(is_dial || datagram.bytes.size() <= answer_size_max);
        }
    }
    if (type == static_cast<std::uint8_t>(wire::MessageType::data)) {
        last_served_ = ChunkId{reader.u32().value_or(0)};
    }
    if (is_dial) {
        account.dials += 1;
        // Again after 0.5, 1 and 2 s, given up after 5.
        auto const periods = static_cast<std::uint64_t>(now_.time_since_epoch() / 5s) + 2;
        PPSP_ASSERT(account.proven || account.dials <= 4 * periods + account.datagrams_in);
        return;
    }
    account.bytes_out += datagram.bytes.size();
    PPSP_ASSERT(account.proven || account.bytes_out <= amplification_max * account.bytes_in);
}

void HostileWorld::note_number(HonestNode& node, HonestNode::Account& account, Endpoint const& to,
                               ChannelId number, bool is_dial)
{
    bool const is_known = !account.numbers.emplace(number, now_).second;
    if (is_known) {
        return;
    }
    sessions_.push_back({&node, to, number, is_dial});
    if (sessions_.size() > sessions_max) {
        sessions_.erase(sessions_.begin() + 2); // the first two are the long ones
    }
    if (!is_dial) {
        check_half_open(node, to);
    }
}

void HostileWorld::check_half_open(HonestNode const& node, Endpoint const& address) const
{
    std::size_t half_open = 0;
    for (auto const& [endpoint, account] : node.accounts) {
        if (!endpoint.same_address(address) || account.dials > 0) {
            continue;
        }
        for (auto const& [number, since] : account.numbers) {
            bool const waits = now_ - since < half_open_time;
            half_open += waits && !account.proven_numbers.contains(number) ? 1 : 0;
        }
    }
    PPSP_ASSERT(half_open <= half_open_per_address_max);
}

void HostileWorld::check_media(peer::MediaReady const& media) const
{
    PPSP_ASSERT(media.stream_position <= stream_.size() &&
                media.bytes.size() <= stream_.size() - media.stream_position);
    PPSP_ASSERT(std::equal(media.bytes.begin(), media.bytes.end(),
                           stream_.begin() + static_cast<std::ptrdiff_t>(media.stream_position)));
}

Bytes HostileWorld::chunk(ChunkId chunk) const
{
    std::uint64_t const count = stream_.size() / chunk_size;
    if (to_number(chunk) >= count) {
        return {};
    }
    return Bytes{stream_}.subspan(to_number(chunk) * chunk_size, chunk_size);
}

void HostileWorld::cut_unit(ByteVector payload, bool random_access)
{
    if (cuts_left_ == 0) {
        return;
    }
    cuts_left_ -= 1;
    payload.resize(unit_bytes());
    stream_.insert(stream_.end(), payload.begin(), payload.end());
    next_unit_ += 1;
    input(source_, peer::UnitCut{id_, payload, random_access});
    auto const munro = recorder_.take();
    PPSP_ASSERT(munro.has_value());
    auto const offset = random_access ? std::optional(std::size_t{0}) : std::nullopt;
    auto object = collector_.add(
        {munro->chunks, munro->signed_at, munro->signature, std::move(payload), offset}, utc());
    if (object) {
        objects_.push_back(std::move(*object));
        if (objects_.size() > stored_objects_max) {
            objects_.pop_front();
        }
    }
}

void HostileWorld::cut_next_unit()
{
    cut_unit(test_unit(settings_.chunks_per_unit, next_unit_), is_key_unit(next_unit_));
}

/// Timers that fire for no reason are a busy loop.
void HostileWorld::fire(HonestNode& node)
{
    if (now_ - node.window_began >= timer_window) {
        node.window_began = now_;
        node.timers = 0;
        node.reasons = 0;
    }
    node.timers += 1;
    PPSP_ASSERT(node.timers <= timers_per_window_max + node.reasons);
    node.engine.handle(now_, peer::TimerFired{});
    drain(node);
}

TimePoint HostileWorld::next_event() const
{
    TimePoint next = TimePoint::max();
    if (source_runs_ && cuts_left_ > 0) {
        next = std::min(next, next_cut_);
    }
    if (!flying_.empty()) {
        next = std::min(next, flying_.front().at);
    }
    for (Fetch const& fetch : fetches_) {
        next = std::min(next, fetch.at);
    }
    for (HonestNode const* const node : {&source_, &viewer_}) {
        next = std::min(next, node->engine.deadline().value_or(TimePoint::max()));
    }
    return next;
}

void HostileWorld::advance(Duration time)
{
    TimePoint const end = std::min(now_ + time, end_);
    for (;;) {
        TimePoint const next = next_event();
        if (next > end) {
            now_ = end;
            return;
        }
        now_ = std::max(now_, next);
        if (source_runs_ && next_cut_ <= now_) {
            next_cut_ = now_ + unit_duration;
            cut_next_unit();
        }
        while (!flying_.empty() && flying_.front().at <= now_) {
            Flying const flying = std::move(flying_.front());
            flying_.pop_front();
            input(*flying.to, peer::DatagramReceived{flying.from, flying.bytes});
        }
        auto const is_due = [this](Fetch const& fetch) { return fetch.at <= now_; };
        for (auto due = std::ranges::find_if(fetches_, is_due); due != fetches_.end();
             due = std::ranges::find_if(fetches_, is_due)) {
            Fetch const fetch = std::move(*due);
            fetches_.erase(due);
            serve(fetch);
        }
        for (HonestNode* const node : {&source_, &viewer_}) {
            if (node->engine.deadline().value_or(TimePoint::max()) <= now_) {
                fire(*node);
            }
        }
    }
}

void HostileWorld::check_limits()
{
    for (HonestNode* const node : {&source_, &viewer_}) {
        auto const figures = node->engine.statistics(now_, id_);
        PPSP_ASSERT(figures.has_value());
        PPSP_ASSERT(figures->neighbours <= node_config(settings_).neighbours_max);
        PPSP_ASSERT(figures->holes.size() <= 32);
        PPSP_ASSERT(figures->chunks_in_time <= figures->chunks_due);
        static_cast<void>(node->engine.neighbours(id_));
    }
}

} // namespace ppsp::fuzz
