#include "protocol/wire/messages.hpp"
#include "tests/fuzz/hostile_world.hpp"
#include "tests/fuzz/input.hpp"

#include <iterator>

/// A whole engine with time and inputs: the bytes are a list of what happens, from the network and
/// from elsewhere, to a source and a viewer beside a hostile neighbour.
namespace ppsp::fuzz {
namespace {

using wire::MessageType;

constexpr int steps_max = 200;
constexpr std::uint64_t unix_micros_per_ms = 1000;

/// Addresses that the hostile neighbour speaks from: many on one host, others near and far.
Endpoint address(Input& input)
{
    std::uint8_t const choice = input.u8();
    if (choice >= 128) {
        return Endpoint::v4(0x0a000042, static_cast<std::uint16_t>(6778 + choice % 16));
    }
    static Endpoint const addresses[] = {
        Endpoint::v4(0x0a000042, 6778),
        Endpoint::v4(0x0a000044, 6778),
        Endpoint::v4(0x0a000045, 6778),
        Endpoint::v4(0x0a000043, 6778),
        Endpoint::v4(0xcb007107, 6778),
        Endpoint::v6({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}, 6778),
        Endpoint::v4(0x7f000001, 6778),
    };
    return addresses[choice % std::size(addresses)];
}

Endpoint any_endpoint(Input& input)
{
    if (input.flag()) {
        return address(input);
    }
    return Endpoint::v4(input.u32(), input.u16());
}

HonestNode& node(Input& input, HostileWorld& world)
{
    return input.flag() ? world.source() : world.viewer();
}

/// Near the live edge, anywhere, or what the hostile neighbour was sent last.
void write_spec(Input& input, HostileWorld const& world, ByteWriter& out)
{
    std::uint8_t const form = input.u8();
    std::uint32_t first = 0;
    if (form < 128) {
        auto const width = world.settings().chunks_per_unit;
        auto const unit = static_cast<std::uint32_t>(world.next_unit()) + form - 64;
        first = unit * width;
        out.u32(first);
        out.u32(first + width - 1);
        return;
    }
    if (form < 160) {
        first = static_cast<std::uint32_t>(to_number(world.last_served())) - (form - 128U);
        out.u32(first);
        out.u32(static_cast<std::uint32_t>(to_number(world.last_served())));
        return;
    }
    if (form < 224) {
        auto const width = world.settings().chunks_per_unit;
        first = static_cast<std::uint32_t>(world.next_unit()) * width - input.u8() - (form - 160U);
        out.u32(first);
        out.u32(first + (form % 4));
        return;
    }
    out.u32(input.u32());
    out.u32(input.u32());
}

/// Now, give or take, or any time at all.
std::uint64_t micros(Input& input, std::uint64_t around)
{
    std::uint8_t const form = input.u8();
    return form == 255 ? input.u64() : around + form * unix_micros_per_ms - 100'000;
}

void write_data(Input& input, HostileWorld const& world, ByteWriter& out)
{
    auto const width = world.settings().chunks_per_unit;
    auto const number = static_cast<std::uint32_t>(world.next_unit()) * width - 1 - input.u8();
    out.u32(number);
    out.u32(number);
    out.u64(micros(input, static_cast<std::uint64_t>(world.utc())));
    Bytes const right = world.chunk(ChunkId{number});
    if (input.flag() && !right.empty()) {
        out.bytes(right);
        return;
    }
    out.bytes(ByteVector(HostileWorld::chunk_size, input.u8()));
}

void write_message(Input& input, HostileWorld const& world, ByteVector& bytes)
{
    ByteWriter out{bytes};
    auto const type = static_cast<MessageType>(input.below(15));
    out.u8(static_cast<std::uint8_t>(type));
    switch (type) {
    case MessageType::handshake:
        out.u32(input.u32());
        wire::encode_options(input.flag() ? world.options(input.flag()) : wire::Options{}, bytes);
        return;
    case MessageType::data:
        write_data(input, world, out);
        return;
    case MessageType::ack:
        write_spec(input, world, out);
        out.u64(micros(input, 120'000));
        return;
    case MessageType::have:
    case MessageType::request:
    case MessageType::cancel:
        write_spec(input, world, out);
        return;
    case MessageType::integrity:
        write_spec(input, world, out);
        out.bytes(ByteVector(32, input.u8()));
        return;
    case MessageType::signed_integrity:
        write_spec(input, world, out);
        out.u64(static_cast<std::uint64_t>(to_ntp(
            static_cast<UnixMicros>(micros(input, static_cast<std::uint64_t>(world.utc()))))));
        out.bytes(ByteVector(64, 0x5a));
        return;
    case MessageType::pex_res_v4: {
        Endpoint const peer = any_endpoint(input);
        out.u32(peer.is_v4() ? peer.v4_address() : input.u32());
        out.u16(peer.port());
        return;
    }
    case MessageType::pex_res_v6:
        out.bytes(address(input).v6_address());
        out.u16(input.u16());
        return;
    case MessageType::pex_res_cert: {
        Bytes const certificate = input.take(input.u8());
        out.u16(static_cast<std::uint16_t>(certificate.size()));
        out.bytes(certificate);
        return;
    }
    case MessageType::pex_req:
    case MessageType::choke:
    case MessageType::unchoke:
        return;
    }
    out.bytes(input.take(input.u8())); // no message of RFC 7574
}

ByteVector messages(Input& input, HostileWorld const& world)
{
    ByteVector bytes;
    for (std::size_t left = input.below(8); left > 0 && bytes.size() < 1400; --left) {
        write_message(input, world, bytes);
    }
    return bytes;
}

Session const& session(Input& input, HostileWorld const& world)
{
    return world.sessions()[input.below(world.sessions().size())];
}

void say(Input& input, HostileWorld& world, Bytes what)
{
    Session const to = session(input, world);
    ByteVector datagram;
    ByteWriter out{datagram};
    out.u32(to_number(to.number));
    out.bytes(what);
    world.deliver(to.endpoint, *to.node, datagram);
}

/// What honest nodes sent, to the hostile neighbour's channels instead, one byte changed or not.
void repeat(Input& input, HostileWorld& world)
{
    auto const& heard = world.overheard();
    ByteVector bytes = heard[heard.size() - 1 - input.below(heard.size())];
    if (input.flag()) {
        bytes[input.u16() % bytes.size()] ^= static_cast<std::uint8_t>(input.u8() | 1);
    }
    say(input, world, Bytes{bytes}.subspan(4));
}

void open(Input& input, HostileWorld& world)
{
    wire::Options options = world.options(true);
    switch (input.below(8)) {
    case 0:
        options.discard_window = input.u64();
        break;
    case 1:
        options.discard_window = wire::discard_window_all;
        break;
    case 2:
        options.supported_messages = wire::SupportedMessages{input.u16()};
        break;
    case 3:
        options.version = input.u8();
        break;
    case 4:
        options.chunk_size = input.u32();
        break;
    default:
        break;
    }
    Endpoint const from = input.below(8) == 7 ? world.source().endpoint : address(input);
    HonestNode& to = node(input, world);
    ChannelId const source{input.u32()};
    ByteVector const more = messages(input, world);
    world.handshake(from, to, ChannelId{0}, source, options, more);
    if (input.flag()) {
        Session const newest = world.sessions().back();
        ByteVector keep_alive;
        ByteWriter{keep_alive}.u32(to_number(newest.number));
        world.deliver(newest.endpoint, *newest.node, keep_alive);
    }
}

void answer(Input& input, HostileWorld& world)
{
    Session const to = session(input, world);
    ChannelId const source{input.u32()};
    ByteVector const more = messages(input, world);
    world.handshake(to.endpoint, *to.node, to.number, source, world.options(false), more);
}

void tell_edge(Input& input, HostileWorld& world)
{
    peer::LiveEdgeFound edge;
    edge.swarm = world.id();
    edge.newest = ChunkId{input.u64()};
    edge.chunks_per_unit = input.u32();
    if (input.flag()) {
        edge.random_access = ChunkId{input.u64()};
    }
    edge.age = std::chrono::milliseconds{input.u32()};
    world.input(node(input, world), edge);
}

void tell_candidates(Input& input, HostileWorld& world)
{
    peer::CandidatesFound found{.swarm = world.id(), .endpoints = {}};
    for (std::size_t left = input.below(100); left > 0; --left) {
        found.endpoints.push_back(any_endpoint(input));
    }
    world.input(node(input, world), found);
}

void tell_uplinks(Input& input, HostileWorld& world)
{
    peer::UplinksProven proven{.swarm = world.id(), .peers = {}};
    for (std::size_t left = input.below(4); left > 0; --left) {
        proven.peers.push_back({any_endpoint(input), input.u32()});
    }
    world.input(node(input, world), proven);
}

void answer_fetch(Input& input, HostileWorld& world)
{
    constexpr unsigned statuses[] = {200, 206, 404, 500, 0, 416};
    if (world.fetch_count() == 0) {
        return;
    }
    std::size_t const number = input.below(world.fetch_count());
    unsigned const status = input.one_of(statuses);
    world.answer_fetch(number, status, input.take(input.u16() % 2048));
}

void step(Input& input, HostileWorld& world)
{
    switch (input.below(19)) {
    case 0:
    case 1:
        world.advance(std::chrono::milliseconds{input.u8()});
        return;
    case 2:
        world.advance(std::chrono::milliseconds{100} * input.u8());
        return;
    case 3: {
        Bytes const bytes = input.take(input.u8());
        Endpoint const from = address(input);
        world.deliver(from, node(input, world), bytes);
        return;
    }
    case 4:
        say(input, world, input.take(input.u8()));
        return;
    case 5:
    case 6:
    case 7: {
        ByteVector const bytes = messages(input, world);
        say(input, world, bytes);
        return;
    }
    case 8:
    case 9:
        repeat(input, world);
        return;
    case 10:
        open(input, world);
        return;
    case 11:
        answer(input, world);
        return;
    case 12:
        tell_edge(input, world);
        return;
    case 13:
        tell_candidates(input, world);
        return;
    case 14:
        tell_uplinks(input, world);
        return;
    case 15: {
        bool const random_access = input.flag();
        Bytes const payload = input.take(input.u8());
        world.cut_unit(ByteVector(payload.begin(), payload.end()), random_access);
        return;
    }
    case 16: {
        auto const serving = static_cast<Serving>(input.below(4));
        world.use_storage(serving, input.u16());
        return;
    }
    case 17:
        answer_fetch(input, world);
        return;
    default:
        break;
    }
    switch (std::uint8_t const what = input.u8(); what % 4) {
    case 0:
        world.rejoin_viewer();
        return;
    case 1:
        world.set_link((what & 4) != 0);
        return;
    default:
        world.set_source_runs((what & 4) != 0);
        return;
    }
}

HostileWorld::Settings settings(Input& input)
{
    constexpr std::uint32_t widths[] = {8, 2, 16, 64};
    HostileWorld::Settings settings;
    std::uint8_t const choice = input.u8();
    settings.chunks_per_unit = widths[choice % 4];
    settings.strict = (choice & 4) != 0;
    settings.pex = (choice & 8) == 0;
    if ((choice & 16) != 0) {
        settings.uplink_bps = (choice & 32) != 0 ? 0 : 2'000'000;
    }
    if ((choice & 64) != 0) {
        settings.latency.reset();
    }
    settings.deprived_first = (choice & 128) != 0;
    return settings;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    Input input(data, size);
    HostileWorld world(settings(input));
    for (int steps = 0; steps < steps_max && !input.empty() && world.goes_on(); ++steps) {
        step(input, world);
    }
    world.advance(100ms);
    world.check_limits();
    return 0;
}

} // namespace ppsp::fuzz
