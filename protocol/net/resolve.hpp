#pragma once

#include "protocol/net/asio.hpp"
#include "protocol/net/http.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>

namespace ppsp::net {

/// Addresses of a host, best first. A literal address needs no name service.
[[nodiscard]] awaitable<Result<std::vector<boost::asio::ip::tcp::endpoint>, HttpError>>
resolve(any_io_executor executor, std::string host, std::uint16_t port,
        std::chrono::steady_clock::time_point deadline);

} // namespace ppsp::net
