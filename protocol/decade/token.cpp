#include "protocol/decade/token.hpp"

#include "protocol/base/assert.hpp"
#include "protocol/decade/base64url.hpp"
#include "protocol/decade/unit_object.hpp"
#include "protocol/ppstp/json_writer.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace ppsp::decade {
namespace {

namespace json = boost::json;
using ppstp::JsonWriter;

constexpr std::array operations{Operation::read, Operation::write, Operation::remove,
                                Operation::transfer, Operation::manage};
constexpr std::array priorities{Priority::low, Priority::normal, Priority::high, Priority::urgent};
constexpr auto number_max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

/// RFC 7518 §3.1 and RFC 8037 §3.1; empty for keys that cannot sign tokens.
std::string_view jws_algorithm(Bytes key_id)
{
    auto const algorithm = integrity::algorithm_of(key_id);
    if (algorithm == wire::SignatureAlgorithm::ecdsa_p256_sha256) {
        return "ES256";
    }
    if (algorithm == wire::SignatureAlgorithm::ecdsa_p384_sha384) {
        return "ES384";
    }
    return algorithm == wire::SignatureAlgorithm::ed25519 ? "EdDSA" : "";
}

void write_scope(JsonWriter& writer, Scope const& scope)
{
    if (auto const* name = std::get_if<NiName>(&scope)) {
        writer.text(name->uri());
        return;
    }
    auto const& swarm = std::get<SwarmScope>(scope);
    writer.begin_object().member("swarm", to_hex(swarm.swarm_id));
    if (swarm.chunks) {
        writer.member("first", to_number(swarm.chunks->first))
            .member("last", to_number(swarm.chunks->last));
    }
    writer.end_object();
}

void write_limit(JsonWriter& writer, char const* name, std::optional<std::uint64_t> limit)
{
    if (limit) {
        writer.member(name, std::min(*limit, number_max));
    }
}

std::uint64_t to_unsigned(UnixSeconds time)
{
    return static_cast<std::uint64_t>(std::max<UnixSeconds>(time, 0));
}

std::string to_claims(Token const& token)
{
    JsonWriter writer;
    writer.begin_object().member("jti", token.id).key("ops").begin_array();
    for (auto const operation : operations) {
        if (token.operations.has(operation)) {
            writer.text(to_string(operation));
        }
    }
    writer.end_array();
    if (!token.scopes.empty()) {
        writer.key("objs").begin_array();
        for (auto const& scope : token.scopes) {
            write_scope(writer, scope);
        }
        writer.end_array();
    }
    writer.member("nbf", to_unsigned(token.not_before)).member("exp", to_unsigned(token.expires));
    if (!token.audience.empty()) {
        writer.member("aud", token.audience);
    }
    writer.member("prio", to_string(token.priority));
    write_limit(writer, "bw", token.rate_bps);
    write_limit(writer, "amt", token.bytes_max);
    write_limit(writer, "sto", token.stored_max);
    write_limit(writer, "con", token.requests_max);
    writer.key("multi").boolean(!token.is_single_use).end_object();
    return writer.take();
}

std::optional<std::uint64_t> to_number(json::value const& value)
{
    auto const* number = value.if_int64();
    return number != nullptr && *number >= 0 ? std::optional(static_cast<std::uint64_t>(*number))
                                             : std::nullopt;
}

std::optional<std::string_view> to_text(json::value const& value)
{
    auto const* text = value.if_string();
    return text != nullptr ? std::optional(std::string_view(text->data(), text->size()))
                           : std::nullopt;
}

std::optional<SwarmScope> to_swarm_scope(json::object const& object)
{
    auto const* swarm = object.if_contains("swarm");
    auto const text = swarm != nullptr ? to_text(*swarm) : std::nullopt;
    auto id = text ? from_hex(*text) : std::nullopt;
    if (!id || id->empty() || id->size() > swarm_id_size_max) {
        return std::nullopt;
    }
    SwarmScope scope{std::move(*id), std::nullopt};
    auto const* first = object.if_contains("first");
    auto const* last = object.if_contains("last");
    if (first == nullptr && last == nullptr) {
        return scope;
    }
    // Half a range must not pass for no limit.
    auto const from = first != nullptr ? to_number(*first) : std::nullopt;
    auto const to = last != nullptr ? to_number(*last) : std::nullopt;
    if (!from || !to || *from > *to) {
        return std::nullopt;
    }
    scope.chunks = ChunkRange{ChunkId{*from}, ChunkId{*to}};
    return scope;
}

std::optional<Scope> to_scope(json::value const& value)
{
    if (auto const text = to_text(value)) {
        auto const name = NiName::parse_uri(*text);
        return name ? std::optional<Scope>(*name) : std::nullopt;
    }
    if (auto const* object = value.if_object()) {
        auto scope = to_swarm_scope(*object);
        return scope ? std::optional<Scope>(std::move(*scope)) : std::nullopt;
    }
    return std::nullopt;
}

/// Reads one claim into the token; false if it has another form than the claim's.
bool read_operations(json::value const& value, Token& token)
{
    auto const* array = value.if_array();
    return array != nullptr &&
           std::all_of(array->begin(), array->end(), [&token](json::value const& one) {
               auto const text = to_text(one);
               auto const operation = text ? parse_operation(*text) : std::nullopt;
               if (operation) {
                   token.operations.add(*operation);
               }
               return text.has_value(); // an operation of a later version gives no right
           });
}

bool read_scopes(json::value const& value, Token& token)
{
    auto const* array = value.if_array();
    // An empty list would read as "every object".
    return array != nullptr && !array->empty() && array->size() <= token_scopes_max &&
           std::all_of(array->begin(), array->end(), [&token](json::value const& one) {
               auto scope = to_scope(one);
               if (scope) {
                   token.scopes.push_back(std::move(*scope));
               }
               return scope.has_value();
           });
}

bool read_text(json::value const& value, std::string& text, std::size_t size_max)
{
    auto const found = to_text(value);
    text = found.value_or("");
    return found && found->size() <= size_max;
}

bool read_limit(json::value const& value, std::optional<std::uint64_t>& limit)
{
    limit = to_number(value);
    return limit.has_value();
}

bool read_time(json::value const& value, UnixSeconds& time)
{
    auto const number = to_number(value);
    time = static_cast<UnixSeconds>(number.value_or(0));
    return number.has_value();
}

bool read_priority(json::value const& value, Token& token)
{
    auto const text = to_text(value);
    auto const priority = text ? parse_priority(*text) : std::nullopt;
    token.priority = priority.value_or(Priority::low);
    return priority.has_value();
}

bool read_claim(std::string_view name, json::value const& value, Token& token)
{
    constexpr std::size_t audience_size_max = 512;
    if (name == "jti") {
        return read_text(value, token.id, token_id_size_max) && !token.id.empty();
    }
    if (name == "ops") {
        return read_operations(value, token);
    }
    if (name == "objs") {
        return read_scopes(value, token);
    }
    if (name == "nbf") {
        return read_time(value, token.not_before);
    }
    if (name == "exp") {
        return read_time(value, token.expires);
    }
    if (name == "aud") {
        return read_text(value, token.audience, audience_size_max);
    }
    if (name == "prio") {
        return read_priority(value, token);
    }
    if (name == "bw") {
        return read_limit(value, token.rate_bps);
    }
    if (name == "amt") {
        return read_limit(value, token.bytes_max);
    }
    if (name == "sto") {
        return read_limit(value, token.stored_max);
    }
    if (name == "con") {
        return read_limit(value, token.requests_max);
    }
    if (name == "multi") {
        token.is_single_use = value.is_bool() && !value.get_bool();
        return value.is_bool();
    }
    return true;
}

json::value parse_json(std::string_view base64)
{
    auto const bytes = from_base64url(base64);
    if (!bytes) {
        return nullptr;
    }
    boost::system::error_code error;
    auto value = json::parse(
        json::string_view(reinterpret_cast<char const*>(bytes->data()), bytes->size()), error);
    return error ? json::value(nullptr) : value;
}

std::optional<Token> to_token(std::string_view base64)
{
    auto const value = parse_json(base64);
    auto const* object = value.if_object();
    // A token without an end, or without a name to revoke it by, is none.
    if (object == nullptr || !object->contains("jti") || !object->contains("exp")) {
        return std::nullopt;
    }
    Token token;
    bool const is_good = std::all_of(object->begin(), object->end(), [&token](auto const& member) {
        return read_claim({member.key().data(), member.key().size()}, member.value(), token);
    });
    return is_good ? std::optional(std::move(token)) : std::nullopt;
}

bool has_algorithm(std::string_view header, std::string_view algorithm)
{
    auto const value = parse_json(header);
    auto const* object = value.if_object();
    auto const* named = object != nullptr ? object->if_contains("alg") : nullptr;
    // RFC 7515 §4.1.11: extensions that are critical must be understood, and we know none.
    return named != nullptr && to_text(*named) == algorithm && !object->contains("crit");
}

} // namespace

std::string_view to_string(Operation operation)
{
    switch (operation) {
    case Operation::read:
        return "read";
    case Operation::write:
        return "write";
    case Operation::remove:
        return "delete";
    case Operation::transfer:
        return "transfer";
    case Operation::manage:
        return "manage";
    }
    PPSP_ASSERT(false);
}

std::optional<Operation> parse_operation(std::string_view name)
{
    auto const found = std::find_if(operations.begin(), operations.end(),
                                    [name](auto one) { return to_string(one) == name; });
    return found == operations.end() ? std::nullopt : std::optional(*found);
}

std::string_view to_string(Priority priority)
{
    switch (priority) {
    case Priority::low:
        return "Low";
    case Priority::normal:
        return "Normal";
    case Priority::high:
        return "High";
    case Priority::urgent:
        return "Urgent";
    }
    PPSP_ASSERT(false);
}

std::optional<Priority> parse_priority(std::string_view name)
{
    auto const found = std::find_if(priorities.begin(), priorities.end(),
                                    [name](auto one) { return to_string(one) == name; });
    return found == priorities.end() ? std::nullopt : std::optional(*found);
}

std::string_view to_string(TokenError error)
{
    switch (error) {
    case TokenError::malformed:
        return "the token is malformed";
    case TokenError::bad_signature:
        return "the token was changed or made by another server";
    case TokenError::expired:
        return "the token has expired";
    case TokenError::not_yet_valid:
        return "the token is not valid yet";
    case TokenError::other_audience:
        return "the token was made for another server";
    case TokenError::revoked:
        return "the token was revoked";
    case TokenError::used_up:
        return "the token was for one use, which was made of it";
    }
    PPSP_ASSERT(false);
}

std::string to_text(Token const& token, integrity::Signer& signer)
{
    auto const algorithm = jws_algorithm(signer.swarm_id());
    PPSP_ASSERT(!algorithm.empty());
    std::string const header = R"({"alg":")" + std::string(algorithm) + R"(","typ":"JWT"})";
    auto text = to_base64url(as_bytes(header)) + "." + to_base64url(as_bytes(to_claims(token)));
    auto const signature = signer.sign(as_bytes(text));
    return text + "." + to_base64url(signature);
}

Result<Token, TokenError> parse_token(std::string_view text, Bytes server_id,
                                      integrity::Checker& checker)
{
    auto const header_end = text.find('.');
    auto const claims_end = text.rfind('.');
    if (text.size() > token_text_size_max || header_end == std::string_view::npos ||
        header_end == claims_end) {
        return failure(TokenError::malformed);
    }
    auto const signature = from_base64url(text.substr(claims_end + 1));
    auto const algorithm = jws_algorithm(server_id);
    // The key decides about the algorithm, never the token (RFC 8725 §3.1).
    if (!signature || algorithm.empty() || !has_algorithm(text.substr(0, header_end), algorithm)) {
        return failure(TokenError::malformed);
    }
    if (!checker.check(server_id, as_bytes(text.substr(0, claims_end)), *signature)) {
        return failure(TokenError::bad_signature);
    }
    auto token = to_token(text.substr(header_end + 1, claims_end - header_end - 1));
    if (!token) {
        return failure(TokenError::malformed);
    }
    return std::move(*token);
}

Result<void, TokenError> check_validity(Token const& token, UnixSeconds now,
                                        std::string_view server_url)
{
    if (now > token.expires) {
        return failure(TokenError::expired);
    }
    if (now + token_clock_slack_s < token.not_before) {
        return failure(TokenError::not_yet_valid);
    }
    if (!token.audience.empty() && token.audience != server_url) {
        return failure(TokenError::other_audience);
    }
    return {};
}

bool covers(Token const& token, ObjectFacts const& object)
{
    if (token.scopes.empty()) {
        return true;
    }
    return std::any_of(token.scopes.begin(), token.scopes.end(), [&object](Scope const& scope) {
        if (auto const* name = std::get_if<NiName>(&scope)) {
            return object.name && *object.name == *name;
        }
        auto const& swarm = std::get<SwarmScope>(scope);
        bool const is_swarm = std::equal(swarm.swarm_id.begin(), swarm.swarm_id.end(),
                                         object.swarm_id.begin(), object.swarm_id.end());
        return is_swarm &&
               (!swarm.chunks || (object.chunks && swarm.chunks->contains(*object.chunks)));
    });
}

bool may_cover(Token const& token, NiName const& name)
{
    return token.scopes.empty() ||
           std::any_of(token.scopes.begin(), token.scopes.end(), [&name](Scope const& scope) {
               auto const* listed = std::get_if<NiName>(&scope);
               return listed == nullptr || *listed == name;
           });
}

} // namespace ppsp::decade
