#include "peer/decade/token_order.hpp"

#include <charconv>

namespace ppsp::peer {

using decade::Token;
using decade::UnixSeconds;

namespace {

constexpr UnixSeconds lifetime_max_s = UnixSeconds{10} * 365 * 24 * 3600;

Result<decade::Operations, std::string> parse_operations(std::string_view text)
{
    decade::Operations operations;
    while (true) {
        auto const comma = text.find(',');
        auto const name = text.substr(0, comma);
        auto const operation = decade::parse_operation(name);
        if (!operation) {
            return failure("--allow: '" + std::string(name) +
                           "' is not one of read, write, delete, transfer, manage");
        }
        operations.add(*operation);
        if (comma == std::string_view::npos) {
            return operations;
        }
        text.remove_prefix(comma + 1);
    }
}

Result<std::vector<decade::Scope>, std::string> parse_scopes(TokenOrder const& order)
{
    std::vector<decade::Scope> scopes;
    for (auto const& hex : order.swarms) {
        auto id = from_hex(hex);
        if (!id || !integrity::algorithm_of(*id)) {
            return failure("--swarm: '" + hex +
                           "' is no live channel; it is the hex part of a link");
        }
        scopes.emplace_back(decade::SwarmScope{std::move(*id), std::nullopt});
    }
    for (auto const& uri : order.objects) {
        auto const name = decade::NiName::parse_uri(uri);
        if (!name) {
            return failure("--object: '" + uri + "' is no name, as in ni:///sha-256;...");
        }
        scopes.emplace_back(*name);
    }
    if (scopes.size() > decade::token_scopes_max) {
        return failure("a token takes " + std::to_string(decade::token_scopes_max) +
                       " of --swarm and --object together");
    }
    return scopes;
}

} // namespace

std::optional<UnixSeconds> parse_lifetime(std::string_view text)
{
    UnixSeconds number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end + 1 != text.data() + text.size() || number < 1 ||
        number > lifetime_max_s) {
        return std::nullopt;
    }
    UnixSeconds const unit = *end == 's'   ? 1
                             : *end == 'm' ? 60
                             : *end == 'h' ? 3600
                             : *end == 'd' ? 24 * 3600
                                           : 0;
    auto const seconds = number * unit;
    return unit != 0 && seconds <= lifetime_max_s ? std::optional(seconds) : std::nullopt;
}

Result<Token, std::string> make_token(TokenOrder const& order, UnixSeconds now)
{
    auto const operations = parse_operations(order.allow);
    if (!operations) {
        return failure(operations.error());
    }
    auto scopes = parse_scopes(order);
    if (!scopes) {
        return failure(scopes.error());
    }
    auto const lifetime = parse_lifetime(order.lifetime);
    if (!lifetime) {
        return failure("--for: '" + order.lifetime +
                       "' is no time; allowed are 90s, 15m, 1h, 7d and the like, up to ten years");
    }
    auto const priority = decade::parse_priority(order.priority);
    if (!priority) {
        return failure("--priority: '" + order.priority +
                       "' is not one of Low, Normal, High, Urgent");
    }
    Token token;
    token.operations = *operations;
    token.scopes = std::move(*scopes);
    token.not_before = now;
    token.expires = now + *lifetime;
    token.audience = order.audience;
    token.priority = *priority;
    if (order.rate_kbps) {
        token.rate_bps = *order.rate_kbps * 1000;
    }
    token.bytes_max = order.quota_bytes;
    token.stored_max = order.storage_bytes;
    token.requests_max = order.requests;
    token.is_single_use = order.is_single_use;
    return token;
}

} // namespace ppsp::peer
