#include "protocol/tools/frame.hpp"
#include "tests/protocol/capture_files.hpp"

#include <gtest/gtest.h>

namespace ppsp::tools {
namespace {

using namespace test;

ByteVector const payload{0, 0, 0, 8, 6};

void expect_v4(LinkType link, ByteVector const& frame)
{
    auto const datagram = read_frame(link, frame);
    ASSERT_TRUE(datagram.has_value());
    EXPECT_EQ(datagram->from.text(), "192.0.2.1:6778");
    EXPECT_EQ(datagram->to.text(), "192.0.2.2:6779");
    EXPECT_EQ(ByteVector(datagram->payload.begin(), datagram->payload.end()), payload);
}

void expect_v6(LinkType link, ByteVector const& frame)
{
    auto const datagram = read_frame(link, frame);
    ASSERT_TRUE(datagram.has_value());
    EXPECT_EQ(datagram->from.text(), "[2001:db8::1]:6778");
    EXPECT_EQ(datagram->to.text(), "[2001:db8::2]:6779");
    EXPECT_EQ(ByteVector(datagram->payload.begin(), datagram->payload.end()), payload);
}

void expect_skipped(LinkType link, ByteVector const& frame, FrameSkip why)
{
    auto const datagram = read_frame(link, frame);
    ASSERT_FALSE(datagram.has_value());
    EXPECT_EQ(datagram.error(), why);
}

ByteVector cooked(std::size_t size, std::size_t type_at, std::uint16_t type, ByteVector packet)
{
    ByteVector frame(size);
    frame[type_at] = static_cast<std::uint8_t>(type >> 8);
    frame[type_at + 1] = static_cast<std::uint8_t>(type);
    frame.insert(frame.end(), packet.begin(), packet.end());
    return frame;
}

TEST(FrameTest, each_link_type_is_read)
{
    auto const v4 = ipv4(udp(payload));
    auto const v6 = ipv6(udp(payload));
    expect_v4(LinkType::ethernet, ethernet(0x0800, v4));
    expect_v6(LinkType::ethernet, ethernet(0x86dd, v6));
    expect_v4(LinkType::linux_cooked, cooked(16, 14, 0x0800, v4));
    expect_v6(LinkType::linux_cooked, cooked(16, 14, 0x86dd, v6));
    expect_v4(LinkType::linux_cooked_v2, cooked(20, 0, 0x0800, v4));
    expect_v6(LinkType::linux_cooked_v2, cooked(20, 0, 0x86dd, v6));
    expect_v4(LinkType::raw, v4);
    expect_v6(LinkType::raw, v6);
    expect_v4(LinkType::ipv4, v4);
    expect_v6(LinkType::ipv6, v6);
    expect_v4(LinkType::null, joined({{2, 0, 0, 0}, v4}));
    expect_v6(LinkType::null, joined({{30, 0, 0, 0}, v6}));
    expect_v4(LinkType::loop, joined({{0, 0, 0, 2}, v4}));
}

TEST(FrameTest, vlan_tags_are_skipped_also_stacked_ones)
{
    auto const v4 = ipv4(udp(payload));
    expect_v4(LinkType::ethernet, ethernet(0x8100, joined({{0, 7, 0x08, 0}, v4})));
    expect_v4(LinkType::ethernet, ethernet(0x88a8, joined({{0, 7, 0x81, 0}, {0, 9, 0x08, 0}, v4})));
    expect_skipped(LinkType::ethernet, ethernet(0x8100, {0, 7, 8}), FrameSkip::truncated);
}

TEST(FrameTest, padding_and_ipv4_options_are_no_payload)
{
    auto padded = ethernet(0x0800, ipv4(udp(payload)));
    padded.resize(60);
    expect_v4(LinkType::ethernet, padded);
    auto packet = ipv4(joined({ByteVector(8, 1), udp(payload)})); // eight bytes of options
    packet[0] = 0x47;
    expect_v4(LinkType::raw, packet);
}

TEST(FrameTest, ipv6_extension_headers_are_skipped)
{
    auto const hop_by_hop = joined({{60}, ByteVector(7)});
    auto const options = joined({{51, 1}, ByteVector(14)});
    auto const authentication = joined({{44, 1}, ByteVector(10)});
    ByteVector const atomic_fragment{17, 0, 0, 0, 0, 0, 0, 1};
    expect_v6(
        LinkType::raw,
        ipv6(joined({hop_by_hop, options, authentication, atomic_fragment, udp(payload)}), 0));
    expect_skipped(LinkType::raw, ipv6(joined({{17, 9}, ByteVector(6)}), 0), FrameSkip::truncated);
    expect_skipped(LinkType::raw, ipv6({}, 59), FrameSkip::other);
}

TEST(FrameTest, fragments_are_told_from_whole_packets)
{
    constexpr std::uint16_t more = 0x2000;
    constexpr std::uint16_t dont = 0x4000;
    expect_skipped(LinkType::raw, ipv4(udp(payload), more), FrameSkip::fragment);
    expect_skipped(LinkType::raw, ipv4(udp(payload), 185), FrameSkip::fragment);
    expect_v4(LinkType::raw, ipv4(udp(payload), dont));
    ByteVector const first{17, 0, 0, 1, 0, 0, 0, 1};
    expect_skipped(LinkType::raw, ipv6(joined({first, udp(payload)}), 44), FrameSkip::fragment);
}

TEST(FrameTest, what_is_not_udp_is_other)
{
    expect_skipped(LinkType::ethernet, ethernet(0x0806, ByteVector(28)), FrameSkip::other);
    expect_skipped(LinkType::raw, ipv4(ByteVector(20), 0, false, 6), FrameSkip::other);
    expect_skipped(LinkType::raw, ByteVector(20, 0x10), FrameSkip::other);
}

TEST(FrameTest, every_cut_is_noticed)
{
    for (auto const& frame :
         {ethernet(0x0800, ipv4(udp(payload))), ethernet(0x86dd, ipv6(udp(payload)))}) {
        for (std::size_t size = 0; size < frame.size(); ++size) {
            expect_skipped(
                LinkType::ethernet,
                ByteVector(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size)),
                FrameSkip::truncated);
        }
    }
    auto short_udp = ipv4(udp(payload));
    short_udp[25] = 7; // a UDP length below its header's
    expect_skipped(LinkType::raw, short_udp, FrameSkip::truncated);
}

TEST(FrameTest, packets_that_the_card_was_to_cut_have_no_length)
{
    auto v4 = ipv4(udp(payload));
    v4[2] = v4[3] = 0;
    expect_v4(LinkType::raw, v4);
    auto v6 = ipv6(udp(payload));
    v6[4] = v6[5] = 0;
    expect_v6(LinkType::raw, v6);
}

TEST(FrameTest, other_link_types_are_unknown)
{
    EXPECT_EQ(link_type(1), LinkType::ethernet);
    EXPECT_EQ(link_type(276), LinkType::linux_cooked_v2);
    EXPECT_EQ(link_type(105), std::nullopt); // IEEE 802.11
}

} // namespace
} // namespace ppsp::tools
