#pragma once

#include "protocol/base/result.hpp"
#include "protocol/decade/token.hpp"

#include <string>
#include <vector>

namespace ppsp::peer {

/// A token as somebody orders it on a command line.
struct TokenOrder {
    std::string key; ///< file
    std::string allow;
    std::vector<std::string> swarms;
    std::vector<std::string> objects;
    std::string lifetime;
    std::optional<std::uint64_t> rate_kbps;
    std::optional<std::uint64_t> quota_bytes;
    std::optional<std::uint64_t> storage_bytes;
    std::optional<std::uint64_t> requests;
    std::string priority = "Normal";
    std::string audience;
    bool is_single_use = false;
};

/// The token but for its id. The error is a sentence with the flag and what is allowed.
[[nodiscard]] Result<decade::Token, std::string> make_token(TokenOrder const& order,
                                                            decade::UnixSeconds now);

/// `90s`, `15m`, `1h`, `7d`; from a second to ten years.
[[nodiscard]] std::optional<decade::UnixSeconds> parse_lifetime(std::string_view text);

} // namespace ppsp::peer
