#include "tests/support/wire.hpp"

#include <set>

namespace ppsp::wire {
namespace {

using test::hex;
using test::read_all;

SwarmFormat small_chunks(AddressingMode mode = AddressingMode::chunk32)
{
    SwarmFormat format;
    format.addressing = mode;
    format.chunk_size = 4;
    return format;
}

SwarmFormat mode_only(AddressingMode mode)
{
    SwarmFormat format;
    format.addressing = mode;
    return format;
}

std::optional<DecodeError> error_of(std::string_view datagram, SwarmFormat format = {})
{
    ByteVector const bytes = hex(datagram);
    return read_all(bytes, format).error;
}

std::size_t count_of(std::string_view datagram, SwarmFormat format = {})
{
    ByteVector const bytes = hex(datagram);
    return read_all(bytes, format).messages.size();
}

TEST(Ppspp, S3_12_four_bytes_are_a_keep_alive)
{
    ByteVector const bytes = hex("deadbeef");
    DatagramReader reader(bytes, {});
    EXPECT_EQ(reader.destination(), ChannelId{0xdeadbeef});
    EXPECT_EQ(reader.next().value(), std::nullopt);
    EXPECT_EQ(reader.next().value(), std::nullopt);
}

TEST(Ppspp, S8_4_shorter_than_a_channel_id_is_nothing)
{
    for (std::string_view const datagram : {"", "00", "000000"}) {
        ByteVector const bytes = hex(datagram);
        DatagramReader reader(bytes, {});
        EXPECT_FALSE(reader.destination());
        EXPECT_EQ(reader.next().error(), DecodeError::truncated);
    }
}

TEST(Ppspp, S3_d_what_came_before_the_invalid_message_stays)
{
    ByteVector const bytes = hex("00000001 0a 03 00000002 00000001 0b");
    DatagramReader reader(bytes, {});
    EXPECT_EQ(type_of(**reader.next()), MessageType::choke);
    auto const first = reader.next();
    ASSERT_FALSE(first);
    EXPECT_EQ(first.error(), DecodeError::bad_range);
    auto const second = reader.next(); // the UNCHOKE stays unread
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error(), DecodeError::bad_range);
}

TEST(Ppspp, S8_2_unknown_types_are_refused)
{
    for (unsigned type = 14; type < 256; ++type) {
        ByteVector const bytes{0, 0, 0, 1, static_cast<std::uint8_t>(type)};
        EXPECT_EQ(read_all(bytes, {}).error, DecodeError::unknown_message) << type;
    }
}

TEST(Ppspp, S3_1_a_handshake_is_the_first_message)
{
    EXPECT_EQ(error_of("00000001 0a 00 00000005 0001 ff"), DecodeError::misplaced);
    EXPECT_EQ(error_of("00000001 00 00000005 0001 ff 00 00000005 0001 ff"), DecodeError::misplaced);
    EXPECT_EQ(error_of("00000001 00 00000005 0001 ff 0a"), std::nullopt);
}

TEST(Ppspp, S3_1_1_k_closing_handshakes)
{
    for (std::string_view const datagram :
         {"00000001 00 00000000", "00000001 00 00000000 ff", "00000001 00 00000000 0001 ff"}) {
        EXPECT_EQ(error_of(datagram), std::nullopt) << datagram; // trap T4
        EXPECT_EQ(count_of(datagram), 1u);
    }
    EXPECT_EQ(error_of("00000001 00 00000000 0001 0101 ff"), DecodeError::bad_option);
    EXPECT_EQ(error_of("00000001 00 00000000 0001"), DecodeError::truncated);
    EXPECT_EQ(error_of("00000001 00 000000"), DecodeError::truncated);
}

TEST(Ppspp, S7_2_a_an_opening_handshake_has_a_version)
{
    EXPECT_EQ(error_of("00000000 00 00000007 ff"), DecodeError::bad_option);
    EXPECT_EQ(error_of("00000000 00 00000007"), DecodeError::truncated);
    EXPECT_EQ(error_of("00000000 00 00000007 0301 ff"), DecodeError::bad_option);
}

TEST(Ppspp, S3_1_1_a_messages_after_a_handshake_follow_its_format)
{
    ByteVector const bytes = hex("00000000 00 00000007 0001 0400 0604 09 00000200 ff"
                                 "03 0000000000000004 0000000000000007"
                                 "04 0000000000000004 0000000000000007"
                                 "11f6ad8ec52a2984abaafd7c3b516503785c2072");
    DatagramReader reader(bytes, {});
    EXPECT_TRUE(std::holds_alternative<Handshake>(**reader.next()));
    EXPECT_EQ(reader.format().chunk_size, 512u);
    EXPECT_EQ(std::get<Have>(**reader.next()).chunks, (ChunkRange{ChunkId{4}, ChunkId{7}}));
    EXPECT_EQ(std::get<Integrity>(**reader.next()).hash.size(), 20u);
    EXPECT_EQ(reader.next().value(), std::nullopt);
}

TEST(Ppspp, S4_a_ranges_are_not_reversed)
{
    for (std::string_view const type : {"03", "08", "09"}) {
        auto const message = "00000001" + std::string(type);
        EXPECT_EQ(error_of(message + "00000005 00000004"), DecodeError::bad_range);
        EXPECT_EQ(error_of(message + "00000005 00000005"), std::nullopt);
    }
    EXPECT_EQ(error_of("00000001 02 00000005 00000004 0000000000000000"), DecodeError::bad_range);
}

TEST(Ppspp, S4_1_the_highest_number_is_no_chunk)
{
    EXPECT_EQ(error_of("00000001 08 00000000 fffffffe"), std::nullopt);
    EXPECT_EQ(error_of("00000001 08 00000000 ffffffff"), DecodeError::bad_range);
    EXPECT_EQ(error_of("00000001 08 ffffffff ffffffff"), DecodeError::bad_range);
    auto const wide = mode_only(AddressingMode::chunk64);
    EXPECT_EQ(error_of("00000001 08 0000000000000000 fffffffffffffffe", wide), std::nullopt);
    EXPECT_EQ(error_of("00000001 08 0000000000000000 ffffffffffffffff", wide),
              DecodeError::bad_range);
}

TEST(Ppspp, S4_2_empty_bins_are_refused)
{
    EXPECT_EQ(error_of("00000001 03 ffffffff", mode_only(AddressingMode::bin32)),
              DecodeError::bad_range);
    EXPECT_EQ(error_of("00000001 03 ffffffffffffffff", mode_only(AddressingMode::bin64)),
              DecodeError::bad_range);
}

TEST(Ppspp, S4_2_ranges_that_have_no_bin)
{
    ChunkRange const three{ChunkId{0}, ChunkId{2}};
    ChunkRange const unaligned{ChunkId{1}, ChunkId{2}};
    ChunkRange const wide = single(ChunkId{0x8000'0000});
    for (auto const mode : {AddressingMode::bin32, AddressingMode::bin64}) {
        EXPECT_FALSE(has_spec(mode, three));
        EXPECT_FALSE(has_spec(mode, unaligned));
        EXPECT_FALSE(has_spec(mode, {ChunkId{2}, ChunkId{1}}));
    }
    EXPECT_FALSE(has_spec(AddressingMode::bin32, wide));
    EXPECT_TRUE(has_spec(AddressingMode::bin64, wide));
    EXPECT_FALSE(has_spec(AddressingMode::bin64, single(ChunkId{0x8000'0000'0000'0000})));
    EXPECT_FALSE(has_spec(AddressingMode::chunk32, single(ChunkId{0xffff'ffff})));
    EXPECT_FALSE(has_spec(AddressingMode::chunk64, single(ChunkId{~std::uint64_t{0}})));
}

TEST(Ppspp, S8_6_a_single_data_is_the_last_message)
{
    auto const format = small_chunks();
    std::string const data = "01 00000005 00000005 0004e94180b7db44";
    EXPECT_EQ(error_of("00000001 0a" + data + "11223344", format), std::nullopt);
    EXPECT_EQ(error_of("00000001" + data + "1122", format), std::nullopt); // the last chunk
    EXPECT_EQ(error_of("00000001" + data + "11223344 0a", format), DecodeError::misplaced);
    EXPECT_EQ(count_of("00000001" + data + "11223344 0a", format), 2u);
}

TEST(Ppspp, S8_6_b_several_data_of_the_fixed_size)
{
    auto const format = small_chunks();
    std::string const one = "01 00000005 00000005 0004e94180b7db44 11223344";
    std::string const two = "01 00000006 00000006 0004e94180b7db44 55667788";
    std::string const choke = "0a";
    EXPECT_EQ(count_of("00000001" + one + two, format), 2u);
    EXPECT_EQ(error_of("00000001" + one + two, format), std::nullopt);
    EXPECT_EQ(error_of("00000001" + one + choke + two, format), std::nullopt);
    EXPECT_EQ(error_of("00000001" + one + two + choke, format), DecodeError::misplaced);
    std::string const too_short = "01 00000006 00000006 0004e94180b7db44 5566";
    EXPECT_EQ(error_of("00000001" + one + too_short, format), DecodeError::bad_chunk);
}

TEST(Ppspp, S8_6_chunk_longer_than_the_chunk_size_is_refused)
{
    std::string const data = "00000001 01 00000005 00000005 0004e94180b7db44";
    EXPECT_EQ(error_of(data + "1122334455", small_chunks()), DecodeError::bad_chunk); // trap T23
    EXPECT_EQ(count_of(data + "1122334455", small_chunks()), 0u);
    EXPECT_EQ(error_of(data, small_chunks()), DecodeError::bad_chunk);
    SwarmFormat variable = small_chunks();
    variable.chunk_size = chunk_size_variable;
    EXPECT_EQ(error_of(data + "1122334455", variable), std::nullopt);
    SwarmFormat senseless = small_chunks();
    senseless.chunk_size = 0;
    EXPECT_EQ(error_of(data + "11", senseless), DecodeError::bad_chunk);
}

TEST(Ppspp, S8_6_data_names_one_chunk)
{
    EXPECT_EQ(error_of("00000001 01 00000005 00000006 0004e94180b7db44 11", small_chunks()),
              DecodeError::bad_range);
    EXPECT_EQ(
        error_of("00000001 01 00000001 0004e94180b7db44 11", small_chunks(AddressingMode::bin32)),
        DecodeError::bad_range);
}

TEST(Ppspp, S8_6_byte_ranges_tell_the_length_of_the_payload)
{
    auto const format = small_chunks(AddressingMode::byte64);
    std::string const time = "0004e94180b7db44";
    std::string const first = "00000001 01 0000000000000000 0000000000000003" + time;
    EXPECT_EQ(error_of(first + "11223344", format), std::nullopt);
    EXPECT_EQ(error_of(first + "112233", format), DecodeError::truncated);
    EXPECT_EQ(error_of(first + "11223344 ff", format), DecodeError::bad_chunk);
    EXPECT_EQ(
        error_of("00000001 01 0000000000000000 0000000000000004" + time + "1122334455", format),
        DecodeError::bad_chunk);
    std::string const shorter = "01 0000000000000004 0000000000000005" + time + "5566";
    EXPECT_EQ(error_of("00000001" + shorter, format), std::nullopt);
    EXPECT_EQ(error_of("00000001" + shorter + "0a", format), DecodeError::bad_chunk);
    SwarmFormat variable = format;
    variable.chunk_size = chunk_size_variable;
    EXPECT_EQ(error_of(first + "11223344", variable), std::nullopt);
    EXPECT_EQ(error_of(first + "11223344 0a", variable), DecodeError::bad_chunk);
}

TEST(Ppspp, S8_messages_that_end_early_are_truncated)
{
    for (std::string_view const body :
         {"01 00000005 00000005 0004e94180b7db", "02 00000005 00000005 00000000000000",
          "02 00000005", "03 00000005 000000", "04 00000005 00000005 00", "05 c0000221 1a",
          "05 c00002", "07 00000005 00000005 ed003780400000",
          "07 00000005 00000005 ed00378040000000 00", "08", "09 00",
          "0c 20010db8000000000000000000000033 1a", "0d", "0d 0005 43455254", "0d 00"}) {
        EXPECT_EQ(error_of("00000001" + std::string(body)), DecodeError::truncated) << body;
    }
}

TEST(Ppspp, S8_types_have_their_numbers)
{
    ByteVector const bytes;
    ChunkRange const range = single(ChunkId{0});
    std::vector<Message> const messages{Handshake{},
                                        Data{range, 0, bytes},
                                        Ack{range, {}},
                                        Have{range},
                                        Integrity{range, bytes},
                                        PexResponse{Endpoint::v4(1, 1)},
                                        PexRequest{},
                                        SignedIntegrity{range, NtpTime{}, bytes},
                                        Request{range},
                                        Cancel{range},
                                        Choke{},
                                        Unchoke{},
                                        PexResponse{Endpoint::v6({0x20, 1}, 1)},
                                        PexCertificate{bytes}};
    for (std::size_t i = 0; i < messages.size(); ++i) {
        EXPECT_EQ(static_cast<std::size_t>(type_of(messages[i])), i);
    }
}

TEST(Ppspp, S8_errors_have_names)
{
    std::set<std::string_view> names;
    for (auto const error :
         {DecodeError::truncated, DecodeError::unknown_message, DecodeError::bad_option,
          DecodeError::bad_range, DecodeError::bad_chunk, DecodeError::misplaced}) {
        names.insert(to_string(error));
    }
    EXPECT_EQ(names.size(), 6u);
    EXPECT_TRUE(names.contains("bad_range"));
}

TEST(Ppspp, S8_1_a_a_datagram_is_not_filled_beyond_its_size)
{
    DatagramWriter writer(ChannelId{1}, {}, 4 + 9 + 9 + 1);
    EXPECT_FALSE(writer.has_messages());
    EXPECT_TRUE(writer.add(Have{single(ChunkId{1})}));
    EXPECT_TRUE(writer.add(Have{single(ChunkId{2})}));
    EXPECT_FALSE(writer.add(Have{single(ChunkId{3})}));
    EXPECT_EQ(writer.room(), 1u);
    EXPECT_TRUE(writer.add(Choke{}));
    EXPECT_FALSE(writer.add(Choke{}));
    EXPECT_EQ(to_hex(writer.take()), "00000001"
                                     "030000000100000001"
                                     "030000000200000002"
                                     "0a");
}

TEST(Ppspp, S3_b_a_writer_starts_again_after_take)
{
    DatagramWriter writer(ChannelId{7}, small_chunks(), 100);
    ByteVector const chunk = hex("1122");
    EXPECT_TRUE(writer.add(Data{single(ChunkId{0}), 1, chunk}));
    EXPECT_FALSE(writer.add(Choke{}));
    EXPECT_EQ(writer.take().size(), 4u + 17 + 2);
    EXPECT_FALSE(writer.has_messages());
    EXPECT_EQ(writer.size(), 4u);
    EXPECT_TRUE(writer.add(Choke{}));
    EXPECT_EQ(to_hex(writer.take()), "000000070a");
    EXPECT_EQ(to_hex(writer.take()), "00000007"); // a keep-alive
}

TEST(Ppspp, S3_b_a_writer_takes_memory_for_its_first_datagram)
{
    ByteVector memory(50, 0xff);
    memory.reserve(100);
    auto const* const place = memory.data();
    DatagramWriter writer(ChannelId{7}, {}, 100, std::move(memory));
    EXPECT_FALSE(writer.has_messages());
    EXPECT_EQ(writer.room(), 96u);
    EXPECT_TRUE(writer.add(Choke{}));
    ByteVector const datagram = writer.take();
    EXPECT_EQ(to_hex(datagram), "000000070a");
    EXPECT_EQ(datagram.data(), place);
}

TEST(Ppspp, S3_1_a_writer_puts_no_handshake_behind_other_messages)
{
    DatagramWriter writer(ChannelId{7}, {}, 100);
    EXPECT_TRUE(writer.add(Handshake{}));
    EXPECT_FALSE(writer.add(Handshake{}));
    EXPECT_EQ(to_hex(writer.take()), "000000070000000000ff");
    EXPECT_TRUE(writer.add(Choke{}));
    EXPECT_FALSE(writer.add(Handshake{}));
}

TEST(Ppspp, S8_6_writer_keeps_data_at_the_end)
{
    DatagramWriter writer(ChannelId{7}, small_chunks(), 200);
    ByteVector const full = hex("11223344");
    ByteVector const part = hex("1122");
    EXPECT_TRUE(writer.add(Have{single(ChunkId{0})}));
    EXPECT_TRUE(writer.add(Data{single(ChunkId{0}), 1, full}));
    EXPECT_FALSE(writer.add(Have{single(ChunkId{0})}));
    EXPECT_FALSE(writer.add(Data{single(ChunkId{1}), 1, part}));
    EXPECT_TRUE(writer.add(Data{single(ChunkId{1}), 1, full}));
    ByteVector const datagram = writer.take();
    EXPECT_EQ(read_all(datagram, small_chunks()).error, std::nullopt);
    EXPECT_EQ(read_all(datagram, small_chunks()).messages.size(), 3u);
}

TEST(Ppspp, S8_14_a_certificate_beyond_its_length_field_is_not_written)
{
    ByteVector const certificate(65'536);
    DatagramWriter writer(ChannelId{7}, {}, 100'000);
    EXPECT_FALSE(writer.add(PexCertificate{certificate}));
    EXPECT_TRUE(writer.add(PexCertificate{Bytes(certificate).first(65'535)}));
}

TEST(Wire, a_chunk_at_the_end_is_recognised_without_reading_the_rest)
{
    SwarmFormat format;
    format.chunk_size = 100;
    ByteVector const chunk(100, 0x55);
    for (auto const addressing : {AddressingMode::chunk32, AddressingMode::chunk64,
                                  AddressingMode::bin32, AddressingMode::bin64}) {
        format.addressing = addressing;
        DatagramWriter writer(ChannelId{7}, format, 1000);
        EXPECT_TRUE(writer.add(Have{single(ChunkId{0})}));
        EXPECT_TRUE(writer.add(Data{single(ChunkId{3}), 1, chunk}));
        ByteVector const datagram = writer.take();
        auto const found = likely_chunk(datagram, format);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->data(), datagram.data() + datagram.size() - 100);
        EXPECT_EQ(found->size(), 100U);
    }
    format.addressing = AddressingMode::chunk32;
    DatagramWriter writer(ChannelId{7}, format, 1000);
    EXPECT_TRUE(writer.add(Data{single(ChunkId{3}), 1, Bytes(chunk).first(99)}));
    EXPECT_EQ(likely_chunk(writer.take(), format), std::nullopt) << "the last chunk is shorter";
    EXPECT_EQ(likely_chunk(ByteVector(120, 1), format), std::nullopt) << "too short for a channel";
    EXPECT_TRUE(likely_chunk(ByteVector(121, 1), format));
    format.chunk_size = chunk_size_variable;
    EXPECT_EQ(likely_chunk(ByteVector(1000, 1), format), std::nullopt);
}

} // namespace
} // namespace ppsp::wire
