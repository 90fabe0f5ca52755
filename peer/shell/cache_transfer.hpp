#pragma once

#include "peer/shell/cache_host.hpp"

namespace ppsp::peer {

/// Checks an upload's bytes, makes room, writes and answers; also what a fetch brought.
[[nodiscard]] net::awaitable<CacheReply> take_upload(std::shared_ptr<CacheHost> host, Upload upload,
                                                     std::string body);

/// Carries out an order between servers (RFC 7069 §6.4) and tells how it ended. The remote server
/// checks the remote token; its answer comes back as a sentence.
[[nodiscard]] net::awaitable<CacheReply> carry_out(std::shared_ptr<CacheHost> host, Upload order,
                                                   std::string body);

} // namespace ppsp::peer
