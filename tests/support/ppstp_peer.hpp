#pragma once

#include "protocol/base/endpoint.hpp"
#include "protocol/ppstp/messages.hpp"

#include <string>

namespace ppsp::test {

/// A peer as a tracker's answer names it.
inline ppstp::PeerInfo peer_at(std::string id, char const* endpoint, std::uint32_t priority = 1)
{
    ppstp::PeerInfo info;
    info.peer_id = std::move(id);
    info.address.endpoint = *Endpoint::parse(endpoint);
    info.address.priority = priority;
    return info;
}

} // namespace ppsp::test
