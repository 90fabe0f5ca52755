#pragma once

#include "protocol/base/bytes.hpp"

namespace ppsp::decade {

/// Base64 with the URL alphabet and without padding (RFC 4648 §5, as RFC 6920 §3 and RFC 7515 §2
/// use it).
[[nodiscard]] std::string to_base64url(Bytes bytes);

/// Strict: nullopt for padding, characters of other alphabets, impossible lengths and bits set
/// beyond the last byte, so that every byte string has exactly one text.
[[nodiscard]] std::optional<ByteVector> from_base64url(std::string_view text);

} // namespace ppsp::decade
