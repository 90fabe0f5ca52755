#pragma once

#include "protocol/base/endpoint.hpp"

#include <vector>

namespace ppsp::peer {

/// Under which addresses others may reach a socket that is bound to `bound`, best first. A socket
/// bound to one address has that one. Otherwise: the address from which the system reaches the
/// tracker, and the one of the other family if the socket takes both. Nobody but this machine can
/// reach a tracker on loopback, so then loopback is enough. Asks the routing table; sends nothing.
[[nodiscard]] std::vector<Endpoint> own_addresses(Endpoint const& bound,
                                                  std::vector<Endpoint> const& trackers);

} // namespace ppsp::peer
