#pragma once

#include "protocol/base/assert.hpp"
#include "protocol/base/bytes.hpp"
#include "protocol/integrity/hash.hpp"

#include <boost/json.hpp>

#include <fstream>
#include <sstream>
#include <string>

/// Access to tests/vectors/*.json.
namespace ppsp::vectors {

inline boost::json::value load(std::string const& name)
{
    std::ifstream file(std::string(PPSP_TEST_VECTORS) + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return boost::json::parse(text.str());
}

inline ByteVector bytes(boost::json::value const& hex)
{
    auto parsed = from_hex(std::string_view(hex.as_string()));
    PPSP_ASSERT(parsed.has_value());
    return *parsed;
}

inline integrity::Hash hash(boost::json::value const& hex)
{
    return integrity::Hash(bytes(hex));
}

inline std::uint64_t number(boost::json::value const& value)
{
    return value.to_number<std::uint64_t>();
}

inline std::string text(boost::json::value const& value)
{
    return std::string(value.as_string());
}

/// The content that vectors without `content_hex` describe (tests/vectors/README.md).
inline ByteVector pattern(std::size_t size, std::uint64_t seed)
{
    ByteVector content(size);
    for (std::uint64_t i = 0; i < size; ++i) {
        content[i] = static_cast<std::uint8_t>(i * 31 + (i >> 8) * 17 + 7 + seed * 101);
    }
    return content;
}

} // namespace ppsp::vectors
