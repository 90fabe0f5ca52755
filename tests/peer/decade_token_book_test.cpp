#include "peer/decade/token_book.hpp"
#include "peer/decade/token_order.hpp"
#include "protocol/decade/base64url.hpp"
#include "tests/protocol/decade_objects.hpp"
#include "tests/support/properties.hpp"

namespace ppsp::peer {
namespace {

using decade::Operation;
using decade::TokenError;

/// Counts the checks of a real checker.
class CountingChecker final : public integrity::Checker {
public:
    bool check(Bytes swarm_id, Bytes message, Bytes signature) override
    {
        ++count;
        return checker_.check(swarm_id, message, signature);
    }
    std::size_t count = 0;

private:
    integrity::OpensslChecker checker_;
};

class TokenBookTest : public testing::Test {
protected:
    [[nodiscard]] std::string token(std::string id, bool is_single_use = false,
                                    std::string audience = {})
    {
        decade::Token token;
        token.id = std::move(id);
        token.operations.add(Operation::read);
        token.expires = 1000;
        token.audience = std::move(audience);
        token.is_single_use = is_single_use;
        token.bytes_max = 500;
        return to_text(token, *server.signer);
    }
    [[nodiscard]] std::optional<TokenError> error_of(TokenBook& one, std::string const& text,
                                                     decade::UnixSeconds now = 100)
    {
        auto const account = one.admit(text, now);
        return account ? std::optional<TokenError>{} : account.error();
    }
    decade::test::Channel server;
    CountingChecker checker;
    TokenBook book{server.id, "http://a:1", checker};
};

TEST_F(TokenBookTest, a_signature_is_checked_once)
{
    auto const text = token("t");
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(error_of(book, text), std::nullopt);
    }
    EXPECT_EQ(checker.count, 1u);
    EXPECT_EQ(book.admit(text, 100).value(), book.admit(text, 101).value());
    EXPECT_EQ(error_of(book, text, 1001), TokenError::expired); // the time is looked at each time
}

TEST_F(TokenBookTest, tokens_of_others_are_refused_each_time)
{
    decade::test::Channel other;
    decade::Token foreign;
    foreign.id = "t";
    foreign.expires = 1000;
    auto const text = to_text(foreign, *other.signer);
    EXPECT_EQ(error_of(book, text), TokenError::bad_signature);
    EXPECT_EQ(error_of(book, text), TokenError::bad_signature);
    EXPECT_EQ(book.count(), 0u);
    EXPECT_EQ(error_of(book, token("u", false, "http://b:1")), TokenError::other_audience);
    EXPECT_EQ(error_of(book, token("v", false, "http://a:1")), std::nullopt);
}

TEST_F(TokenBookTest, quota_use_and_revocation_outlive_the_process)
{
    auto const used = token("used");
    auto const once = token("once", true);
    auto const revoked = token("revoked");
    book.admit(used, 100).value()->bytes_used = 400;
    book.admit(used, 100).value()->is_used = true;
    book.admit(once, 100).value()->is_used = true;
    EXPECT_FALSE(book.revoke("revoked", 100)); // before anybody showed it
    EXPECT_EQ(error_of(book, once), TokenError::used_up);
    EXPECT_EQ(error_of(book, revoked), TokenError::revoked);

    TokenBook again(server.id, "http://a:1", checker);
    again.restore("nonsense\n\n" + book.to_text() + "x y z\n");
    EXPECT_EQ(error_of(again, once), TokenError::used_up);
    EXPECT_EQ(error_of(again, revoked), TokenError::revoked);
    auto const account = again.admit(used, 100).value();
    EXPECT_EQ(account->bytes_used, 400u);
    EXPECT_TRUE(account->may_transfer(100));
    EXPECT_FALSE(account->may_transfer(101));
    EXPECT_FALSE(account->may_transfer(~std::uint64_t{0}));
    EXPECT_TRUE(again.revoke("used", 100));
    EXPECT_EQ(error_of(again, used), TokenError::revoked);
    EXPECT_EQ(again.to_text(), [this] {
        book.revoke("used", 100);
        return book.to_text();
    }());
}

TEST_F(TokenBookTest, what_is_over_is_forgotten_but_not_while_it_is_used)
{
    auto const account = book.admit(token("t"), 100).value();
    account->requests_now = 1;
    book.expire(1001);
    EXPECT_EQ(book.count(), 1u);
    account->requests_now = 0;
    book.expire(1000);
    EXPECT_EQ(book.count(), 1u);
    auto const before = book.revision();
    book.expire(1001);
    EXPECT_EQ(book.count(), 0u);
    EXPECT_NE(book.revision(), before);
}

TEST_F(TokenBookTest, texts_and_accounts_are_bounded)
{
    std::string lines;
    for (std::size_t i = 0; i < TokenBook::accounts_max + 10; ++i) {
        lines += decade::to_base64url(as_bytes(std::to_string(i))) + " " + std::to_string(i + 1) +
                 " 1 1 0\n";
    }
    book.restore(lines);
    EXPECT_LE(book.count(), TokenBook::accounts_max);
}

TEST(TokenOrderTest, lifetimes)
{
    EXPECT_EQ(parse_lifetime("90s"), 90);
    EXPECT_EQ(parse_lifetime("15m"), 900);
    EXPECT_EQ(parse_lifetime("1h"), 3600);
    EXPECT_EQ(parse_lifetime("7d"), 7 * 24 * 3600);
    for (auto const* text :
         {"", "h", "1", "0s", "-1h", "1w", "1hh", "1.5h", "4000d", "999999999999999999999s"}) {
        EXPECT_EQ(parse_lifetime(text), std::nullopt) << text;
    }
}

TEST(TokenOrderTest, an_order_becomes_a_token)
{
    decade::test::Channel channel;
    TokenOrder order;
    order.allow = "read,write";
    order.lifetime = "1h";
    order.swarms = {to_hex(channel.id)};
    order.rate_kbps = 100;
    auto const token = make_token(order, 1000);
    ASSERT_TRUE(token.has_value()) << token.error();
    EXPECT_EQ(token->expires, 4600);
    EXPECT_EQ(token->not_before, 1000);
    EXPECT_EQ(token->rate_bps, 100'000u);
    EXPECT_TRUE(token->operations.has(Operation::write));
    EXPECT_FALSE(token->operations.has(Operation::remove));
    EXPECT_TRUE(covers(*token, {std::nullopt, channel.id, {}}));
    EXPECT_FALSE(covers(*token, {std::nullopt, ByteVector{13}, {}}));
    auto const problem_with = [&order](auto change) {
        auto bad = order;
        change(bad);
        auto const made = make_token(bad, 0);
        return made ? std::string{} : made.error();
    };
    EXPECT_NE(problem_with([](auto& bad) { bad.allow = "read,fly"; }).find("fly"),
              std::string::npos);
    EXPECT_NE(problem_with([](auto& bad) { bad.allow = ""; }).find("--allow"), std::string::npos);
    EXPECT_NE(problem_with([](auto& bad) { bad.swarms = {"00"}; }).find("--swarm"),
              std::string::npos);
    EXPECT_NE(problem_with([](auto& bad) { bad.lifetime = "x"; }).find("--for"), std::string::npos);
    EXPECT_NE(problem_with([](auto& bad) { bad.priority = "x"; }).find("Urgent"),
              std::string::npos);
}

} // namespace
} // namespace ppsp::peer
