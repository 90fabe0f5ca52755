#include "protocol/decade/base64url.hpp"
#include "protocol/decade/ni_name.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "tests/protocol/integrity_vectors.hpp"
#include "tests/support/properties.hpp"

namespace ppsp::decade {
namespace {

class NiNameTest : public testing::Test {
protected:
    std::unique_ptr<integrity::Hasher> hasher = integrity::make_hasher(wire::HashFunction::sha256);
    boost::json::value vectors = vectors::load("ni.json");
};

TEST_F(NiNameTest, S3_S4_S6_S7_forms_equal_the_vectors)
{
    for (auto const& row : vectors.at("rows").as_array()) {
        auto const uri = vectors::text(row.at("ni"));
        auto const name = NiName::parse_uri(uri);
        ASSERT_TRUE(name.has_value()) << uri;
        EXPECT_EQ(name->uri(), uri);
        EXPECT_EQ(name->path(), vectors::text(row.at("well_known_path")));
        EXPECT_EQ(name->binary(), vectors::bytes(row.at("binary")));
        EXPECT_EQ(name->speakable(), vectors::text(row.at("nih")));
        EXPECT_EQ(NiName::parse_path(name->path()), name);
        EXPECT_EQ(NiName::parse_binary(name->binary()), name);
    }
}

TEST_F(NiNameTest, S2_a_name_is_the_hash_of_the_bytes_truncated_or_not)
{
    auto const hello = as_bytes("Hello World!");
    EXPECT_EQ(NiName::of(*hasher, hello).uri(),
              "ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk");
    EXPECT_EQ(NiName::of(*hasher, hello, NiAlgorithm::sha256_32).uri(), "ni:///sha-256-32;f4OxZQ");
    EXPECT_EQ(NiName::parse_value("f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk"),
              NiName::of(*hasher, hello));
}

TEST_F(NiNameTest, S2_a_authority_and_parameters_do_not_count_but_length_does)
{
    for (auto const& pair : vectors.at("equal").as_array()) {
        EXPECT_EQ(NiName::parse_uri(vectors::text(pair.at(0))),
                  NiName::parse_uri(vectors::text(pair.at(1))));
        EXPECT_TRUE(NiName::parse_uri(vectors::text(pair.at(1))).has_value());
    }
    for (auto const& pair : vectors.at("not_equal").as_array()) {
        EXPECT_NE(NiName::parse_uri(vectors::text(pair.at(0))),
                  NiName::parse_uri(vectors::text(pair.at(1))));
    }
}

TEST_F(NiNameTest, S10_malformed_names_match_nothing)
{
    for (auto const& text : vectors.at("malformed").as_array()) {
        EXPECT_EQ(NiName::parse_uri(vectors::text(text)), std::nullopt) << text;
    }
    for (auto const* text :
         {"", "ni://", "ni:///", "ni:///sha-256", "ni:///sha-256;", "ni:///sha-512;f4OxZQ",
          "ni://a;b/sha-256-32;f4OxZQ", "ni://?/sha-256-32;f4OxZQ", "ni:///sha-256-32;f4OxZR",
          "NI:///sha-256-32;f4OxZQ"}) {
        EXPECT_EQ(NiName::parse_uri(text), std::nullopt) << text;
    }
    EXPECT_EQ(NiName::parse_uri("ni:///sha-256-32;f4OxZQ?" + std::string(1024, 'x')), std::nullopt);
    for (auto const* path :
         {"", "/.well-known/ni/", "/.well-known/ni/sha-256", "/well-known/ni/x/y",
          "/.well-known/ni/sha-256-32/f4OxZQ/", "/.well-known/ni/sha-256-32/../x",
          "/.well-known/ni/sha-256-32/f4Ox%5A"}) {
        EXPECT_EQ(NiName::parse_path(path), std::nullopt) << path;
    }
    EXPECT_EQ(NiName::parse_binary({}), std::nullopt);
    EXPECT_EQ(NiName::parse_binary(ByteVector{0, 1, 2, 3, 4}), std::nullopt);
    EXPECT_EQ(NiName::parse_binary(ByteVector{7, 1, 2, 3, 4}), std::nullopt);
    EXPECT_EQ(NiName::parse_binary(ByteVector{6, 1, 2, 3}), std::nullopt);
    EXPECT_EQ(NiName::parse_binary(ByteVector{6, 1, 2, 3, 4, 5}), std::nullopt);
    // The two highest bits of the suite are reserved and ignored on receipt (RFC 6920 §6).
    EXPECT_EQ(NiName::parse_binary(ByteVector{0xc6, 1, 2, 3, 4}),
              NiName::parse_binary(ByteVector{6, 1, 2, 3, 4}));
}

TEST(Base64Url, known_texts)
{
    EXPECT_EQ(to_base64url(as_bytes("")), "");
    EXPECT_EQ(to_base64url(as_bytes("f")), "Zg");
    EXPECT_EQ(to_base64url(as_bytes("fo")), "Zm8");
    EXPECT_EQ(to_base64url(as_bytes("foo")), "Zm9v");
    EXPECT_EQ(to_base64url(ByteVector{0xfb, 0xff}), "-_8");
    for (auto const* text : {"Z", "Zg==", "Zh", "Zm9", "+_8", "Z g", "Zm9v\n"}) {
        EXPECT_EQ(from_base64url(text), std::nullopt) << text;
    }
}

RC_GTEST_PROP(Base64UrlProperty, every_byte_string_has_one_text, (ByteVector const& bytes))
{
    auto const text = to_base64url(bytes);
    RC_ASSERT(from_base64url(text) == bytes);
}

RC_GTEST_PROP(Base64UrlProperty, any_text_is_read_back_as_it_was_or_not_at_all,
              (std::string const& text))
{
    auto const bytes = from_base64url(text);
    RC_ASSERT(!bytes || to_base64url(*bytes) == text);
}

} // namespace
} // namespace ppsp::decade
