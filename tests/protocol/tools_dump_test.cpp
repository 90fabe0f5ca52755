#include "protocol/tools/dump.hpp"
#include "tests/support/wire.hpp"

namespace ppsp::tools {
namespace {

using namespace wire;
using test::hex;

constexpr ChunkRange four_to_seven{ChunkId{4}, ChunkId{7}};

std::string shown(std::string_view datagram)
{
    SwarmFormat format;
    auto const description = describe_datagram(hex(datagram), format);
    EXPECT_FALSE(description.error);
    return description.text;
}

TEST(Dump, ranges)
{
    EXPECT_EQ(describe(Have{four_to_seven}), "HAVE 4..7");
    EXPECT_EQ(describe(Request{single(ChunkId{5})}), "REQUEST 5");
    EXPECT_EQ(describe(Cancel{four_to_seven}), "CANCEL 4..7");
}

TEST(Dump, messages_without_fields)
{
    EXPECT_EQ(describe(Choke{}), "CHOKE");
    EXPECT_EQ(describe(Unchoke{}), "UNCHOKE");
    EXPECT_EQ(describe(PexRequest{}), "PEX_REQ");
}

TEST(Dump, data_shows_the_beginning_of_the_chunk)
{
    ByteVector const chunk = hex("000102030405060708090a0b0c0d0e0f10");
    Data data{single(ChunkId{5}), 1'382'094'735'891'268, Bytes(chunk).first(2)};
    EXPECT_EQ(describe(data), "DATA 5, sent at 1382094735.891268 s, 2 bytes 0001");
    data.payload = chunk;
    EXPECT_EQ(describe(data), "DATA 5, sent at 1382094735.891268 s, 17 bytes "
                              "000102030405060708090a0b0c0d0e0f...");
    data.sent_at = -1; // any 64 bits are allowed
    data.payload = {};
    EXPECT_EQ(describe(data), "DATA 5, sent at 18446744073709.551615 s, 0 bytes ");
}

TEST(Dump, ack_shows_a_signed_delay)
{
    EXPECT_EQ(describe(Ack{four_to_seven, -250ms}), "ACK 4..7, one-way delay -250000 us");
}

TEST(Dump, integrity_shows_the_whole_hash)
{
    ByteVector const hash = hex("11f6ad8ec52a2984abaafd7c3b516503785c2072");
    EXPECT_EQ(describe(Integrity{four_to_seven, hash}),
              "INTEGRITY 4..7, hash 11f6ad8ec52a2984abaafd7c3b516503785c2072");
}

TEST(Dump, signed_integrity_shows_utc_in_both_eras)
{
    ByteVector const signature = hex("abcd");
    EXPECT_EQ(describe(SignedIntegrity{four_to_seven, NtpTime{0xed00378040000000}, signature}),
              "SIGNED_INTEGRITY 4..7, signed at 2026-01-01T00:00:00.250000Z, signature abcd");
    EXPECT_EQ(describe(SignedIntegrity{four_to_seven, NtpTime{0}, signature}),
              "SIGNED_INTEGRITY 4..7, signed at 2036-02-07T06:28:16.000000Z, signature abcd");
    EXPECT_EQ(describe(SignedIntegrity{four_to_seven, NtpTime{0x8000'0000'0000'0000}, signature}),
              "SIGNED_INTEGRITY 4..7, signed at 1968-01-20T03:14:08.000000Z, signature abcd");
}

TEST(Dump, pex)
{
    ByteVector const certificate = hex("3082");
    EXPECT_EQ(describe(PexResponse{Endpoint::parse("192.0.2.33:6778").value()}),
              "PEX_RESv4 192.0.2.33:6778");
    EXPECT_EQ(describe(PexResponse{Endpoint::parse("[2001:db8::33]:6778").value()}),
              "PEX_RESv6 [2001:db8::33]:6778");
    EXPECT_EQ(describe(PexCertificate{certificate}), "PEX_REScert 2 bytes 3082");
}

TEST(Dump, handshake_with_every_option)
{
    Options options;
    options.version = 1;
    options.minimum_version = 1;
    options.swarm_id = hex("0f3e");
    options.integrity_method = IntegrityMethod::unified_merkle_tree;
    options.hash_function = HashFunction::sha256;
    options.signature_algorithm = SignatureAlgorithm::ed25519;
    options.addressing = AddressingMode::chunk32;
    options.discard_window = 36'640;
    options.supported_messages.emplace(0b10'0000'0000'0000'1011ULL);
    options.chunk_size = 1024;
    EXPECT_EQ(describe(Handshake{ChannelId{0xab}, options}),
              "HANDSHAKE from 0x000000ab, version 1, minimum version 1, swarm 0f3e, "
              "integrity unified-merkle-tree, hash sha256, signature ed25519, addressing chunk32, "
              "discard window 36640, supports HANDSHAKE DATA HAVE 17, chunk size 1024");
    options = {};
    options.discard_window = discard_window_all;
    options.supported_messages.emplace();
    options.chunk_size = chunk_size_variable;
    EXPECT_EQ(
        describe(Handshake{ChannelId{1}, options}),
        "HANDSHAKE from 0x00000001, discard window all, supports nothing, chunk size variable");
    EXPECT_EQ(describe(Handshake{}), "HANDSHAKE closing");
}

TEST(Dump, a_datagram_has_a_line_for_each_message)
{
    EXPECT_EQ(shown("00000008 08 00000000 00000000 06"), "to 0x00000008, 14 bytes\n"
                                                         "  REQUEST 0\n"
                                                         "  PEX_REQ\n");
    EXPECT_EQ(shown("deadbeef"), "to 0xdeadbeef, 4 bytes, keep-alive\n");
}

TEST(Dump, an_invalid_message_is_named_with_its_place)
{
    SwarmFormat format;
    auto const description = describe_datagram(hex("00000008 0a 08 0000"), format);
    EXPECT_EQ(description.error, DecodeError::truncated);
    EXPECT_EQ(description.text, "to 0x00000008, 8 bytes\n"
                                "  CHOKE\n"
                                "  invalid from byte 5: truncated\n");
    auto const too_short = describe_datagram(hex("0000"), format);
    EXPECT_EQ(too_short.error, DecodeError::truncated);
    EXPECT_EQ(too_short.text, "not a PPSPP datagram, 2 bytes\n");
}

TEST(Dump, datagrams_after_a_handshake_are_read_by_its_format)
{
    SwarmFormat format;
    (void)describe_datagram(hex("00000000 00 00000001 0001 0600 ff"), format);
    EXPECT_EQ(format.addressing, AddressingMode::bin32);
    EXPECT_EQ(describe_datagram(hex("00000001 03 0000000b"), format).text,
              "to 0x00000001, 9 bytes\n  HAVE 4..7\n");
}

TEST(Dump, hex_may_have_separators)
{
    EXPECT_EQ(parse_datagram("de:ad BE\tef\r"), hex("deadbeef"));
    EXPECT_EQ(parse_datagram(""), ByteVector{});
    EXPECT_FALSE(parse_datagram("abc"));
    EXPECT_FALSE(parse_datagram("0xab"));
    EXPECT_TRUE(parse_datagram(std::string(2 * datagram_size_max, 'a')));
    EXPECT_FALSE(parse_datagram(std::string(2 * datagram_size_max + 2, 'a')));
}

} // namespace
} // namespace ppsp::tools
