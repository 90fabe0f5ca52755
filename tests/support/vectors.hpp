#pragma once

#include "protocol/base/bytes.hpp"

#include <boost/json.hpp>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace ppsp::test {

/// A file of tests/vectors; throws if it is missing or not JSON.
inline boost::json::value load_vectors(std::string const& name)
{
    std::ifstream file(std::string(PPSP_TEST_VECTORS) + "/" + name);
    if (!file) {
        throw std::runtime_error("no test vectors " + name);
    }
    std::stringstream text;
    text << file.rdbuf();
    return boost::json::parse(text.str());
}

inline std::string text_of(boost::json::value const& object, char const* key)
{
    return boost::json::value_to<std::string>(object.at(key));
}

inline ByteVector bytes_of(boost::json::value const& object, char const* key)
{
    auto bytes = from_hex(text_of(object, key));
    if (!bytes) {
        throw std::runtime_error(std::string("not hex: ") + key);
    }
    return std::move(*bytes);
}

template <typename T>
T number_of(boost::json::value const& object, char const* key)
{
    return boost::json::value_to<T>(object.at(key));
}

} // namespace ppsp::test
