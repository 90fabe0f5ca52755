#include "protocol/base/assert.hpp"
#include "protocol/wire/datagram.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/support/recording_world.hpp"

/// A seed and a leecher of a recording beside a neighbour that keeps to no rule: the bytes are a
/// list of what it does. Whatever the leecher holds is the content's.
namespace ppsp::fuzz {
namespace {

using namespace std::chrono_literals;
using wire::MessageType;

constexpr std::uint32_t chunk_size = 64;
constexpr std::size_t chunks = 37; // peaks of 32, 4 and 1
constexpr std::size_t content_size = chunks * chunk_size - 9;
constexpr int steps_max = 200;
constexpr std::size_t sessions_max = 16;
Endpoint const hostile = Endpoint::v4(0x0a000042, 6778);

test::RecordingWorld::Options options_of(std::uint8_t choice)
{
    test::RecordingWorld::Options options;
    options.chunk_size = chunk_size;
    options.tell_length = (choice & 1) != 0;
    options.hash_function =
        (choice & 2) != 0 ? wire::HashFunction::sha1 : wire::HashFunction::sha256;
    options.addressing =
        (choice & 4) != 0 ? wire::AddressingMode::chunk64 : wire::AddressingMode::chunk32;
    return options;
}

class HostileRecording {
public:
    explicit HostileRecording(std::uint8_t choice)
        : world_(test::random_content(content_size), options_of(choice)),
          seed_(world_.add_seed(config(choice))), leecher_(world_.add_leecher(config(choice))),
          format_{.addressing = world_.options.addressing,
                  .hash_size = wire::hash_size(world_.options.hash_function)}
    {
        world_.stranger = [this](Endpoint from, Endpoint, Bytes bytes) { overhear(from, bytes); };
        if ((choice & 16) != 0) {
            world_.introduce(leecher_); // the seed is there from the beginning
        }
    }

    void step(Input& input)
    {
        switch (input.below(8)) {
        case 0:
            world_.run_for(std::chrono::milliseconds{input.u8()});
            break;
        case 1:
            world_.run_for(50ms * input.u8());
            break;
        case 2:
            open(input);
            break;
        case 3:
            answer(input);
            break;
        case 4:
            world_.handle(leecher_, peer::CandidatesFound{world_.id(), {hostile}});
            break;
        case 5:
            world_.handle(leecher_, peer::PlayFrom{world_.id(), input.u32() % content_size});
            break;
        default:
            say(input);
            break;
        }
        check();
    }

    /// The hostile neighbour falls silent, and the seed is there.
    void finish()
    {
        world_.introduce(leecher_, seed_);
        world_.run_for(100ms);
        check();
    }

private:
    struct Session {
        test::RecordingNode* node = nullptr;
        ChannelId number{};
    };

    static peer::NodeConfig config(std::uint8_t choice)
    {
        peer::NodeConfig config;
        config.strict = (choice & 8) != 0;
        config.neighbours_max = 7;
        config.uplink_bps = 400'000; // the recording takes a while
        return config;
    }

    void check()
    {
        Bytes const right = world_.content();
        for (std::size_t at = 0; at < content_size; at += chunk_size) {
            auto const held = leecher_.node.engine.held_from(world_.id(), at);
            if (held == 0) {
                continue;
            }
            std::size_t const size = std::min<std::size_t>(chunk_size, content_size - at);
            Bytes const bytes = leecher_.content.read(at, size);
            PPSP_ASSERT(bytes.size() == size &&
                        std::equal(bytes.begin(), bytes.end(), right.begin() + at));
        }
        auto const figures = world_.figures(leecher_);
        PPSP_ASSERT(!figures.content_length || figures.content_bytes <= *figures.content_length);
        PPSP_ASSERT(figures.neighbours <= 7);
    }

    void overhear(Endpoint from, Bytes bytes)
    {
        wire::DatagramReader reader(bytes, format_);
        auto const message = reader.next();
        auto const* const handshake =
            message && *message ? std::get_if<wire::Handshake>(&**message) : nullptr;
        if (handshake == nullptr || to_number(handshake->source) == 0) {
            return;
        }
        for (test::RecordingNode* const node : {&seed_, &leecher_}) {
            if (node->node.endpoint == from) {
                sessions_.push_back({node, handshake->source});
            }
        }
        if (sessions_.size() > sessions_max) {
            sessions_.erase(sessions_.begin());
        }
    }

    [[nodiscard]] wire::Options options(Input& input, bool initiator) const
    {
        wire::Options options;
        options.version = 1;
        options.minimum_version = 1;
        if (initiator) {
            options.swarm_id = world_.id();
        }
        options.integrity_method = wire::IntegrityMethod::merkle_tree;
        options.hash_function = world_.options.hash_function;
        options.addressing = world_.options.addressing;
        switch (input.below(6)) {
        case 0: // the drafts
            break;
        case 1:
            options.supported_messages = wire::SupportedMessages{input.u16()};
            break;
        case 2:
            options.chunk_size = input.u32();
            break;
        default:
            options.chunk_size = chunk_size;
            break;
        }
        return options;
    }

    void deliver(test::RecordingNode& node, ChannelId channel, Bytes body)
    {
        ByteVector datagram;
        ByteWriter out{datagram};
        out.u32(to_number(channel));
        out.bytes(body);
        world_.inject(hostile, node, std::move(datagram));
        world_.run_for(6ms);
    }

    void handshake(Input& input, test::RecordingNode& node, ChannelId channel, bool initiator)
    {
        ByteVector body;
        ByteWriter out{body};
        out.u8(static_cast<std::uint8_t>(MessageType::handshake));
        out.u32(input.u32());
        wire::encode_options(options(input, initiator), body);
        ByteVector const more = messages(input);
        body.insert(body.end(), more.begin(), more.end());
        deliver(node, channel, body);
    }

    void open(Input& input)
    {
        handshake(input, input.flag() ? seed_ : leecher_, ChannelId{0}, true);
    }

    void answer(Input& input)
    {
        if (!sessions_.empty()) {
            Session const to = sessions_[input.below(sessions_.size())];
            handshake(input, *to.node, to.number, false);
        }
    }

    void say(Input& input)
    {
        if (!sessions_.empty()) {
            Session const to = sessions_[input.below(sessions_.size())];
            deliver(*to.node, to.number, messages(input));
        }
    }

    void number(ByteWriter& out, std::uint64_t value) const
    {
        if (world_.options.addressing == wire::AddressingMode::chunk64) {
            out.u64(value);
        } else {
            out.u32(static_cast<std::uint32_t>(value));
        }
    }

    /// A node of the tree, a peak of another size, some chunks, or anything.
    ChunkRange spec(Input& input, ByteWriter& out) const
    {
        std::uint64_t first = input.u8() % (chunks + 3);
        std::uint64_t last = first;
        switch (input.below(5)) {
        case 0: {
            std::uint64_t const width = std::uint64_t{1} << input.below(7);
            first = first / width * width;
            last = first + width - 1;
            break;
        }
        case 1:
            last = first + input.below(8);
            break;
        case 2:
            first = 0;
            last = chunks - 1;
            break;
        case 3:
            first = input.u32();
            last = input.u32();
            break;
        default:
            break;
        }
        number(out, first);
        number(out, last);
        return {ChunkId{first}, ChunkId{last}};
    }

    void message(Input& input, ByteVector& bytes) const
    {
        constexpr MessageType types[] = {MessageType::data,      MessageType::integrity,
                                         MessageType::have,      MessageType::request,
                                         MessageType::ack,       MessageType::cancel,
                                         MessageType::choke,     MessageType::unchoke,
                                         MessageType::integrity, MessageType::data};
        ByteWriter out{bytes};
        auto const type = input.one_of(types);
        out.u8(static_cast<std::uint8_t>(type));
        if (type == MessageType::choke || type == MessageType::unchoke) {
            return;
        }
        ChunkRange const range = spec(input, out);
        if (type == MessageType::integrity) {
            hash(input, range, out);
        } else if (type == MessageType::ack) {
            out.u64(input.u16());
        } else if (type == MessageType::data) {
            out.u64(input.u16());
            payload(input, range, out);
        }
    }

    void hash(Input& input, ChunkRange range, ByteWriter& out) const
    {
        auto const width = to_number(range.last) - to_number(range.first) + 1;
        bool const is_node = range.first <= range.last && std::has_single_bit(width) &&
                             to_number(range.first) % width == 0 && to_number(range.last) < 64;
        if (is_node && input.below(4) != 0) {
            integrity::Hash const right = world_.tree().node(make_bin(
                static_cast<unsigned>(std::countr_zero(width)), to_number(range.first) / width));
            out.bytes(right.bytes());
        } else {
            out.bytes(ByteVector(format_.hash_size, input.u8()));
        }
    }

    void payload(Input& input, ChunkRange range, ByteWriter& out) const
    {
        std::uint64_t const at = to_number(range.first) * chunk_size;
        if (at < content_size && input.below(4) != 0) {
            std::size_t const size = std::min<std::size_t>(chunk_size, content_size - at);
            out.bytes(Bytes{world_.content()}.subspan(at, size));
        } else {
            out.bytes(ByteVector(1 + input.below(chunk_size), input.u8()));
        }
    }

    [[nodiscard]] ByteVector messages(Input& input) const
    {
        ByteVector bytes;
        for (std::size_t left = input.below(8); left > 0 && bytes.size() < 1400; --left) {
            message(input, bytes);
        }
        return bytes;
    }

    test::RecordingWorld world_;
    test::RecordingNode& seed_;
    test::RecordingNode& leecher_;
    wire::SwarmFormat format_;
    std::vector<Session> sessions_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    Input input(data, size);
    HostileRecording world(input.u8());
    for (int steps = 0; steps < steps_max && !input.empty(); ++steps) {
        world.step(input);
    }
    world.finish();
    return 0;
}

} // namespace ppsp::fuzz
