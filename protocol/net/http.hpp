#pragma once

#include "protocol/base/endpoint.hpp"
#include "protocol/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// HTTP as our client and server speak it; the library behind it stays in their .cpp files.
namespace ppsp::net {

enum class HttpError : std::uint8_t {
    bad_url,
    busy, ///< a request is under way on this client
    resolve_failed,
    connect_failed,
    tls_failed, ///< handshake failed or the certificate was not accepted
    timeout,
    connection_lost,
    bad_response,
    response_too_large,
};

/// A few words for a log line.
[[nodiscard]] std::string_view to_text(HttpError error);

struct HttpHeader {
    std::string name;
    std::string value;
};

struct HttpResponse {
    unsigned status = 0;
    std::vector<HttpHeader> headers;
    std::string body;

    /// Names compare without case (RFC 9110 §5.1).
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
};

struct Url {
    bool is_https = false;
    std::string host; ///< without brackets
    std::uint16_t port = 0;
    std::string target = "/"; ///< path and query
};

/// `http://` and `https://` only; no user info, no spaces or control characters in the host.
[[nodiscard]] Result<Url, HttpError> parse_url(std::string_view text);

} // namespace ppsp::net
