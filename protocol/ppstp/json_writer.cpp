#include "protocol/ppstp/json_writer.hpp"

#include <charconv>

namespace ppsp::ppstp {
namespace {

void append_escaped(std::string& out, char symbol)
{
    constexpr std::string_view digits = "0123456789abcdef";
    switch (symbol) {
    case '"':
        out += "\\\"";
        return;
    case '\\':
        out += "\\\\";
        return;
    default:
        out += "\\u00";
        out += digits[static_cast<unsigned char>(symbol) >> 4];
        out += digits[static_cast<unsigned char>(symbol) & 0xf];
    }
}

bool needs_escape(char symbol)
{
    return static_cast<unsigned char>(symbol) < 0x20 || symbol == '"' || symbol == '\\';
}

} // namespace

void JsonWriter::separate()
{
    if (needs_comma_) {
        out_ += ',';
    }
}

void JsonWriter::quote(std::string_view value)
{
    out_ += '"';
    for (char const symbol : value) {
        if (needs_escape(symbol)) {
            append_escaped(out_, symbol);
        } else {
            out_ += symbol;
        }
    }
    out_ += '"';
}

JsonWriter& JsonWriter::open(char bracket)
{
    separate();
    out_ += bracket;
    needs_comma_ = false;
    return *this;
}

JsonWriter& JsonWriter::close(char bracket)
{
    out_ += bracket;
    needs_comma_ = true;
    return *this;
}

JsonWriter& JsonWriter::key(std::string_view name)
{
    separate();
    quote(name);
    out_ += ':';
    needs_comma_ = false;
    return *this;
}

JsonWriter& JsonWriter::text(std::string_view value)
{
    separate();
    quote(value);
    needs_comma_ = true;
    return *this;
}

JsonWriter& JsonWriter::number(std::uint64_t value)
{
    separate();
    char digits[20];
    auto const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out_.append(digits, end);
    needs_comma_ = true;
    return *this;
}

JsonWriter& JsonWriter::boolean(bool value)
{
    separate();
    out_ += value ? "true" : "false";
    needs_comma_ = true;
    return *this;
}

} // namespace ppsp::ppstp
