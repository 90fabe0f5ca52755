#pragma once

#include "peer/shell/cache_host.hpp"

#include <boost/asio/ip/tcp.hpp>

namespace ppsp::peer {

/// One connection to a cache until either side ends it: HTTP/1.1 with keep-alive and pipelining.
/// Objects go from the page cache to the socket by sendfile(2).
[[nodiscard]] net::awaitable<void> serve_cache_connection(std::shared_ptr<CacheHost> host,
                                                          boost::asio::ip::tcp::socket socket);

} // namespace ppsp::peer
