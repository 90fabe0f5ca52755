#pragma once

#include "protocol/ppstp/messages.hpp"
#include "protocol/ppstp/names.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <limits>

/// Typed access to JSON members; for the parsers of this room only.
namespace ppsp::ppstp {

namespace json = boost::json;

/// Keeps the first thing that was wrong. Readers go on with defaults after a complaint, so that
/// they need no check at every line; whoever began asks `ok()` at the end.
class Complaint {
public:
    void say(std::string_view member, std::string_view what);
    [[nodiscard]] bool ok() const { return reason_.empty(); }
    [[nodiscard]] std::string const& reason() const { return reason_; }

private:
    std::string reason_;
};

/// The RFC's examples write integers as strings too (trap P1); nullopt for anything else,
/// fractions and values above `max` included.
[[nodiscard]] std::optional<std::uint64_t> to_integer(json::value const& value, std::uint64_t max);

class Fields {
public:
    Fields(json::object const& object, Complaint& complaint)
        : object_(object), complaint_(complaint)
    {}

    /// Null counts as absent.
    [[nodiscard]] json::value const* find(std::string_view name) const;
    [[nodiscard]] json::object const* object_if(std::string_view name) const;
    [[nodiscard]] json::object const& object(std::string_view name) const;

    /// Not empty, no control characters, at most `size_max` bytes.
    [[nodiscard]] std::string text(std::string_view name,
                                   std::size_t size_max = text_size_max) const;
    [[nodiscard]] std::optional<std::string> text_if(std::string_view name) const;

    template <typename Number>
    [[nodiscard]] std::optional<Number> number_if(std::string_view name) const
    {
        auto const found = integer_if(name, std::numeric_limits<Number>::max());
        return found ? std::optional<Number>(static_cast<Number>(*found)) : std::nullopt;
    }
    template <typename Number>
    [[nodiscard]] Number number(std::string_view name) const
    {
        auto const found = number_if<Number>(name);
        if (!found) {
            complaint_.say(name, "is missing");
        }
        return found.value_or(0);
    }
    template <typename Number>
    [[nodiscard]] Number number_or(std::string_view name, Number fallback) const
    {
        return number_if<Number>(name).value_or(fallback);
    }

    template <typename Enum, std::size_t count>
    [[nodiscard]] std::optional<Enum> word_if(std::string_view name,
                                              names::Table<Enum, count> const& table) const
    {
        auto const word = text_if(name);
        auto const value = word ? names::value_of(table, *word) : std::nullopt;
        if (word && !value) {
            complaint_.say(name, "has an unknown value");
        }
        return value;
    }
    template <typename Enum, std::size_t count>
    [[nodiscard]] Enum word(std::string_view name, names::Table<Enum, count> const& table) const
    {
        auto const value = word_if(name, table);
        if (!value) {
            complaint_.say(name, "is missing");
        }
        return value.value_or(Enum{});
    }

    [[nodiscard]] Complaint& complaint() const { return complaint_; }

private:
    [[nodiscard]] std::optional<std::uint64_t> integer_if(std::string_view name,
                                                          std::uint64_t max) const;

    json::object const& object_;
    Complaint& complaint_;
};

/// Reads an array of objects, or a single object where an array belongs (trap P1), with `read`.
template <typename Entry, typename Read>
void read_list(json::value const& value, std::string_view name, std::size_t count_max,
               Complaint& complaint, std::vector<Entry>& out, Read read)
{
    if (auto const* single = value.if_object()) {
        out.push_back(read(Fields(*single, complaint)));
        return;
    }
    auto const* list = value.if_array();
    if (list == nullptr || list->size() > count_max - std::min(count_max, out.size())) {
        complaint.say(name, list == nullptr ? "is not a list" : "has too many entries");
        return;
    }
    for (auto const& entry : *list) {
        if (auto const* object = entry.if_object(); object != nullptr && complaint.ok()) {
            out.push_back(read(Fields(*object, complaint)));
        } else {
            complaint.say(name, "has an entry that is not an object");
        }
    }
}

[[nodiscard]] PeerAddress read_address(Fields const& fields);
/// `192.0.2.1:6778`; nullopt for anything else.
[[nodiscard]] std::optional<Endpoint> to_endpoint(json::value const& value);
/// A member with an address and its port in one string.
[[nodiscard]] Endpoint read_endpoint(Fields const& fields, std::string_view name);

/// What stands under `PPSPTrackerProtocol`, or under the wrapper `inner` in it (trap P2), with
/// transaction id and version checked.
struct Root {
    json::object const* object = nullptr;
    std::string transaction_id;
};
[[nodiscard]] Result<Root, ParseFailure> find_root(json::value const& document,
                                                   std::string_view inner);

/// Parses with the limits of this protocol: depth, size, UTF-8.
[[nodiscard]] Result<json::value, ParseFailure>
parse_document(std::string_view text, std::size_t size_max, json::storage_ptr storage);

} // namespace ppsp::ppstp
