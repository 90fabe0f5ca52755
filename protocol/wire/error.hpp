#pragma once

#include <cstdint>
#include <string_view>

namespace ppsp::wire {

/// Why a datagram, or the rest of it, is thrown away (RFC 7574 §3: silence is the error reply).
enum class DecodeError : std::uint8_t {
    truncated,       ///< ends inside a field
    unknown_message, ///< message type above 13
    bad_option,      ///< option list broken, unordered or of unknown code
    bad_range,       ///< interval reversed, empty or beyond the addressing mode
    bad_chunk,       ///< payload empty, longer than the chunk size, or shorter beside other DATA
    misplaced,       ///< HANDSHAKE that is not the first message, DATA that is not the last
};

[[nodiscard]] std::string_view to_string(DecodeError error);

} // namespace ppsp::wire
