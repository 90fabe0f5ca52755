#include "peer/channel/channel.hpp"
#include "protocol/base/assert.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <map>
#include <string>

/// Bytes that a node's heap holds for each neighbour: the difference of two runs in virtual time
/// with and without scripted neighbours, which hold nothing themselves.
namespace {

using namespace ppsp;
using namespace std::chrono_literals;

constexpr char const* usage =
    R"(usage: peer_memory [--idle N] [--active N] [--seconds S]

Prints a JSON object: bytes for each idle neighbour (a handshake, then nothing) and for each active
one (has subscribed to a stream of 4 Mbit/s and acknowledges what it gets) of a viewer that keeps
60 s.
  --idle N      how many (500)
  --active N    how many (10)
  --seconds S   of stream (65)
)";

constexpr std::uint32_t chunks_per_unit = 32; // 4.1 Mbit/s
constexpr Duration unit_duration = 64ms;
constexpr std::uint32_t window_units = 60s / unit_duration;
constexpr std::uint32_t first_address = 0x0b000001;

/// Neighbours that are nothing but a few lines.
class Script {
public:
    Script(test::VirtualSwarm& swarm, test::VirtualNode& subject, std::uint32_t count, bool active)
        : swarm_(&swarm), subject_(&subject), active_(active)
    {
        metadata_.id = swarm.id();
        metadata_.discard_window_chunks = std::uint64_t{window_units} * chunks_per_unit;
        neighbours_.resize(count);
        swarm.meddle = [this](Endpoint, Endpoint to, ByteVector& bytes) {
            std::uint32_t const number = number_of(to);
            if (number >= neighbours_.size()) {
                return true;
            }
            take(number, bytes);
            return false;
        };
        for (std::uint32_t i = 0; i < count; ++i) {
            swarm.inject(
                address(i), subject,
                datagram(ChannelId{0}, wire::Handshake{ChannelId{i + 1},
                                                       peer::handshake_options(metadata_, true)}));
            swarm.run_for(1ms);
        }
    }

    [[nodiscard]] std::size_t opened() const
    {
        return static_cast<std::size_t>(
            std::count_if(neighbours_.begin(), neighbours_.end(),
                          [](auto const& each) { return to_number(each.server) != 0; }));
    }
    [[nodiscard]] std::uint64_t chunks() const { return chunks_; }

private:
    static Endpoint address(std::uint32_t number)
    {
        return Endpoint::v4(first_address + number, 6778);
    }
    static std::uint32_t number_of(Endpoint const& endpoint)
    {
        return endpoint.v4_address() - first_address;
    }
    [[nodiscard]] ByteVector datagram(ChannelId to, std::optional<wire::Message> const& message)
    {
        wire::DatagramWriter writer(to, metadata_.format, 1472);
        bool const fits = !message || writer.add(*message);
        PPSP_ASSERT(fits);
        return writer.take();
    }
    void say(std::uint32_t number, std::optional<wire::Message> const& message)
    {
        swarm_->inject(address(number), *subject_, datagram(neighbours_[number].server, message));
    }
    /// The last two units at first, then what follows, once.
    void ask_up_to(std::uint32_t number, ChunkId last)
    {
        Neighbour& neighbour = neighbours_[number];
        if (last > neighbour.asked) {
            bool const first = to_number(neighbour.asked) == 0;
            ChunkId const next{first ? to_number(last) - 2 * chunks_per_unit
                                     : to_number(neighbour.asked) + 1};
            say(number, wire::Request{{next, last}});
            neighbour.asked = last;
        }
    }
    void take(std::uint32_t number, Bytes bytes)
    {
        wire::DatagramReader reader(bytes, metadata_.format);
        for (auto message = reader.next(); message && *message; message = reader.next()) {
            if (auto const* handshake = std::get_if<wire::Handshake>(&**message)) {
                neighbours_[number].server = handshake->source;
                say(number, std::nullopt);
            } else if (auto const* have = std::get_if<wire::Have>(&**message);
                       have != nullptr && active_) {
                ask_up_to(number, have->chunks.last + 2 * chunks_per_unit);
            } else if (auto const* data = std::get_if<wire::Data>(&**message)) {
                ++chunks_;
                say(number, wire::Ack{data->chunks, 5ms});
            }
        }
    }

    test::VirtualSwarm* swarm_;
    test::VirtualNode* subject_;
    bool active_;
    peer::SwarmMetadata metadata_;
    struct Neighbour {
        ChannelId server{};
        ChunkId asked{}; ///< the last one
    };
    std::vector<Neighbour> neighbours_;
    std::uint64_t chunks_ = 0;
};

struct Found {
    std::size_t heap_bytes;
    std::size_t opened;
    double chunk_share; ///< of the stream, for each neighbour
};

Found run(std::uint32_t neighbours, bool active, Duration seconds)
{
    test::VirtualSwarm swarm{1};
    test::VirtualSwarm::SourceOptions source;
    source.chunks_per_unit = chunks_per_unit;
    source.unit_duration = unit_duration;
    swarm.add_source(source);
    peer::NodeConfig config;
    config.neighbours_max = 10'000;
    config.places = 10'000;
    auto& subject = swarm.add_viewer(800ms, std::uint64_t{1'000'000'000}, config);
    swarm.introduce(subject);
    swarm.run_for(5s);
    Script script(swarm, subject, neighbours, active);
    swarm.run_for(10s - Duration{1ms} * neighbours);
    std::uint64_t const before = script.chunks();
    swarm.run_for(seconds);
    double const stream =
        static_cast<double>(seconds / unit_duration * chunks_per_unit * neighbours);
    return {mallinfo2().uordblks + mallinfo2().hblkhd, script.opened(),
            static_cast<double>(script.chunks() - before) / std::max(stream, 1.0)};
}

double bytes_per_neighbour(Found const& with, Found const& without, std::uint32_t count)
{
    return (static_cast<double>(with.heap_bytes) - static_cast<double>(without.heap_bytes)) / count;
}

} // namespace

int main(int argc, char** argv)
{
    std::map<std::string, std::uint32_t> numbers{
        {"--idle", 500}, {"--active", 10}, {"--seconds", 65}};
    for (int i = 1; i < argc; i += 2) {
        if (!numbers.contains(argv[i]) || i + 1 == argc) {
            bool const helps = std::strcmp(argv[i], "--help") == 0;
            std::fputs(usage, helps ? stdout : stderr);
            return helps ? 0 : 2;
        }
        numbers[argv[i]] = static_cast<std::uint32_t>(std::strtoul(argv[i + 1], nullptr, 0));
    }
    Duration const seconds = std::chrono::seconds{numbers["--seconds"]};
    Found const none = run(0, false, seconds);
    Found const idle = run(numbers["--idle"], false, seconds);
    Found const active = run(numbers["--active"], true, seconds);
    std::printf(R"({"idle_bytes": %.0f, "idle_open": %zu, "active_bytes": %.0f, )"
                R"("active_open": %zu, "active_stream_share": %.3f, "channel_bytes": %zu})"
                "\n",
                bytes_per_neighbour(idle, none, numbers["--idle"]), idle.opened,
                bytes_per_neighbour(active, none, numbers["--active"]), active.opened,
                active.chunk_share, sizeof(peer::Channel));
    return 0;
}
