#include "protocol/tools/capture.hpp"
#include "tests/protocol/capture_files.hpp"
#include "tests/support/vectors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

namespace ppsp::tools {
namespace {

using namespace test;
using testing::HasSubstr;

constexpr std::uint32_t ethernet_link = 1;
constexpr std::uint32_t raw_link = 101;
ByteVector const pex_request{0, 0, 0, 8, 6};

struct Dumped {
    std::string text;
    Result<CaptureSummary, std::string> summary;
};

Dumped dump(std::string const& path, std::vector<std::uint16_t> const& ports = {})
{
    std::ostringstream out;
    auto summary = dump_capture(path, ports, wire::SwarmFormat{}, out);
    return {out.str(), std::move(summary)};
}

Dumped dump(Bytes file, std::vector<std::uint16_t> const& ports = {})
{
    auto const* const test = testing::UnitTest::GetInstance()->current_test_info();
    return dump(file_with(std::string("capture-") + test->name(), file), ports);
}

ByteVector vector_named(std::string const& name)
{
    auto const vectors = ppsp::test::load_vectors("ppspp_wire.json");
    for (auto const& vector : vectors.at("datagrams_and_messages").as_array()) {
        if (ppsp::test::text_of(vector, "name") == name) {
            return ppsp::test::bytes_of(vector, "hex");
        }
    }
    ADD_FAILURE() << name;
    return {};
}

constexpr auto shown = "2026-01-01T00:00:00.000000Z 192.0.2.1:6778 > 192.0.2.2:6779 to 0x00000008, "
                       "5 bytes\n  PEX_REQ\n";

TEST(CaptureTest, datagrams_have_time_and_addresses)
{
    std::vector<ByteVector> const frames{ethernet(0x0800, ipv4(udp(pex_request)))};
    auto const classic = dump(pcap(ethernet_link, frames));
    ASSERT_TRUE(classic.summary.has_value()) << classic.summary.error();
    EXPECT_EQ(classic.text, shown);
    EXPECT_EQ(dump(pcapng(ethernet_link, frames)).text, shown);
}

TEST(CaptureTest, both_numbers_of_raw_ip_are_read)
{
    std::vector<ByteVector> const frames{ipv4(udp(pex_request))};
    EXPECT_EQ(dump(pcap(raw_link, frames)).text, shown);
    EXPECT_EQ(dump(pcap(228, frames)).text, shown);
}

TEST(CaptureTest, what_is_skipped_is_counted)
{
    auto const result = dump(pcap(raw_link, {
                                                ipv4(udp(pex_request)),
                                                ipv4(udp(pex_request), 0x2000),
                                                ipv4(udp({0, 0, 0, 1, 14})),
                                                {0x45, 0},
                                                ipv4(ByteVector(20), 0, false, 6),
                                            }));
    ASSERT_TRUE(result.summary.has_value());
    EXPECT_EQ(summary_text(*result.summary),
              "2 datagrams, 1 of them invalid; skipped: 1 IP fragments, 1 cut short, 1 others");
    EXPECT_THAT(result.text, HasSubstr("invalid from byte 4: unknown_message"));
}

TEST(CaptureTest, ports_choose)
{
    auto const file = pcap(raw_link, {ipv4(udp(pex_request, 53, 6000)), ipv4(udp(pex_request))});
    for (auto const port : {std::uint16_t{6778}, std::uint16_t{6779}}) {
        auto const result = dump(file, {port});
        ASSERT_TRUE(result.summary.has_value());
        EXPECT_EQ(result.summary->datagrams, 1u);
        EXPECT_EQ(result.summary->others, 1u);
    }
    EXPECT_EQ(dump(file, {53, 6779}).summary->datagrams, 2u);
    EXPECT_EQ(dump(file, {7}).summary->datagrams, 0u);
}

/// The conversations of two swarms with different formats, mixed.
TEST(CaptureTest, each_conversation_has_its_own_format)
{
    auto const handshake = vector_named("rfc8.16-1-corrected"); // 32-bit chunks, channel 1
    auto other = handshake;
    other[8] = 2;  // channel 2 ...
    other[53] = 4; // ... of a swarm with 64-bit chunk ranges
    ASSERT_EQ(handshake[52], 6);
    ByteVector const have32{0, 0, 0, 1, 3, 0, 0, 0, 4, 0, 0, 0, 7};
    ByteVector const have64{0, 0, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 7};
    auto const back = [](ByteVector const& datagram) {
        return ipv4(udp(datagram, 6779, 6778), 0, true);
    };
    auto const result = dump(pcap(raw_link, {ipv4(udp(handshake)), ipv4(udp(other)), back(have32),
                                             back(have64), back(have32)}));
    ASSERT_TRUE(result.summary.has_value());
    EXPECT_EQ(result.summary->invalid, 0u) << result.text;
    std::size_t haves = 0;
    for (auto at = result.text.find("HAVE 4..7"); at != std::string::npos;
         at = result.text.find("HAVE 4..7", at + 1)) {
        ++haves;
    }
    EXPECT_EQ(haves, 3u) << result.text;
}

TEST(CaptureTest, errors_are_sentences)
{
    auto const missing = dump("/nonexistent.pcap");
    ASSERT_FALSE(missing.summary.has_value());
    EXPECT_THAT(missing.summary.error(), HasSubstr("/nonexistent.pcap: No such file"));
    auto const text = dump(as_bytes("this is no capture, only a text of some length"));
    ASSERT_FALSE(text.summary.has_value());
    EXPECT_THAT(text.summary.error(), HasSubstr("unknown file format"));
    auto const radio = dump(pcap(105, {ByteVector(60)}));
    ASSERT_FALSE(radio.summary.has_value());
    EXPECT_THAT(radio.summary.error(), HasSubstr("\"802.11\" are not read; Ethernet"));
}

TEST(CaptureTest, what_came_before_the_damage_is_shown)
{
    auto file = pcap(raw_link, {ipv4(udp(pex_request)), ipv4(udp(pex_request))});
    file.pop_back();
    auto const result = dump(file);
    EXPECT_EQ(result.text, shown);
    ASSERT_FALSE(result.summary.has_value());
    EXPECT_THAT(result.summary.error(), HasSubstr("truncated"));
}

} // namespace
} // namespace ppsp::tools
