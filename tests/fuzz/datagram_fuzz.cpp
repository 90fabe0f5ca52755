#include "protocol/base/assert.hpp"
#include "protocol/tools/dump.hpp"
#include "tests/fuzz/input.hpp"

#include <cstring>
#include <vector>

/// A datagram in any swarm format: what is read is within its bounds, can be described, and written
/// again gives the same messages.
namespace ppsp::fuzz {
namespace {

using namespace wire;

SwarmFormat format_of(Input& input)
{
    constexpr std::uint8_t hash_sizes[] = {20, 28, 32, 48, 64};
    constexpr std::uint16_t signature_sizes[] = {64, 96, 114, 256, 512};
    constexpr std::uint32_t chunk_sizes[] = {1, 188, 1024, 8192, chunk_size_variable};
    SwarmFormat format;
    format.addressing = static_cast<AddressingMode>(input.below(5));
    format.hash_size = input.one_of(hash_sizes);
    format.signature_size = input.one_of(signature_sizes);
    format.chunk_size = input.one_of(chunk_sizes);
    return format;
}

std::vector<Message> read(Bytes datagram, SwarmFormat format)
{
    DatagramReader reader(datagram, format);
    std::vector<Message> messages;
    std::size_t left = reader.remaining();
    for (;;) {
        auto message = reader.next();
        if (!message) {
            auto const again = reader.next();
            PPSP_ASSERT(!again && again.error() == message.error());
            return messages;
        }
        if (!*message) {
            PPSP_ASSERT(reader.remaining() == 0 || !reader.destination());
            return messages;
        }
        PPSP_ASSERT(reader.remaining() < left);
        left = reader.remaining();
        messages.push_back(std::move(**message));
    }
}

/// Messages written alone and read back are the same bytes, text for text.
void check_round_trip(Message const& message, SwarmFormat format)
{
    DatagramWriter writer(ChannelId{1}, format, 4 + encoded_size(message, format));
    PPSP_ASSERT(writer.add(message));
    PPSP_ASSERT(writer.size() == 4 + encoded_size(message, format));
    ByteVector const written = writer.take();
    auto const again = read(written, format);
    PPSP_ASSERT(again.size() == 1);
    PPSP_ASSERT(tools::describe(again.front()) == tools::describe(message));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    Input input(data, size);
    SwarmFormat format = format_of(input);
    Bytes const datagram = input.rest();
    SwarmFormat named = format;
    static_cast<void>(tools::describe_datagram(datagram, named));
    auto const messages = read(datagram, format);
    bool const names_format =
        !messages.empty() && std::holds_alternative<Handshake>(messages.front());
    for (Message const& message : messages) {
        check_round_trip(message, names_format ? named : format);
    }
    return 0;
}

} // namespace ppsp::fuzz
