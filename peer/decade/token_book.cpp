#include "peer/decade/token_book.hpp"

#include "protocol/decade/base64url.hpp"

#include <algorithm>
#include <sstream>

namespace ppsp::peer {

using decade::TokenError;
using decade::UnixSeconds;

namespace {

constexpr UnixSeconds revocation_kept_s = 24 * 3600;

} // namespace

Result<std::shared_ptr<TokenAccount>, TokenError> TokenBook::admit(std::string_view text,
                                                                   UnixSeconds now)
{
    auto account = find(text);
    if (!account) {
        return account;
    }
    auto& found = **account;
    if (auto const valid = check_validity(found.token, now, server_url_); !valid) {
        return failure(valid.error());
    }
    if (found.is_revoked) {
        return failure(TokenError::revoked);
    }
    if (found.token.is_single_use && found.is_used) {
        return failure(TokenError::used_up);
    }
    return account;
}

Result<TokenBook::Account, TokenError> TokenBook::find(std::string_view text)
{
    std::string key(text);
    auto const known = texts_.find(key);
    if (known != texts_.end()) {
        return known->second;
    }
    auto token = decade::parse_token(text, server_id_, checker_);
    if (!token) {
        return failure(token.error());
    }
    if (texts_.size() >= texts_max) {
        texts_.clear(); // costs one check each when they come again
    }
    auto account = remember(std::move(*token));
    texts_.emplace(std::move(key), account);
    return account;
}

TokenBook::Account TokenBook::remember(decade::Token token)
{
    auto const known = accounts_.find(token.id);
    if (known != accounts_.end()) {
        // Restored or revoked unseen: what it may is told by the token, what it used by the book.
        known->second->token = std::move(token);
        return known->second;
    }
    if (accounts_.size() >= accounts_max) {
        accounts_.erase(std::min_element(
            accounts_.begin(), accounts_.end(), [](auto const& left, auto const& right) {
                return left.second->token.expires < right.second->token.expires;
            }));
    }
    auto account = std::make_shared<TokenAccount>();
    account->token = std::move(token);
    accounts_.emplace(account->token.id, account);
    return account;
}

bool TokenBook::revoke(std::string const& id, UnixSeconds now)
{
    auto const known = accounts_.find(id);
    bool const was_known = known != accounts_.end();
    if (!was_known) {
        decade::Token token;
        token.id = id;
        token.expires = now + revocation_kept_s;
        remember(std::move(token));
    }
    accounts_.at(id)->is_revoked = true;
    return was_known;
}

void TokenBook::expire(UnixSeconds now)
{
    auto const is_over = [now](auto const& entry) {
        return entry.second->token.expires < now && entry.second->requests_now == 0;
    };
    std::erase_if(texts_, is_over);
    std::erase_if(accounts_, is_over);
}

std::string TokenBook::to_text() const
{
    std::string text;
    for (auto const& [id, account] : accounts_) {
        if (!account->is_used && !account->is_revoked) {
            continue;
        }
        text += decade::to_base64url(as_bytes(id)) + " " + std::to_string(account->token.expires) +
                " " + std::to_string(account->bytes_used) + (account->is_used ? " 1" : " 0") +
                (account->is_revoked ? " 1\n" : " 0\n");
    }
    return text;
}

void TokenBook::restore(std::string_view text)
{
    std::istringstream lines{std::string(text)};
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream fields(line);
        std::string id;
        decade::Token token;
        std::uint64_t bytes_used = 0;
        bool is_used = false;
        bool is_revoked = false;
        fields >> id >> token.expires >> bytes_used >> is_used >> is_revoked;
        auto const bytes = decade::from_base64url(id);
        if (fields.fail() || !bytes || bytes->empty()) {
            continue;
        }
        token.id.assign(bytes->begin(), bytes->end());
        auto const account = remember(std::move(token));
        account->bytes_used = bytes_used;
        account->is_used = is_used;
        account->is_revoked = is_revoked;
    }
}

std::uint64_t TokenBook::revision() const
{
    std::uint64_t sum = accounts_.size();
    for (auto const& [id, account] : accounts_) {
        sum += account->bytes_used * 4 + (account->is_used ? 2U : 0U) +
               (account->is_revoked ? 1U : 0U);
    }
    return sum;
}

} // namespace ppsp::peer
