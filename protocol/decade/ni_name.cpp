#include "protocol/decade/ni_name.hpp"

#include "protocol/decade/base64url.hpp"

#include <cstring>

namespace ppsp::decade {
namespace {

struct Suite {
    NiAlgorithm algorithm;
    std::string_view name;
    std::size_t size;
};

constexpr std::array suites{
    Suite{NiAlgorithm::sha256, "sha-256", 32},
    Suite{NiAlgorithm::sha256_128, "sha-256-128", 16},
    Suite{NiAlgorithm::sha256_120, "sha-256-120", 15},
    Suite{NiAlgorithm::sha256_96, "sha-256-96", 12},
    Suite{NiAlgorithm::sha256_64, "sha-256-64", 8},
    Suite{NiAlgorithm::sha256_32, "sha-256-32", 4},
};

Suite const& suite_of(NiAlgorithm algorithm)
{
    return suites[static_cast<std::size_t>(algorithm) - 1];
}

std::optional<NiName> parse_parts(std::string_view algorithm, std::string_view value)
{
    for (auto const& suite : suites) {
        if (suite.name == algorithm) {
            auto const bytes = from_base64url(value);
            return bytes ? NiName::from_value(suite.algorithm, *bytes) : std::nullopt;
        }
    }
    return std::nullopt;
}

/// RFC 6920 §7: Luhn's algorithm over hexadecimal digits (ISO/IEC 7812, mod 16).
char check_digit(std::string_view hex)
{
    constexpr std::string_view hex_digits = "0123456789abcdef";
    std::size_t sum = 0;
    std::size_t factor = 2;
    for (auto digit = hex.rbegin(); digit != hex.rend(); ++digit) {
        std::size_t const product = hex_digits.find(*digit) * factor;
        sum += product / 16 + product % 16;
        factor = 3 - factor;
    }
    return hex_digits[(16 - sum % 16) % 16];
}

} // namespace

std::size_t value_size(NiAlgorithm algorithm)
{
    return suite_of(algorithm).size;
}

NiName NiName::of(integrity::Hasher& hasher, Bytes object, NiAlgorithm algorithm)
{
    auto const hash = hasher.leaf(object);
    PPSP_ASSERT(hash.size() == value_size(NiAlgorithm::sha256));
    return *from_value(algorithm, hash.bytes().first(value_size(algorithm)));
}

std::optional<NiName> NiName::from_value(NiAlgorithm algorithm, Bytes value)
{
    if (value.size() != value_size(algorithm)) {
        return std::nullopt;
    }
    NiName name;
    name.algorithm_ = algorithm;
    std::copy(value.begin(), value.end(), name.value_.begin());
    return name;
}

std::optional<NiName> NiName::parse_uri(std::string_view uri)
{
    constexpr std::string_view scheme = "ni://";
    if (uri.size() > uri_size_max || !uri.starts_with(scheme)) {
        return std::nullopt;
    }
    uri.remove_prefix(scheme.size());
    auto const slash = uri.find('/'); // ends the authority, which may be empty
    if (slash == std::string_view::npos || uri.substr(0, slash).find_first_of(";?") != uri.npos) {
        return std::nullopt;
    }
    uri = uri.substr(slash + 1, uri.find('?') == uri.npos ? uri.npos : uri.find('?') - slash - 1);
    auto const semicolon = uri.find(';');
    if (semicolon == std::string_view::npos) {
        return std::nullopt;
    }
    return parse_parts(uri.substr(0, semicolon), uri.substr(semicolon + 1));
}

std::optional<NiName> NiName::parse_path(std::string_view path)
{
    if (!path.starts_with(well_known_prefix)) {
        return std::nullopt;
    }
    path.remove_prefix(well_known_prefix.size());
    auto const slash = path.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    return parse_parts(path.substr(0, slash), path.substr(slash + 1));
}

std::optional<NiName> NiName::parse_value(std::string_view value)
{
    return parse_parts(suite_of(NiAlgorithm::sha256).name, value);
}

std::optional<NiName> NiName::parse_binary(Bytes bytes)
{
    if (bytes.empty()) {
        return std::nullopt;
    }
    auto const id = static_cast<std::size_t>(bytes.front() & 0x3f);
    if (id == 0 || id > suites.size()) {
        return std::nullopt;
    }
    return from_value(suites[id - 1].algorithm, bytes.subspan(1));
}

std::string NiName::uri() const
{
    return "ni:///" + std::string(suite_of(algorithm_).name) + ";" + value_text();
}

std::string NiName::path() const
{
    return std::string(well_known_prefix) + std::string(suite_of(algorithm_).name) + "/" +
           value_text();
}

std::string NiName::value_text() const
{
    return to_base64url(value());
}

ByteVector NiName::binary() const
{
    ByteVector bytes{static_cast<std::uint8_t>(algorithm_)};
    bytes.insert(bytes.end(), value().begin(), value().end());
    return bytes;
}

std::string NiName::speakable() const
{
    auto const hex = to_hex(value());
    return "nih:" + std::string(suite_of(algorithm_).name) + ";" + hex + ";" + check_digit(hex);
}

std::size_t NiNameHash::operator()(NiName const& name) const noexcept
{
    std::uint32_t start = 0; // the shortest value has four bytes
    std::memcpy(&start, name.value().data(), sizeof start);
    std::uint32_t end = 0;
    std::memcpy(&end, name.value().data() + name.value().size() - sizeof end, sizeof end);
    return std::size_t{start} << 32 | end;
}

} // namespace ppsp::decade
