#pragma once

#include "protocol/base/result.hpp"
#include "protocol/integrity/hasher.hpp"

namespace ppsp::decade {

/// Suites of RFC 6920 §9.4; the number is the suite id of the binary form.
enum class NiAlgorithm : std::uint8_t {
    sha256 = 1,
    sha256_128 = 2,
    sha256_120 = 3,
    sha256_96 = 4,
    sha256_64 = 5,
    sha256_32 = 6,
};

/// Bytes of a name's value.
[[nodiscard]] std::size_t value_size(NiAlgorithm algorithm);

/// Where servers keep objects by name (RFC 6920 §4), up to and with the slash.
inline constexpr std::string_view well_known_prefix = "/.well-known/ni/";

/// A name that is the hash of what it names (RFC 6920). Names are equal if algorithm and value are;
/// authority and parameters of a URI say nothing about the object (§2). A truncated hash is a name
/// of its own.
class NiName {
public:
    /// Longest URI that is read; authority and parameters included.
    static constexpr std::size_t uri_size_max = 1024;

    /// `hasher` gives SHA-256. Truncated to the leftmost bits of it.
    [[nodiscard]] static NiName of(integrity::Hasher& hasher, Bytes object,
                                   NiAlgorithm algorithm = NiAlgorithm::sha256);
    /// Nullopt if the value has another length than the algorithm's.
    [[nodiscard]] static std::optional<NiName> from_value(NiAlgorithm algorithm, Bytes value);

    /// `ni://[authority]/sha-256;VALUE[?parameters]` (§3). Nullopt for everything else: a malformed
    /// name matches nothing (§10).
    [[nodiscard]] static std::optional<NiName> parse_uri(std::string_view uri);
    /// `/.well-known/ni/sha-256/VALUE` (§4), nothing before or after it.
    [[nodiscard]] static std::optional<NiName> parse_path(std::string_view path);
    /// What stands behind `sha-256;`: base64url of 32 bytes.
    [[nodiscard]] static std::optional<NiName> parse_value(std::string_view value);
    /// Suite id and hash (§6); the two reserved bits are ignored.
    [[nodiscard]] static std::optional<NiName> parse_binary(Bytes bytes);

    [[nodiscard]] std::string uri() const;
    [[nodiscard]] std::string path() const;
    /// base64url, the last part of both.
    [[nodiscard]] std::string value_text() const;
    [[nodiscard]] ByteVector binary() const;
    /// Form for people to read aloud, with a check digit (§7).
    [[nodiscard]] std::string speakable() const;

    [[nodiscard]] NiAlgorithm algorithm() const { return algorithm_; }
    [[nodiscard]] Bytes value() const { return {value_.data(), value_size(algorithm_)}; }

    friend auto operator<=>(NiName const&, NiName const&) = default;

private:
    NiName() = default;
    NiAlgorithm algorithm_ = NiAlgorithm::sha256;
    std::array<std::uint8_t, 32> value_{}; // zero behind a truncated one
};

/// The value is a hash already.
struct NiNameHash {
    [[nodiscard]] std::size_t operator()(NiName const& name) const noexcept;
};

} // namespace ppsp::decade
