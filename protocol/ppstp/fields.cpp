#include "protocol/ppstp/fields.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ppsp::ppstp {
namespace {

/// Above this a double no longer tells neighbouring integers apart.
constexpr double exact_double_max = 9007199254740992.0;

std::optional<std::uint64_t> digits_to_integer(std::string_view text)
{
    std::uint64_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

bool is_clean(std::string_view text)
{
    return std::none_of(text.begin(), text.end(), [](char symbol) {
        auto const code = static_cast<unsigned char>(symbol);
        return code < 0x20 || code == 0x7f;
    });
}

ParseFailure bad(std::string reason, std::string transaction_id = {})
{
    return {ErrorCode::bad_request, std::move(transaction_id), std::move(reason)};
}

/// Echoed where it can be read, whatever else is wrong (trap P9).
std::string readable_transaction_id(json::object const& object)
{
    auto const* found = object.if_contains("transaction_id");
    auto const* text = found == nullptr ? nullptr : found->if_string();
    if (text == nullptr || text->size() > id_size_max || !is_clean(*text)) {
        return {};
    }
    return std::string(*text);
}

} // namespace

void Complaint::say(std::string_view member, std::string_view what)
{
    if (reason_.empty()) {
        reason_.append(member).append(" ").append(what);
    }
}

std::optional<std::uint64_t> to_integer(json::value const& value, std::uint64_t max)
{
    std::optional<std::uint64_t> result;
    if (auto const* whole = value.if_uint64()) {
        result = *whole;
    } else if (auto const* signed_whole = value.if_int64(); signed_whole && *signed_whole >= 0) {
        result = static_cast<std::uint64_t>(*signed_whole);
    } else if (auto const* real = value.if_double()) {
        if (*real >= 0 && *real <= exact_double_max && std::trunc(*real) == *real) {
            result = static_cast<std::uint64_t>(*real);
        }
    } else if (auto const* text = value.if_string()) {
        result = digits_to_integer(*text);
    }
    return result && *result <= max ? result : std::nullopt;
}

json::value const* Fields::find(std::string_view name) const
{
    auto const* found = object_.if_contains(name);
    return found == nullptr || found->is_null() ? nullptr : found;
}

json::object const* Fields::object_if(std::string_view name) const
{
    auto const* found = find(name);
    if (found != nullptr && !found->is_object()) {
        complaint_.say(name, "is not an object");
        return nullptr;
    }
    return found == nullptr ? nullptr : &found->get_object();
}

json::object const& Fields::object(std::string_view name) const
{
    static json::object const nothing;
    auto const* found = object_if(name);
    if (found == nullptr) {
        complaint_.say(name, "is missing");
    }
    return found == nullptr ? nothing : *found;
}

std::optional<std::string> Fields::text_if(std::string_view name) const
{
    auto const* found = find(name);
    if (found == nullptr) {
        return std::nullopt;
    }
    auto const* text = found->if_string();
    if (text == nullptr) {
        complaint_.say(name, "is not a string");
    } else if (text->size() > text_size_max) {
        complaint_.say(name, "is too long");
    } else if (text->empty() || !is_clean(*text)) {
        complaint_.say(name, "is empty or has control characters");
    } else {
        return std::string(*text);
    }
    return std::nullopt;
}

std::string Fields::text(std::string_view name, std::size_t size_max) const
{
    auto found = text_if(name);
    if (!found) {
        complaint_.say(name, "is missing");
    } else if (found->size() > size_max) {
        complaint_.say(name, "is too long");
    }
    return std::move(found).value_or(std::string{});
}

std::optional<std::uint64_t> Fields::integer_if(std::string_view name, std::uint64_t max) const
{
    auto const* found = find(name);
    auto const value = found == nullptr ? std::nullopt : to_integer(*found, max);
    if (found != nullptr && !value) {
        complaint_.say(name, "is not a whole number in range");
    }
    return value;
}

PeerAddress read_address(Fields const& fields)
{
    Fields const ip(fields.object("ip_address"), fields.complaint());
    PeerAddress address;
    auto const text = ip.text("address");
    auto const family = ip.text_if("address_type");
    auto const endpoint = Endpoint::parse_address(text, fields.number<std::uint16_t>("port"));
    if (!endpoint || endpoint->port() == 0) {
        fields.complaint().say("peer_addr", "is not an address with a port");
        return address;
    }
    if (family && *family != (text.find(':') == std::string::npos ? "ipv4" : "ipv6")) {
        fields.complaint().say("address_type", "does not fit the address");
    }
    address.endpoint = *endpoint;
    address.priority = fields.number_or<std::uint32_t>("priority", 1);
    address.type = fields.word_if("type", names::address_types).value_or(AddressType::host);
    address.connection = fields.text_if("connection");
    address.asn = fields.text_if("asn");
    address.peer_protocol = fields.text_if("peer_protocol");
    return address;
}

std::optional<Endpoint> to_endpoint(json::value const& value)
{
    auto const* text = value.if_string();
    return text == nullptr ? std::nullopt : Endpoint::parse(*text);
}

Endpoint read_endpoint(Fields const& fields, std::string_view name)
{
    auto const* found = fields.find(name);
    auto const endpoint = found == nullptr ? std::nullopt : to_endpoint(*found);
    if (!endpoint) {
        fields.complaint().say(name, "is not an address with a port");
    }
    return endpoint.value_or(Endpoint{});
}

Result<json::value, ParseFailure> parse_document(std::string_view text, std::size_t size_max,
                                                 json::storage_ptr storage)
{
    if (text.size() > size_max) {
        return failure(bad("body is larger than " + std::to_string(size_max) + " bytes"));
    }
    json::parse_options options;
    options.max_depth = json_depth_max;
    json::error_code error;
    auto document = json::parse(text, error, std::move(storage), options);
    if (error) {
        return failure(bad("body is not JSON: " + error.message()));
    }
    return document;
}

Result<Root, ParseFailure> find_root(json::value const& document, std::string_view inner)
{
    auto const* outer = document.if_object();
    auto const* found = outer == nullptr ? nullptr : outer->if_contains(names::root);
    auto const* object = found == nullptr ? nullptr : found->if_object();
    if (object == nullptr) {
        return failure(bad("PPSPTrackerProtocol is missing"));
    }
    if (auto const* wrapped = object->if_contains(inner); wrapped && wrapped->is_object()) {
        object = &wrapped->get_object();
    }
    Root root{object, readable_transaction_id(*object)};
    auto const* version = object->if_contains("version");
    auto const number = version == nullptr
                            ? std::nullopt
                            : to_integer(*version, std::numeric_limits<std::uint64_t>::max());
    if (!number) {
        return failure(bad("version is missing or no number", root.transaction_id));
    }
    if (*number != 1) {
        return failure(ParseFailure{ErrorCode::unsupported_version, root.transaction_id,
                                    "only version 1 is spoken here"});
    }
    return root;
}

} // namespace ppsp::ppstp
