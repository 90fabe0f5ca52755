#include "protocol/integrity/openssl_hasher.hpp"

#include <gtest/gtest.h>

#include <array>

namespace ppsp::integrity {
namespace {

using wire::HashFunction;

constexpr std::array functions{HashFunction::sha1, HashFunction::sha224, HashFunction::sha256,
                               HashFunction::sha384, HashFunction::sha512};

std::string hex(Hash const& hash)
{
    return to_hex(hash.bytes());
}

TEST(Hasher, digests_of_abc_equal_those_of_fips_180)
{
    std::array<std::string, 5> const expected{
        "a9993e364706816aba3e25717850c26c9cd0d89d",
        "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
        "8086072ba1e7cc2358baeca134c825a7",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"};
    for (std::size_t i = 0; i < functions.size(); ++i) {
        auto const hasher = make_hasher(functions[i]);
        EXPECT_EQ(hex(hasher->leaf(as_bytes("abc"))), expected[i]);
        EXPECT_EQ(hex(hasher->digest(as_bytes("a"), as_bytes("bc"))), expected[i]);
        // The context is used again; nothing may stay in it.
        EXPECT_EQ(hex(hasher->leaf(as_bytes("abc"))), expected[i]);
        EXPECT_EQ(hasher->size() * 2, expected[i].size());
    }
}

TEST(Hasher, empty_input)
{
    EXPECT_EQ(hex(make_hasher(HashFunction::sha1)->leaf({})),
              "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST(Ppspp, S5_1_a_parent_of_two_zero_hashes_is_zero)
{
    for (auto const function : functions) {
        auto const hasher = make_hasher(function);
        Hash const zero = Hash::zero(hasher->size());
        Hash const leaf = hasher->leaf(as_bytes("x"));
        EXPECT_EQ(hasher->parent(zero, zero), zero);
        EXPECT_EQ(hasher->parent(leaf, zero), hasher->digest(leaf.bytes(), zero.bytes()));
        EXPECT_EQ(hasher->parent(zero, leaf), hasher->digest(zero.bytes(), leaf.bytes()));
    }
}

} // namespace
} // namespace ppsp::integrity
