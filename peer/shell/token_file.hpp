#pragma once

#include "protocol/base/result.hpp"

#include <string>

namespace ppsp::peer {

/// The access token in a file of its own, one word: a command line can be read by everybody on the
/// machine. The error is a sentence.
[[nodiscard]] Result<std::string, std::string> read_token_file(std::string const& path);

} // namespace ppsp::peer
