#pragma once

#include "protocol/base/result.hpp"
#include "protocol/decade/token.hpp"

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

namespace ppsp::peer {

/// What one token has used up, and what it may.
struct TokenAccount {
    decade::Token token;
    std::uint64_t bytes_used = 0; ///< transferred, both ways
    std::uint64_t requests_now = 0;
    bool is_used = false; ///< some request was made with it
    bool is_revoked = false;

    /// Whether this many bytes more are within its quota.
    [[nodiscard]] bool may_transfer(std::uint64_t bytes) const
    {
        return !token.bytes_max ||
               (bytes_used <= *token.bytes_max && bytes <= *token.bytes_max - bytes_used);
    }
};

/// Tokens that were shown, with what they have used. A signature is checked once per token text,
/// not per request. Pure; not thread-safe.
class TokenBook {
public:
    /// Token texts whose signature is remembered; the rest is checked again.
    static constexpr std::size_t texts_max = 20'000;
    /// Accounts at a time. Only who holds the server's key can make more; then those that expire
    /// first are forgotten, and with them what they used.
    static constexpr std::size_t accounts_max = 200'000;

    /// `server_id` is the public key that signs tokens, in the form of a swarm id; `server_url`
    /// what their audience must be, if they have one. The checker outlives the book.
    TokenBook(ByteVector server_id, std::string server_url, integrity::Checker& checker)
        : server_id_(std::move(server_id)), server_url_(std::move(server_url)), checker_(checker)
    {}

    /// The account of a token that may be used. The caller notes that it was: `is_used`.
    [[nodiscard]] Result<std::shared_ptr<TokenAccount>, decade::TokenError>
    admit(std::string_view text, decade::UnixSeconds now);

    /// False if nobody showed such a token; it is remembered as revoked until `now` + one day.
    bool revoke(std::string const& id, decade::UnixSeconds now);
    void expire(decade::UnixSeconds now);

    /// What must outlive the process: one line per account that used something.
    [[nodiscard]] std::string to_text() const;
    /// Reads what `to_text` gave; lines of another form are left out.
    void restore(std::string_view text);
    /// Changes with every change that `to_text` would show.
    [[nodiscard]] std::uint64_t revision() const;
    [[nodiscard]] std::size_t count() const { return accounts_.size(); }
    [[nodiscard]] std::map<std::string, std::shared_ptr<TokenAccount>> const& accounts() const
    {
        return accounts_;
    }

private:
    using Account = std::shared_ptr<TokenAccount>;

    [[nodiscard]] Result<Account, decade::TokenError> find(std::string_view text);
    Account remember(decade::Token token);

    ByteVector server_id_;
    std::string server_url_;
    integrity::Checker& checker_;
    std::unordered_map<std::string, Account> texts_;
    std::map<std::string, Account> accounts_; ///< by token id
};

} // namespace ppsp::peer
