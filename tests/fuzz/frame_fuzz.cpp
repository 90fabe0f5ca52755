#include "protocol/base/assert.hpp"
#include "protocol/tools/dump.hpp"
#include "protocol/tools/frame.hpp"
#include "tests/fuzz/input.hpp"

/// A frame of a packet capture: the first byte chooses the link type. What is taken for a datagram
/// lies within the frame.
namespace ppsp::fuzz {

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    constexpr tools::LinkType links[] = {
        tools::LinkType::ethernet,        tools::LinkType::raw,  tools::LinkType::linux_cooked,
        tools::LinkType::linux_cooked_v2, tools::LinkType::null, tools::LinkType::ipv6,
    };
    Input input(data, size);
    auto const link = input.one_of(links);
    Bytes const frame = input.rest();
    auto const datagram = tools::read_frame(link, frame);
    if (!datagram) {
        return 0;
    }
    PPSP_ASSERT(datagram->payload.data() >= frame.data() &&
                datagram->payload.data() + datagram->payload.size() <= frame.data() + frame.size());
    wire::SwarmFormat format;
    static_cast<void>(tools::describe_datagram(datagram->payload, format));
    return 0;
}

} // namespace ppsp::fuzz
