#include "integrity_vectors.hpp"

#include "protocol/integrity/openssl_signature.hpp"
#include "tests/support/rsa_swarm.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

namespace ppsp::integrity {
namespace {

using test::RsaSwarm;
using wire::AddressingMode;
using wire::SignatureAlgorithm;

Bytes const message = as_bytes("munro");

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

std::string pem(std::string const& label, ByteVector const& der)
{
    std::string base64(4 * ((der.size() + 2) / 3) + 1, '\0');
    base64.resize(
        static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                                                 der.data(), static_cast<int>(der.size()))));
    // OpenSSL reads lines of up to 254 characters.
    return "-----BEGIN " + label + "-----\n" + base64 + "\n-----END " + label + "-----\n";
}

class LiveVectors : public testing::Test {
protected:
    boost::json::value live = vectors::load("live_umt.json");

    ByteVector key(char const* name) const { return vectors::bytes(live.at("keys").at(name)); }
    ByteVector swarm_id(std::uint64_t algorithm) const
    {
        return key(algorithm == 13 ? "swarm_id_p256" : "swarm_id_ed25519");
    }
    static NtpTime time(boost::json::value const& munro)
    {
        return NtpTime{std::stoull(vectors::text(munro.at("ntp64")), nullptr, 16)};
    }
    static ByteVector input(boost::json::value const& munro, AddressingMode mode)
    {
        return munro_signature_input(mode,
                                     {ChunkId{vectors::number(munro.at("first_chunk"))},
                                      ChunkId{vectors::number(munro.at("last_chunk"))}},
                                     time(munro), vectors::hash(munro.at("munro_hash")));
    }
};

TEST_F(LiveVectors, S6_1_2_2_a_signed_inputs_and_signatures)
{
    OpensslChecker checker;
    std::size_t checked = 0;
    for (auto const& set : live.at("sets").as_array()) {
        for (auto const& munro : set.at("munros").as_array()) {
            for (auto const& signature : munro.at("signatures").as_array()) {
                auto const mode = static_cast<AddressingMode>(vectors::number(signature.at("cam")));
                ByteVector const text = input(munro, mode);
                EXPECT_EQ(to_hex(text), vectors::text(signature.at("signed_input")));
                EXPECT_TRUE(checker.check(swarm_id(vectors::number(signature.at("algorithm"))),
                                          text, vectors::bytes(signature.at("signature"))));
                ++checked;
            }
        }
    }
    EXPECT_EQ(checked, 9U * 6U);
}

TEST_F(LiveVectors, S6_1_2_2_a_nothing_but_what_was_signed_verifies)
{
    OpensslChecker checker;
    auto const& munros = live.at("sets").at(0).at("munros");
    auto const& munro = munros.at(1);
    ByteVector const signature = vectors::bytes(munro.at("signatures").at(0).at("signature"));
    ChunkRange const chunks{ChunkId{4}, ChunkId{7}};
    Hash const hash = vectors::hash(munro.at("munro_hash"));
    auto const check = [&](ChunkRange range, NtpTime signed_at, Hash const& munro_hash) {
        return checker.check(
            swarm_id(13),
            munro_signature_input(AddressingMode::chunk32, range, signed_at, munro_hash),
            signature);
    };
    ASSERT_TRUE(check(chunks, time(munro), hash));
    for (std::size_t bit = 0; bit < hash.size() * 8; ++bit) {
        ByteVector flipped(hash.bytes().begin(), hash.bytes().end());
        flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        EXPECT_FALSE(check(chunks, time(munro), Hash(flipped)));
    }
    EXPECT_FALSE(check(chunks, time(munros.at(0)), hash));
    EXPECT_FALSE(check({ChunkId{8}, ChunkId{11}}, time(munro), hash));
    EXPECT_FALSE(checker.check(swarm_id(13), hash.bytes(), signature)); // T6: not the hash alone
    EXPECT_FALSE(checker.check(swarm_id(15), input(munro, AddressingMode::chunk32), signature));
}

TEST_F(LiveVectors, ed25519_signer_reproduces_the_vectors)
{
    ByteVector der = *from_hex("302e020100300506032b657004220420"); // RFC 8410 §7
    ByteVector const seed = key("ed25519_seed");
    der.insert(der.end(), seed.begin(), seed.end());
    auto const private_key = PrivateKey::from_pem(pem("PRIVATE KEY", der));
    ASSERT_TRUE(private_key.has_value());
    EXPECT_EQ(private_key->algorithm(), SignatureAlgorithm::ed25519);
    auto const signer = make_signer(*private_key);
    EXPECT_EQ(signer->swarm_id(), swarm_id(15));
    for (auto const& munro : live.at("sets").at(0).at("munros").as_array()) {
        auto const& signature = munro.at("signatures").at(3);
        ASSERT_EQ(vectors::number(signature.at("algorithm")), 15U);
        EXPECT_EQ(to_hex(signer->sign(vectors::bytes(signature.at("signed_input")))),
                  vectors::text(signature.at("signature")));
    }
}

TEST_F(LiveVectors, p256_key_gives_the_swarm_id_of_the_vectors)
{
    ByteVector der = *from_hex("30310201010420"); // RFC 5915 §3, without the public key
    ByteVector const scalar = key("p256_private_scalar");
    ByteVector const curve = *from_hex("a00a06082a8648ce3d030107");
    der.insert(der.end(), scalar.begin(), scalar.end());
    der.insert(der.end(), curve.begin(), curve.end());
    auto const private_key = PrivateKey::from_pem(pem("EC PRIVATE KEY", der));
    ASSERT_TRUE(private_key.has_value());
    EXPECT_EQ(private_key->swarm_id(), swarm_id(13));
    EXPECT_TRUE(
        OpensslChecker().check(swarm_id(13), message, make_signer(*private_key)->sign(message)));
}

class Algorithms : public testing::TestWithParam<SignatureAlgorithm> {
protected:
    std::unique_ptr<Signer> signer = make_signer(PrivateKey::generate(GetParam()).value());
    ByteVector id = signer->swarm_id();
    OpensslChecker checker;
};

INSTANTIATE_TEST_SUITE_P(Signature, Algorithms,
                         testing::Values(SignatureAlgorithm::ecdsa_p256_sha256,
                                         SignatureAlgorithm::ecdsa_p384_sha384,
                                         SignatureAlgorithm::ed25519));

TEST_P(Algorithms, T27_signatures_are_raw_and_verify)
{
    bool const is_p384 = GetParam() == SignatureAlgorithm::ecdsa_p384_sha384;
    bool const is_ed25519 = GetParam() == SignatureAlgorithm::ed25519;
    EXPECT_EQ(id.size(), 1U + (is_p384 ? 96U : is_ed25519 ? 32U : 64U));
    EXPECT_EQ(id.front(), static_cast<std::uint8_t>(GetParam()));
    for (int i = 0; i < 20; ++i) {
        ByteVector const signature = signer->sign(message);
        EXPECT_EQ(signature.size(), is_p384 ? 96U : 64U);
        EXPECT_TRUE(checker.check(id, message, signature));
    }
}

TEST_P(Algorithms, bad_signatures_are_refused_and_leave_no_error_behind)
{
    ByteVector const good = signer->sign(message);
    EXPECT_FALSE(checker.check(id, as_bytes("munrq"), good));
    EXPECT_FALSE(checker.check(id, {}, good));
    for (std::size_t size = 0; size < good.size(); ++size) {
        EXPECT_FALSE(checker.check(id, message, Bytes(good).first(size)));
    }
    ByteVector longer = good;
    longer.push_back(0);
    EXPECT_FALSE(checker.check(id, message, longer));
    EXPECT_FALSE(checker.check(id, message, ByteVector(good.size(), 0)));
    EXPECT_FALSE(checker.check(id, message, ByteVector(good.size(), 0xff)));
    for (std::size_t i = 0; i < good.size(); i += 7) {
        ByteVector flipped = good;
        flipped[i] ^= 1;
        EXPECT_FALSE(checker.check(id, message, flipped));
    }
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST_P(Algorithms, malformed_swarm_ids_are_refused)
{
    ByteVector const signature = signer->sign(message);
    ASSERT_TRUE(checker.check(id, message, signature));
    for (std::size_t size = 0; size < id.size(); ++size) {
        EXPECT_FALSE(checker.check(Bytes(id).first(size), message, signature));
    }
    ByteVector longer = id;
    longer.push_back(0);
    EXPECT_FALSE(checker.check(longer, message, signature));
    ByteVector other = id;
    other.back() ^= 1; // off the curve, or another key
    EXPECT_FALSE(checker.check(other, message, signature));
    for (int algorithm = 0; algorithm < 256; ++algorithm) {
        other = id;
        other.front() = static_cast<std::uint8_t>(algorithm);
        EXPECT_EQ(checker.check(other, message, signature),
                  algorithm == static_cast<int>(GetParam()));
    }
    EXPECT_FALSE(checker.check(ByteVector(wire::swarm_id_size_max + 1, 8), message, signature));
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST_P(Algorithms, keys_survive_pem)
{
    auto const key = PrivateKey::generate(GetParam());
    ASSERT_TRUE(key.has_value());
    auto const again = PrivateKey::from_pem(key->to_pem());
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->algorithm(), GetParam());
    EXPECT_EQ(again->swarm_id(), key->swarm_id());
    EXPECT_TRUE(checker.check(key->swarm_id(), message, make_signer(*again)->sign(message)));
}

// A source of few seconds meets r or s with a leading zero byte; DER drops it, the wire must not.
TEST(Signature, T27_short_numbers_are_padded)
{
    auto const signer = make_signer(PrivateKey::generate().value());
    OpensslChecker checker;
    for (std::size_t const number : {0U, 32U}) {
        ByteVector signature = signer->sign(message);
        for (int i = 0; i < 20'000 && signature[number] != 0; ++i) {
            signature = signer->sign(message);
        }
        ASSERT_EQ(signature.size(), 64U);
        ASSERT_EQ(signature[number], 0U);
        EXPECT_TRUE(checker.check(signer->swarm_id(), message, signature));
    }
}

TEST(Signature, T27_high_and_low_s_are_accepted)
{
    auto const signer = make_signer(PrivateKey::generate().value());
    ByteVector signature = signer->sign(message);
    BIGNUM* order = nullptr;
    BN_hex2bn(&order, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    Owned<BIGNUM> const order_owner(order, BN_free);
    Owned<BIGNUM> const s(BN_bin2bn(signature.data() + 32, 32, nullptr), BN_free);
    BN_sub(s.get(), order, s.get());
    BN_bn2binpad(s.get(), signature.data() + 32, 32);
    EXPECT_TRUE(OpensslChecker().check(signer->swarm_id(), message, signature));
}

TEST(Ppspp, S6_1_b_rsa_sha256_is_checked)
{
    RsaSwarm const swarm(2048);
    ByteVector const good = swarm.sign(message, EVP_sha256());
    OpensslChecker checker;
    ByteVector const id = swarm.id(SignatureAlgorithm::rsa_sha256);
    EXPECT_TRUE(checker.check(id, message, good));
    EXPECT_TRUE(
        checker.check(swarm.id(SignatureAlgorithm::rsa_sha256, {0, 0, 3, 1, 0, 1}), message, good));
    EXPECT_FALSE(checker.check(id, as_bytes("other"), good));
    EXPECT_FALSE(checker.check(id, message, Bytes(good).first(255)));
    EXPECT_FALSE(checker.check(id, message, swarm.sign(message, EVP_sha1())));
}

TEST(Ppspp, D3_rsa_sha1_is_refused_unless_allowed)
{
    RsaSwarm const swarm(1024);
    ByteVector const id = swarm.id(SignatureAlgorithm::rsa_sha1);
    ByteVector const signature = swarm.sign(message, EVP_sha1());
    EXPECT_FALSE(OpensslChecker().check(id, message, signature));
    OpensslChecker lenient(SignaturePolicy{.allow_rsa_sha1 = true});
    EXPECT_TRUE(lenient.check(id, message, signature));
    EXPECT_FALSE(lenient.check(id, as_bytes("other"), signature));
}

TEST(Signature, malformed_rsa_swarm_ids)
{
    RsaSwarm swarm(1024);
    ByteVector const signature = swarm.sign(message, EVP_sha256());
    OpensslChecker checker;
    auto const accepts = [&](ByteVector const& head) {
        return checker.check(swarm.id(SignatureAlgorithm::rsa_sha256, head), message, signature);
    };
    ASSERT_TRUE(accepts({3, 1, 0, 1}));
    EXPECT_FALSE(accepts({0, 0, 0}));       // exponent of no bytes
    EXPECT_FALSE(accepts({4, 0, 1, 0, 1})); // leading zero, RFC 3110 §2
    EXPECT_FALSE(accepts({1, 1}));          // every number is its own signature
    EXPECT_FALSE(accepts({1, 2}));
    EXPECT_FALSE(accepts({9, 1, 0, 0, 0, 0, 0, 0, 0, 1}));
    EXPECT_FALSE(accepts({200, 1, 0, 1}));
    ByteVector const modulus = swarm.modulus;
    for (auto const& wrong : {ByteVector{}, ByteVector(64, 0xff), ByteVector(513, 0xff),
                              ByteVector(128, 0xfe), ByteVector(128, 0)}) {
        swarm.modulus = wrong;
        EXPECT_FALSE(accepts({3, 1, 0, 1}));
    }
    for (ByteVector const& head : {ByteVector{}, {0}, {0, 0}, {0, 0, 3}, {3, 1, 0}}) {
        EXPECT_FALSE(accepts(head));
    }
    EXPECT_EQ(checker.cached_keys(), 1U);
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(Signature, the_key_cache_has_a_limit)
{
    OpensslChecker checker;
    std::vector<std::unique_ptr<Signer>> signers;
    for (std::size_t i = 0; i < 2 * OpensslChecker::cached_keys_max; ++i) {
        signers.push_back(make_signer(PrivateKey::generate(SignatureAlgorithm::ed25519).value()));
    }
    for (int round = 0; round < 2; ++round) {
        for (auto const& signer : signers) {
            ByteVector const signature = signer->sign(message);
            EXPECT_TRUE(checker.check(signer->swarm_id(), message, signature));
            EXPECT_LE(checker.cached_keys(), OpensslChecker::cached_keys_max);
        }
        EXPECT_EQ(checker.cached_keys(), OpensslChecker::cached_keys_max);
    }
}

TEST(PrivateKey, what_is_no_usable_key)
{
    EXPECT_EQ(PrivateKey::from_pem("").error(), KeyError::not_a_key);
    EXPECT_EQ(PrivateKey::from_pem("no key").error(), KeyError::not_a_key);
    std::string const text = PrivateKey::generate()->to_pem();
    EXPECT_EQ(PrivateKey::from_pem(text.substr(0, text.size() / 2)).error(), KeyError::not_a_key);
    for (auto const algorithm : {SignatureAlgorithm::rsa_sha1, SignatureAlgorithm::rsa_sha256,
                                 SignatureAlgorithm::ed448, SignatureAlgorithm{99}}) {
        EXPECT_EQ(PrivateKey::generate(algorithm).error(), KeyError::wrong_kind);
    }
    EXPECT_EQ(ERR_peek_error(), 0U);
}

} // namespace
} // namespace ppsp::integrity
