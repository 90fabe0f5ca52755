#include "protocol/wire/error.hpp"

namespace ppsp::wire {

std::string_view to_string(DecodeError error)
{
    switch (error) {
    case DecodeError::truncated:
        return "truncated";
    case DecodeError::unknown_message:
        return "unknown_message";
    case DecodeError::bad_option:
        return "bad_option";
    case DecodeError::bad_range:
        return "bad_range";
    case DecodeError::bad_chunk:
        return "bad_chunk";
    case DecodeError::misplaced:
        return "misplaced";
    }
    return "unknown";
}

} // namespace ppsp::wire
