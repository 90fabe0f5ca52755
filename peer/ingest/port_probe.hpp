#pragma once

#include <string>

namespace ppsp::ingest {

/// Tries to bind the address of a listener URL (`rtmp://` by TCP, others by UDP) and lets it go
/// again. 0, or the errno of the attempt. Names and multicast groups are not tried and give 0.
[[nodiscard]] int port_error(std::string const& url);

} // namespace ppsp::ingest
