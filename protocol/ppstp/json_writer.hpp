#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ppsp::ppstp {

/// Appends JSON to one string as it goes, commas included. A tracker writes far more than it reads,
/// so there is no tree in between. The caller keeps begin and end in balance and gives valid UTF-8.
class JsonWriter {
public:
    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }

    /// Name of the member that the next call writes.
    JsonWriter& key(std::string_view name);
    JsonWriter& text(std::string_view value);
    JsonWriter& number(std::uint64_t value);
    JsonWriter& boolean(bool value);

    JsonWriter& member(std::string_view name, std::string_view value)
    {
        return key(name).text(value);
    }
    JsonWriter& member(std::string_view name, std::uint64_t value)
    {
        return key(name).number(value);
    }

    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    void separate();
    void quote(std::string_view value);

    std::string out_;
    bool needs_comma_ = false;
};

} // namespace ppsp::ppstp
