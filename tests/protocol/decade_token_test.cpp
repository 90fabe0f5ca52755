#include "protocol/decade/base64url.hpp"
#include "protocol/decade/token.hpp"
#include "tests/protocol/decade_objects.hpp"
#include "tests/support/properties.hpp"

namespace ppsp::decade {
namespace {

using test::Channel; // any key will do

class TokenTest : public testing::Test {
protected:
    [[nodiscard]] Token token()
    {
        Token token;
        token.id = "t1";
        token.operations.add(Operation::read);
        token.operations.add(Operation::write);
        token.not_before = 1000;
        token.expires = 4600;
        return token;
    }
    [[nodiscard]] Result<Token, TokenError> parse(std::string const& text)
    {
        return parse_token(text, server.id, checker);
    }
    /// Claims or header of one's own, with a good signature.
    [[nodiscard]] std::string sign(std::string const& header, std::string const& claims)
    {
        auto const text = to_base64url(as_bytes(header)) + "." + to_base64url(as_bytes(claims));
        return text + "." + to_base64url(server.signer->sign(as_bytes(text)));
    }
    [[nodiscard]] bool is_refused(std::string const& claims)
    {
        auto const read = parse(sign(R"({"alg":"ES256"})", claims));
        return !read && read.error() == TokenError::malformed;
    }

    Channel server;
    integrity::OpensslChecker checker;
};

TEST_F(TokenTest, what_is_written_is_read_back)
{
    auto one = token();
    EXPECT_EQ(parse(to_text(one, *server.signer)), one);
    one.operations.add(Operation::remove);
    one.operations.add(Operation::transfer);
    one.operations.add(Operation::manage);
    one.scopes = {NiName::of(*server.hasher, as_bytes("x")), SwarmScope{server.id, std::nullopt},
                  SwarmScope{server.id, ChunkRange{ChunkId{16}, ChunkId{31}}}};
    one.audience = "http://127.0.0.1:7069";
    one.priority = Priority::urgent;
    one.rate_bps = 5'000'000;
    one.bytes_max = 0;
    one.stored_max = 1;
    one.requests_max = 4;
    one.is_single_use = true;
    EXPECT_EQ(parse(to_text(one, *server.signer)), one);
}

TEST_F(TokenTest, RFC7519_header_and_claims_are_json)
{
    auto const text = to_text(token(), *server.signer);
    auto const parts = text.find('.');
    auto const header = from_base64url(text.substr(0, parts));
    EXPECT_EQ(std::string(header->begin(), header->end()), R"({"alg":"ES256","typ":"JWT"})");
    auto const claims = from_base64url(text.substr(parts + 1, text.rfind('.') - parts - 1));
    EXPECT_EQ(
        std::string(claims->begin(), claims->end()),
        R"({"jti":"t1","ops":["read","write"],"nbf":1000,"exp":4600,"prio":"Normal","multi":true})");
}

TEST_F(TokenTest, every_kind_of_key_signs)
{
    for (auto const algorithm :
         {wire::SignatureAlgorithm::ecdsa_p384_sha384, wire::SignatureAlgorithm::ed25519}) {
        Channel other(algorithm);
        auto const text = to_text(token(), *other.signer);
        EXPECT_EQ(parse_token(text, other.id, checker), token());
        EXPECT_EQ(parse(text).error(), TokenError::malformed); // another algorithm than the key's
    }
}

TEST_F(TokenTest, every_changed_byte_is_noticed)
{
    auto const text = to_text(token(), *server.signer);
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto bad = text;
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(parse(bad).has_value()) << i;
    }
    Channel other;
    EXPECT_EQ(parse(to_text(token(), *other.signer)).error(), TokenError::bad_signature);
}

TEST_F(TokenTest, RFC8725_the_key_chooses_the_algorithm)
{
    auto const claims = R"({"jti":"t","exp":9,"ops":["read"]})";
    EXPECT_TRUE(parse(sign(R"({"alg":"ES256"})", claims)).has_value());
    for (auto const* header :
         {R"({"alg":"none"})", R"({"alg":"HS256"})", R"({"alg":"EdDSA"})", "{}", "[]",
          R"({"alg":"ES256","crit":["x"]})", R"({"alg":1})", "x"}) {
        EXPECT_EQ(parse(sign(header, claims)).error(), TokenError::malformed) << header;
    }
    auto const text = sign(R"({"alg":"none"})", claims);
    EXPECT_FALSE(parse(text.substr(0, text.rfind('.') + 1)).has_value());
}

TEST_F(TokenTest, claims_of_another_form_are_refused)
{
    for (auto const* claims : {"",
                               "[]",
                               "{}",
                               R"({"jti":"t"})",
                               R"({"exp":9})",
                               R"({"jti":"","exp":9})",
                               R"({"jti":1,"exp":9})",
                               R"({"jti":"t","exp":-9})",
                               R"({"jti":"t","exp":"9"})",
                               R"({"jti":"t","exp":9,"ops":"read"})",
                               R"({"jti":"t","exp":9,"ops":[1]})",
                               R"({"jti":"t","exp":9,"objs":[]})",
                               R"({"jti":"t","exp":9,"objs":["x"]})",
                               R"({"jti":"t","exp":9,"objs":[{}]})",
                               R"({"jti":"t","exp":9,"objs":[{"swarm":"zz"}]})",
                               R"({"jti":"t","exp":9,"objs":[{"swarm":""}]})",
                               R"({"jti":"t","exp":9,"objs":[{"swarm":"0d","first":3}]})",
                               R"({"jti":"t","exp":9,"objs":[{"swarm":"0d","first":3,"last":2}]})",
                               R"({"jti":"t","exp":9,"objs":[7]})",
                               R"({"jti":"t","exp":9,"bw":-1})",
                               R"({"jti":"t","exp":9,"amt":"x"})",
                               R"({"jti":"t","exp":9,"prio":"Max"})",
                               R"({"jti":"t","exp":9,"multi":1})",
                               R"({"jti":"t","exp":9,"aud":["a"]})",
                               R"({"jti":"t","exp":9)"}) {
        EXPECT_TRUE(is_refused(claims)) << claims;
    }
    std::string many = R"({"jti":"t","exp":9,"objs":["ni:///sha-256-32;f4OxZQ")";
    for (std::size_t i = 0; i < token_scopes_max; ++i) {
        many += R"(,"ni:///sha-256-32;f4OxZQ")";
    }
    EXPECT_TRUE(is_refused(many + "]}"));
    EXPECT_EQ(parse(std::string(token_text_size_max + 1, 'A')).error(), TokenError::malformed);
}

TEST_F(TokenTest, an_operation_that_is_not_known_gives_no_right)
{
    auto const read =
        parse(sign(R"({"alg":"ES256"})", R"({"jti":"t","exp":9,"ops":["read","fly"],"x":{}})"));
    ASSERT_TRUE(read.has_value());
    EXPECT_TRUE(read->operations.has(Operation::read));
    EXPECT_FALSE(read->operations.has(Operation::write));
}

TEST_F(TokenTest, validity_in_time_and_place)
{
    auto one = token();
    auto const error_at = [&one](UnixSeconds now, std::string_view url = "http://a:1") {
        auto const valid = check_validity(one, now, url);
        return valid ? std::optional<TokenError>{} : valid.error();
    };
    EXPECT_EQ(error_at(1000), std::nullopt);
    EXPECT_EQ(error_at(4600), std::nullopt);
    EXPECT_EQ(error_at(4601), TokenError::expired);
    EXPECT_EQ(error_at(970), std::nullopt);
    EXPECT_EQ(error_at(969), TokenError::not_yet_valid);
    one.audience = "http://a:1";
    EXPECT_EQ(error_at(1000), std::nullopt);
    EXPECT_EQ(error_at(1000, "http://b:1"), TokenError::other_audience);
}

TEST_F(TokenTest, scopes)
{
    Channel other;
    auto const name = NiName::of(*server.hasher, as_bytes("x"));
    auto const other_name = NiName::of(*server.hasher, as_bytes("y"));
    ChunkRange const inside{ChunkId{16}, ChunkId{31}};
    ChunkRange const outside{ChunkId{16}, ChunkId{32}};
    auto one = token();
    EXPECT_TRUE(covers(one, {name, {}, {}}));
    EXPECT_TRUE(covers(one, {std::nullopt, other.id, {}}));
    one.scopes = {name};
    EXPECT_TRUE(covers(one, {name, other.id, inside}));
    EXPECT_FALSE(covers(one, {other_name, other.id, inside}));
    EXPECT_FALSE(covers(one, {std::nullopt, {}, {}}));
    EXPECT_TRUE(may_cover(one, name));
    EXPECT_FALSE(may_cover(one, other_name));
    one.scopes = {SwarmScope{server.id, std::nullopt}};
    EXPECT_TRUE(covers(one, {name, server.id, outside}));
    EXPECT_FALSE(covers(one, {name, other.id, inside}));
    EXPECT_FALSE(covers(one, {name, {}, {}}));
    EXPECT_TRUE(may_cover(one, other_name));
    one.scopes = {SwarmScope{server.id, inside}};
    EXPECT_TRUE(covers(one, {name, server.id, inside}));
    EXPECT_FALSE(covers(one, {name, server.id, outside}));
    EXPECT_FALSE(covers(one, {name, server.id, {}}));
}

RC_GTEST_PROP(TokenProperty, any_text_is_read_without_harm, (std::string const& text))
{
    static Channel server;
    static integrity::OpensslChecker checker;
    RC_ASSERT(!parse_token(text, server.id, checker).has_value());
}

} // namespace
} // namespace ppsp::decade
