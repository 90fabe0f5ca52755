#include "tests/support/wire.hpp"

namespace ppsp::wire {
namespace {

using test::hex;

Result<Options, DecodeError> decoded(std::string_view text)
{
    ByteVector const bytes = hex(text);
    ByteReader reader(bytes);
    return decode_options(reader);
}

Result<Options, DecodeError> refused(DecodeError error)
{
    return failure(error);
}

std::string encoded(Options const& options)
{
    ByteVector bytes;
    encode_options(options, bytes);
    EXPECT_EQ(encoded_size(options), bytes.size());
    return to_hex(bytes);
}

Options version_one()
{
    Options options;
    options.version = 1;
    return options;
}

TEST(Ppspp, S7_a_options_ascend)
{
    EXPECT_TRUE(decoded("0001 0101 0301 ff"));
    EXPECT_EQ(decoded("0001 0301 0101 ff"), refused(DecodeError::bad_option));
    EXPECT_EQ(decoded("0001 0101 0101 ff"), refused(DecodeError::bad_option));
}

TEST(Ppspp, S7_1_a_list_ends_with_the_end_option_and_the_rest_is_messages)
{
    ByteVector const bytes = hex("0001 ff 0a");
    ByteReader reader(bytes);
    EXPECT_EQ(decode_options(reader).value(), version_one());
    EXPECT_EQ(to_hex(reader.rest()), "0a");
    EXPECT_EQ(decoded("0001"), refused(DecodeError::truncated));
    EXPECT_EQ(decoded(""), refused(DecodeError::truncated));
    EXPECT_EQ(decoded("ff").value(), Options{});
}

TEST(Ppspp, S7_2_a_version_comes_first)
{
    EXPECT_EQ(decoded("0101 ff"), refused(DecodeError::bad_option));
    EXPECT_EQ(decoded("0009 ff").value().version, 9); // the channel decides about versions
}

TEST(Ppspp, S7_4_a_swarm_id_has_a_limit)
{
    Options options = version_one();
    options.swarm_id = ByteVector(swarm_id_size_max, 0xab);
    ByteVector bytes;
    encode_options(options, bytes);
    ByteReader reader(bytes);
    EXPECT_EQ(decode_options(reader).value(), options);

    bytes = hex("0001 02 0401");
    bytes.resize(bytes.size() + swarm_id_size_max + 1);
    bytes.push_back(0xff);
    ByteReader too_long(bytes);
    EXPECT_EQ(decode_options(too_long), refused(DecodeError::bad_option));
    EXPECT_EQ(decoded("0001 02 0003 abcd"), refused(DecodeError::truncated));
    EXPECT_EQ(decoded("0001 02 00"), refused(DecodeError::truncated));
}

TEST(Ppspp, S7_5_unknown_values_are_refused)
{
    for (std::string_view const list :
         {"0001 0304 ff", "0001 0405 ff", "0001 0500 ff", "0001 050c ff", "0001 0511 ff",
          "0001 0605 ff", "0001 09 00000000 ff"}) {
        EXPECT_EQ(decoded(list), refused(DecodeError::bad_option)) << list;
    }
}

TEST(Ppspp, S7_7_a_signature_algorithms)
{
    for (std::uint8_t const number : ByteVector{5, 8, 13, 14, 15, 16}) {
        ByteVector const bytes{0, 1, 5, number, 0xff};
        ByteReader reader(bytes);
        EXPECT_EQ(decode_options(reader).value().signature_algorithm, SignatureAlgorithm{number});
    }
}

TEST(Ppspp, S7_unknown_options_are_refused)
{
    for (unsigned code = 10; code < 255; ++code) { // trap T5: nobody knows their length
        ByteVector const bytes{0, 1, static_cast<std::uint8_t>(code), 0, 0xff};
        ByteReader reader(bytes);
        EXPECT_EQ(decode_options(reader), refused(DecodeError::bad_option)) << code;
    }
}

TEST(Ppspp, S7_9_a_window_is_as_wide_as_the_addressing_method)
{
    Options options = version_one();
    options.discard_window = 60;
    for (auto const& [mode, list] :
         {std::pair{AddressingMode::bin32, "00010600070000003cff"},
          std::pair{AddressingMode::byte64, "0001060107000000000000003cff"},
          std::pair{AddressingMode::chunk32, "00010602070000003cff"},
          std::pair{AddressingMode::bin64, "0001060307000000000000003cff"},
          std::pair{AddressingMode::chunk64, "0001060407000000000000003cff"}}) {
        options.addressing = mode;
        EXPECT_EQ(encoded(options), list);
        EXPECT_EQ(decoded(list).value(), options);
    }
    EXPECT_EQ(decoded("0001 07 0000003c ff"), refused(DecodeError::bad_option));
    EXPECT_EQ(decoded("0001 0602 07 0000"), refused(DecodeError::truncated));
    EXPECT_EQ(decoded("0001 0604 07 0000003c ff"), refused(DecodeError::truncated));
}

TEST(Ppspp, S7_9_a_all_ones_keeps_everything)
{
    Options options = version_one();
    options.addressing = AddressingMode::chunk32;
    options.discard_window = discard_window_all;
    EXPECT_EQ(encoded(options), "0001060207ffffffffff");
    EXPECT_EQ(decoded("0001 0602 07 ffffffff ff").value(), options);
    options.discard_window = 0x1'0000'0000; // more than the mode can number is everything
    EXPECT_EQ(encoded(options), "0001060207ffffffffff");

    options.addressing = AddressingMode::chunk64;
    options.discard_window = discard_window_all;
    EXPECT_EQ(encoded(options), "0001060407ffffffffffffffffff");
    EXPECT_EQ(decoded("0001 0604 07 ffffffffffffffff ff").value(), options);
    EXPECT_EQ(decoded("0001 0604 07 00000000ffffffff ff").value().discard_window, 0xffff'ffffu);
}

TEST(Ppspp, S7_10_a_bitmap_is_cut_after_its_last_bit)
{
    Options options = version_one();
    options.supported_messages.emplace();
    EXPECT_EQ(encoded(options), "00010800ff");
    EXPECT_EQ(decoded("0001 0800 ff").value(), options);
    options.supported_messages->set(255);
    EXPECT_EQ(encoded(options), "00010820" + std::string(62, '0') + "01ff");
    options.supported_messages->reset().set(8);
    EXPECT_EQ(encoded(options), "000108020080ff");
    EXPECT_EQ(decoded("0001 08 04 00800000 ff").value(), options); // not cut: meant the same
    EXPECT_EQ(decoded("0001 08 02 00"), refused(DecodeError::truncated));
    EXPECT_EQ(decoded("0001 08"), refused(DecodeError::truncated));
}

TEST(Ppspp, S7_11_a_chunk_size)
{
    EXPECT_EQ(decoded("0001 09 00000400 ff").value().chunk_size, 1024u);
    EXPECT_EQ(decoded("0001 09 ffffffff ff").value().chunk_size, chunk_size_variable);
    EXPECT_EQ(decoded("0001 09 000004"), refused(DecodeError::truncated));
}

TEST(Ppspp, S7_6_hash_sizes)
{
    EXPECT_EQ(hash_size(HashFunction::sha1), 20);
    EXPECT_EQ(hash_size(HashFunction::sha224), 28);
    EXPECT_EQ(hash_size(HashFunction::sha256), 32);
    EXPECT_EQ(hash_size(HashFunction::sha384), 48);
    EXPECT_EQ(hash_size(HashFunction::sha512), 64);
}

ByteVector swarm_id(SignatureAlgorithm algorithm, std::size_t key_size)
{
    ByteVector id(1 + key_size, 0x5a);
    id[0] = static_cast<std::uint8_t>(algorithm);
    return id;
}

TEST(Ppspp, S7_7_signature_sizes_of_curves)
{
    using enum SignatureAlgorithm;
    EXPECT_EQ(signature_size(ecdsa_p256_sha256, swarm_id(ecdsa_p256_sha256, 64)), 64);
    EXPECT_EQ(signature_size(ecdsa_p384_sha384, swarm_id(ecdsa_p384_sha384, 96)), 96);
    EXPECT_EQ(signature_size(ed25519, swarm_id(ed25519, 32)), 64);
    EXPECT_EQ(signature_size(ed448, swarm_id(ed448, 57)), 114);
    EXPECT_FALSE(signature_size(ecdsa_p256_sha256, swarm_id(ecdsa_p256_sha256, 65)));
    EXPECT_FALSE(signature_size(ecdsa_p256_sha256, swarm_id(ecdsa_p384_sha384, 64)));
    EXPECT_FALSE(signature_size(ecdsa_p256_sha256, {}));
    EXPECT_FALSE(signature_size(SignatureAlgorithm{99}, swarm_id(SignatureAlgorithm{99}, 64)));
}

ByteVector rsa_id(std::string_view exponent, std::size_t modulus_size)
{
    ByteVector id{8};
    ByteVector const head = hex(exponent);
    id.insert(id.end(), head.begin(), head.end());
    id.resize(id.size() + modulus_size, 0xc1);
    return id;
}

TEST(Ppspp, S7_7_rsa_signature_is_as_long_as_the_modulus)
{
    auto const size = [](std::string_view exponent, std::size_t modulus_size) {
        return signature_size(SignatureAlgorithm::rsa_sha256, rsa_id(exponent, modulus_size));
    };
    EXPECT_EQ(size("03 010001", 256), 256);
    EXPECT_EQ(size("00 0003 010001", 128), 128); // the long form of the exponent's length
    EXPECT_EQ(size("01 03", 64), 64);
    EXPECT_EQ(size("03 010001", 512), 512);
    EXPECT_FALSE(size("03 010001", 63));
    EXPECT_FALSE(size("03 010001", 513));
    EXPECT_FALSE(size("03 010001", 0));
    EXPECT_FALSE(size("00", 0));
    EXPECT_FALSE(size("00 0000", 128));
    EXPECT_FALSE(size("ff 01", 64)); // exponent longer than the key
    EXPECT_FALSE(size("", 0));
    EXPECT_FALSE(size("03 010001 00", 127)); // RFC 3110 §2: no leading zero
}

TEST(Ppspp, S3_1_1_a_handshake_changes_the_format)
{
    Options options;
    SwarmFormat const before{AddressingMode::bin32, 20, 77, 512};
    SwarmFormat format = adopt(before, options);
    EXPECT_EQ(format.addressing, AddressingMode::bin32);
    EXPECT_EQ(format.hash_size, 20);
    EXPECT_EQ(format.signature_size, 77);
    EXPECT_EQ(format.chunk_size, 512u);

    options.addressing = AddressingMode::chunk64;
    options.hash_function = HashFunction::sha512;
    options.signature_algorithm = SignatureAlgorithm::ed448;
    options.chunk_size = 1316;
    format = adopt(before, options);
    EXPECT_EQ(format.addressing, AddressingMode::chunk64);
    EXPECT_EQ(format.hash_size, 64);
    EXPECT_EQ(format.signature_size, 114);
    EXPECT_EQ(format.chunk_size, 1316u);

    options.signature_algorithm = SignatureAlgorithm::rsa_sha256;
    EXPECT_EQ(adopt(before, options).signature_size, 77); // no key: the swarm's stays
    options.swarm_id = rsa_id("03 010001", 256);
    EXPECT_EQ(adopt(before, options).signature_size, 256);
    options.swarm_id = ByteVector{8, 1};
    EXPECT_EQ(adopt(before, options).signature_size, 77);
}

} // namespace
} // namespace ppsp::wire
